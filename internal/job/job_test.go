package job_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
	"kontor/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

const patience = 30 * time.Second // of a test with something that must happen

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	selectJob = db.NewQuery(`SELECT due_at, attempts, node, leased_until, outcome FROM job
		WHERE partner_id = $1 AND kind = $2 AND object_id = $3`)
	takeJob = db.NewCommand(`UPDATE job SET node = 'a node that died', leased_until = $1`)
)

// world is a database and a clock for runners.
type world struct {
	t     *testing.T
	db    *db.DB
	clock *clock.Manual
	log   *slog.Logger
}

func newWorld(t *testing.T, d *db.DB) *world {
	return &world{t: t, db: d, clock: clock.NewManual(start), log: slog.New(slog.DiscardHandler)}
}

// runner makes a runner with one handler, for jobs of the kind "work".
func (w *world) runner(h job.Handler) *job.Runner {
	r := job.NewRunner(job.Config{DB: w.db, Clock: w.clock, Node: "test", Log: w.log})
	r.Register("work", h)
	return r
}

// run starts a runner. It stops at the end of the test, or when the function is called.
func (w *world) run(r *job.Runner) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	stop = func() {
		cancel()
		receive(w.t, ended)
	}
	w.t.Cleanup(stop)
	return stop
}

func (w *world) enqueue(kind string, object clock.ID, due time.Time) {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		job.Enqueue(tx, 1, kind, object, due)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// row is what the database says about a job.
type row struct {
	due, leased   time.Time
	attempts      int64
	node, outcome string
}

// row answers false when the job is done.
func (w *world) row(kind string, object clock.ID) (got row, found bool) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(r db.Reader) error {
		return r.Row(selectJob, 1, kind, object).Scan(&got.due, &got.attempts, &got.node, &got.leased, &got.outcome)
	})
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		w.t.Fatal(err)
	}
	return got, err == nil
}

func (w *world) await(object clock.ID, fits func(r row, found bool) bool) row {
	w.t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		got, found := w.row("work", object)
		if fits(got, found) {
			return got
		}
		select {
		case <-again.C:
		case <-late:
			w.t.Fatalf("the job stays %+v (%v)", got, found)
		}
	}
}

func (w *world) awaitDone(object clock.ID) {
	w.t.Helper()
	w.await(object, func(_ row, found bool) bool { return !found })
}

func receive[T any](t *testing.T, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(patience):
		t.Fatal("nothing happened")
	}
	return got
}

// report is a handler that tells which object it was called for.
func report(to chan<- clock.ID) job.Handler {
	return func(_ context.Context, j job.Job) error {
		to <- j.Object
		return nil
	}
}

func TestJobsRunWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, done := newWorld(t, d), make(chan clock.ID, 10)
		now, soon, barrier := clock.NewID(), clock.NewID(), clock.NewID()
		w.enqueue("work", now, start)
		w.enqueue("work", soon, start.Add(time.Hour))
		w.run(w.runner(report(done)))
		if got := receive(t, done); got != now {
			t.Errorf("%s ran, want %s", got, now)
		}
		w.clock.Set(start.Add(time.Hour - time.Microsecond))
		w.enqueue("work", barrier, start.Add(time.Minute))
		if got := receive(t, done); got != barrier {
			t.Errorf("%s ran before it was due", got)
		}
		w.clock.Advance(time.Microsecond)
		if got := receive(t, done); got != soon {
			t.Errorf("%s ran, want %s", got, soon)
		}
		for _, id := range []clock.ID{now, soon, barrier} {
			w.awaitDone(id)
		}
	})
}

func TestJobBelongsToItsTransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		failed := errors.New("the rest of the transaction failed")
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			job.Enqueue(tx, 1, "work", object, start)
			return failed
		})
		if _, found := w.row("work", object); found || !errors.Is(err, failed) {
			t.Errorf("there is a job without its transaction (%v)", err)
		}
	})
}

func TestSameJobTwiceCollides(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		w.enqueue("work", object, start)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			job.Enqueue(tx, 1, "work", object, start.Add(time.Hour))
			return nil
		})
		if !db.Violates(err, "job_pkey") {
			t.Errorf("the second answers %v", err)
		}
		if got, _ := w.row("work", object); !got.due.Equal(start) {
			t.Errorf("the first became %+v", got)
		}
	})
}

func TestFailuresBackOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		failures := int64(11)
		r := w.runner(func(_ context.Context, j job.Job) error {
			switch {
			case j.Attempts == failures:
				return nil
			case j.Attempts%2 == 1:
				panic("test\x00panic")
			}
			return errors.New("rail is away: " + strings.Repeat("x", 1000))
		})
		w.enqueue("work", object, start)
		w.run(r)
		for n := range failures {
			got := w.await(object, func(r row, _ bool) bool { return r.attempts == n+1 })
			pause := min(time.Second<<n, 5*time.Minute)
			want := "rail is away: x"
			if n%2 == 1 {
				want = "panic: testpanic"
			}
			if got.due.Sub(w.clock.Now()) != pause || got.node != "" || !strings.HasPrefix(got.outcome, want) || len(got.outcome) > 500 {
				t.Fatalf("failure %d: %+v, want it due in %s", n+1, got, pause)
			}
			w.clock.Set(got.due)
			r.Wake()
		}
		w.awaitDone(object)
	})
}

func TestEachJobRunsOnOneRunnerAtATime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		const jobs = 200
		var mu sync.Mutex
		running, runs, most := map[clock.ID]bool{}, map[clock.ID]int{}, 0
		done := make(chan clock.ID, 2*jobs)
		h := func(_ context.Context, j job.Job) error {
			mu.Lock()
			if running[j.Object] {
				t.Errorf("%s runs twice at a time", j.Object)
			}
			running[j.Object] = true
			runs[j.Object]++
			most = max(most, len(running))
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				delete(running, j.Object)
				done <- j.Object
			}()
			return d.Ping(t.Context())
		}
		a, b := w.runner(h), w.runner(h)
		w.run(a)
		w.run(b)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			for range jobs {
				job.Enqueue(tx, 1, "work", clock.NewID(), start)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		a.Wake()
		b.Wake()
		for range jobs {
			w.awaitDone(receive(t, done))
		}
		mu.Lock()
		defer mu.Unlock()
		if len(runs) != jobs || len(done) > 0 {
			t.Errorf("%d jobs ran, and %d runs too many", len(runs), len(done))
		}
		if most > 16 {
			t.Errorf("%d jobs ran at a time on two runners", most)
		}
	})
}

func TestLeaseOfADeadRunnerExpires(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object, done := newWorld(t, d), clock.NewID(), make(chan clock.ID, 10)
		w.enqueue("work", object, start)
		until := time.Now().Add(700 * time.Millisecond)
		err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(takeJob, until); return nil })
		if err != nil {
			t.Fatal(err)
		}
		w.run(w.runner(report(done)))
		receive(t, done)
		if early := time.Until(until); early > 0 {
			t.Errorf("ran %s before the lease of another runner ended", early)
		}
	})
}

func TestLeaseFromBeforeTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object, done := newWorld(t, d), clock.NewID(), make(chan clock.ID, 10)
		w.enqueue("work", object, start)
		until := time.Now().Add(2 * time.Hour)
		err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(takeJob, until); return nil })
		if err != nil {
			t.Fatal(err)
		}
		w.run(w.runner(report(done)))
		receive(t, done)
		w.awaitDone(object)
	})
}

func TestLeaseIsKeptWhileAJobRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		started, end := make(chan clock.ID, 1), make(chan struct{})
		r := w.runner(func(ctx context.Context, j job.Job) error {
			started <- j.Object
			select {
			case <-end:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		w.enqueue("work", object, start)
		w.run(r)
		receive(t, started)
		before, _ := w.row("work", object)
		if left := time.Until(before.leased); left <= 0 || left > 4*time.Second {
			t.Errorf("the lease has %s left", left)
		}
		if err := r.Renew(); err != nil {
			t.Fatal(err)
		}
		if after, _ := w.row("work", object); !after.leased.After(before.leased) {
			t.Errorf("the lease still ends at %s", after.leased)
		}
		close(end)
		w.awaitDone(object)
	})
}

func TestHandlerMayAskForAnotherRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object, runs := newWorld(t, d), clock.NewID(), make(chan int64, 10)
		var mu sync.Mutex
		left := 2
		r := w.runner(func(ctx context.Context, j job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			runs <- j.Attempts
			if left--; left < 0 {
				return nil
			}
			return d.Update(ctx, func(tx *db.Tx) error {
				j.Again(tx, start) // due at once
				return nil
			})
		})
		w.enqueue("work", object, start)
		w.run(r)
		for range 3 {
			receive(t, runs)
		}
		w.awaitDone(object)
		if len(runs) > 0 {
			t.Error("it ran once more than it asked for")
		}
	})
}

func TestFreshenedJobRunsOnceMoreWhileItRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		started, end := make(chan int64, 10), make(chan struct{})
		r := w.runner(func(_ context.Context, j job.Job) error {
			started <- j.Attempts
			<-end
			return nil
		})
		freshen := func() {
			t.Helper()
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				job.Freshen(tx, 1, "work", object, start)
				tx.AfterCommit(r.Wake)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		freshen() // there is none yet
		freshen()
		w.run(r)
		receive(t, started)
		freshen()
		close(end)
		receive(t, started)
		w.awaitDone(object)
		if len(started) > 0 {
			t.Error("it ran once more than it was made new")
		}
	})
}

func TestStopEndsHandlersAndFreesTheirJobs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		started := make(chan clock.ID, 100)
		ids := make([]clock.ID, 20) // more than run at a time, and more than are claimed at a time
		for i := range ids {
			ids[i] = clock.NewID()
			w.enqueue("work", ids[i], start)
		}
		stop := w.run(w.runner(func(ctx context.Context, j job.Job) error {
			started <- j.Object
			<-ctx.Done()
			return ctx.Err()
		}))
		for range 8 {
			receive(t, started)
		}
		stop()
		for _, id := range ids {
			if got, found := w.row("work", id); !found || got.node != "" || !got.leased.IsZero() || got.attempts != 0 {
				t.Errorf("after the end: %+v (%v), want the job free", got, found)
			}
		}
		done := make(chan clock.ID, 100)
		w.run(w.runner(report(done)))
		for range ids {
			receive(t, done)
		}
	})
}

func TestUnknownKindWaits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, done := newWorld(t, d), make(chan clock.ID, 10)
		var text bytes.Buffer
		w.log = slog.New(slog.NewTextHandler(&text, nil))
		var strange []clock.ID
		for range 40 { // would fill every claim
			strange = append(strange, clock.NewID())
			w.enqueue("strange", strange[len(strange)-1], start)
		}
		known := clock.NewID()
		w.enqueue("work", known, start)
		stop := w.run(w.runner(report(done)))
		if got := receive(t, done); got != known {
			t.Errorf("%s ran", got)
		}
		w.awaitDone(known)
		stop()
		if lines := text.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, "kind=strange jobs=40") {
			t.Errorf("the log says %q", lines)
		}
		for _, id := range strange {
			if got, found := w.row("strange", id); !found || got.attempts != 0 {
				t.Errorf("an unknown job became %+v (%v)", got, found)
			}
		}
	})
}

func TestBusyRunnerIsAlive(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for i := range 20 { // more than run at a time
			w.enqueue("work", clock.NewID(), start.Add(-time.Duration(i)*time.Minute))
		}
		var first time.Time
		err := d.View(t.Context(), func(r db.Reader) (err error) {
			first, err = job.FirstDue(r)
			return err
		})
		if err != nil || !first.Equal(start.Add(-19*time.Minute)) {
			t.Errorf("the first job is due at %s (%v)", first, err)
		}
		started, free := make(chan clock.ID, 100), make(chan struct{})
		r := w.runner(func(_ context.Context, j job.Job) error {
			started <- j.Object
			<-free
			return nil
		})
		if at := r.Polled(); !at.IsZero() {
			t.Errorf("before it runs it looked at %s", at)
		}
		w.run(r)
		for range 8 {
			receive(t, started)
		}
		if now := time.Now(); r.Polled().Before(now) {
			t.Error("a runner whose workers are all busy counts as dead")
		}
		close(free)
		for range 12 {
			receive(t, started)
		}
	})
}
