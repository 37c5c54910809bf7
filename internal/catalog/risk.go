package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// RiskList is a published list of countries of high risk.
type RiskList struct {
	Name      string   `json:"name"`
	Date      string   `json:"date"`   // YYYY-MM-DD: since when it is in force
	Source    string   `json:"source"` // where it was taken from
	Countries []string `json:"countries"`
}

// Risk is the lists of countries of high risk together.
type Risk struct {
	Lists []RiskList
	Date  string // of the newest list, YYYY-MM-DD
	Hash  string // SHA-256 of the countries, in hexadecimal: the same for the same countries

	countries map[string]bool
}

// Countries are the codes of all of them, in the order of the alphabet.
func (r Risk) Countries() []string {
	var all []string
	for code := range r.countries {
		all = append(all, code)
	}
	slices.Sort(all)
	return all
}

// HighRisk tells whether somebody who lives in a country, or is its citizen, must be looked at: by its ISO 3166-1
// alpha-2 code, in any case.
func (c *Catalog) HighRisk(code string) bool { return c.risk.countries[strings.ToUpper(code)] }

// Risk answers the lists of countries of high risk. The answer must not be changed.
func (c *Catalog) Risk() Risk { return c.risk }

func readRisk(files fs.FS) (Risk, error) {
	r := Risk{countries: map[string]bool{}}
	var data struct {
		Lists []RiskList `json:"lists"`
	}
	if err := decode(files, riskFile, &data); err != nil {
		return Risk{}, err
	}
	r.Lists = data.Lists
	for _, l := range r.Lists {
		if _, err := time.Parse(time.DateOnly, l.Date); err != nil || l.Name == "" || l.Source == "" {
			return Risk{}, fmt.Errorf("catalog: %s: %q: a list needs a name, a source, and a date such as 2026-06-19", riskFile, l.Name)
		}
		r.Date = max(r.Date, l.Date)
		for i, code := range l.Countries {
			if !countryCode.MatchString(code) || slices.Contains(l.Countries[:i], code) {
				return Risk{}, fmt.Errorf("catalog: %s: %s: %q: it must be a code of two capital letters, and be there once", riskFile, l.Name, code)
			}
			r.countries[code] = true
		}
	}
	if r.Date == "" {
		return Risk{}, fmt.Errorf("catalog: %s: it has no list; one without countries says that there are none of high risk", riskFile)
	}
	sum := sha256.Sum256([]byte(strings.Join(r.Countries(), " ")))
	r.Hash = hex.EncodeToString(sum[:])
	return r, nil
}
