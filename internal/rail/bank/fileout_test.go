package bank

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/money"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

func batch(id byte) sepa.Batch {
	return sepa.Batch{
		ID: clock.ID{id}, CreatedAt: noon, ExecuteOn: noon,
		Payments: []sepa.Payment{{ID: sepa.EndToEnd(clock.ID{id, 1}), Amount: money.New(1_00, iso20022.Euro), Name: "Test Receiver", IBAN: otherAccount, Title: "Test"}},
	}
}

// pickUp is the bank's side: it takes away what is in the outbox, and answers the names.
func (x *exchange) pickUp() (names []string) {
	x.Helper()
	files, err := list(x.in(outboxFolder))
	if err != nil {
		x.Fatal(err)
	}
	for _, n := range files {
		if err := os.Remove(x.in(outboxFolder, n.name)); err != nil {
			x.Fatal(err)
		}
		names = append(names, n.name)
	}
	return names
}

func TestBatchIsAFileOfItsName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		for range 2 {
			if err := x.Submit(t.Context(), batch(1)); err != nil {
				t.Fatal(err)
			}
		}
		files := x.names(outboxFolder)
		if len(files) != 1 || filepath.Base(files[0]) != messageID(clock.ID{1})+".xml" || len(x.names(stagingFolder)) > 0 {
			t.Fatalf("in the outbox is %q, in staging %q", files, x.names(stagingFolder))
		}
		content, err := os.Open(files[0])
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		m, err := iso20022.Read(content)
		if err != nil || m.Initiation == nil || m.Initiation.ID != messageID(clock.ID{1}) || len(m.Initiation.Batches[0].Transfers) != 1 {
			t.Errorf("the file reads as %+v (%v)", m.Initiation, err)
		}
	})
}

// A run may be stopped before and after each commit, and before and after the rename, and be repeated on any node: the
// bank finds each message once (I6).
func TestMessageIsPutOutOnceAcrossCrashes(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		for _, failure := range []db.Failure{db.Refuse, db.Lose} {
			t.Run(fmt.Sprint(engine, failure), func(t *testing.T) {
				t.Parallel()
				fails := &failing{failure: failure}
				d, err := db.Open(t.Context(), dbtest.Target(t, engine), db.WithInjector(fails))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { d.Close() })
				x := newExchange(t, d)
				fails.arm()
				if err := x.Submit(t.Context(), batch(1)); err == nil {
					t.Fatal("the commit did not fail")
				}
				if early := x.pickUp(); len(early) > 0 {
					t.Errorf("%q left before it was certain that it is the only one", early)
				}
				blocked := x.in(outboxFolder) + ".away" // as when the share is not mounted
				if err := os.Rename(x.in(outboxFolder), blocked); err != nil {
					t.Fatal(err)
				}
				if err := x.Submit(t.Context(), batch(1)); err == nil {
					t.Error("without an outbox the batch counts as put out")
				}
				if err := os.Rename(blocked, x.in(outboxFolder)); err != nil {
					t.Fatal(err)
				}
				sent := 0
				for range 3 {
					again := openExchange(t, d, x.folder, x.told)
					if err := again.Submit(t.Context(), batch(1)); err != nil {
						t.Fatal(err)
					}
					sent += len(x.pickUp())
				}
				if sent != 1 {
					t.Errorf("the bank found the message %d times", sent)
				}
			})
		}
	}
}

// failing makes the first commit after arm fail.
type failing struct {
	mu      sync.Mutex
	armed   bool
	failure db.Failure
}

func (f *failing) arm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = true
}

func (f *failing) Inject(_ context.Context, c db.Call) db.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || c.Point != db.AtQueue && c.Point != db.AtCommit {
		return db.Fault{}
	}
	f.armed = false
	return db.Fault{Failure: f.failure}
}

func (f *failing) Committed(context.Context) {}

// Leases can end while a node is slow, so that two run the same job: the message still leaves once.
func TestRacingNodesPutAMessageOutOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		const messages, nodes = 5, 4
		var runs sync.WaitGroup
		for node := range nodes {
			own := openExchange(t, d, x.folder, x.told)
			runs.Go(func() {
				for id := range byte(messages) {
					if err := own.Submit(t.Context(), batch(id)); err != nil {
						t.Errorf("node %d: %v", node, err)
					}
				}
			})
		}
		over := make(chan struct{})
		go func() {
			runs.Wait()
			close(over)
		}()
		found := map[string]int{}
		for ended := false; !ended; {
			select {
			case <-over:
				ended = true
			default:
			}
			for _, name := range x.pickUp() {
				found[name]++
			}
		}
		for name, times := range found {
			if times != 1 {
				t.Errorf("the bank found %s %d times", name, times)
			}
		}
		if left := x.names(stagingFolder); len(found) != messages || len(left) > 0 {
			t.Errorf("the bank found %d messages, want %d; %q are left in staging", len(found), messages, left)
		}
	})
}

func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	x := newExchange(t, dbtest.Open(t, db.SQLite))
	left := time.Now().Add(-leftover - time.Minute)
	known, err := x.stage(t.Context(), "K1", []byte("committed"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{known, "unknown.xml", "young.xml"} {
		path := x.in(stagingFolder, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "young.xml" {
			if err := os.Chtimes(path, left, left); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names := x.names(stagingFolder); len(names) != 2 {
		t.Errorf("in staging is %q", names)
	}
}
