//go:build linux

package fault

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"kontor/internal/pgtest"
)

// startServer starts a PostgreSQL server of the test's own, with an empty database kontor.
func startServer(t *testing.T) *pgtest.Server {
	t.Helper()
	server, err := pgtest.Start(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if err := server.CreateDatabase("kontor"); err != nil {
		t.Fatal(err)
	}
	return server
}

// loaded is a sandbox under load.
type loaded struct {
	*world
	s    *sandbox
	rng  *rand.Rand
	stop func() // ends the load
}

// startLoaded starts a sandbox at a place, with partners' programs that work.
func startLoaded(t *testing.T, clients int, place ...string) *loaded {
	t.Helper()
	rng := random(t)
	r := startReceiver(t)
	s := startSandboxAt(t, r.url, place...)
	r.expect(t, s.creds)
	w := newWorld(t, r, s.creds.APIKey)
	w.populate(s.url, 6, 5_000)
	return &loaded{world: w, s: s, rng: rng, stop: w.load(rng, clients, s.url)}
}

// finish ends the load and holds everything against the model.
func (l *loaded) finish() {
	l.t.Helper()
	l.progress(50)
	l.stop()
	l.settle(l.s.url)
	l.check(l.s.url)
	l.s.verify("at the end")
}

// TestDatabaseGoesAway ends PostgreSQL under load, by a crash and by an orderly restart. The program stays,
// says that it cannot serve, and comes back by itself.
func TestDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	repeatedly(t, 20, func(t *testing.T) {
		server := startServer(t)
		l := startLoaded(t, 8, "--data", t.TempDir(), "--database", server.URL("kontor"))
		for range 2 {
			l.progress(100 + l.rng.IntN(200))
			server.Kill()
			l.stall()
			if status := l.readiness(); status != http.StatusServiceUnavailable {
				t.Errorf("/readyz answers %d without a database", status)
			}
			restart(t, server)
			l.recovered("PostgreSQL crashed", time.Now(), l.s.node)
			l.progress(100 + l.rng.IntN(100))
			restart(t, server) // in order this time, without a pause
			l.recovered("PostgreSQL restarted", time.Now(), l.s.node)
		}
		if n := l.silence(); n > 0 {
			t.Errorf("%d requests were not answered, although the program lived", n)
		}
		l.finish()
	})
}

// readiness is the status of the node's /readyz.
func (l *loaded) readiness() int {
	l.t.Helper()
	resp, err := l.client.Get(l.s.url + "/readyz")
	if err != nil {
		l.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func restart(t *testing.T, server *pgtest.Server) {
	t.Helper()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
}
