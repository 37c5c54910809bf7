package sepa

import (
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// try orders the transfer and answers the code of its refusal.
func (s *sender) try() (Transfer, fault.Code) {
	s.Helper()
	var t Transfer
	err := s.db.Update(s.Context(), func(tx *db.Tx) (err error) {
		t, err = s.sepa.CreateTransfer(tx, 1, s.order)
		return err
	})
	if err == nil {
		return t, ""
	}
	return t, fault.From(err).Code
}

func (s *sender) counted() (n int64) {
	s.Helper()
	err := s.db.View(s.Context(), func(r db.Reader) error {
		return r.Row(db.NewQuery(`SELECT COUNT(*) FROM sepa_day WHERE partner_id = 1`)).Scan(&n)
	})
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// Each day of UTC has the whole limit, whatever becomes of the transfers of the day before.
func TestLimitsAreOfADay(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newSender(t, dbtest.Target(t, engine), &crash{})
			now := s.sepa.clock.(*clock.Manual)
			euros := func(cents int64) money.Amount { return money.New(cents, s.sepa.euro) }
			s.order.Amount = euros(10_00)
			first, code := s.try()
			if code != "" || s.counted() != 0 {
				t.Fatalf("without a limit: %q, and %d rows", code, s.counted())
			}
			s.order.Terms.PerDay, s.order.Terms.PerDayTotal = euros(30_00), euros(25_00)
			second, code := s.try()
			if _, beyond := s.try(); code != "" || beyond != fault.AmountOutOfRange {
				t.Errorf("under a limit of 25.00 after 10.00: 10.00 %q, 10.00 more %q", code, beyond)
			}
			now.Advance(12 * time.Hour) // midnight
			refuse := func(t Transfer) {
				s.until(func() error {
					if err := s.sepa.send(s.Context(), sendJob(t)); err != nil {
						return err
					}
					return s.sepa.Report(s.Context(), []Status{{EndToEnd: EndToEnd(t.ID), Reason: "AC04"}})
				})
			}
			refuse(first)
			s.order.Amount = euros(25_00)
			third, code := s.try()
			if code != "" || s.counted() != 2 {
				t.Errorf("on the next day: %q; %d rows, want those of today", code, s.counted())
			}
			refuse(second)
			s.order.Amount = euros(1)
			if _, code := s.try(); code != fault.AmountOutOfRange {
				t.Errorf("yesterday's failure gives back of today: %q", code)
			}
			refuse(third)
			s.order.Amount = euros(25_00)
			if _, code := s.try(); code != "" {
				t.Errorf("today's failure gives nothing back: %q", code)
			}
		})
	}
}
