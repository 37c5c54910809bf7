package job

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// Limits of a runner. The lease and the pauses keep to the machine's time.
const (
	workers      = 8
	claimBatch   = 16              // jobs claimed at a time; the node that claimed them keeps them waiting when it is busy
	leaseTime    = 4 * time.Second // so that another node, or the next start, takes over soon
	renewEvery   = time.Second
	longestLease = 2 * leaseTime // one that seems to have more left was given before the machine's clock was set back
	pollEvery    = 200 * time.Millisecond
	shortestWait = 20 * time.Millisecond // for a job that is almost due
	unknownEvery = time.Minute
	firstRetry   = time.Second // doubled with each failure
	longestRetry = 5 * time.Minute
	outcomeLimit = 500 // characters
)

// Config is what a Runner needs.
type Config struct {
	DB    *db.DB
	Clock clock.Clock // jobs become due by it
	Node  string      // names this node in leases; for people, it need not be unique
	Log   *slog.Logger

	Observer Observer // nil: nobody
}

// Observer is told how runs of jobs ended: done, failed or released. Its method is called by several
// goroutines.
type Observer interface{ Job(kind, outcome string) }

// Runner runs due jobs. Several may work on the same database; each job is run by one of them at a time.
type Runner struct {
	db       *db.DB
	clock    clock.Clock
	node     string // unique among all runners
	log      *slog.Logger
	observer Observer
	handlers map[string]Handler
	queries  queries
	wake     chan struct{} // holds one
	reported map[string]bool
	looked   atomic.Int64 // when look last succeeded, in nanoseconds since 1970
	busy     atomic.Bool  // the last look found jobs, which may still wait for a worker

	mu   sync.Mutex
	runs map[*run]struct{} // claimed and not finished
}

// run is a claimed job. Its context ends when the lease may have run out.
type run struct {
	Job
	ctx    context.Context
	cancel context.CancelFunc
	lease  *time.Timer
}

// NewRunner makes a runner without handlers.
func NewRunner(c Config) *Runner {
	return &Runner{
		db: c.DB, clock: c.Clock, log: c.Log, observer: c.Observer, node: c.Node + "/" + clock.NewID().String(),
		handlers: map[string]Handler{}, reported: map[string]bool{},
		wake: make(chan struct{}, 1), runs: map[*run]struct{}{},
	}
}

var kindForm = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

// Register sets the handler of a kind, a word of a-z, 0-9, dots and hyphens. It is called before Run, once for
// each kind; anything else is a mistake of the program, and panics.
func (r *Runner) Register(kind string, h Handler) {
	if _, twice := r.handlers[kind]; twice || !kindForm.MatchString(kind) {
		panic(fmt.Sprintf("job: kind %q is registered twice, or is not a word of a-z, 0-9, dots and hyphens", kind))
	}
	r.handlers[kind] = h
}

// Wake tells that a job may have become due: one was enqueued, or the clock was moved. It never blocks.
// Without it such jobs are found by polling.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run runs jobs until the context ends, which also ends the contexts of the handlers. It returns when they
// have returned; a job whose handler gave up for that reason is free for other nodes and counts no failure.
// It may be called once.
func (r *Runner) Run(ctx context.Context) {
	r.queries = newQueries(slices.Sorted(maps.Keys(r.handlers)))
	work := make(chan *run)
	stopped := make(chan struct{})
	var pool, helpers sync.WaitGroup
	for range workers {
		pool.Go(func() {
			for job := range work {
				r.do(job)
			}
		})
	}
	helpers.Go(func() { r.renewAll(context.WithoutCancel(ctx), stopped) })
	r.feed(ctx, work)
	close(work)
	pool.Wait()
	close(stopped)
	helpers.Wait()
}

// feed claims jobs and hands them to the workers. It claims only when it has handed out all it had.
func (r *Runner) feed(ctx context.Context, work chan<- *run) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var checked time.Time
	for ctx.Err() == nil {
		if time.Since(checked) >= unknownEvery {
			r.reportUnknown(ctx)
			checked = time.Now()
		}
		jobs, wait := r.look(ctx)
		r.busy.Store(len(jobs) > 0)
		for i, j := range jobs {
			select {
			case work <- j:
			case <-ctx.Done():
				for _, left := range jobs[i:] {
					r.release(left)
				}
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
	}
}

// look claims what is due, and answers how long to wait before the next look.
func (r *Runner) look(ctx context.Context) ([]*run, time.Duration) {
	due, found, err := r.nextDue(ctx)
	now := r.clock.Now()
	var jobs []*run
	if err == nil && found && !due.After(now) {
		jobs, err = r.claim(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("jobs: cannot look for jobs", "error", err)
		}
		return nil, time.Second
	}
	r.looked.Store(time.Now().UnixNano())
	switch {
	case len(jobs) > 0:
		return jobs, 0
	case due.After(now):
		return nil, min(max(due.Sub(now), shortestWait), pollEvery)
	}
	return nil, pollEvery
}

// Polled is when this node last looked for jobs with success; the zero time before the first time. While jobs
// that it found wait for a worker it is now: a busy runner looks for no more.
func (r *Runner) Polled() time.Time {
	at := r.looked.Load()
	switch {
	case at == 0:
		return time.Time{}
	case r.busy.Load():
		return time.Now()
	}
	return time.Unix(0, at)
}

// reportUnknown logs, once for each, the kinds of due jobs that have no handler.
func (r *Runner) reportUnknown(ctx context.Context) {
	err := r.db.View(ctx, func(reader db.Reader) error {
		rows := reader.Rows(r.queries.unknown, r.clock.Now())
		defer rows.Close()
		for rows.Next() {
			var kind string
			var count int64
			if err := rows.Scan(&kind, &count); err != nil {
				return err
			}
			if !r.reported[kind] {
				r.reported[kind] = true
				r.log.Error("jobs: no handler for this kind; its jobs wait", "kind", kind, "jobs", count)
			}
		}
		return rows.Err()
	})
	if err != nil && ctx.Err() == nil {
		r.log.Warn("jobs: cannot look for jobs without a handler", "error", err)
	}
}

// hold notes a claimed job.
func (r *Runner) hold(ctx context.Context, j Job, until time.Time) *run {
	ctx, cancel := context.WithCancel(ctx)
	h := &run{Job: j, ctx: ctx, cancel: cancel, lease: time.AfterFunc(time.Until(until), cancel)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[h] = struct{}{}
	return h
}

func (r *Runner) held() []*run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.runs))
}

// forget ends the run's part in renewals.
func (r *Runner) forget(j *run) {
	r.mu.Lock()
	delete(r.runs, j)
	r.mu.Unlock()
	j.lease.Stop()
	j.cancel()
}

func (r *Runner) observe(j *run, outcome string) {
	if r.observer != nil {
		r.observer.Job(j.Kind, outcome)
	}
}

func (r *Runner) release(j *run) {
	r.observe(j, "released")
	r.write(j.ctx, releaseJob, j.Partner, j.Kind, j.Object, j.claim)
	r.forget(j)
}

// do runs one job and stores what became of it.
func (r *Runner) do(j *run) {
	if j.ctx.Err() != nil { // it waited for a worker until its lease, or the program, ended
		r.release(j)
		return
	}
	err := r.call(j)
	switch {
	case err == nil:
		r.observe(j, "done")
		r.write(j.ctx, deleteJob, j.Partner, j.Kind, j.Object, j.claim)
		r.forget(j)
	case j.ctx.Err() != nil:
		r.release(j)
	default:
		r.observe(j, "failed")
		r.log.Warn("a job failed", "kind", j.Kind, "partner", j.Partner, "object", j.Object.String(),
			"failures", j.Attempts+1, "error", err)
		due := r.clock.Now().Add(retryDelay(j.Attempts))
		r.write(j.ctx, failJob, j.Partner, j.Kind, j.Object, j.claim, due, cut(err.Error()))
		r.forget(j)
	}
}

func (r *Runner) call(j *run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("a job panicked", "kind", j.Kind, "object", j.Object.String(), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.handlers[j.Kind](j.ctx, j.Job)
}

// retryDelay is the pause after a failure: a second at first, five minutes at most.
func retryDelay(failuresBefore int64) time.Duration {
	return min(firstRetry<<min(failuresBefore, 16), longestRetry)
}

// cut shortens an outcome to what is stored, without what PostgreSQL refuses in a text.
func cut(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "")
	if letters := []rune(text); len(letters) > outcomeLimit {
		return string(letters[:outcomeLimit])
	}
	return text
}
