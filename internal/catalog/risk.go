package catalog

import (
	"fmt"
	"io/fs"
	"strings"
)

// HighRisk tells whether somebody who lives in a country, or is its citizen, must be looked at: by its ISO 3166-1
// alpha-2 code, in any case.
func (c *Catalog) HighRisk(code string) bool { return c.highRisk[strings.ToUpper(code)] }

func readRisk(files fs.FS) (map[string]bool, error) {
	var data struct {
		HighRisk []string `json:"highRisk"`
	}
	if err := decode(files, riskFile, &data); err != nil {
		return nil, err
	}
	countries := map[string]bool{}
	for _, code := range data.HighRisk {
		if !countryCode.MatchString(code) || countries[code] {
			return nil, fmt.Errorf("catalog: %s: %q: it must be a code of two capital letters, and be there once", riskFile, code)
		}
		countries[code] = true
	}
	return countries, nil
}
