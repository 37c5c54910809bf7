package exchange_test

import (
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// limited is a world where the exposure in BTC, at 50000, may be worth 10000 EUR, and exchanges cost nothing.
func limited(t *testing.T, f func(w *world)) {
	t.Helper()
	cat := catalogWith(t, map[string]string{"91250.40": `"maxExposureEur": "10000"`})
	each(t, func(w *world) {
		w.terms.Fee = money.Percent{}
		w.serve(cat, money.Percent{})
		w.fund("", money.New(100_000_00, eur))
		w.fund("", money.New(100_000_000, btc))
		f(w)
	})
}

// exchange makes an exchange of the partner's, judged by the exposure as it is now.
func (w *world) exchange(amount money.Amount, to money.Currency) error {
	w.Helper()
	if err := w.ReadExposure(w.Context()); err != nil {
		w.Fatal(err)
	}
	_, err := w.try("", amount, to, w.lock("").ID)
	return err
}

// take makes an exchange that must be made.
func (w *world) take(what string, amount money.Amount, to money.Currency) {
	w.Helper()
	if err := w.exchange(amount, to); err != nil {
		w.Errorf("%s: %v", what, err)
	}
}

func TestExposureStaysWithinItsLimit(t *testing.T) {
	t.Parallel()
	limited(t, func(w *world) {
		cent, satoshis := money.New(1, eur), money.New(20, btc)
		w.take("short up to the limit", money.New(10_000_00, eur), btc)
		w.want("short beyond the limit", w.exchange(cent, btc), fault.AmountOutOfRange)
		w.take("without a limit", money.New(10_000_00, eur), eth)
		w.take("back", satoshis, eur)
		w.take("short up to the limit again", cent, btc)
		w.want("long beyond the limit, from short at the limit", w.exchange(money.New(40_000_020, btc), eur), fault.AmountOutOfRange)
		w.take("from one side of the limit to the other", money.New(40_000_000, btc), eur)
		w.want("long beyond the limit", w.exchange(satoshis, eth), fault.AmountOutOfRange)

		// The market takes the exposure beyond the limit: it can only be brought back.
		w.market["btc"] = w.rate("60000")
		w.want("long, further beyond the limit", w.exchange(satoshis, eur), fault.AmountOutOfRange)
		w.take("towards the limit, which is not reached", cent, btc)
	})
}

func TestExposureIsOfAllBooks(t *testing.T) {
	t.Parallel()
	limited(t, func(w *world) {
		w.take("in one book", money.New(9_000_00, eur), btc)
		p, err := w.Partners.Create(t.Context(), map[string]string{"legalName": "Other Partner"})
		if err != nil {
			t.Fatal(err)
		}
		w.partner = p.ID
		w.fund("", money.New(100_000_00, eur))
		w.want("in another", w.exchange(money.New(1_000_01, eur), btc), fault.AmountOutOfRange)
		w.take("as much as is left", money.New(1_000_00, eur), btc)
	})
}

func TestExposureThatIsNotKnownLimitsEverything(t *testing.T) {
	t.Parallel()
	limited(t, func(w *world) {
		_, err := w.try("", money.New(100, eur), btc, w.lock("").ID)
		w.want("never read", err, fault.ServiceUnavailable)
		if _, err := w.try("", money.New(100, eur), eth, w.lock("").ID); err != nil {
			t.Errorf("without a limit: %v", err)
		}
		if err := w.ReadExposure(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, later := range []time.Duration{9 * time.Second, time.Minute} {
			at := time.Now().Add(later)
			w.SetNow(func() time.Time { return at })
			_, err := w.try("", money.New(100, eur), btc, w.lock("").ID)
			if old := later == time.Minute; old {
				w.want("read a minute ago", err, fault.ServiceUnavailable)
			} else if err != nil {
				t.Errorf("read %s ago: %v", later, err)
			}
		}
	})
}

func TestHedgesCoverPositions(t *testing.T) {
	t.Parallel()
	limited(t, func(w *world) {
		w.take("up to the limit", money.New(10_000_00, eur), btc)
		hedge := exchange.Hedge{Amount: money.New(15_000_000, btc), Price: w.rate("50100.5"), Reason: " Test order ", By: "Test  Person"}
		noted, err := w.NoteHedge(t.Context(), hedge)
		if err != nil {
			t.Fatal(err)
		}
		if noted.Reason != "Test order" || noted.By != "test person" || !noted.At.Equal(w.clock.Now()) {
			t.Errorf("noted %+v", noted)
		}
		w.take("what was bought", money.New(7_500_00, eur), btc)
		w.want("more", w.exchange(money.New(1, eur), btc), fault.AmountOutOfRange)

		var got []exchange.Position
		err = w.DB.Snapshot(t.Context(), func(r db.Reader) (err error) {
			got, err = w.Positions(r, time.Time{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b := got[1]
		if b.Open.Units() != -35_000_000 || b.Hedged.Units() != 15_000_000 || b.Exposure.Units() != -20_000_000 ||
			b.Limit.Units() != 10_000_00 || !b.HedgedAt.Equal(noted.At) {
			t.Errorf("btc: %+v", b)
		}
		if e := got[2]; !e.Hedged.IsZero() || !e.HedgedAt.IsZero() || !e.Limit.IsZero() {
			t.Errorf("eth: %+v", e)
		}
		for what, change := range map[string]func(h *exchange.Hedge){
			"nothing": func(h *exchange.Hedge) { h.Amount = money.New(0, btc) }, "euros": func(h *exchange.Hedge) { h.Amount = money.New(1, eur) },
			"no price": func(h *exchange.Hedge) { h.Price = money.Rate{} }, "no reason": func(h *exchange.Hedge) { h.Reason = " " },
			"two lines": func(h *exchange.Hedge) { h.Reason = "a\nb" }, "nobody": func(h *exchange.Hedge) { h.By = "" },
		} {
			wrong := hedge
			if change(&wrong); wrong == hedge {
				t.Fatalf("%s: the case changes nothing", what)
			}
			if _, err := w.NoteHedge(t.Context(), wrong); err == nil {
				t.Errorf("%s: a hedge was noted", what)
			}
		}
	})
}

func TestPositionsHaveTheirWorth(t *testing.T) {
	t.Parallel()
	rate, err := money.ParseRate("50000")
	if err != nil {
		t.Fatal(err)
	}
	p := exchange.Position{
		Currency: btc, Open: money.New(-30_000_001, btc), Hedged: money.New(10_000_000, btc), Exposure: money.New(-20_000_001, btc),
		Fees: money.New(100_000, btc), Gain: 1_550_000_000, Limit: money.New(0, eur),
	}
	v, err := p.Value(rate)
	if err != nil {
		t.Fatal(err)
	}
	if v.OpenEUR.String() != "-15000.01" || v.ExposureEUR.String() != "-10000.01" || v.ProfitEUR.String() != "65.50" || v.Price != rate {
		t.Errorf("got %+v", v)
	}
}
