package catalog

import (
	"cmp"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
)

// Country is a country whose residents are served.
type Country struct {
	Code  string `json:"code"` // ISO 3166-1 alpha-2, upper case
	Name  string `json:"name"` // in English
	IBAN  bool   `json:"iban"` // a user who lives there gets an IBAN
	Cards bool   `json:"cards"`
	POA   bool   `json:"poa"` // a proof of address is required
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

func readCountries(files fs.FS) ([]Country, map[string]Country, error) {
	var data struct {
		Countries []Country         `json:"countries"`
		Aliases   map[string]string `json:"aliases"`
	}
	if err := decode(files, countriesFile, &data); err != nil {
		return nil, nil, err
	}
	byCode := map[string]Country{}
	for _, c := range data.Countries {
		if !countryCode.MatchString(c.Code) || c.Name == "" {
			return nil, nil, fmt.Errorf("catalog: %s: %q: a country has a code of two capital letters and a name", countriesFile, c.Code)
		}
		if _, ok := byCode[c.Code]; ok {
			return nil, nil, fmt.Errorf("catalog: %s: %s: it is there twice", countriesFile, c.Code)
		}
		byCode[c.Code] = c
	}
	if err := addAliases(byCode, data.Aliases); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(data.Countries, func(a, b Country) int { return cmp.Compare(a.Code, b.Code) })
	return data.Countries, byCode, nil
}

// addAliases adds the territories that are served as parts of a country. An alias of an alias is an error,
// in whichever order the map is walked.
func addAliases(byCode map[string]Country, aliases map[string]string) error {
	territories := map[string]Country{}
	for code, of := range aliases {
		country, ok := byCode[of]
		if !ok {
			return fmt.Errorf("catalog: %s: alias %s: %q is no country of the list", countriesFile, code, of)
		}
		if _, ok := byCode[code]; ok || !countryCode.MatchString(code) {
			return fmt.Errorf("catalog: %s: alias %q: it must be a code of two capital letters that is no country of the list", countriesFile, code)
		}
		territories[code] = country
	}
	for code, country := range territories {
		byCode[code] = country
	}
	return nil
}
