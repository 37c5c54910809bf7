package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"zombiezen.com/go/sqlite"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
)

// bubble runs a test on SQLite where queued means queued: once synctest.Wait returns, whoever can only go on
// when the writer does has reached its place in line.
func bubble(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, dbtest.Open(t, db.SQLite))
	})
}

// hold occupies the writer by an explicit transaction until release is called.
func hold(t *testing.T, d *db.DB) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Locked()
			<-gate
			return nil
		})
		if err != nil {
			t.Error("the one who held the writer:", err)
		}
	})
	synctest.Wait()
	return func() {
		close(gate)
		group.Wait()
	}
}

// outcome is what became of an Update that was queued; it is there after synctest.Wait.
type outcome struct {
	done bool
	err  error
}

// queue begins an Update and returns when it stands in line.
func queue(ctx context.Context, d *db.DB, fn func(tx *db.Tx)) *outcome {
	o := &outcome{}
	go func() {
		o.err = d.Update(ctx, func(tx *db.Tx) error { fn(tx); return nil })
		o.done = true
	}()
	synctest.Wait()
	return o
}

// code is what a partner would be told; empty for a success.
func code(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.From(err).Code
}

func entry(key string) func(*db.Tx) {
	return func(tx *db.Tx) { tx.Write(insertEntry, "group", key, 1, clock.NewID()) }
}

// entries counts what the members of a test's groups left in the database.
func entries(t *testing.T, d *db.DB) int {
	t.Helper()
	var n int
	err := d.View(t.Context(), func(r db.Reader) error { return r.Row(countEntries, "group").Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFailedMemberLeavesItsGroupUntouched(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB) {
		rich, poor, sink := account(t, d, 1000), account(t, d, 10), account(t, d, 0)
		release := hold(t, d)
		var members []*outcome
		for i := range 5 {
			from := rich
			if i == 2 {
				from = poor
			}
			members = append(members, queue(t.Context(), d, func(tx *db.Tx) {
				entry(fmt.Sprint(i))(tx)
				tx.Move(1, sink, 100, 0)
				tx.Move(1, from, -100, 0)
			}))
		}
		release()
		synctest.Wait()
		for i, m := range members {
			switch {
			case i == 2 && code(m.err) != fault.InsufficientFunds:
				t.Errorf("the member without funds answers %v, want P433", m.err)
			case i != 2 && (m.err != nil || !m.done):
				t.Errorf("neighbour %d answers %v, done: %t", i, m.err, m.done)
			}
		}
		if got := [3]int64{posted(t, d, rich), posted(t, d, poor), posted(t, d, sink)}; got != [3]int64{600, 10, 400} {
			t.Errorf("rich, poor and sink have %v", got)
		}
		if n := entries(t, d); n != 4 {
			t.Errorf("%d entries, want those of the 4 neighbours", n)
		}
	})
}

// full lets the database file grow no further, for as long as the writer's connection lives.
var full = db.NewCommand(`PRAGMA max_page_count = 1`)

func TestGroupWhoseTransactionDiesFailsWhole(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB) {
		release := hold(t, d)
		before := queue(t.Context(), d, entry("before"))
		filling := queue(t.Context(), d, func(tx *db.Tx) {
			tx.Write(full)
			tx.Write(insertEntry, "group", string(make([]byte, 1<<20)), 1, clock.NewID())
		})
		after := queue(t.Context(), d, entry("after"))
		release()
		synctest.Wait()
		for name, m := range map[string]*outcome{"before": before, "filling": filling, "after": after} {
			if code(m.err) != fault.ServiceUnavailable || !errors.Is(m.err, db.ErrUnavailable) {
				t.Errorf("the member %s answers %v, done: %t; want P501", name, m.err, m.done)
			}
		}
		if n := entries(t, d); n != 0 {
			t.Errorf("%d entries of a group that failed", n)
		}
		if later := queue(t.Context(), d, entry("later")); later.err != nil || !later.done {
			t.Errorf("the writer does not work afterwards: %v", later.err)
		}
		if n := entries(t, d); n != 1 {
			t.Errorf("%d entries, want the later one", n)
		}
	})
}

func TestLockedUpdateOnAFullDisk(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB) {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Locked()
			entry("1")(tx)
			tx.Write(full)
			tx.Write(insertEntry, "group", string(make([]byte, 1<<20)), 1, clock.NewID())
			entry("2")(tx) // the transaction is gone: this must not be committed by itself
			return nil
		})
		if code(err) != fault.ServiceUnavailable {
			t.Errorf("answers %v, want P501", err)
		}
		if later := queue(t.Context(), d, entry("later")); later.err != nil {
			t.Errorf("the writer does not work afterwards: %v", later.err)
		}
		if n := entries(t, d); n != 1 {
			t.Errorf("%d entries, want the later one", n)
		}
	})
}

func TestMemberThatStopsWaitingInLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB) {
		release := hold(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		before := queue(t.Context(), d, entry("before"))
		gone := queue(ctx, d, entry("gone"))
		after := queue(t.Context(), d, entry("after"))
		cancel()
		synctest.Wait()
		if !gone.done || !errors.Is(gone.err, context.Canceled) {
			t.Errorf("the member that gave up answers %v, done: %t", gone.err, gone.done)
		}
		release()
		synctest.Wait()
		if !before.done || before.err != nil || !after.done || after.err != nil {
			t.Errorf("its neighbours answer %v and %v", before.err, after.err)
		}
		if n := entries(t, d); n != 2 {
			t.Errorf("%d entries, want the neighbours'", n)
		}
	})
}

// middle is how a statement stops in its middle: SQLite calls hold_here, which tells that it was reached and
// waits until it may proceed.
type middle struct{ reached, proceed chan struct{} }

func (m middle) register(conn *sqlite.Conn) error {
	return conn.CreateFunction("hold_here", &sqlite.FunctionImpl{NArgs: 1, Scalar: func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
		close(m.reached)
		<-m.proceed
		return args[0], nil
	}})
}

var insertHeld = db.NewCommand(`
	INSERT INTO directory (kind, key, partner_id, object_id) SELECT 'group', hold_here($1), 1, $2`)

func TestMemberThatHangsUpInMidStatement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := middle{make(chan struct{}), make(chan struct{})}
		d, err := db.Open(t.Context(), dbtest.Target(t, db.SQLite), db.WithConnected(m.register))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		release := hold(t, d)
		before := queue(t.Context(), d, entry("before"))
		ctx, cancel := context.WithCancel(t.Context())
		gone := queue(ctx, d, func(tx *db.Tx) {
			tx.Write(insertHeld, t.Name(), clock.NewID())
			entry("its second")(tx)
		})
		after := queue(t.Context(), d, entry("after"))
		release()
		<-m.reached
		cancel()
		synctest.Wait()
		if gone.done || before.done || after.done {
			t.Error("somebody was answered before the commit")
		}
		close(m.proceed)
		synctest.Wait()
		for name, o := range map[string]*outcome{"before": before, "gone": gone, "after": after} {
			if !o.done || o.err != nil {
				t.Errorf("the member %s answers %v, done: %t", name, o.err, o.done)
			}
		}
		if n := entries(t, d); n != 4 {
			t.Errorf("%d entries, want all 4", n)
		}
	})
}

// TestCommitsAreWrittenThrough looks at the settings that no kill of a process can test: only a loss of
// power would show that they are wrong.
func TestCommitsAreWrittenThrough(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, d *db.DB, text string, answer any) {
		t.Helper()
		query := db.NewQuery(text)
		err := d.Update(t.Context(), func(tx *db.Tx) error { // on the connection that commits
			tx.Locked()
			return tx.Row(query).Scan(answer)
		})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t, db.SQLite)
		var level int
		var mode string
		ask(t, d, `PRAGMA synchronous`, &level)
		ask(t, d, `PRAGMA journal_mode`, &mode)
		if level < 2 || mode != "wal" {
			t.Errorf("synchronous = %d, journal_mode = %s; want FULL (2) and wal", level, mode)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t, db.Postgres)
		var level string
		ask(t, d, `SHOW synchronous_commit`, &level)
		if level != "on" {
			t.Errorf("synchronous_commit = %s", level)
		}
	})
}
