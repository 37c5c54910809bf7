package event_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

// crash takes the database away from a node, as a kill does, and lets its leases end.
func (w *world) crash(n *node, doomed *db.DB) {
	w.t.Helper()
	if err := doomed.Close(); err != nil {
		w.t.Error(err)
	}
	n.stop()
	if err := w.db.Update(w.t.Context(), func(tx *db.Tx) error { tx.Write(expireLanes); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// A node that asks a receiver how it is dies, and another one that runs asks on. The receiver is well again, and that
// node dies in the middle of the round that follows. The next one ends it: each event arrives.
func TestRecoveryPassesFromNodeToNode(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			target := dbtest.Target(t, kind)
			d, first, second := open(t, target), open(t, target), open(t, target)
			t.Cleanup(func() { d.Close() })
			w := newWorld(t, d)
			var well atomic.Bool
			var arrived atomic.Int64
			reached, crashed := make(chan struct{}), make(chan struct{})
			r := receive(t, func(w http.ResponseWriter, _ arrival) {
				if !well.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
				} else if arrived.Add(1) == 10 {
					close(reached)
					<-crashed
				}
			})
			r.health = func(w http.ResponseWriter) {
				if !well.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}
			w.targets[1] = event.Target{BaseURL: r.url, Concurrency: 2}
			w.config.DB = first
			a := w.run()
			objects := make([]clock.ID, 40) // more than are marked at a time
			for i := range objects {
				objects[i] = clock.NewID()
				w.write(objects[i], 1)
			}
			w.exhaust(objects...)
			asked := func(row) bool { return w.probeAt(1).After(w.clock.Now()) }
			w.clock.Advance(time.Minute)
			w.await(1, objects[0], 1, asked)

			w.config.DB = second
			b := w.run()
			w.crash(a, first)
			w.clock.Advance(time.Minute)
			w.await(1, objects[0], 1, asked)

			well.Store(true)
			w.clock.Advance(time.Minute)
			<-reached
			go close(crashed) // while the database is taken away
			w.crash(b, second)
			w.config.DB = d
			w.run()
			for _, object := range objects {
				w.awaitStatus(object, 1, event.Delivered)
			}
			if n := arrived.Load(); n > 2*40 { // the second node's, of which nothing may be stored, and the third's
				t.Errorf("%d deliveries of 40 events", n)
			}
			w.intact()
		})
	}
}
