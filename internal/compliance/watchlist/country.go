package watchlist

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countryNames are the English names of countries, in lower case, with their codes.
var countryNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{
		"russia": "RU", "russian federation": "RU", "iran (islamic republic of)": "IR", "islamic republic of iran": "IR",
		"syrian arab republic": "SY", "democratic people's republic of korea": "KP", "korea, north": "KP", "korea, south": "KR",
		"republic of korea": "KR", "türkiye": "TR", "palestine": "PS", "cabo verde": "CV", "czech republic": "CZ", "eswatini": "SZ",
		"north macedonia": "MK", "brunei darussalam": "BN", "holy see": "VA", "micronesia (federated states of)": "FM",
		"bolivia (plurinational state of)": "BO", "democratic republic of congo": "CD", "congo (democratic republic of)": "CD",
		"gaza": "PS", "west bank": "PS", "burma": "MM", "democratic republic of the congo": "CD", "congo, democratic republic of the": "CD",
		"united republic of tanzania": "TZ", "viet nam": "VN", "lao people's democratic republic": "LA", "turkey": "TR",
		"palestinian": "PS", "state of palestine": "PS", "bosnia and herzegovina": "BA", "cote d ivoire": "CI", "cote d'ivoire": "CI",
		"republic of moldova": "MD", "united kingdom of great britain and northern ireland": "GB", "united states of america": "US",
		"venezuela (bolivarian republic of)": "VE", "the gambia": "GM", "trinidad and tobago": "TT",
	}
	english := display.Regions(language.English)
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			if err != nil || !region.IsCountry() || region.String() != code || region.Canonicalize() != region {
				continue
			}
			if name := english.Name(region); name != "" { // former countries have none
				names[strings.ToLower(name)] = code
			}
		}
	}
	return names
})

// country reads a country's code or English name; empty when it is neither. Countries are evidence only, so
// nothing depends on knowing every spelling.
func country(text string) string {
	text = strings.TrimSpace(text)
	const code = 2
	if len(text) == code {
		if upper := strings.ToUpper(text); upper != "00" {
			return upper
		}
		return ""
	}
	return countryNamed(text)
}

// countryNamed reads a country's English name, in lists that have no codes: where they write "na", nothing is known.
func countryNamed(text string) string {
	return countryNames()[strings.ToLower(strings.TrimSpace(text))]
}

// countryOfPlace reads the country at the end of a place: "Somewhere, Some Province, Iraq".
func countryOfPlace(text string) string {
	return countryNamed(text[strings.LastIndexByte(text, ',')+1:])
}
