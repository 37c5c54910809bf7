//go:build linux

package fault

import (
	"math/rand/v2"
	"testing"
	"time"

	"kontor/internal/db"
)

// How often the program is killed: in one round, and in the whole long version.
const (
	killsInARound = 50
	killsAtLength = 10_000
)

// TestKilledUnderLoad kills the program at random moments, again and again, while partners' programs work
// and their receiver takes webhooks well, slowly, or refuses some.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const engines = 2
	eachEngine(t, killsAtLength/killsInARound/engines, func(t *testing.T, engine db.Engine) {
		rng := random(t)
		r := startReceiver(t)
		s := startSandbox(t, engine, r.url)
		r.expect(t, s.creds)
		w := newWorld(t, r, s.creds.APIKey)
		w.populate(s.url, 6, 5_000)
		stop := w.load(rng, 6, s.url)
		var slowest time.Duration
		for kill := range killsInARound {
			r.mood.Store(int32(kill / 5 % 3))
			slowest = max(slowest, w.killOnce(rng, s))
		}
		t.Logf("%d kills; back after %s at most", killsInARound, slowest.Round(time.Millisecond))
		r.mood.Store(int32(well))
		w.progress(50)
		stop()
		w.settle(s.url)
		w.check(s.url)
		w.takeOver(s)
		s.verify("at the end")
	})
}

// takeOver kills the sandbox while it holds the lane of webhooks, and measures when the next start does its work.
func (w *world) takeOver(s *sandbox) {
	w.t.Helper()
	users := w.usersByName()
	o := w.inventTransfer(users[0], users[1], 1)
	w.must(s.url, o)
	if !w.receiver.await(arrivalLimit, func() bool { return w.receiver.about()[o.id] != nil }) {
		w.t.Fatal("a transfer is not told of")
	}
	s.kill()
	died := time.Now()
	s.start()
	w.fault(time.Since(died))
	w.delivers(s.url, "the program died", died)
}

// killOnce kills the sandbox at a random moment, starts it again, and answers how long it took from then until
// something was acknowledged.
func (w *world) killOnce(rng *rand.Rand, s *sandbox) time.Duration {
	w.t.Helper()
	const loadFor, startFor = 150 * time.Millisecond, 100 * time.Millisecond
	pause(w.t.Context(), time.Duration(rng.Int64N(int64(loadFor))))
	s.kill()
	if rng.IntN(5) == 0 { // once more, while it starts
		s.begin()
		pause(w.t.Context(), time.Duration(rng.Int64N(int64(startFor))))
		s.kill()
		w.fault(0)
	}
	before := rng.IntN(4) == 0
	if before { // otherwise the program itself is the first to open what it left
		s.verifyHere("after kill -9")
	}
	began := time.Now()
	s.start()
	w.mu.Lock()
	settled := w.settled
	w.mu.Unlock()
	if !w.await(settleLimit, func() bool { return w.settled > settled }) {
		w.t.Fatalf("nothing is acknowledged %s after a start", settleLimit)
	}
	took := time.Since(began)
	w.fault(took)
	if !before {
		s.verifyHere("after kill -9 and a start")
	}
	return took
}
