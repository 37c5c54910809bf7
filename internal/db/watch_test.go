package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// witness notes what an observer and a tracer are told.
type witness struct {
	mu    sync.Mutex
	notes []string
}

func (w *witness) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// take answers the notes since the last call.
func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	notes := w.notes
	w.notes = nil
	return notes
}

// Transaction is db.Observer's.
func (w *witness) Transaction(kind, outcome string, took time.Duration) {
	if took <= 0 {
		w.note("a transaction took no time")
	}
	w.note("%s %s", kind, outcome)
}

func (w *witness) Retried(cause string)  { w.note("retried %s", cause) }
func (w *witness) Applied(time.Duration) { w.note("applied") }
func (w *witness) Grouped(members int)   { w.note("grouped %d", members) }
func (w *witness) tracer() db.Tracer     { return (*tracing)(w) }
func (w *witness) expect(t *testing.T, want ...string) {
	t.Helper()
	got := w.take()
	got = slices.DeleteFunc(got, func(note string) bool { return note == "grouped 1" }) // on SQLite only
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

type tracing witness

// Transaction is db.Tracer's: it follows what has "followed" in its context.
func (w *tracing) Transaction(ctx context.Context, kind string) func(attempts int, err error) {
	if ctx.Value(followed{}) == nil {
		return nil
	}
	return func(attempts int, err error) { (*witness)(w).note("traced %s %d %v", kind, attempts, err) }
}

type followed struct{}

func TestObserverIsToldWhatTheRunnerDoes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind db.Engine, target string) {
		w := &witness{}
		d, err := db.Open(t.Context(), target, db.WithObserver(w), db.WithTracer(w.tracer()))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		insert := func(ctx context.Context, key string) error {
			return d.Update(ctx, func(tx *db.Tx) error {
				if tx.Attempt() > 1 {
					return errors.New("no")
				}
				tx.Write(insertEntry, "k", key, 1, clock.NewID())
				return nil
			})
		}
		if err := insert(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		w.expect(t, "applied", "update ok")
		ctx := context.WithValue(t.Context(), followed{}, true)
		if err := insert(ctx, "a"); err == nil {
			t.Fatal("a key was used twice")
		}
		w.expect(t, "applied", "retried directory_pkey", "traced update 2 no", "update refused")
		for name, read := range map[string]func(context.Context, func(db.Reader) error) error{"view": d.View, "snapshot": d.Snapshot} {
			if err := read(ctx, func(db.Reader) error { return nil }); err != nil {
				t.Error(err)
			}
			w.expect(t, "traced "+name+" 1 <nil>", name+" ok")
		}
		func() {
			defer func() { _ = recover() }()
			_ = d.Update(t.Context(), func(*db.Tx) error { panic("test") })
		}()
		w.expect(t, "update refused")
	})
}

func TestObserverIsToldTheSizeOfGroups(t *testing.T) {
	t.Parallel()
	w := &witness{}
	d, err := db.Open(t.Context(), dbtest.Target(t, db.SQLite), db.WithObserver(w))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all sync.WaitGroup
	const updates = 50
	for i := range updates {
		all.Go(func() {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Write(insertEntry, "k", fmt.Sprint(i), 1, clock.NewID())
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	total := 0
	for _, note := range w.take() {
		var members int
		if _, err := fmt.Sscanf(note, "grouped %d", &members); err == nil {
			total += members
		}
	}
	if total != updates {
		t.Errorf("groups held %d updates, want %d", total, updates)
	}
}
