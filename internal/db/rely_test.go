package db_test

import (
	"fmt"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
)

var (
	revise         = db.NewCommand(`UPDATE account SET revision = revision + 1 WHERE partner_id = $1 AND id = $2`)
	selectRevision = db.NewQuery(`SELECT revision FROM account WHERE partner_id = $1 AND id = $2`)
)

// TestNothingIsCommittedOnAnOutdatedRevision pays from what was known of an account, at first an outdated revision, by
// every way to the commit.
func TestNothingIsCommittedOnAnOutdatedRevision(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			name     string
			locked   bool
			has, pay int64
			want     fault.Code
			runs     int
		}{
			{"queued", false, 100, 60, "", 2},
			{"locked", true, 100, 60, "", 2},
			// An overdraft may be none on the account as it is, so the revision is judged first.
			{"without funds", false, 10, 60, fault.InsufficientFunds, 2},
			{"locked without funds", true, 10, 60, fault.InsufficientFunds, 2},
		} {
			from, to := account(t, d, c.has), account(t, d, 0)
			if err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(revise, 1, from); return nil }); err != nil {
				t.Fatal(err)
			}
			runs := 0
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				runs = tx.Attempt()
				var revision int64
				if runs > 1 {
					if err := tx.Row(selectRevision, 1, from).Scan(&revision); err != nil {
						return err
					}
				}
				tx.Rely(1, from, revision)
				tx.Rely(1, to, 0)
				if c.locked {
					tx.Locked()
				}
				tx.Move(1, from, -c.pay, 0)
				tx.Move(1, to, c.pay, 0)
				return nil
			})
			if got := code(err); got != c.want || runs != c.runs {
				t.Errorf("%s: %v in %d runs, want %q in %d", c.name, err, runs, c.want, c.runs)
			}
			if left := posted(t, d, from); left != c.has && left != c.has-c.pay || left+posted(t, d, to) != c.has || (left == c.has) != (err != nil) {
				t.Errorf("%s: %d are left", c.name, left)
			}
		}
	})
}

// TestGroupRelyingOnDifferentRevisions has payments wait together that were decided on different revisions.
func TestGroupRelyingOnDifferentRevisions(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, sink := account(t, g.DB, 1000), account(t, g.DB, 0)
	if err := g.Update(t.Context(), func(tx *db.Tx) error { tx.Write(revise, 1, rich); return nil }); err != nil {
		t.Fatal(err)
	}
	g.hold()
	for i, revision := range []int64{1, 0, 1, 0} {
		g.add(t.Context(), func(tx *db.Tx) {
			if tx.Attempt() > 1 {
				revision = 1
			}
			tx.Rely(1, rich, revision)
			tx.WriteFirst(insertEntry, "group", fmt.Sprint(i, tx.Attempt()), 1, clock.NewID())
			tx.Move(1, rich, -10, 0)
			tx.Move(1, sink, 10, 0)
		})
	}
	if got := codes(g.commit()); got != "   " {
		t.Errorf("answers %q", got)
	}
	g.has(rich, 960)
	g.has(sink, 40)
	for key, want := range map[string]bool{"0 1": true, "1 1": false, "1 2": true, "2 1": true, "3 1": false, "3 2": true} {
		err := g.View(t.Context(), func(r db.Reader) error {
			var partner int
			var id clock.ID
			return r.Row(selectEntry, "group", key).Scan(&partner, &id)
		})
		if (err == nil) != want {
			t.Errorf("attempt %s: %v", key, err)
		}
	}
}
