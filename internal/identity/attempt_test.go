package identity

import (
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/user"
)

func TestTheAttemptThatCountedAtATimeIsFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		begun := d.clock.Now()
		var first, second Attempt
		for _, a := range []*Attempt{&first, &second} {
			d.clock.Advance(time.Hour)
			d.must(func(tx *db.Tx) (err error) {
				last, err := d.checks.latest(tx, d.user)
				if err == nil {
					*a, err = d.checks.begin(tx, d.user, last, Attempt{Method: Staged})
				}
				return err
			})
		}
		stranger := d.user
		stranger.Partner++
		for what, c := range map[string]struct {
			of       user.User
			at, next time.Time
			number   int64
		}{
			"before the first":           {d.user, begun, first.CreatedAt, 0},
			"with the first":             {d.user, first.CreatedAt, second.CreatedAt, 1},
			"just before the second":     {d.user, second.CreatedAt.Add(-time.Microsecond), second.CreatedAt, 1},
			"afterwards":                 {d.user, second.CreatedAt.Add(time.Hour), time.Time{}, 2},
			"of another partner's users": {stranger, second.CreatedAt, time.Time{}, 0},
		} {
			d.must(func(tx *db.Tx) error {
				a, next, err := d.checks.FindAt(tx, c.of, c.at)
				if a.Number != c.number || !next.Equal(c.next) {
					t.Errorf("%s: attempt %d, the next at %s", what, a.Number, next)
				}
				return err
			})
		}
	})
}
