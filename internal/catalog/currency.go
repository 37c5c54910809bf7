package catalog

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"kontor/internal/money"
)

// euro is the slug of the currency in which prices, limits and fees are expressed.
const euro = "eur"

// The kinds of currencies.
const (
	Fiat  = "fiat"  // money at a bank
	Coin  = "coin"  // the own coin of a chain
	Token = "token" // a contract's token on one or several chains
)

// Entry is a currency with its figures.
type Entry struct {
	money.Currency
	Kind      string       // Fiat, Coin or Token
	StartRate money.Rate   // what one unit costs in EUR when the sandbox starts; eur is 1
	MaxEUR    money.Amount // largest single amount, in EUR or the equivalent of so much EUR
	Networks  []Network    // at least one; the first is taken when a request names none

	// Spread is by how much the rate that customers are quoted is above the market's price, or below it when
	// SpreadBelow is set. None for eur.
	Spread      money.Percent
	SpreadBelow bool

	// MaxExposureEUR is how much the platform's exposure in the currency may be worth in EUR, above or below zero;
	// zero: it has no limit. None for eur.
	MaxExposureEUR money.Amount
}

// Network is a way in and out of the platform for one currency: a chain, or SEPA for eur. All amounts are of
// the entry's currency.
type Network struct {
	Key           string       // as requests and answers call it, such as "polygon"
	Name          string       // what it is called in production
	StagingName   string       // what it is called in staging: the test network
	FeeWithdrawal money.Amount // the service fee of a withdrawal, without the network's own fee; eur: zero, see Fees
	MinWithdrawal money.Amount
	MinDeposit    money.Amount
	Confirmations int // blocks until a deposit counts; eur: 0
}

// Network returns the currency's network of that key, which can be in any case.
func (e Entry) Network(key string) (Network, bool) {
	for _, n := range e.Networks {
		if strings.EqualFold(n.Key, key) {
			return n, true
		}
	}
	return Network{}, false
}

// currencyData is an entry as the file has it. Figures are strings, so that no reader takes them for floats.
type currencyData struct {
	Code      string        `json:"code"`
	Kind      string        `json:"kind"`
	Scale     int           `json:"scale"`
	StartRate string        `json:"startRate"`
	MaxEUR    string        `json:"maxEur"`
	Networks  []networkData `json:"networks"`

	SpreadPercent  string `json:"spreadPercent"`  // empty: none
	MaxExposureEUR string `json:"maxExposureEur"` // empty: none
}

type networkData struct {
	Key           string `json:"key"`
	Name          string `json:"name"`
	StagingName   string `json:"stagingName"`
	FeeWithdrawal string `json:"feeWithdrawal"`
	MinWithdrawal string `json:"minWithdrawal"`
	MinDeposit    string `json:"minDeposit"`
	Confirmations int    `json:"confirmations"`
}

func readCurrencies(files fs.FS) ([]Entry, error) {
	var data struct {
		Currencies []currencyData `json:"currencies"`
	}
	if err := decode(files, currenciesFile, &data); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(data.Currencies, func(d currencyData) bool { return d.Code == euro })
	if at < 0 {
		return nil, fmt.Errorf("catalog: %s: eur is missing", currenciesFile)
	}
	eur := money.Currency{Code: euro, Scale: data.Currencies[at].Scale}

	entries := make([]Entry, 0, len(data.Currencies))
	for _, d := range data.Currencies {
		entry, err := d.entry(eur)
		if err != nil {
			return nil, fmt.Errorf("catalog: %s: %s: %w", currenciesFile, d.Code, err)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// sameCurrencies refuses what an operator's file must leave alone: the currencies and their order are the
// contract's, and the amounts in the database are counted in their decimals.
func sameCurrencies(entries, original []Entry) error {
	identity := func(list []Entry) string {
		var b strings.Builder
		for _, e := range list {
			fmt.Fprintf(&b, " %s(%s, %d)", e.Code, e.Kind, e.Scale)
		}
		return b.String()
	}
	if got, want := identity(entries), identity(original); got != want {
		return fmt.Errorf("catalog: %s: currencies, their order, kinds and decimals cannot be changed: got%s, want%s",
			currenciesFile, got, want)
	}
	return nil
}

func (d currencyData) entry(eur money.Currency) (Entry, error) {
	e := Entry{Currency: money.Currency{Code: d.Code, Scale: d.Scale}, Kind: d.Kind}
	var err error
	if e.StartRate, err = money.ParseRate(d.StartRate); err != nil {
		return Entry{}, fmt.Errorf("startRate %q: %w", d.StartRate, err)
	}
	if d.Code == euro && e.StartRate.String() != "1" {
		return Entry{}, fmt.Errorf("startRate %q: rates are prices in eur, so that its own is 1", d.StartRate)
	}
	if e.MaxEUR, err = amount("maxEur", d.MaxEUR, eur); err != nil {
		return Entry{}, err
	}
	if e.MaxEUR.IsZero() {
		return Entry{}, fmt.Errorf("maxEur %q: nothing could be moved", d.MaxEUR)
	}
	if err := d.readSpread(&e); err != nil {
		return Entry{}, err
	}
	if err := d.readExposure(&e, eur); err != nil {
		return Entry{}, err
	}
	if len(d.Networks) == 0 {
		return Entry{}, fmt.Errorf("networks: there is none")
	}
	for _, nd := range d.Networks {
		n, err := nd.network(e)
		if err != nil {
			return Entry{}, fmt.Errorf("network %s: %w", nd.Key, err)
		}
		if _, ok := e.Network(n.Key); ok {
			return Entry{}, fmt.Errorf("network %s: it is there twice", n.Key)
		}
		e.Networks = append(e.Networks, n)
	}
	return e, nil
}

// readSpread reads the spread, which can have a sign.
func (d currencyData) readSpread(e *Entry) (err error) {
	if text := strings.TrimPrefix(d.SpreadPercent, "-"); text != "" {
		if e.Spread, err = money.ParsePercent(text); err != nil {
			return fmt.Errorf("spreadPercent %q: %w", d.SpreadPercent, err)
		}
		e.SpreadBelow = text != d.SpreadPercent
		if d.Code == euro && !e.Spread.IsZero() || e.Spread.String() == "100" {
			return fmt.Errorf("spreadPercent %q: eur has none, and others have less than 100", d.SpreadPercent)
		}
	}
	return nil
}

// readExposure reads the limit of the exposure, if there is one.
func (d currencyData) readExposure(e *Entry, eur money.Currency) (err error) {
	e.MaxExposureEUR = money.New(0, eur)
	if d.MaxExposureEUR == "" {
		return nil
	}
	if e.MaxExposureEUR, err = amount("maxExposureEur", d.MaxExposureEUR, eur); err != nil {
		return err
	}
	if d.Code == euro || e.MaxExposureEUR.IsZero() {
		return fmt.Errorf("maxExposureEur %q: eur has none, and others have more than 0", d.MaxExposureEUR)
	}
	return nil
}

func (d networkData) network(e Entry) (Network, error) {
	n := Network{Key: d.Key, Name: d.Name, StagingName: d.StagingName, Confirmations: d.Confirmations}
	if n.Key == "" || n.Name == "" || n.StagingName == "" {
		return Network{}, fmt.Errorf("key, name and stagingName must be given")
	}
	if onChain := e.Kind != Fiat; onChain != (n.Confirmations > 0) || n.Confirmations < 0 {
		return Network{}, fmt.Errorf("confirmations %d: a chain needs at least 1, and fiat has none", n.Confirmations)
	}
	var err error
	if n.FeeWithdrawal, err = amount("feeWithdrawal", d.FeeWithdrawal, e.Currency); err != nil {
		return Network{}, err
	}
	if n.MinWithdrawal, err = amount("minWithdrawal", d.MinWithdrawal, e.Currency); err != nil {
		return Network{}, err
	}
	if n.MinDeposit, err = amount("minDeposit", d.MinDeposit, e.Currency); err != nil {
		return Network{}, err
	}
	return n, nil
}

// amount reads the figure of a member.
func amount(member, text string, c money.Currency) (money.Amount, error) {
	a, err := money.Parse(text, c)
	if err != nil {
		return money.Amount{}, fmt.Errorf("%s %q: %w", member, text, err)
	}
	return a, nil
}
