// Package job is durable background work. A job is a row that a transaction enqueues with the change it
// belongs to: what has to follow a commit follows it, whatever crashes in between.
//
// A job runs at least once, so every handler is idempotent. One that fails is tried again, later with each
// failure, for ever: no job is dropped. Jobs are due by the business clock, which the sandbox can move;
// leases, which keep two nodes from running the same job, are kept by the machine's.
package job

import (
	"context"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// Job is a piece of work. Partner, Kind and Object together are its key: there is one such job at a time.
type Job struct {
	Partner  int64
	Kind     string
	Object   clock.ID
	Attempts int64 // failures so far

	claim string // marks this run; another run of the same job has another one
}

// Handler does a job. It may be called again for a job that it has done: when the program ended before that
// was stored, or when the context ended because the lease could not be kept. An error, or a panic, leaves
// the job for a later attempt.
type Handler func(ctx context.Context, j Job) error

var (
	insertJob = db.NewInsert("job", `partner_id bigint, kind text, object_id uuid, due_at bigint, attempts bigint,
		node text, leased_until bigint, outcome text, created_at bigint`)
	insertOnce = db.NewInsertOnce("job", `partner_id bigint, kind text, object_id uuid, due_at bigint, attempts bigint,
		node text, leased_until bigint, outcome text, created_at bigint`, "partner_id, kind, object_id")
	againJob = db.NewCommand(`
		UPDATE job SET due_at = $5, attempts = 0, node = '', leased_until = 0, outcome = ''
		WHERE partner_id = $1 AND kind = $2 AND object_id = $3 AND node = $4`)
	freshenJob = db.NewCommand(`
		INSERT INTO job (partner_id, kind, object_id, due_at, attempts, node, leased_until, outcome, created_at)
		VALUES ($1, $2, $3, $4, 0, '', 0, '', $5) ON CONFLICT (partner_id, kind, object_id)
		DO UPDATE SET due_at = $4, attempts = 0, node = '', leased_until = 0, outcome = ''`)
)

// Enqueue queues a job on the transaction that makes it necessary. due is business time. A second job of the
// same partner, kind and object collides with the first, on the key job_pkey, until that one is done: use it
// where the job must not exist yet, and Job.Again inside a handler.
func Enqueue(tx *db.Tx, partner int64, kind string, object clock.ID, due time.Time) {
	tx.Write(insertJob, partner, kind, object, due, 0, "", time.Time{}, "", time.Now())
}

var doneJob = db.NewDelete("job", "partner_id bigint, kind text, object_id uuid")

// Done removes a job whose work the transaction does on the way. A run of it that is under way finds nothing to do.
func Done(tx *db.Tx, partner int64, kind string, object clock.ID) {
	tx.Write(doneJob, partner, kind, object)
}

// EnqueueOnce is Enqueue where the same job may wait already, with the same due time. One that runs at this moment
// counts as waiting too: what it has not seen must not be lost by it.
func EnqueueOnce(tx *db.Tx, partner int64, kind string, object clock.ID, due time.Time) {
	tx.Write(insertOnce, partner, kind, object, due, 0, "", time.Time{}, "", time.Now())
}

// Freshen is Enqueue for a job that may be there already: that one becomes as new. While it runs, it runs once more
// afterwards, or elsewhere at the same time, so that it sees what this transaction changed.
func Freshen(tx *db.Tx, partner int64, kind string, object clock.ID, due time.Time) {
	tx.Write(freshenJob, partner, kind, object, due, time.Now())
}

// Again makes the job that is being handled due once more, as if it were new, instead of done; it commits
// with the handler's own changes. When the lease has been lost nothing happens, because the job runs
// elsewhere already.
func (j Job) Again(tx *db.Tx, due time.Time) {
	tx.Write(againJob, j.Partner, j.Kind, j.Object, j.claim, due)
}
