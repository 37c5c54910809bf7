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
		"republic of korea": "KR", "burma": "MM", "democratic republic of the congo": "CD", "congo, democratic republic of the": "CD",
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
			if err != nil || !region.IsCountry() || region.String() != code {
				continue
			}
			names[strings.ToLower(english.Name(region))] = code
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
	return countryNames()[strings.ToLower(text)]
}
