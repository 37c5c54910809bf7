package sepa

import (
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// incoming takes a payment for the partner through its whole life, with a fault at one of the commits. Each step is
// repeated until it succeeds, and then once more. It answers how many commits there were.
func incoming(t *testing.T, target string, f *crash, sender, status string) int64 {
	s := newSender(t, target, f)
	f.armed.Store(false)
	s.sepa.owners = rules{}
	s.until(func() error {
		return s.db.Update(t.Context(), func(tx *db.Tx) error { return s.sepa.OpenPartner(tx, 1, s.sepa.clock.Now()) })
	})
	var a Account
	if err := s.db.View(t.Context(), func(r db.Reader) (err error) {
		a, err = s.sepa.FindAccount(r, 1, ledger.PartnerItself)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	f.armed.Store(true)
	e := Entry{
		Account: collective, Reference: "credit", EndToEnd: "NOTPROVIDED", Amount: money.New(40_00, s.sepa.euro), Day: bookingDay,
		Debtor: Party{Name: sender, IBAN: "DE89370400440532013000"}, Creditor: Party{IBAN: collective}, Title: "for " + a.Title,
	}
	book := func(e Entry) {
		s.twice(func() error { return s.sepa.Book(t.Context(), []Entry{e}) })
		s.twice(func() error { return applyAll(t.Context(), s.db, s.sepa) })
	}
	book(e)
	id := DepositID(e)
	s.twice(func() error { return s.sepa.book(t.Context(), job.Job{Partner: 1, Kind: bookDeposit, Object: id}) })
	if status == DepositReturned {
		s.twice(func() error { return s.sepa.order(t.Context(), job.Job{Partner: 1, Kind: orderReturn, Object: id}) })
		order := s.returnOrder()
		s.twice(func() error { return s.sepa.sendReturn(t.Context(), job.Job{Kind: sendReturn, Object: order}) })
		given := s.rail.returns[order]
		if len(s.rail.returns) != 1 || given.Amount != e.Amount || given.Debtor != e.Debtor || given.Reference != e.Reference || given.Reason != "MS02" {
			t.Errorf("the bank was given %+v", s.rail.returns)
		}
		s.twice(func() error { return s.sepa.ReportBatch(t.Context(), order, true, "") })
		debit := e
		debit.Reference, debit.Ours, debit.Amount, debit.Returned = "debit", EndToEnd(order), e.Amount.Neg(), true
		book(debit)
	}
	s.wantDeposit(id, status)
	return f.commits.Load()
}

// returnOrder is the one return that was ordered.
func (s *sender) returnOrder() (id clock.ID) {
	s.Helper()
	err := s.db.View(s.Context(), func(r db.Reader) error {
		return r.Row(db.NewQuery(`SELECT id FROM sepa_return WHERE partner_id = 0`)).Scan(&id)
	})
	if err != nil {
		s.Fatal(err)
	}
	return id
}

func (s *sender) wantDeposit(id clock.ID, status string) {
	s.Helper()
	want := map[string]int64{"balance": cashes, "suspense": 0, "clearing": 0}
	atBank := int64(0)
	contacts := 0
	if status == DepositSuccessful {
		want["balance"], want["clearing"], atBank, contacts = cashes+40_00, -40_00, 40_00, 1
	}
	if status == DepositSuspended {
		want["suspense"], want["clearing"], atBank = 40_00, -40_00, 40_00
	}
	err := s.db.View(s.Context(), func(r db.Reader) error {
		d, err := s.sepa.FindDeposit(r, 1, id)
		if err != nil {
			return err
		}
		if d.Status != status {
			s.Errorf("the deposit is %s, want %s", d.Status, status)
		}
		q := db.NewQuery(`SELECT posted FROM account WHERE partner_id = $1 AND purpose = $2 AND currency = 'eur'`)
		for purpose, cents := range want {
			var posted int64
			if err := r.Row(q, 1, purpose).Scan(&posted); err != nil {
				return err
			}
			if posted != cents {
				s.Errorf("%s has %d, want %d", purpose, posted, cents)
			}
		}
		var posted int64
		if err := r.Row(q, 0, "clearing").Scan(&posted); err != nil {
			return err
		}
		if posted != atBank {
			s.Errorf("the operator's clearing has %d, want %d", posted, atBank)
		}
		known, err := s.sepa.Contacts(r, 1, ledger.PartnerItself)
		if err != nil || len(known) != contacts {
			s.Errorf("%d contacts, want %d: %v", len(known), contacts, err)
		}
		found, err := Verify(s.Context(), r)
		more, ledgerErr := ledger.Verify(s.Context(), r)
		if err != nil || ledgerErr != nil || len(found)+len(more) > 0 {
			s.Errorf("verify: %q %q %v %v", found, more, err, ledgerErr)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// Whatever commit is refused, or is lost after it took effect, a payment is credited once, or waits once, or goes back
// once.
func TestDepositIsDecidedOnceAcrossCrashes(t *testing.T) {
	t.Parallel()
	for status, sender := range map[string]string{
		DepositSuccessful: "Test Partner", DepositSuspended: "Test Partner Probe", DepositReturned: "Probe Beispiel",
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			commits := incoming(t, dbtest.Target(t, db.SQLite), &crash{}, sender, status)
			if commits < 3 {
				t.Fatalf("only %d commits", commits)
			}
			incoming(t, dbtest.Target(t, db.Postgres), &crash{at: 2, failure: db.Lose}, sender, status)
			for at := int64(1); at <= commits; at++ {
				for _, failure := range []db.Failure{db.Refuse, db.Lose} {
					incoming(t, dbtest.Target(t, db.SQLite), &crash{at: at, failure: failure}, sender, status)
				}
			}
		})
	}
}
