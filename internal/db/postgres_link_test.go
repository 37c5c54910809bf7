package db_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

var (
	selectOne  = db.NewQuery(`SELECT 1`)
	selectSlow = db.NewQuery(`SELECT 1 FROM pg_sleep(4)`)
)

// relay passes bytes between the program and PostgreSQL, or loses what PostgreSQL says.
type relay struct {
	net.Listener
	losing atomic.Bool
	lost   chan struct{} // holds one: something was lost
}

// openThrough opens a fresh database through a relay.
func openThrough(t *testing.T) (*db.DB, *relay) {
	t.Helper()
	target, err := url.Parse(dbtest.Target(t, db.Postgres))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: listener, lost: make(chan struct{}, 1)}
	t.Cleanup(func() { listener.Close() })
	go r.accept(target.Host)
	target.Host = listener.Addr().String()
	d, err := db.Open(t.Context(), target.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, r
}

func (r *relay) accept(server string) {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp4", server)
		if err != nil {
			client.Close()
			continue
		}
		go func() {
			_, _ = io.Copy(upstream, client)
			upstream.Close()
		}()
		go func() {
			_, _ = io.Copy(lossy{client, r}, upstream)
			client.Close()
		}()
	}
}

type lossy struct {
	io.Writer
	relay *relay
}

func (l lossy) Write(b []byte) (int, error) {
	if !l.relay.losing.Load() {
		return l.Writer.Write(b)
	}
	select {
	case l.relay.lost <- struct{}{}:
	default:
	}
	return len(b), nil
}

func TestLostAnswerIsGivenUpWhenTheServerIsIdle(t *testing.T) {
	t.Parallel()
	d, relay := openThrough(t)
	one := func() error {
		return d.View(t.Context(), func(r db.Reader) error {
			var n int64
			return r.Row(selectOne).Scan(&n)
		})
	}
	if err := one(); err != nil {
		t.Fatal(err)
	}
	relay.losing.Store(true)
	began, answered := time.Now(), make(chan error, 1)
	go func() { answered <- one() }()
	<-relay.lost
	relay.losing.Store(false)
	// The time-out of a statement would end it, too, after ten seconds.
	if err := <-answered; !errors.Is(err, db.ErrUnavailable) || time.Since(began) > 8*time.Second {
		t.Errorf("a lost answer was waited for for %s: %v", time.Since(began), err)
	}
	if err := one(); err != nil {
		t.Error(err)
	}
}

func TestLongStatementIsNotGivenUp(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	err := d.View(t.Context(), func(r db.Reader) error {
		var n int64
		return r.Row(selectSlow).Scan(&n)
	})
	if err != nil {
		t.Errorf("a statement that takes four seconds: %v", err)
	}
}
