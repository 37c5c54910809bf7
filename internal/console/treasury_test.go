package console_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/exchange"
	"kontor/internal/money"
)

func TestTreasuryShowsWhatTheOperatorNoted(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	price, err := money.ParseRate("50100.5")
	if err != nil {
		t.Fatal(err)
	}
	bitcoin, _ := d.App.Catalog.Currency("btc")
	if _, err := d.App.API.Exchange.NoteHedge(t.Context(), exchange.Hedge{Amount: money.New(15_000_000, bitcoin), Price: price, Reason: "Test order", By: "test"}); err != nil {
		t.Fatal(err)
	}
	page := (&visitor{T: t, desk: d}).as(d.Officer("cleo", console.Compliance)).get("/console/treasury").body
	if strings.Count(page, "<rect") != 7 || strings.Count(page, "0.15000000") != 2 || strings.Contains(page, `class="limit"`) ||
		!strings.Contains(page, `datetime="2026-11-02T09:00:00Z"`) || !strings.Contains(page, `href="/console/treasury" aria-current="page"`) {
		t.Errorf("the page is %s", page)
	}
}

func TestTreasuryShowsExposuresBesideTheirLimits(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	cfg := d.App.Console
	cfg.Accounts = d.Accounts
	cfg.Treasury = func(context.Context) ([]exchange.Valued, error) {
		euro := money.Currency{Code: "eur", Scale: 2}
		var all []exchange.Valued
		for _, p := range []struct {
			slug            string
			priced          bool
			exposure, limit int64
		}{{"btc", true, -240_00, 240_00}, {"eth", true, 120_00, 150_00}, {"ltc", true, 60_00, 120_00}, {"pol", false, 0, 120_00}, {"usdc", true, 60_00, 0}} {
			coin := money.Currency{Code: p.slug, Scale: 8}
			none := money.New(0, coin)
			v := exchange.Valued{
				Position:    exchange.Position{Currency: coin, Owed: none, Open: none, Hedged: none, Exposure: none, Fees: none, Limit: money.New(p.limit, euro)},
				ExposureEUR: money.New(p.exposure, euro), ProfitEUR: money.New(7_77, euro),
			}
			if p.priced {
				v.Price = money.One
			}
			all = append(all, v)
		}
		return all, nil
	}
	server := httptest.NewServer(console.NewHandler(cfg))
	t.Cleanup(server.Close)
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Admin))
	d.URL = server.URL
	got := v.get("/console/treasury")
	page := strings.Join(strings.Fields(got.body), " ")
	for part, times := range map[string]int{
		`<rect `: 4, // none for the one without a price
		`<rect class="below" x="0" y="6" width="240" height="16">`: 1,
		`<rect class="" x="240" y="6" width="120" height="16">`:    1,
		`<rect class="" x="240" y="6" width="60" height="16">`:     2,
		`<line class="limit" x1="0" x2="0"`:                        1,
		`<line class="limit" x1="480" x2="480"`:                    1,
		`<line class="limit" `:                                     6,
		`<span class="badge bad">at the limit</span>`:              1,
		`<span class="badge warn">near the limit</span>`:           1,
		`<span class="badge good">within</span>`:                   1,
		`-240.00`:                                                  2,
		`7.77`:                                                     4,
	} {
		if n := strings.Count(page, part); n != times {
			t.Errorf("the page has %s %d times, want %d: %s", part, n, times, page)
		}
	}
}
