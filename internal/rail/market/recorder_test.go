package market_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/money"
	"kontor/internal/pgtest"
	"kontor/internal/rail/market"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

func TestPricesAreKeptOnceAMinuteAndWhenTheyChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(began)
		prices := market.Prices{"eur": money.One}
		first := market.NewRecorder(d, c, func() market.Prices { return prices }, slog.New(slog.DiscardHandler))
		second := market.NewRecorder(d, c, func() market.Prices { return prices }, slog.New(slog.DiscardHandler))
		for _, step := range []struct {
			after time.Duration
			btc   string
		}{{0, "57000.5"}, {30 * time.Second, "57001"}, {30 * time.Second, "57002"}, {time.Minute, "57002"}, {10 * time.Minute, "0.000000000000000001"}} {
			c.Advance(step.after)
			rate, err := money.ParseRate(step.btc)
			if err != nil {
				t.Fatal(err)
			}
			prices = market.Prices{"eur": money.One, "btc": rate}
			for _, r := range []*market.Recorder{first, second} {
				if err := r.Record(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		var kept []market.Recorded
		var last map[string]market.Recorded
		err := d.View(t.Context(), func(r db.Reader) (err error) {
			if kept, err = market.History(r, "btc", began, began.Add(time.Hour), 10); err != nil {
				return err
			}
			last, err = market.LastRecorded(r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, k := range kept {
			got += k.At.Sub(began).String() + " " + k.Price.String() + "\n"
		}
		if want := "0s 57000.5\n1m0s 57002\n12m0s 0.000000000000000001\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if last["btc"] != kept[2] || last["eur"] != (market.Recorded{Price: money.One, At: began}) {
			t.Errorf("the last ones are %v", last)
		}
		c.Advance(401 * 24 * time.Hour)
		if err := first.Record(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = d.View(t.Context(), func(r db.Reader) (err error) {
			kept, err = market.History(r, "btc", began, c.Now(), 10)
			return err
		})
		if err != nil || len(kept) != 0 {
			t.Errorf("after more than a year %v, %v are there", kept, err)
		}
	})
}
