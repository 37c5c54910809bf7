// Package catalog holds the reference data that validation, the documentation and the console share: the
// currencies with their networks and figures, the countries that are served, those of high risk, and the default
// fees.
//
// The data are files (data/*.json) inside the program. An operator replaces a whole file by one of the same
// name in a folder of their own. Nothing in a file is taken on trust: an unknown member, a duplicate or a
// figure that is not an exact decimal stops the program at its start, with the place named.
package catalog

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"kontor/internal/money"
)

// The data files, by the names that an operator's folder uses too.
const (
	currenciesFile = "currencies.json"
	countriesFile  = "countries.json"
	feesFile       = "fees.json"
	riskFile       = "risk.json"
)

//go:embed data/*.json
var embedded embed.FS

// Catalog is the reference data of a running program. It does not change, and is safe for concurrent use.
type Catalog struct {
	currencies []Entry
	bySlug     map[string]money.Currency
	countries  []Country
	byCode     map[string]Country // aliases too
	risk       Risk
	fees       Fees
}

// Load reads the built-in data, with those files that are in dir in place of the built-in ones; dir "" is
// the built-in data alone. Errors name the file and the entry; a dir that does not exist is an error.
func Load(dir string) (*Catalog, error) {
	builtIn, err := fs.Sub(embedded, "data")
	if err != nil {
		return nil, err
	}
	original, err := readCurrencies(builtIn)
	if err != nil {
		return nil, err
	}
	files := builtIn
	if dir != "" {
		if _, err := os.ReadDir(dir); err != nil {
			return nil, fmt.Errorf("catalog: the folder of data files: %w", err)
		}
		files = layered{top: os.DirFS(dir), bottom: builtIn}
	}
	c := &Catalog{bySlug: map[string]money.Currency{}}
	if c.currencies, err = readCurrencies(files); err != nil {
		return nil, err
	}
	if err := sameCurrencies(c.currencies, original); err != nil {
		return nil, err
	}
	for _, e := range c.currencies {
		c.bySlug[e.Code] = e.Currency
	}
	if c.countries, c.byCode, err = readCountries(files); err != nil {
		return nil, err
	}
	if c.fees, err = readFees(files, c.bySlug[euro]); err != nil {
		return nil, err
	}
	if c.risk, err = readRisk(files); err != nil {
		return nil, err
	}
	return c, nil
}

// Currency returns the currency of a slug, which can be in any case.
func (c *Catalog) Currency(slug string) (money.Currency, bool) {
	currency, ok := c.bySlug[strings.ToLower(slug)]
	return currency, ok
}

// Kind tells what a currency is: Fiat, Coin or Token; empty for an unknown one.
func (c *Catalog) Kind(currency money.Currency) string {
	for _, e := range c.currencies {
		if e.Currency == currency {
			return e.Kind
		}
	}
	return ""
}

// Currencies returns all currencies in the order in which balances list them: eur btc eth ltc doge pol usdc
// usdt.
func (c *Catalog) Currencies() []Entry { return slices.Clone(c.currencies) }

// Country returns the country of an ISO 3166-1 alpha-2 code, in any case, when users who live there are
// served. A territory that is served as a part of a country yields that country: GP is FR.
func (c *Catalog) Country(code string) (Country, bool) {
	country, ok := c.byCode[strings.ToUpper(code)]
	return country, ok
}

// Countries returns the countries that are served, ordered by code, without the territories that are parts
// of others.
func (c *Catalog) Countries() []Country { return slices.Clone(c.countries) }

// Fees returns the fees that a partner pays unless its settings say otherwise.
func (c *Catalog) Fees() Fees { return c.fees }

// layered is a folder whose missing files are found in another one.
type layered struct{ top, bottom fs.FS }

// Open opens the file of that name.
func (l layered) Open(name string) (fs.File, error) {
	file, err := l.top.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.bottom.Open(name)
	}
	return file, err
}

// decode reads a whole data file into v. Unknown members and duplicate ones are errors; a byte order mark,
// which some editors write, is not.
func decode(files fs.FS, name string, v any) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := json.Unmarshal(text, v, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("catalog: %s: %w", name, err)
	}
	return nil
}
