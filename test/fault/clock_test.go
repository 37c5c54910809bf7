//go:build linux

package fault

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/partner"
	"kontor/internal/pgtest"
	"kontor/internal/sepa"
)

// jumpingClock is the machine's clock, set to a wrong time.
type jumpingClock struct{ off atomic.Int64 } // nanoseconds

// Now is the wrong time.
func (c *jumpingClock) Now() time.Time { return clock.System().Now().Add(time.Duration(c.off.Load())) }

// here is the program inside the test, where it can be given a clock.
type here struct {
	app   *app.App
	url   string
	creds credentials
}

// startHere opens and serves the program with a partner whose webhooks go to a receiver.
func startHere(t *testing.T, engine db.Engine, c clock.Clock, webhookURL string) *here {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(t.TempDir(), "kontor.db")
	if engine == db.Postgres {
		database = pgtest.NewDatabase(t)
	}
	a, err := app.Open(t.Context(), app.Config{
		Database: database, MasterKey: key, Environment: partner.Staging, Bank: sepa.SandboxBank,
		SandboxDelay: 200 * time.Millisecond, Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- a.Serve(ctx, listener, app.Roles{API: true, Worker: true}) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, a.Close()); err != nil {
			t.Error(err)
		}
	})
	h := &here{app: a, url: "http://" + listener.Addr().String()}
	p, err := a.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner", "rateLimit": "0", "webhook.baseUrl": webhookURL})
	if err != nil {
		t.Fatal(err)
	}
	_, h.creds.APIKey, err = a.Partners.IssueKey(t.Context(), p.ID)
	hooks, errHooks := a.Partners.WebhookCredentials(t.Context(), p.ID)
	if err := errors.Join(err, errHooks); err != nil {
		t.Fatal(err)
	}
	h.creds.WebhookToken, h.creds.WebhookSecret = hooks.Token, hooks.Secret
	return h
}

// TestClockJumps sets the clock forth and back by hours under load, while the receiver refuses some webhooks, so that
// attempts wait for their time. What became due by a time that is taken back waits; all else goes on.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	eachEngine(t, 20, func(t *testing.T, engine db.Engine) {
		rng := random(t)
		c := &jumpingClock{}
		r := startReceiver(t)
		h := startHere(t, engine, c, r.url)
		r.expect(t, h.creds)
		w := newWorld(t, r, h.creds.APIKey)
		w.populate(h.url, 6, 5_000)
		stop := w.load(rng, 3, h.url)
		r.mood.Store(int32(failing))
		latest := time.Duration(0)
		for range 6 {
			w.progress(40)
			to := time.Duration(rng.Int64N(int64(12*time.Hour))) - 6*time.Hour
			latest = max(latest, to)
			c.off.Store(int64(to))
			jumped := time.Now()
			w.fault(0)
			w.progress(40)
			r.mood.Store(int32(well))
			w.delivers(h.url, "the clock jumped", jumped) // what begins now does not wait for another time
			r.mood.Store(int32(failing))
		}
		r.mood.Store(int32(well))
		stop()
		// By now everything is due that was put off until any of the times that the clock showed.
		c.off.Store(int64(latest + time.Hour))
		w.settle(h.url)
		w.check(h.url)
		found, err := app.Verify(t.Context(), h.app.DB)
		if err != nil || len(found) > 0 {
			t.Errorf("verify: %v, %q", err, found)
		}
	})
}
