package history_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

const day = 24 * time.Hour

func (w *world) statement(c money.Currency, of time.Time) (ledger.Statement, error) {
	w.Helper()
	var s ledger.Statement
	err := w.DB.Snapshot(w.Context(), func(r db.Reader) (err error) {
		s, err = w.API.History.Statement(r, w.partner, c, of)
		return err
	})
	return s, err
}

// TestStatementsOfAMonthAreTheLedger makes a random month of transfers of the partner and compares the
// statement of every day, to the cent, with a sum over all transfers.
func TestStatementsOfAMonthAreTheLedger(t *testing.T) {
	t.Parallel()
	each(t, 1, func(w *world) {
		seed := rand.Uint64()
		w.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		own, other := w.owners()[0], w.owners()[1]
		currencies := []money.Currency{eur, btc}
		deltas := map[money.Currency]map[time.Time][]int64{eur: {}, btc: {}} // by day, in order
		for _, c := range currencies {
			deltas[c][start.Truncate(day)] = []int64{1_000_000}
		}
		for range 120 {
			w.clock.Advance(time.Duration(r.Int64N(int64(day / 2))))
			if r.IntN(10) == 0 {
				w.clock.Set(w.clock.Now().Truncate(day).Add(day)) // midnight belongs to the day that begins
			}
			c, units, at := currencies[r.IntN(2)], 1+r.Int64N(999), w.clock.Now().Truncate(day)
			if r.IntN(2) == 0 {
				w.transfer(own, other, money.New(units, c), "")
				units = -units
			} else {
				w.transfer(other, own, money.New(units, c), "")
			}
			deltas[c][at] = append(deltas[c][at], units)
		}
		for _, c := range currencies {
			var balance int64
			for of := start.Truncate(day).Add(-day); !of.After(w.clock.Now()); of = of.Add(day) {
				s, err := w.statement(c, of)
				if err != nil {
					w.Fatal(err)
				}
				var got []int64
				opening, running := balance, balance
				for _, e := range s.Entries {
					got, running = append(got, e.Amount.Units()), running+e.Amount.Units()
					if e.Balance.Units() != running || e.At.Before(of) || !e.At.Before(of.Add(day)) {
						w.Errorf("%s %s: entry %+v does not belong here; the balance is %d", c.Code, of.Format(time.DateOnly), e, running)
					}
				}
				for _, d := range deltas[c][of] {
					balance += d
				}
				if !sameSums(got, deltas[c][of]) || s.Opening.Units() != opening || s.Closing.Units() != balance {
					w.Fatalf("%s %s: %+v; want %d to %d by %v", c.Code, of.Format(time.DateOnly), s, opening, balance, deltas[c][of])
				}
			}
			w.view(func(r db.Reader) error {
				all, err := ledger.Balances(r, w.partner, own, w.Catalog.Currency)
				if all[c.Code].Posted.Units() != balance {
					w.Errorf("the balance of %s is %s, the statements end with %d", c.Code, all[c.Code].Posted, balance)
				}
				return err
			})
		}
	})
}

// sameSums compares amounts without their order: entries of one moment are ordered by their ids.
func sameSums(a, b []int64) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func TestStatementLeavesOutWhatIsOnlyHeld(t *testing.T) {
	t.Parallel()
	each(t, 1, func(w *world) {
		w.update(func(tx *db.Tx) error {
			own, err := ledger.FindCustomer(tx, w.partner, ledger.PartnerItself, eur)
			if err != nil {
				return err
			}
			ledger.Place(tx, w.partner, ledger.Operation{Type: "TEST", ID: clock.NewID()}, own.Balance, money.New(500, eur), w.clock.Now())
			return nil
		})
		s, err := w.statement(eur, start.Truncate(day))
		if err != nil || s.Closing.String() != "10000.00" || len(s.Entries) != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestStatementOfADayThatHasNotBegun(t *testing.T) {
	t.Parallel()
	each(t, 0, func(w *world) {
		w.clock.Set(start.Truncate(day).Add(day - time.Microsecond))
		if _, err := w.statement(eur, start.Truncate(day).Add(day)); fault.From(err).Code != fault.Validation {
			t.Errorf("tomorrow, a microsecond too early: %v", err)
		}
		w.clock.Advance(time.Microsecond)
		if s, err := w.statement(eur, w.clock.Now()); err != nil || s.Opening.String() != "10000.00" {
			t.Errorf("at midnight: %+v, %v", s, err)
		}
	})
}

func TestStatementThatIsTooLong(t *testing.T) {
	t.Parallel()
	each(t, 1, func(w *world) {
		w.API.History.LimitStatements(3)
		for range 2 {
			w.transfer(w.owners()[1], w.owners()[0], money.New(1, eur), "")
		}
		if s, err := w.statement(eur, start.Truncate(day)); err != nil || len(s.Entries) != 3 {
			t.Errorf("3 entries: %+v, %v", s, err)
		}
		w.transfer(w.owners()[1], w.owners()[0], money.New(1, eur), "")
		_, err := w.statement(eur, start.Truncate(day))
		if f := fault.From(err); f.Code != fault.Validation || !strings.Contains(f.Message, "more than 3 entries") {
			t.Errorf("4 entries: %v", err)
		}
	})
}
