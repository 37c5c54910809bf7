package sepa

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/iban"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// credits are lines of one statement, each for an account or with a text, from somebody.
func (b *books) credits(lines ...[3]string) []Entry {
	all := make([]Entry, len(lines))
	for i, l := range lines {
		all[i] = Entry{
			Account: collective, Reference: fmt.Sprint("line ", i), EndToEnd: "NOTPROVIDED", Amount: money.New(1<<i, b.sepa.euro), Day: bookingDay,
			Creditor: Party{IBAN: iban.IBAN(l[0])}, Title: l[1], Debtor: Party{Name: l[2], IBAN: "DE89370400440532013000"},
		}
	}
	return all
}

// The lines of a statement are decided together, each once, whoever takes them, how often, and at the same time; one
// that cannot be applied stands in no other's way.
func TestStatementOfDeposits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		var own, partner Account
		const broken = "LT601010012345678901"
		b.must(func(tx *db.Tx) (err error) {
			if own, err = b.sepa.FindAccount(tx, 1, b.user.ID); err != nil {
				return err
			}
			partner, err = b.sepa.FindAccount(tx, 1, ledger.PartnerItself)
			return err
		})
		b.must(func(tx *db.Tx) error { // an owner who is missing
			tx.Write(insertDirectory, byIBAN, broken, 1, clock.NewID())
			return nil
		})
		lines := b.credits(
			[3]string{string(own.IBAN), "", "Test User"},
			[3]string{string(own.IBAN), "", "Test User"},
			[3]string{collective, "for " + own.Title, "Test User"},
			[3]string{collective, own.Title + " " + partner.Title, "Test User"}, // for two
			[3]string{string(own.IBAN), "", "Probe Beispiel"},
			[3]string{string(partner.IBAN), "", "Test Partner Probe"},
			[3]string{broken, "", "Test User"},
			[3]string{string(partner.IBAN), own.Title, "Test Partner"}, // the IBAN decides
		)
		for range 2 {
			if err := b.sepa.Book(t.Context(), append(lines, lines[0])); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			var group sync.WaitGroup
			errs := make([]error, 2)
			for i := range errs {
				group.Go(func() { errs[i] = applyAll(t.Context(), b.db, b.sepa) })
			}
			group.Wait()
			if errs[0] == nil || errs[1] == nil || !errors.Is(errs[0], db.ErrNoRows) {
				t.Fatalf("the line of an owner who is missing: %v", errs)
			}
		}
		b.want(1+2+4, 16+32)
		err := d.View(t.Context(), func(r db.Reader) error {
			for i, want := range []string{
				DepositSuccessful, DepositSuccessful, DepositSuccessful, "", DepositReturning, DepositSuspended, "", DepositSuccessful,
			} {
				found, err := b.sepa.scanDeposit(r.Row(selectDeposit, 1, DepositID(lines[i])), 1)
				if err != nil && !errors.Is(err, db.ErrNoRows) {
					return err
				}
				if found.Status != want {
					t.Errorf("line %d is %q, want %q", i, found.Status, want)
				}
			}
			contacts, err := b.sepa.Contacts(r, 1, b.user.ID)
			if len(contacts) != 1 || contacts[0].Name != "Test User" {
				t.Errorf("the contacts are %+v", contacts)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
