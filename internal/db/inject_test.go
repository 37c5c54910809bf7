package db_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
)

// script injects one fault at the next call of a point.
type script struct {
	mu        sync.Mutex
	point     db.Point
	fault     db.Fault
	committed int
}

func (s *script) next(p db.Point, f db.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.point, s.fault, s.committed = p, f, 0
}

func (s *script) Inject(_ context.Context, c db.Call) db.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Point != s.point {
		return db.Fault{}
	}
	f := s.fault
	s.point, s.fault = "", db.Fault{}
	return f
}

func (s *script) Committed(context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed++
}

// TestInjectedFaultsAreWhatTheySay takes a transaction through every fault: what its caller is told, and whether it
// took effect.
func TestInjectedFaultsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := &script{}
			d, err := db.Open(t.Context(), dbtest.Target(t, kind), db.WithInjector(s))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			a, b := account(t, d, 1000), account(t, d, 0)
			paid := int64(0)
			for _, c := range []struct {
				point  db.Point
				fault  db.Fault
				locked bool
				done   bool // it took effect
				told   bool // so its caller was told
			}{
				{db.AtQueue, db.Fault{Failure: db.Refuse}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Break}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Break, At: 1}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Break, At: 2}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Break, At: 3}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Abort}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Abort, At: 3}, false, false, false},
				{db.AtQueue, db.Fault{Failure: db.Collide, At: 1}, false, true, true}, // it runs again
				{db.AtQueue, db.Fault{Failure: db.Lose}, false, true, false},
				{db.AtLock, db.Fault{Failure: db.Refuse}, true, false, false},
				{db.AtExec, db.Fault{Failure: db.Refuse}, true, false, false},
				{db.AtExec, db.Fault{Failure: db.Break}, true, false, false},
				{db.AtExec, db.Fault{Failure: db.Abort}, true, false, false},
				{db.AtExec, db.Fault{Failure: db.Collide}, true, true, true},
				{db.AtExec, db.Fault{Failure: db.Lose}, true, false, false},
				{db.AtCommit, db.Fault{Failure: db.Refuse}, true, false, false},
				{db.AtCommit, db.Fault{Failure: db.Lose}, true, true, false},
				{db.AtCommit, db.Fault{}, true, true, true},
			} {
				s.next(c.point, c.fault)
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					if c.locked {
						tx.Locked()
					}
					tx.Write(insertEntry, "inject", clock.NewID().String(), 1, clock.NewID())
					tx.Move(1, a, -10, 0)
					tx.Move(1, b, 10, 0)
					return nil
				})
				if (err == nil) != c.told || (err != nil && code(err) != fault.ServiceUnavailable) {
					t.Errorf("%+v: %v", c, err)
				}
				if c.done {
					paid += 10
				}
				if got := posted(t, d, b); got != paid || posted(t, d, a) != 1000-paid {
					t.Errorf("%+v: afterwards %d was paid, want %d", c, got, paid)
					paid = got
				}
				if (s.committed == 1) != c.done {
					t.Errorf("%+v: %d commits were noticed", c, s.committed)
				}
			}
		})
	}
}

func TestInjectedFaultsOfReads(t *testing.T) {
	t.Parallel()
	s := &script{}
	d, err := db.Open(t.Context(), dbtest.Target(t, db.SQLite), db.WithInjector(s))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 3 {
		account(t, d, 5)
	}
	all := db.NewQuery(`SELECT posted FROM account WHERE partner_id = 1`)
	read := func() (n int, err error) {
		err = d.View(t.Context(), func(r db.Reader) error {
			rows := r.Rows(all)
			defer rows.Close()
			for rows.Next() {
				n++
			}
			return rows.Err()
		})
		return n, err
	}
	for _, c := range []struct {
		point db.Point
		fault db.Fault
		rows  int
	}{
		{db.AtAcquire, db.Fault{Failure: db.Refuse}, 0},
		{db.AtQuery, db.Fault{Failure: db.Refuse}, 0},
		{db.AtQuery, db.Fault{Failure: db.Cut, At: 0}, 0},
		{db.AtQuery, db.Fault{Failure: db.Cut, At: 2}, 2},
	} {
		s.next(c.point, c.fault)
		if n, err := read(); n != c.rows || !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("%+v: %d rows, %v", c, n, err)
		}
		if n, err := read(); n != 3 || err != nil {
			t.Errorf("after %+v: %d rows, %v", c, n, err)
		}
	}
}
