package event_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
)

func TestRedeliveryIsOutsideTheOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, a, b := newWorld(t, d), clock.NewID(), clock.NewID()
		var broken atomic.Bool
		r := receive(t, func(w http.ResponseWriter, got arrival) {
			if got.body == name(a, 2) || broken.Load() {
				w.WriteHeader(500)
			}
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		w.run()
		w.write(a, 1)
		w.write(a, 2) // pending: its next attempt is due when the clock moves
		w.write(b, 1)
		w.awaitStatus(a, 1, event.Delivered)
		w.awaitStatus(b, 1, event.Delivered)
		w.await(1, a, 2, func(r row) bool { return r.attempts == 1 })
		var first, pending event.Entry
		for _, e := range w.list(event.Filter{Object: a}) {
			if e.Status == event.Pending {
				pending = e
			} else {
				first = e
			}
		}
		for range 3 {
			r.next()
		}
		if n, err := w.redeliver(first.ID); n != 1 || err != nil {
			t.Errorf("redeliver answers %d, %v", n, err)
		}
		got := r.next()
		if got.body != name(a, 1) || got.sequence != first.Sequence || got.header.Get("webhook-id") != first.ID.String() {
			t.Errorf("again the receiver got %+v", got)
		}
		w.awaitTries(first.ID, 2)
		if n, err := w.redeliver(pending.ID); n != 0 || err != nil {
			t.Errorf("of a pending event redeliver answers %d, %v", n, err)
		}
		broken.Store(true)
		if _, err := w.redeliver(first.ID); err != nil {
			t.Fatal(err)
		}
		// It was delivered once, which nothing undoes.
		if got := w.awaitTries(first.ID, 3); got.Status != event.Delivered || got.Attempts != 3 || got.Tries[2].Outcome != "HTTP 500" {
			t.Errorf("after a redelivery that failed: %+v", got)
		}
		w.intact()
	})
}

// failed writes events of objects of their own that fail, and answers their ids.
func (w *world) failed(count int) []clock.ID {
	w.t.Helper()
	w.targets[1] = event.Target{}
	n := w.run()
	var ids []clock.ID
	for range count {
		object := clock.NewID()
		w.clock.Advance(time.Second)
		w.write(object, 1)
		w.awaitStatus(object, 1, event.Failed)
		ids = append(ids, w.id(object))
	}
	n.stop()
	return ids
}

func TestRangeIsSentAgainOldestFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		ids := w.failed(30)
		w.targets[1] = event.Target{BaseURL: r.url}
		// Asked for while no node runs: it waits for one.
		n, err := w.redeliverRange(event.Failed, start.Add(5*time.Second), w.clock.Now())
		if n != 25 || err != nil {
			t.Fatalf("redeliver answers %d, %v, want 25 events", n, err)
		}
		w.run()
		for i := range 25 {
			got := r.next()
			if at := int(got.sequence - 5); at/8 != i/8 { // batches of eight, some of which are sent at a time
				t.Errorf("arrival %d is event %d of the range", i, at)
			}
		}
		for i, id := range ids {
			want, tries := event.Failed, 1
			if i >= 4 && i < 29 {
				want, tries = event.Delivered, 2
			}
			if got := w.awaitTries(id, tries); got.Status != want || len(got.Tries) != tries {
				t.Errorf("event %d is %s after %d attempts", i+1, got.Status, len(got.Tries))
			}
		}
		w.intact()
	})
}

func TestRedeliveryDelaysNoLiveEvent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.failed(12)
		old := w.list(event.Filter{})
		over := make(chan struct{})
		waiting := make(chan struct{}, 12)
		r := receive(t, func(_ http.ResponseWriter, got arrival) {
			for _, e := range old {
				if strings.Contains(got.body, e.Object.String()) {
					waiting <- struct{}{}
					<-over
				}
			}
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		if _, err := w.redeliverRange(event.Failed, start, w.clock.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		w.run()
		for range 4 { // all that may be sent again at a time: half of what the partner may have
			<-waiting
		}
		object := clock.NewID()
		for version := range int64(10) {
			w.write(object, version+1)
			w.awaitStatus(object, version+1, event.Delivered)
		}
		if n := len(waiting); n > 0 {
			t.Errorf("%d more than four events were sent again at a time", n)
		}
		close(over)
		for _, e := range old {
			w.awaitTries(e.ID, 2)
		}
	})
}

// While a receiver fails it gets one attempt at a time, redeliveries too; what they find out counts for the live
// events as well.
func TestRedeliveriesRespectTheBreaker(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ids := w.failed(20)
		var under, most atomic.Int64
		verdict := make(chan int)
		r := receive(t, func(w http.ResponseWriter, _ arrival) {
			most.Store(max(most.Load(), under.Add(1)))
			code, isOpen := <-verdict
			if under.Add(-1); isOpen {
				w.WriteHeader(code)
			}
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		if _, err := w.redeliverRange(event.Failed, start, w.clock.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		n := w.run()
		t.Cleanup(func() { close(verdict); n.stop() })
		for range 8 { // the first batch, at whose end the breaker is open and nothing is under way
			verdict <- http.StatusInternalServerError
		}
		for _, id := range ids[:8] {
			w.awaitTries(id, 2)
		}
		most.Store(0)
		for range 8 {
			w.write(clock.NewID(), 1)
		}
		for range 12 {
			r.next()
			verdict <- http.StatusInternalServerError
		}
		if most.Load() != 1 {
			t.Errorf("%d attempts at a time", most.Load())
		}
	})
}

func TestRedeliveriesRespectTheRate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.failed(12)
		w.targets[1] = event.Target{BaseURL: r.url, RatePerSecond: 20}
		if _, err := w.redeliverRange(event.Failed, start, w.clock.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.run()
		for range 12 {
			r.next()
		}
		// One each 50 ms, of which a lane may be 100 ms ahead.
		if took := time.Since(began); took < 450*time.Millisecond {
			t.Errorf("12 events in %v, at 20 per second", took)
		}
	})
}

// A node that dies in the middle of a range leaves it to the next one.
func TestRedeliverySurvivesACrash(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			target := dbtest.Target(t, kind)
			d, doomed := open(t, target), open(t, target)
			t.Cleanup(func() { d.Close() })
			w := newWorld(t, d)
			ids := w.failed(20)
			crash, crashed := make(chan struct{}), make(chan struct{})
			var count atomic.Int64
			r := receive(t, func(http.ResponseWriter, arrival) {
				if count.Add(1) == 11 {
					close(crash)
					<-crashed
				}
			})
			w.targets[1] = event.Target{BaseURL: r.url}
			if _, err := w.redeliverRange(event.Failed, start, w.clock.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			w.config.DB = doomed
			n := w.run()
			<-crash
			if err := doomed.Close(); err != nil {
				t.Error(err)
			}
			close(crashed)
			n.stop()
			if err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(expireLanes); return nil }); err != nil {
				t.Fatal(err)
			}
			w.config.DB = d
			w.run()
			for _, id := range ids {
				if got := w.awaitTries(id, 2); got.Status != event.Delivered {
					t.Errorf("an event is %s", got.Status)
				}
			}
			seen := map[string]int{}
			for len(r.arrivals) > 0 {
				seen[r.next().header.Get("webhook-id")]++
			}
			twice := 0
			for _, times := range seen {
				twice += times - 1
			}
			if len(seen) != 20 || twice > 8 {
				t.Errorf("%d events arrived, %d of them twice", len(seen), twice)
			}
			w.intact()
		})
	}
}

func TestRedeliveriesOfTwoNodesAreNotDoubled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		ids := w.failed(20)
		w.targets[1] = event.Target{BaseURL: r.url}
		w.run()
		w.run()
		if _, err := w.redeliverRange(event.Failed, start, w.clock.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			w.awaitTries(id, 2)
		}
		if n := len(r.arrivals); n != 20 {
			t.Errorf("%d deliveries of 20 events", n)
		}
	})
}

func TestRedeliveriesThatWaitAreLimited(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ids := w.failed(2)
		for range 10 {
			if n, err := w.redeliverRange(event.Failed, start, w.clock.Now()); n != 1 || err != nil {
				t.Fatalf("redeliver answers %d, %v", n, err)
			}
		}
		_, err := w.redeliverRange(event.Failed, start, w.clock.Now())
		if f := fault.From(err); f.Code != fault.TooManyRequests || f.RetryAfter == 0 {
			t.Errorf("the eleventh range: %v", err)
		}
		for range 3 {
			if n, err := w.redeliver(ids[0]); n != 1 || err != nil {
				t.Fatalf("redeliver answers %d, %v", n, err)
			}
		}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			for range 999 {
				tx.Write(insertRedelivery, 1, clock.NewID(), clock.NewID(), event.Failed, start, start, clock.ID{})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.redeliver(ids[1]); fault.From(err).Code != fault.TooManyRequests {
			t.Errorf("with 1,000 waiting: %v", err)
		}
		if n, err := w.redeliver(ids[0]); n != 1 || err != nil {
			t.Errorf("one that waits already: %d, %v", n, err)
		}
		// Those of events that do not exist any more are forgotten, and hold nothing up.
		r := receive(t, nil)
		w.targets[1] = event.Target{BaseURL: r.url}
		w.run()
		if got := r.next().header.Get("webhook-id"); got != ids[0].String() {
			t.Errorf("%s was sent again", got)
		}
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for left := int64(-1); left != 0; <-again.C {
			err := d.View(t.Context(), func(r db.Reader) error { return r.Row(countRedeliveries).Scan(&left) })
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := len(r.arrivals); n > 0 { // it is not among those that failed any more
			t.Errorf("%d more deliveries", n)
		}
	})
}

var countRedeliveries = db.NewQuery(`SELECT COUNT(*) FROM event_redelivery WHERE partner_id = 1`)

var insertRedelivery = db.NewInsert("event_redelivery", `partner_id bigint, id uuid, event_id uuid, status text,
	until bigint, position_at bigint, position_id uuid`)
