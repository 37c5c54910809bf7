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
)

// ward is a receiver that can be ill. Its health path is asked apart from its deliveries.
type ward struct {
	*receiver
	well   atomic.Bool
	probes chan bool // what the health path answered
}

func receiveIll(t *testing.T) *ward {
	t.Helper()
	h := &ward{probes: make(chan bool, 1000)}
	h.receiver = receive(t, func(w http.ResponseWriter, a arrival) {
		if !h.well.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	h.receiver.health = func(w http.ResponseWriter) {
		well := h.well.Load()
		if !well {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		h.probes <- well
	}
	return h
}

// probed waits for the next question after the receiver's health.
func (h *ward) probed(want bool) {
	h.t.Helper()
	select {
	case got := <-h.probes:
		if got != want {
			h.t.Errorf("the health path answered %v, want %v", got, want)
		}
	case <-time.After(patience):
		h.t.Fatal("nobody asked for the receiver's health")
	}
}

// exhaust moves the clock until the events have failed for good.
func (w *world) exhaust(objects ...clock.ID) {
	w.t.Helper()
	for _, object := range objects {
		w.await(1, object, 1, func(r row) bool {
			if r.status == event.Pending && r.attempts > 0 && r.due.After(w.clock.Now()) {
				w.clock.Set(r.due)
			}
			return r.status == event.Failed && r.attempts == 5
		})
	}
}

// An hour without the receiver: what failed meanwhile is tried once more when it is back, and only once.
func TestFailedEventsAreTriedOnceMoreWhenTheReceiverIsBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, h := newWorld(t, d), receiveIll(t)
		w.targets[1] = event.Target{BaseURL: h.url, Concurrency: 1}
		n := w.run()
		objects := make([]clock.ID, 100) // several portions
		for i := range objects {
			objects[i] = clock.NewID()
			w.write(objects[i], 1)
		}
		w.exhaust(objects...)
		for len(h.arrivals) > 0 {
			<-h.arrivals
		}
		for len(h.probes) > 0 {
			<-h.probes
		}
		w.clock.Advance(time.Hour)
		h.probed(false)
		w.await(1, objects[0], 1, func(row) bool { return w.probeAt(1).After(w.clock.Now()) })
		n.stop() // what is known of the receiver outlives the node
		w.run()
		h.well.Store(true)
		w.clock.Advance(time.Minute)
		h.probed(true)
		for i := range objects {
			if got := h.next(); got.sequence != int64(i)+1 {
				t.Errorf("sequence %d arrived, want the oldest, %d", got.sequence, i+1)
			}
		}
		for _, object := range objects {
			if got := w.awaitStatus(object, 1, event.Delivered); got.attempts != 6 {
				t.Errorf("the round left %+v", got)
			}
		}
		w.clock.Advance(time.Minute)
		h.probed(true) // sees that nothing is failing any more
		w.await(1, objects[0], 1, func(row) bool { return !w.isProbed(1) })
		w.clock.Advance(time.Hour)
		other := clock.NewID()
		w.write(other, 1)
		h.expect(name(other, 1))
		if len(h.probes)+len(h.arrivals) > 0 {
			t.Errorf("a receiver that is well gets %d questions, %d deliveries", len(h.probes), len(h.arrivals))
		}
		w.intact()
	})
}

// What fails when it is tried once more is left to people, whatever is delivered afterwards.
func TestRoundTriesEachEventOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, poison, later := newWorld(t, d), clock.NewID(), clock.NewID()
		r := receive(t, func(w http.ResponseWriter, a arrival) {
			if strings.Contains(a.body, poison.String()) {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		w.targets[1] = event.Target{URLs: map[event.Type]string{event.Transfer: r.url}} // no base URL: no probe
		w.run()
		w.write(poison, 1)
		w.exhaust(poison)
		w.write(later, 1)
		w.await(1, poison, 1, func(r row) bool { return r.status == event.Failed && r.attempts == 6 })
		for version := range int64(3) {
			w.write(later, version+2)
			w.awaitStatus(later, version+2, event.Delivered)
		}
		if got := w.row(1, poison, 1); got.status != event.Failed || got.attempts != 6 {
			t.Errorf("the event was tried again: %+v", got)
		}
		if w.isProbed(1) {
			t.Error("without a base URL there is nothing to ask")
		}
	})
}

var selectProbeAt = db.NewQuery(`SELECT probe_at FROM event_lane WHERE partner_id = $1`)

// probeAt is when the partner's receiver is asked next how it is.
func (w *world) probeAt(partner int64) (at time.Time) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(r db.Reader) error { return r.Row(selectProbeAt, partner).Scan(&at) })
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

func (w *world) isProbed(partner int64) bool { return !w.probeAt(partner).IsZero() }

// A receiver that says it is well and refuses deliveries all the same, for a wrong token perhaps, would waste
// the one more attempt: only one that was found down can turn well.
func TestReceiverThatWasNeverDownStartsNoRound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, h, object := newWorld(t, d), receiveIll(t), clock.NewID()
		h.health = func(http.ResponseWriter) { h.probes <- true }
		w.targets[1] = event.Target{BaseURL: h.url}
		w.run()
		w.write(object, 1)
		w.exhaust(object)
		for len(h.probes) > 0 {
			<-h.probes
		}
		for range 3 {
			w.clock.Advance(time.Minute)
			h.probed(true)
			w.await(1, object, 1, func(row) bool { return w.probeAt(1).After(w.clock.Now()) })
		}
		if got := w.row(1, object, 1); got.status != event.Failed || got.attempts != 5 {
			t.Errorf("the event was tried again: %+v", got)
		}
	})
}
