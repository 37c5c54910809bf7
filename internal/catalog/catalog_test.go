package catalog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kontor/internal/catalog"
	"kontor/internal/money"
)

func load(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	c := load(t)
	var got []string
	for _, e := range c.Currencies() {
		got = append(got, fmt.Sprintf("%s %s %d", e.Code, e.Kind, e.Scale))
	}
	want := "eur fiat 2, btc coin 8, eth coin 8, ltc coin 8, doge coin 8, pol coin 8, usdc token 6, usdt token 6"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	for _, slug := range []string{"usdc", "USDC", "Usdc"} {
		if currency, ok := c.Currency(slug); !ok || currency != (money.Currency{Code: "usdc", Scale: 6}) {
			t.Errorf("%s: got %v, %v", slug, currency, ok)
		}
	}
	for _, slug := range []string{"", "eurt", "usd", " eur"} {
		if currency, ok := c.Currency(slug); ok {
			t.Errorf("%q: got %v", slug, currency)
		}
	}
}

// The documented figures: network, staging name, confirmations, service fee, smallest withdrawal and deposit.
func TestNetworks(t *testing.T) {
	t.Parallel()
	want := strings.TrimSpace(`
eur SEPA/SEPA 0: 0 0.01 0.01
btc btc/test 2: 0.0003 0.0005 0.0001
eth ethereum/sepolia 12: 0.003 0.0006 0
ltc ltc/test 6: 0.002 0.001 0.001
doge doge/test 20: 5 10 5
pol polygon/amoy 64: 0.5 0.5 0
usdc ethereum/sepolia 12: 10 1 5
usdc polygon/amoy 64: 0.5 2 0
usdt ethereum/sepolia 12: 10 15 5
usdt polygon/amoy 64: 0.5 15 5`)
	var got []string
	for _, e := range load(t).Currencies() {
		for _, n := range e.Networks {
			got = append(got, fmt.Sprintf("%s %s/%s %d: %s %s %s", e.Code, n.Key, n.StagingName, n.Confirmations,
				n.FeeWithdrawal.Number(), n.MinWithdrawal.Number(), n.MinDeposit.Number()))
			if n.FeeWithdrawal.Currency() != e.Currency || n.MinWithdrawal.Currency() != e.Currency || n.MinDeposit.Currency() != e.Currency {
				t.Errorf("%s %s: a figure is not in %s", e.Code, n.Key, e.Code)
			}
			if found, ok := e.Network(strings.ToUpper(n.Key)); !ok || found != n {
				t.Errorf("%s: %s in capitals finds %v, %v", e.Code, n.Key, found, ok)
			}
		}
		if n, ok := e.Network("tron"); ok {
			t.Errorf("%s: a network it does not have finds %v", e.Code, n)
		}
	}
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestRatesAndLargestAmounts(t *testing.T) {
	t.Parallel()
	for _, e := range load(t).Currencies() {
		if e.StartRate == (money.Rate{}) || e.Code == "eur" && e.StartRate.String() != "1" {
			t.Errorf("%s starts at %s", e.Code, e.StartRate)
		}
		if got := e.MaxEUR; got.String() != "100000.00" || got.Currency().Code != "eur" {
			t.Errorf("%s: largest amount %s %s", e.Code, got, got.Currency().Code)
		}
	}
}

func TestServedCountries(t *testing.T) {
	t.Parallel()
	c := load(t)
	all := c.Countries()
	if len(all) < 180 {
		t.Errorf("%d countries are served, want 180 or more", len(all))
	}
	for i, country := range all {
		if i > 0 && all[i-1].Code >= country.Code {
			t.Errorf("%s stands behind %s", country.Code, all[i-1].Code)
		}
		if found, ok := c.Country(country.Code); !ok || found != country {
			t.Errorf("%s: got %v, %v", country.Code, found, ok)
		}
	}
	for _, code := range strings.Fields("AF BY CU IR KP MM RU SD SS SY VE XX EU UK D DEU") {
		if country, ok := c.Country(code); ok {
			t.Errorf("%s is served: %v", code, country)
		}
	}
	if country, ok := c.Country("de"); !ok || country.Name != "Germany" {
		t.Errorf("lower case: got %v, %v", country, ok)
	}
}

func TestTerritoriesAreServedAsTheirCountry(t *testing.T) {
	t.Parallel()
	c := load(t)
	for code, want := range map[string]string{
		"GP": "France", "GF": "France", "MQ": "France", "RE": "France", "MF": "France", "EA": "Spain", "SJ": "Norway", "gp": "France",
	} {
		if country, ok := c.Country(code); !ok || country.Name != want || !country.IBAN {
			t.Errorf("%s: got %v, %v; want %s", code, country, ok, want)
		}
	}
}

func TestCountryMarks(t *testing.T) {
	t.Parallel()
	iban, cards, poa := "", "", ""
	for _, country := range load(t).Countries() {
		if country.IBAN {
			iban += " " + country.Code
		}
		if country.Cards {
			cards += " " + country.Code
		}
		if country.POA {
			poa += " " + country.Code
		}
	}
	for name, list := range map[string][2]string{
		"IBAN":  {iban, " AM AT AZ BE BG CH CY CZ DE DK EE ES FI FR GB GE GR HR HU IE IL IN IS IT LI LT LU LV MD MT NL NO PL PT RO SE SI SK UA"},
		"cards": {cards, " AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"},
		"POA":   {poa, " AM AR AZ GE IL MD UA"},
	} {
		if list[0] != list[1] {
			t.Errorf("%s:\ngot %s\nwant%s", name, list[0], list[1])
		}
	}
}

func TestFees(t *testing.T) {
	t.Parallel()
	f := load(t).Fees()
	got := fmt.Sprintf("SEPA %s %%, at least %s; exchange %s %%; order %s %%; check %s; card %s",
		f.SepaTransfer, f.SepaTransferMin, f.Exchange, f.Order, f.KycVerification, f.VirtualCardMonth)
	want := "SEPA 0.1 %, at least 1.00; exchange 1.49 %; order 1.49 %; check 1.00; card 0.25"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, a := range []money.Amount{f.SepaTransferMin, f.KycVerification, f.VirtualCardMonth} {
		if a.Currency().Code != "eur" {
			t.Errorf("%s is not in eur", a)
		}
	}
}

func TestFeesOfAPartner(t *testing.T) {
	t.Parallel()
	c := load(t)
	own := map[string]string{}
	for i, name := range catalog.FeeNames() {
		own[name] = fmt.Sprintf("2.%d0", i)
	}
	own["withdrawal.btc.btc"] = "not one of these"
	f, err := c.FeesWith(own)
	got := fmt.Sprintf("SEPA %s %%, at least %s; exchange %s %%; order %s %%; check %s; card %s; %v",
		f.SepaTransfer, f.SepaTransferMin, f.Exchange, f.Order, f.KycVerification, f.VirtualCardMonth, err)
	want := "SEPA 2 %, at least 2.10; exchange 2.2 %; order 2.3 %; check 2.40; card 2.50; <nil>"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if f, err := c.FeesWith(map[string]string{"exchangePercent": "2"}); err != nil || f.Exchange.String() != "2" || f.Order != c.Fees().Order {
		t.Errorf("one fee of its own: %v, %v", f, err)
	}
	if c.Fees().Exchange.String() != "1.49" {
		t.Error("a partner's fees changed the catalog's")
	}
	if _, err := c.FeesWith(map[string]string{"sepaTransferMinEur": "0.001"}); !errors.Is(err, money.ErrScale) || !strings.Contains(err.Error(), "sepaTransferMinEur") {
		t.Errorf("a bad fee: %v", err)
	}
}

func TestCallersCannotChangeTheCatalog(t *testing.T) {
	t.Parallel()
	c := load(t)
	c.Currencies()[0].Code = "changed"
	c.Countries()[0].Code = "changed"
	if c.Currencies()[0].Code != "eur" || c.Countries()[0].Code == "changed" {
		t.Error("a caller changed it")
	}
}
