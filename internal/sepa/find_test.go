package sepa

import (
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

func TestOwnersAreFoundByTheirIBANs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		err := d.View(t.Context(), func(r db.Reader) error {
			number, err := b.sepa.IBAN(r, 1, b.user.ID)
			if err != nil {
				return err
			}
			partner, owner, ok, err := b.sepa.OwnerOf(r, number)
			if err != nil || !ok || partner != 1 || owner != b.user.ID {
				t.Errorf("%s is %d's %s: %t, %v", number, partner, owner, ok, err)
			}
			if _, _, ok, err := b.sepa.OwnerOf(r, "LT121000011101001000"); ok || err != nil {
				t.Errorf("an IBAN of another bank is somebody's: %v", err)
			}
			if none, err := b.sepa.IBAN(r, 1, clock.NewID()); none != "" || err != nil {
				t.Errorf("nobody has the IBAN %q, %v", none, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
