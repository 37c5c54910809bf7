package event_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

func TestDeliveryIsAuthentic(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		old := []byte("an older secret, 24 byte")
		w.targets[1] = event.Target{BaseURL: r.url + "/base/", Token: "test token", Secrets: [][]byte{secret, old}}
		w.run()
		object := clock.NewID()
		w.write(object, 1)
		got := r.next()
		if got.method != http.MethodPost || got.path != "/base/transfer-webhook" || got.body != name(object, 1) {
			t.Errorf("got %s %s %s", got.method, got.path, got.body)
		}
		for header, want := range map[string]string{
			"Content-Type": "application/json", "Authorization": "test token", "User-Agent": "Kontor-Webhooks/1",
			"x-kontor-event": string(event.Transfer), "x-kontor-sequence": "1",
		} {
			if v := got.header.Get(header); v != want {
				t.Errorf("%s is %q, want %q", header, v, want)
			}
		}
		if _, err := clock.ParseID(got.header.Get("webhook-id")); err != nil {
			t.Errorf("webhook-id: %v", err)
		}
		for _, key := range [][]byte{secret, old} {
			verifier, err := standardwebhooks.NewWebhookRaw(key)
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Verify([]byte(got.body), got.header); err != nil {
				t.Errorf("signature: %v", err)
			}
			if verifier.Verify([]byte(got.body+" "), got.header) == nil {
				t.Error("the signature fits another body")
			}
		}
		w.awaitStatus(object, 1, event.Delivered)
	})
}

func TestLaterEventOfAnObjectWaits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, a, b := newWorld(t, d), clock.NewID(), clock.NewID()
		var once sync.Once
		r := receive(t, func(w http.ResponseWriter, got arrival) {
			if got.body == name(a, 1) {
				once.Do(func() { w.WriteHeader(http.StatusBadGateway) })
			}
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		w.run()
		w.write(a, 1)
		w.write(a, 2)
		r.expect(name(a, 1))
		w.await(1, a, 1, func(r row) bool { return r.attempts == 1 })
		w.write(b, 1) // another object is not held up
		r.expect(name(b, 1))
		w.write(a, 3)
		w.clock.Advance(9 * time.Second)
		r.expect(name(a, 1), name(a, 2), name(a, 3))
		w.awaitStatus(a, 3, event.Delivered)
		if got := w.row(1, a, 1); got.status != event.Delivered || got.attempts != 2 || got.outcome != "HTTP 200" {
			t.Errorf("the repeated event is %+v", got)
		}
		w.intact()
	})
}

func TestRetriesFollowTheSchedule(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, a, other := newWorld(t, d), clock.NewID(), clock.NewID()
		r := receive(t, func(w http.ResponseWriter, got arrival) {
			if strings.Contains(got.body, a.String()) {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		w.run()
		w.write(a, 1)
		id := ""
		for i, delay := range []time.Duration{8, 16, 32, 64} {
			got := r.next()
			if id == "" {
				id = got.header.Get("webhook-id")
			}
			if got.body != name(a, 1) || got.header.Get("webhook-id") != id || got.sequence != 1 {
				t.Errorf("attempt %d sends %+v", i+1, got)
			}
			stored := w.await(1, a, 1, func(r row) bool { return r.attempts == int64(i+1) })
			pause := stored.due.Sub(w.clock.Now())
			delay *= time.Second
			if pause < delay*9/10 || pause > delay*11/10 || stored.status != event.Pending || stored.outcome != "HTTP 500" {
				t.Errorf("after attempt %d: %+v, due in %s", i+1, stored, pause)
			}
			w.clock.Set(stored.due.Add(-time.Microsecond))
			w.write(other, int64(i+1)) // arrives first, if nothing is sent before its time
			r.expect(name(other, int64(i+1)))
			w.clock.Set(stored.due)
		}
		w.write(a, 2)
		r.expect(name(a, 1))
		got := w.awaitStatus(a, 1, event.Failed)
		if got.attempts != 5 || got.outcome != "HTTP 500" {
			t.Errorf("after the last attempt: %+v", got)
		}
		r.expect(name(a, 2)) // a failed event holds nothing up
	})
}

func TestScheduleSurvivesARestart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, a, other := newWorld(t, d), clock.NewID(), clock.NewID()
		r := receive(t, func(w http.ResponseWriter, got arrival) {
			if got.body == name(a, 1) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		n := w.run()
		w.write(a, 1)
		w.write(a, 2)
		r.expect(name(a, 1))
		before := w.await(1, a, 1, func(r row) bool { return r.attempts == 1 })
		n.stop()
		w.run()
		w.write(other, 1)
		r.expect(name(other, 1))
		if got := w.row(1, a, 1); got != before {
			t.Errorf("the restart changed %+v to %+v", before, got)
		}
		w.clock.Set(before.due)
		r.expect(name(a, 1))
	})
}

func TestDeadReceiverDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		over := make(chan struct{})
		dead := receive(t, func(http.ResponseWriter, arrival) { <-over })
		alive := receive(t, nil)
		w.targets[1] = event.Target{BaseURL: dead.url}
		w.targets[2] = event.Target{BaseURL: alive.url}
		w.run()
		t.Cleanup(func() { close(over) })
		for range 20 {
			w.writeFor(1, clock.NewID(), 1)
		}
		for range 8 {
			dead.next() // all that one partner may have under way
		}
		object := clock.NewID()
		for version := range int64(20) {
			w.writeFor(2, object, version+1)
			alive.expect(name(object, version+1))
		}
		if n := len(dead.arrivals); n > 0 {
			t.Errorf("%d more than 8 attempts at a time", n)
		}
	})
}

func TestEventsOfOtherNodesAreFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.log = event.NewLog(w.vault, func(int64) {}) // as if another node had written them
		a, b := clock.NewID(), clock.NewID()
		w.targets[3], w.targets[7] = event.Target{BaseURL: r.url}, event.Target{BaseURL: r.url}
		w.writeFor(3, a, 1) // before a start
		w.run()
		r.expect(name(a, 1))
		w.writeFor(7, b, 1)
		r.expect(name(b, 1))
		w.writeFor(3, a, 2) // on a lane that is open
		r.expect(name(a, 2))
	})
}

func TestWithoutURLOrDisabledFailsAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.targets[2] = event.Target{BaseURL: r.url, Disabled: map[event.Type]bool{event.Transfer: true}}
		w.targets[3] = event.Target{URLs: map[event.Type]string{event.Transfer: r.url + "/all?k=v"}}
		w.run()
		object := clock.NewID()
		for partner, want := range map[int64]row{
			1: {status: event.Failed, outcome: "no webhook URL is set", attempts: 1},
			2: {status: event.Failed, outcome: "disabled", attempts: 1},
			3: {status: event.Delivered, outcome: "HTTP 200", attempts: 1},
		} {
			w.writeFor(partner, object, 1)
			got := w.await(partner, object, 1, func(r row) bool { return r.status != event.Pending })
			want.sequence, want.due = 1, got.due
			if got != want {
				t.Errorf("partner %d: %+v, want %+v", partner, got, want)
			}
		}
		if got := r.next(); got.path != "/all" {
			t.Errorf("the event's own URL was called as %s", got.path)
		}
		if len(r.arrivals) > 0 {
			t.Error("a disabled event was sent")
		}
	})
}

func TestManyEventsInOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.targets[1] = event.Target{BaseURL: r.url}
		const objects, versions = 150, 9 // more than a window and several batches of numbers
		ids := make([]clock.ID, objects)
		for i := range ids {
			ids[i] = clock.NewID()
		}
		for v := range int64(versions) {
			var batch []event.Event
			for i, id := range ids {
				at := start.Add(time.Duration(i) * time.Second)
				if i%7 == 0 { // written by a node whose clock was ahead
					at = start.Add(time.Hour - time.Duration(v)*time.Minute)
				}
				batch = append(batch, event.Event{Partner: 1, Object: id, Version: v + 1, Type: event.Wallet, At: at})
			}
			w.writeAll(batch...)
		}
		w.run()
		inOrder(t, r, objects*versions)
		w.awaitStatus(ids[0], versions, event.Delivered)
		w.intact()
	})
}

// inOrder takes so many different events and checks that each object's first arrive in order, with numbers
// that ascend and are used once.
func inOrder(t *testing.T, r *receiver, count int) {
	t.Helper()
	next, seen, last := map[string]int64{}, map[int64]string{}, map[string]int64{}
	for len(seen) < count {
		got := r.next()
		if id := seen[got.sequence]; id != "" {
			if id != got.header.Get("webhook-id") {
				t.Fatalf("sequence %d was given twice", got.sequence)
			}
			continue // at least once
		}
		seen[got.sequence] = got.header.Get("webhook-id")
		var object string
		var version int64
		if _, err := fmt.Sscanf(got.body, `{"object":%q,"version":%d}`, &object, &version); err != nil {
			t.Fatal(err)
		}
		if version != next[object]+1 || got.sequence <= last[object] {
			t.Fatalf("object %s: version %d (sequence %d) came after version %d (sequence %d)",
				object, version, got.sequence, next[object], last[object])
		}
		next[object], last[object] = version, got.sequence
	}
	for n := range int64(count) {
		if seen[n+1] == "" {
			t.Errorf("sequence %d is missing", n+1)
		}
	}
}

// moving is a target that changes while the Deliverer runs.
type moving struct{ url atomic.Value }

func (m *moving) WebhookTarget(db.Reader, int64) (event.Target, error) {
	return event.Target{BaseURL: m.url.Load().(string), Secrets: [][]byte{secret}}, nil
}

func TestChangedTargetCountsForTheNextEvent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, before, after := newWorld(t, d), receive(t, nil), receive(t, nil)
		target := &moving{}
		target.url.Store(before.url)
		w.config.Targets = target
		w.run()
		object := clock.NewID()
		for version := int64(1); version <= 6; version += 2 {
			w.write(object, version)
			before.expect(name(object, version))
			target.url.Store(after.url)
			w.retarget(1)
			w.write(object, version+1)
			after.expect(name(object, version+1))
			target.url.Store(before.url)
			w.retarget(1)
		}
	})
}
