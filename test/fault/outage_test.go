//go:build linux

package fault

import (
	"net/http"
	"testing"
	"time"

	"kontor/internal/pgtest"
)

// backAfter is how soon the service must be back by itself once its database is.
const backAfter = 5 * time.Second

// TestDatabaseGoesAway ends PostgreSQL under load, by a crash and by an orderly restart. The program stays,
// says that it cannot serve, and comes back by itself.
func TestDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	rng := random(t)
	server, err := pgtest.Start(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if err := server.CreateDatabase("kontor"); err != nil {
		t.Fatal(err)
	}
	r := startReceiver(t)
	s := startSandboxAt(t, r.url, "--data", t.TempDir(), "--database", server.URL("kontor"))
	r.expect(t, s.creds)
	w := newWorld(t, r, s.creds.APIKey)
	w.populate(s.url, 8, 5_000)
	stop := w.load(rng, often(12, 3), s.url)
	for range often(2, 6) {
		w.progress(100 + rng.IntN(300))
		server.Kill()
		w.stall()
		resp, err := w.client.Get(s.url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("/readyz answers %d without a database", resp.StatusCode)
		}
		restart(t, server)
		w.recovered(backAfter)
		if err := eventually(t, backAfter, s.ready); err != nil {
			t.Errorf("not ready %s after the database: %v", backAfter, err)
		}
		w.progress(100 + rng.IntN(100))
		restart(t, server) // in order this time, without a pause
		w.recovered(backAfter)
	}
	stop()
	if n := w.silence(); n > 0 {
		t.Errorf("%d requests were not answered, although the program lived", n)
	}
	w.settle(s.url)
	w.check(s.url)
	s.verify("at the end")
}

func restart(t *testing.T, server *pgtest.Server) {
	t.Helper()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
}
