//go:build linux

package fault

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kontor/internal/pgtest"
)

// pair is a PostgreSQL primary with a synchronous standby.
type pair struct {
	primary, standby *pgtest.Server
	between          *proxy // what the standby hears of the primary
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{primary: startServer(t)}
	p.between = startProxy(t, p.primary.Address())
	var err error
	if p.standby, err = p.primary.StartStandby(p.between.Listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.standby.Stop)
	return p
}

// url names both servers, the standby first, and wants the one that may be written to.
func (p *pair) url() string {
	return strings.Replace(p.primary.URL("kontor"), p.primary.Address(), p.standby.Address()+","+p.primary.Address(), 1) +
		"&target_session_attrs=read-write"
}

// failOver kills the primary and makes the standby the primary.
func (p *pair) failOver(t *testing.T) {
	t.Helper()
	p.primary.Crash()
	if err := p.standby.Promote(); err != nil {
		t.Fatal(err)
	}
}

// TestFailover kills the primary under load and promotes its synchronous standby. The program goes over to it by
// itself, and nothing that was acknowledged is lost.
func TestFailover(t *testing.T) {
	t.Parallel()
	repeatedly(t, 100, func(t *testing.T) {
		p := startPair(t)
		l := startLoaded(t, 8, "--data", t.TempDir(), "--database", p.url())
		l.progress(100 + l.rng.IntN(400))
		pause(t.Context(), time.Duration(l.rng.Int64N(int64(20*time.Millisecond))))
		p.failOver(t)
		l.recovered("the standby was promoted", time.Now(), l.s.node)
		l.finish()
	})
}

// TestFailoverOfAStalledStandby has the standby hear nothing any more, so that the primary commits nothing that may
// be acknowledged, before the primary is killed and the standby promoted. What requests that gave up waiting left
// on the primary is lost then, and must not have been shown to anybody, not even to a repeated request.
func TestFailoverOfAStalledStandby(t *testing.T) {
	t.Parallel()
	repeatedly(t, 30, func(t *testing.T) {
		p := startPair(t)
		l := startLoaded(t, 16, "--data", t.TempDir(), "--database", p.url())
		l.progress(100 + l.rng.IntN(200))
		p.between.add(toxic{Type: "swallow", Stream: "downstream"})
		before := l.settledNow()
		l.givenUp(16)
		if n := l.settledNow() - before; n > 16 { // one of each client may have been on its way
			t.Errorf("%d operations were acknowledged although the standby heard nothing", n)
		}
		p.failOver(t)
		l.recovered("a stalled standby was promoted", time.Now(), l.s.node)
		l.finish()
	})
}

func (w *world) settledNow() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settled - w.refused
}

// givenUp waits until so many requests have been answered P501.
func (w *world) givenUp(requests int) {
	w.t.Helper()
	if !w.await(2*settleLimit, func() bool { return w.streak >= requests }) {
		w.t.Fatalf("%d requests were answered P501, not %d", w.streak, requests)
	}
}

// TestCommitWithoutItsStandby ends the sessions whose commits wait for a standby that hears nothing. PostgreSQL then keeps
// the commits, shows them, and would lose them with the primary: so they are not told, not even to who asks again. The
// same happens for a moment when a primary is killed.
func TestCommitWithoutItsStandby(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	r := startReceiver(t)
	s := startSandboxAt(t, r.url, "--data", t.TempDir(), "--database", p.url())
	r.expect(t, s.creds)
	w := newWorld(t, r, s.creds.APIKey)
	w.populate(s.url, 2, 5_000)
	o := w.inventTransfer(w.users[0], w.users[1], 100)
	p.between.add(toxic{Type: "swallow", Stream: "downstream"})
	stop := endWaiting(t, p.primary.URL("kontor"))
	for range 3 {
		if w.attempt(t.Context(), s.url, o) {
			break // to be missed later
		}
	}
	if stop() == 0 {
		t.Error("no commit waited for the standby")
	}
	p.failOver(t)
	w.settle(s.url)
	w.check(s.url)
	s.verify("at the end")
}

// endWaiting ends each session of a server that waits for its standby, until stop is called, which tells how many.
func endWaiting(t *testing.T, url string) (stop func() int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		n := 0
		for pause(ctx, 5*time.Millisecond) {
			var some int
			err := conn.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE wait_event = 'SyncRep' AND pid <> pg_backend_pid()`).Scan(&some)
			if err != nil {
				t.Error(err)
				break
			}
			n += some
		}
		ended <- n
	}()
	return func() int {
		cancel()
		n := <-ended
		_ = conn.Close(context.Background())
		return n
	}
}
