package sepa

import (
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// A transfer that the bank first refuses and then debits all the same, and what comes back of it, are for a person.
func TestWhatFitsNoTransferIsDecided(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newSender(t, dbtest.Target(t, engine), &crash{})
			transfer := s.accept()
			s.until(func() error {
				return s.sepa.send(t.Context(), job.Job{Partner: 1, Kind: sendTransfer, Object: transfer.ID})
			})
			batch := s.batch(transfer)
			s.until(func() error { return s.sepa.submit(t.Context(), job.Job{Kind: submitBatch, Object: batch}) })
			book := func(reference string, cents int64) {
				entry := Entry{
					Account: "LT121000011101001000", Reference: reference, EndToEnd: EndToEnd(transfer.ID), Returned: cents > 0,
					Amount: money.New(cents, s.sepa.euro), Day: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
					Debtor: Party{Name: "Kontor"}, Creditor: Party{Name: "Test"},
				}
				s.until(func() error { return s.sepa.Book(t.Context(), []Entry{entry}) })
			}
			book("debit", -40_00)
			s.twice(func() error {
				return s.sepa.Report(t.Context(), []Status{{EndToEnd: EndToEnd(transfer.ID), Reason: "AC04"}})
			})
			s.twice(s.applyAll)
			book("return", 39_50)
			s.want(TransferFailed, cashes)
			var all []Item
			list := func(r db.Reader) (err error) {
				var waiting int64
				if all, err = s.sepa.ListItems(r, ItemFilter{Limit: 10}); err != nil {
					return err
				}
				waiting, _, err = ItemsWaiting(r)
				if waiting != int64(len(all)) {
					t.Errorf("%d wait, and %d are listed", waiting, len(all))
				}
				return err
			}
			if err := s.db.View(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			if len(all) != 2 || all[0].Kind != ItemDebit || all[0].Amount.Units() != 40_00 || all[1].Kind != ItemReturn || all[1].Name != "Test" {
				t.Fatalf("waiting are %+v", all)
			}
			for _, it := range all {
				for _, officer := range []string{"cleo", "olga"} {
					d := Decision{Item: it.ID, Officer: officer, Verdict: Close, Reason: "Test reason"}
					if _, err := s.sepa.Decide(t.Context(), d); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := s.db.View(t.Context(), list); err != nil || len(all) > 0 {
				t.Errorf("%+v still wait, %v", all, err)
			}
			var suspense, equity int64
			err := s.db.View(t.Context(), func(r db.Reader) error {
				if err := r.Row(selectStand, ledger.Operator, ledger.PartnerItself, string(ledger.Suspense)).Scan(&suspense); err != nil {
					return err
				}
				return r.Row(selectStand, ledger.Operator, ledger.PartnerItself, string(ledger.Equity)).Scan(&equity)
			})
			if err != nil || suspense != 0 || equity != -50 {
				t.Errorf("suspense is %d and equity %d, %v", suspense, equity, err)
			}
			s.want(TransferFailed, cashes)
		})
	}
}
