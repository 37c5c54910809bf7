package sepa

import (
	"fmt"
	"strings"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// row is all that the database has of a deposit, and whether it counts as sealed.
func (b *books) row(id clock.ID) (text string, sealed bool) {
	b.Helper()
	var payer []byte
	var title, name, number string
	q := db.NewQuery(`SELECT payer, title, sender_name, sender_iban, sealed FROM sepa_deposit WHERE partner_id = 1 AND id = $1`)
	err := b.db.View(b.Context(), func(r db.Reader) error { return r.Row(q, id).Scan(&payer, &title, &name, &number, &sealed) })
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(string(payer), title, name, number), sealed
}

func (b *books) wantPayer(id clock.ID, want string) {
	b.Helper()
	err := b.db.View(b.Context(), func(r db.Reader) error {
		d, err := b.sepa.FindDeposit(r, 1, id)
		if got := d.SenderName + "|" + d.SenderIBAN + "|" + d.Title; got != want {
			b.Errorf("the deposit shows %q, want %q", got, want)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	if text, sealed := b.row(id); !sealed || strings.Contains(text, "User") || strings.Contains(text, "DE89") || strings.Contains(text, "Rent") {
		b.Errorf("the row is sealed: %t, and has %q", sealed, text)
	}
}

func TestPayersAreSealedAndErased(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		first, waiting := b.receive(1000), b.receiveFrom("T. User", 500)
		b.run(first, 1)
		b.run(waiting, 1)
		credited := first.Object
		b.wantPayer(credited, "Test User|DE89370400440532013000|")

		// A row as an earlier version wrote it, and one that it wrote of a deposit that waits.
		earlier := db.NewCommand(`UPDATE sepa_deposit SET sealed = FALSE, payer = $3, title = 'Rent', sender_name = 'Test User',
			sender_iban = 'DE89370400440532013000' WHERE partner_id = $1 AND id = $2`)
		b.must(func(tx *db.Tx) error { tx.Write(earlier, 1, credited, []byte{}); return nil })
		err := d.View(t.Context(), func(r db.Reader) error {
			found, err := b.sepa.FindDeposit(r, 1, credited)
			if found.SenderName != "Test User" || found.Title != "Rent" {
				t.Errorf("before it is sealed the deposit is %+v", found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.sepa.SealEarlier(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b.wantPayer(credited, "Test User|DE89370400440532013000|Rent")

		b.must(func(tx *db.Tx) error { return b.sepa.ErasePerson(tx, 1, b.user.ID) })
		b.wantPayer(credited, "||")
		if text, _ := b.row(credited); text != "" {
			t.Errorf("after the erasure the row has %q", text)
		}
		b.wantPayer(waiting.Object, "T. User|DE89370400440532013000|") // a person has to decide on it
	})
}
