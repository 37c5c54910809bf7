package event_test

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/vault"
)

// fill inserts many numbered events of a partner, each about an object of its own.
func (w *world) fill(partner int64, count int) {
	w.t.Helper()
	const batch = 5000
	for first := 0; first < count; first += batch {
		err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			for i := first; i < min(first+batch, count); i++ {
				id := clock.NewID()
				sealed, err := w.vault.Seal(vault.Place{Table: "event", Column: "body", Row: id.String()}, make([]byte, 500))
				if err != nil {
					return err
				}
				tx.Write(insertEvent, partner, clock.NewID(), 1, id, string(event.Transfer), sealed, start, i+1,
					event.Pending, 0, start, "")
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		tx.Write(insertLane, partner, count, "", start)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A partner whose receiver hangs, and for whom 100,000 events wait (on PostgreSQL, which takes longer to write them,
// 20,000; under the race detector 3,000), holds a window of them in memory and changes nothing for another.
func TestManyWaitingEventsDelayNobodyElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		waiting := 100_000
		switch {
		case testing.Short():
			waiting = 3_000
		case d.Engine() == db.Postgres:
			waiting = 20_000
		}
		w := newWorld(t, d)
		over := make(chan struct{})
		dead := receive(t, func(http.ResponseWriter, arrival) { <-over })
		t.Cleanup(func() { close(over) })
		alive := receive(t, nil)
		w.targets[1], w.targets[2] = event.Target{URLs: map[event.Type]string{event.Transfer: dead.url}}, event.Target{BaseURL: alive.url}
		w.fill(1, waiting)
		before := heap()
		w.run()
		dead.next()
		object := clock.NewID()
		for version := range int64(100) {
			w.writeFor(2, object, version+1)
			alive.expect(name(object, version+1))
		}
		if grown := heap() - before; grown > 32<<20 {
			t.Errorf("the heap has grown by %d MB", grown>>20)
		}
	})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// While a receiver fails, attempts go there one at a time; when it takes one, as many as the partner has
// chosen. Another receiver of the same partner is not concerned.
func TestFailingReceiverGetsOneAttemptAtATime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var under, most, total atomic.Int64
		verdict := make(chan int)
		r := receive(t, func(w http.ResponseWriter, _ arrival) {
			total.Add(1)
			most.Store(max(most.Load(), under.Add(1)))
			code, isOpen := <-verdict
			if under.Add(-1); isOpen {
				w.WriteHeader(code)
			}
		})
		t.Cleanup(func() { close(verdict) })
		other := receive(t, nil)
		w.targets[1] = event.Target{BaseURL: r.url, URLs: map[event.Type]string{event.Wallet: other.url}, Concurrency: 3}
		w.run()
		for range 20 {
			w.write(clock.NewID(), 1)
		}
		for range 3 {
			r.next()
		}
		for range 7 { // 3 under way, and one at a time since the fifth failure
			verdict <- http.StatusInternalServerError
		}
		for r.next(); total.Load() < 8; r.next() {
		}
		most.Store(0)
		for range 3 {
			verdict <- http.StatusInternalServerError
			r.next()
		}
		if most.Load() > 1 {
			t.Errorf("%d attempts at a time", most.Load())
		}
		object := clock.NewID()
		w.writeAll(event.Event{Partner: 1, Object: object, Version: 1, Type: event.Wallet, At: w.clock.Now()})
		other.expect(name(object, 1))
		verdict <- http.StatusOK
		for range 3 {
			r.next()
		}
	})
}

// A node with a hundred partners whose receivers are slow keeps its attempts bounded, and each partner has
// one at least.
func TestSlowReceiversShareTheNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	const partners, each = 100, 8
	over := make(chan struct{})
	slow := receive(t, func(http.ResponseWriter, arrival) { <-over })
	alive := receive(t, nil)
	var events []event.Event
	for p := range int64(partners) {
		w.targets[p+1] = event.Target{BaseURL: slow.url}
		for range each {
			events = append(events, event.Event{Partner: p + 1, Object: clock.NewID(), Version: 1, Type: event.Transfer, At: start})
		}
	}
	w.targets[1000] = event.Target{BaseURL: alive.url}
	w.writeAll(events...)
	n := w.run()
	t.Cleanup(func() { close(over); n.stop() })
	const least, most = partners, partners + 512
	for range least {
		slow.next()
	}
	object := clock.NewID()
	for version := range int64(50) {
		w.writeFor(1000, object, version+1)
		alive.expect(name(object, version+1))
	}
	if got := least + len(slow.arrivals); got > most {
		t.Errorf("%d attempts under way, want at most %d", got, most)
	}
}
