//go:build linux

package fault

import (
	"testing"
	"time"

	"kontor/internal/db"
)

// TestSenderKilledInMidDelivery kills the program while attempts to deliver are under way: a receiver that is
// slow holds some of them at any time. Everything arrives, in order per object, and unchanged.
func TestSenderKilledInMidDelivery(t *testing.T) {
	t.Parallel()
	eachEngine(t, 10, func(t *testing.T, engine db.Engine) {
		rng := random(t)
		r := startReceiver(t)
		s := startSandbox(t, engine, r.url)
		r.expect(t, s.creds)
		w := newWorld(t, r, s.creds.APIKey)
		w.populate(s.url, 4, 5_000)
		r.mood.Store(int32(slow))
		stop := w.load(rng, 4, s.url)
		for range 3 {
			w.progress(20)
			if !r.await(settleLimit, r.holds) {
				t.Fatal("no delivery is under way")
			}
			s.kill()
			pause(t.Context(), time.Duration(rng.Int64N(int64(5*time.Millisecond))))
			s.start()
		}
		stop()
		r.mood.Store(int32(well))
		w.settle(s.url)
		w.check(s.url)
		s.verify("at the end")
	})
}

// holds tells whether a delivery that arrived has not been answered yet.
func (r *receiver) holds() bool {
	for _, e := range r.events {
		if e.accepted == 0 {
			return true
		}
	}
	return false
}
