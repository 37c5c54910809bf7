package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/exchange"
	"kontor/internal/money"
)

// treasury is what a platform looks like that has exchanged for a while: long and short, near its limits and at one.
func treasury(t *testing.T, d *consoletest.Desk) func(context.Context) ([]exchange.Valued, error) {
	t.Helper()
	euro, _ := d.App.Catalog.Currency("eur")
	var all []exchange.Valued
	for _, p := range []struct {
		slug, price                  string
		owed, worth, limit, exchange int64 // all but the last in cents
	}{
		{"eur", "1", 904_311_07, 311_204_77, 0, 2_204},
		{"btc", "57000.5", 2_204_118_00, -148_310_05, 150_000_00, 1_711},
		{"eth", "2310.44", 711_402_55, 92_044_10, 150_000_00, 904},
		{"ltc", "71.3", 48_220_10, 50_000_00, 50_000_00, 77},
		{"doge", "0.1832", 1_004_71, -3_10, 50_000_00, 12},
		{"pol", "0.2145", 0, 0, 50_000_00, 0},
		{"usdc", "0.8642", 1_804_990_00, 210_777_99, 300_000_00, 3_077},
		{"usdt", "0.8638", 650_102_14, -64_120_00, 300_000_00, 811},
	} {
		price, err := money.ParseRate(p.price)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := d.App.Catalog.Currency(p.slug)
		of := func(cents int64) money.Amount {
			a, err := money.Convert(money.New(max(cents, -cents), euro), money.One, money.Percent{}, price, c)
			if err != nil {
				t.Fatal(err)
			}
			if cents < 0 {
				return a.Neg()
			}
			return a
		}
		all = append(all, exchange.Valued{Position: exchange.Position{
			Currency: c, Owed: of(p.owed), Open: of(p.worth), Hedged: money.New(0, c), Exposure: of(p.worth), Fees: of(p.owed / 100),
			Limit: money.New(p.limit, euro), Exchanges: p.exchange,
		}, Price: price, OpenEUR: money.New(p.worth, euro), ExposureEUR: money.New(p.worth, euro), ProfitEUR: money.New(p.owed/100, euro)})
	}
	return func(context.Context) ([]exchange.Valued, error) { return all, nil }
}

func TestTheTreasuryInTheBrowser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	cfg := d.App.Console
	cfg.Accounts, cfg.Treasury = d.Accounts, treasury(t, d)
	server := httptest.NewServer(console.NewHandler(cfg))
	t.Cleanup(server.Close)
	d.URL = server.URL
	darkPhone := phone
	darkPhone.dark = true
	for name, where := range map[string]device{"desk": desk, "phone": darkPhone} {
		b := open(t, where)
		enter(b, d, d.Officer("ann."+name, console.Admin))
		if status := b.visit(d.URL + "/console/treasury"); status != http.StatusOK {
			t.Fatalf("it answers %d", status)
		}
		b.judge()
		b.shows(".chart", "-148310.05")
		b.look("console-treasury-" + name)
	}
}
