package db_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

var (
	addTally    = db.NewTally("sepa_day", "partner_id bigint, day bigint, owner_id uuid", "earlier bigint", "counted bigint", "most bigint")
	selectTally = db.NewQuery(`SELECT earlier + counted FROM sepa_day WHERE partner_id = $1 AND day = $2 AND owner_id = $3`)
)

// Additions that race are all counted, and go up to the limit and not beyond it. Each adds to two rows.
func TestTalliesAreExact(t *testing.T) {
	t.Parallel()
	const start, most, racers, owners = 100, 140, 60, 3
	errFull := errors.New("full")
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		both := clock.ID{0xff}
		var counted [owners]atomic.Int64
		var group sync.WaitGroup
		for n := range racers {
			group.Go(func() {
				owner := clock.ID{byte(n % owners)}
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					used := int64(start)
					err := tx.Row(selectTally, 1, 7, both).Scan(&used)
					switch {
					case err != nil && !errors.Is(err, db.ErrNoRows):
						return err
					case used == most:
						return errFull
					}
					tx.Write(addTally, 1, 7, owner, 0, 1, most)
					tx.Write(addTally, 1, 7, both, start, 1, most)
					return nil
				})
				if err == nil {
					counted[n%owners].Add(1)
				} else if !errors.Is(err, errFull) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		sum := int64(start)
		err := d.View(t.Context(), func(r db.Reader) error {
			for i := range counted {
				var got int64
				if err := r.Row(selectTally, 1, 7, clock.ID{byte(i)}).Scan(&got); err != nil {
					return err
				}
				if want := counted[i].Load(); got != want {
					t.Errorf("owner %d has counted %d, want %d", i, got, want)
				}
				sum += got
			}
			var got int64
			if err := r.Row(selectTally, 1, 7, both).Scan(&got); err != nil {
				return err
			}
			if got != most || sum != most {
				t.Errorf("together %d were counted, and %d one by one; want %d", got, sum, most)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
