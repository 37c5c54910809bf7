package event_test

import (
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

var insertAttempt = db.NewInsert("event_attempt", `partner_id bigint, event_id uuid, id uuid, at bigint, outcome text,
	duration_ms bigint, answer bytes`)

var countAttempts = db.NewQuery(`SELECT COUNT(*) FROM event_attempt WHERE partner_id = 1`)

func TestOldEventsAreRemoved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.targets[1] = event.Target{BaseURL: r.url}
		object := clock.NewID()
		const old = 410 // more than two batches
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(insertLane, 1, old, "", time.Time{})
			for v := range int64(old) {
				id := clock.NewID()
				tx.Write(insertEvent, 1, object, v+1, id, string(event.OrderStatus), []byte{}, start, v+1, event.Delivered, 1, start, "")
				tx.Write(insertAttempt, 1, id, clock.NewID(), start, "HTTP 200", 1, []byte{})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n := w.run()
		w.clock.Advance(24 * time.Hour)
		w.write(object, old+1)
		w.awaitStatus(object, old+1, event.Delivered)
		n.stop()

		remove := func(keep time.Duration, left int) {
			t.Helper()
			if err := event.NewKeeper(d, w.vault, w.clock, keep, w.config.Log).RemoveOld(t.Context()); err != nil {
				t.Fatal(err)
			}
			var attempts int
			err := d.View(t.Context(), func(r db.Reader) error { return r.Row(countAttempts).Scan(&attempts) })
			if err != nil || attempts != left || len(pages(w, event.Filter{}, 200)) != left {
				t.Errorf("%d attempts are left, and %d events, want %d; %v", attempts, len(w.list(event.Filter{})), left, err)
			}
			w.intact()
		}
		remove(0, old+1) // 90 days
		remove(24*time.Hour, old+1)
		remove(24*time.Hour-time.Microsecond, 1)
		remove(time.Hour, 1)

		w.run()
		w.write(object, old+2)
		if got := w.awaitStatus(object, old+2, event.Delivered); got.sequence != old+2 {
			t.Errorf("the next event has sequence %d, want %d", got.sequence, old+2)
		}
		w.intact()
	})
}

func TestPendingEventsAreNotRemoved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		a, b := clock.NewID(), clock.NewID()
		for i, status := range []string{event.Delivered, event.Pending, event.Delivered} {
			object, version := a, int64(i/2+1)
			if i == 1 {
				object = b
			}
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Write(insertEvent, 1, object, version, clock.NewID(), string(event.Transfer), []byte{}, start, int64(i+1), status, 1, start, "")
				if i == 0 {
					tx.Write(insertLane, 1, 3, "", time.Time{})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		w.clock.Advance(200 * 24 * time.Hour)
		if err := event.NewKeeper(d, w.vault, w.clock, 0, w.config.Log).RemoveOld(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What comes behind the pending event stays with it: the sequence has no gaps.
		if got := w.list(event.Filter{}); len(got) != 2 {
			t.Errorf("%d events are left, want 2", len(got))
		}
		w.intact()
	})
}
