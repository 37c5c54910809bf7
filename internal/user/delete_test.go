package user_test

import (
	"bytes"
	"errors"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

var (
	selectNumbers = db.NewQuery(`
		SELECT document_number, national_number, verified_document_number FROM person WHERE partner_id = $1 AND user_id = $2`)
	reopen = db.NewCommand(`UPDATE account SET closed = FALSE WHERE partner_id = $1 AND owner_id = $2`)
)

func TestNumbersAreNotReadableInTheDatabase(t *testing.T) {
	each(t, func(o *office) {
		const number = "44051401359"
		u := o.open("user", true)
		o.must(func(tx *db.Tx) error {
			n := number
			_, err := o.users.Update(tx, 1, "user", user.Change{DocumentNumber: &n, NationalNumber: &n})
			return errors.Join(err, o.users.Establish(tx, u, user.Established{DocumentNumber: number, At: o.now.Now()}))
		})
		err := o.db.View(o.Context(), func(r db.Reader) error {
			var stored [3][]byte
			err := r.Row(selectNumbers, int64(1), u.ID).Scan(&stored[0], &stored[1], &stored[2])
			for i, s := range stored {
				if len(s) < len(number) || bytes.Contains(s, []byte(number)) {
					o.Errorf("column %d holds %q", i, s)
				}
			}
			return err
		})
		if err != nil {
			o.Error(err)
		}
	})
}

func TestVerifyNamesDeletedUsersWithOpenAccounts(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("leaver", false)
		violations := func() (all []string) {
			err := o.db.Snapshot(o.Context(), func(r db.Reader) (err error) { all, err = user.Verify(o.Context(), r); return err })
			if err != nil {
				o.Fatal(err)
			}
			return all
		}
		if err := o.delete("leaver"); err != nil {
			o.Fatal(err)
		}
		if all := violations(); len(all) != 0 {
			o.Error(all)
		}
		o.must(func(tx *db.Tx) error { tx.Write(reopen, int64(1), u.ID); return nil })
		if all := violations(); len(all) != 1 {
			o.Errorf("named are %q", all)
		}
	})
}

func TestADebitThatCannotBeRefusedIsOwedAfterDeletion(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("leaver", true)
		if err := o.delete("leaver"); err != nil {
			o.Fatal(err)
		}
		o.must(func(tx *db.Tx) error {
			fees, err := ledger.FindAccount(tx, 1, ledger.PartnerItself, ledger.Fees, o.euro)
			if err != nil {
				return err
			}
			return ledger.Collect(tx, 1, ledger.Operation{Type: "TEST", ID: clock.NewID()}, o.now.Now(), u.ID, "fee", fees, o.eur(5))
		})
		err := o.db.View(o.Context(), func(r db.Reader) error {
			debts, err := ledger.Debts(r, 1, o.catalog.Currency)
			if len(debts) != 1 || debts[0].Owner != u.ID || debts[0].Amount.Units() != 5 {
				o.Errorf("owed is %v, want 5 cents by the deleted user", debts)
			}
			return err
		})
		if err != nil {
			o.Error(err)
		}
		o.sound()
	})
}
