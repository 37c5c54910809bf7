//go:build linux

package fault

import (
	"testing"
	"time"

	"kontor/internal/db"
)

// TestKilledUnderLoad kills the program at random moments, again and again, while partners' programs work
// and their receiver takes webhooks well, slowly, or refuses some.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine db.Engine) {
		rng := random(t)
		r := startReceiver(t)
		s := startSandbox(t, engine, r.url)
		r.expect(t, s.creds)
		w := newWorld(t, r, s.creds.APIKey)
		w.populate(s.url, 8, 5_000)
		stop := w.load(rng, often(12, 3), s.url)
		for round := range often(4, 6) {
			r.mood.Store(int32(round % 3))
			w.progress(100 + rng.IntN(300))
			pause(t.Context(), time.Duration(rng.Int64N(int64(5*time.Millisecond))))
			s.kill()
			s.verify("after kill -9")
			s.start()
		}
		w.progress(50)
		stop()
		r.mood.Store(int32(well))
		w.settle(s.url)
		w.check(s.url)
		s.verify("at the end")
	})
}
