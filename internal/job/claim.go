package job

import (
	"context"
	"errors"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// queries are the statements that look for jobs. They contain the kinds that the runner has handlers for, so
// that jobs of other kinds, which a newer version of the program may have left, stand in nobody's way.
type queries struct {
	next    *db.Query // the due time of the earliest job that is free
	claim   *db.Query
	unknown *db.Query
}

func newQueries(kinds []string) queries {
	known := "'" + strings.Join(kinds, "', '") + "'" // Register refuses kinds that need quoting
	return queries{
		next: db.NewQuery(`SELECT due_at FROM job
			WHERE (leased_until <= $1 OR leased_until > $2) AND kind IN (` + known + `) ORDER BY due_at LIMIT 1`),
		claim: db.NewQuery(`SELECT partner_id, kind, object_id, attempts FROM job
			WHERE due_at <= $1 AND (leased_until <= $2 OR leased_until > $3) AND kind IN (` + known + `)
			ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED`),
		unknown: db.NewQuery(`SELECT kind, COUNT(*) FROM job
			WHERE due_at <= $1 AND kind NOT IN (` + known + `) GROUP BY kind ORDER BY kind`),
	}
}

var (
	leaseJob = db.NewCommand(`
		UPDATE job SET node = $4, leased_until = $5 WHERE partner_id = $1 AND kind = $2 AND object_id = $3`)
	renewJob = db.NewCommand(`
		UPDATE job SET leased_until = $5 WHERE partner_id = $1 AND kind = $2 AND object_id = $3 AND node = $4`)
	releaseJob = db.NewCommand(`
		UPDATE job SET node = '', leased_until = 0
		WHERE partner_id = $1 AND kind = $2 AND object_id = $3 AND node = $4`)
	deleteJob = db.NewCommand(`
		DELETE FROM job WHERE partner_id = $1 AND kind = $2 AND object_id = $3 AND node = $4`)
	failJob = db.NewCommand(`
		UPDATE job SET node = '', leased_until = 0, attempts = attempts + 1, due_at = $5, outcome = $6
		WHERE partner_id = $1 AND kind = $2 AND object_id = $3 AND node = $4`)
)

// nextDue answers when the earliest free job is due, if there is one. It only reads, so that an idle runner
// costs the database next to nothing.
func (r *Runner) nextDue(ctx context.Context) (due time.Time, found bool, err error) {
	now := time.Now()
	err = r.db.View(ctx, func(reader db.Reader) error {
		err := reader.Row(r.queries.next, now, now.Add(longestLease)).Scan(&due)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		found = err == nil
		return err
	})
	return due, found, err
}

var selectFirst = db.NewQuery(`SELECT due_at FROM job ORDER BY due_at LIMIT 1`)

// FirstDue answers when the first of all jobs is or was due, in business time; the zero time when there is none.
func FirstDue(r db.Reader) (due time.Time, err error) {
	err = r.Row(selectFirst).Scan(&due)
	if errors.Is(err, db.ErrNoRows) {
		return time.Time{}, nil
	}
	return due, err
}

var selectJob = db.NewQuery(`SELECT kind FROM job WHERE partner_id = $1 AND kind = $2 AND object_id = $3`)

// Exists tells whether a job waits or runs.
func Exists(r db.Reader, partner int64, kind string, object clock.ID) (bool, error) {
	err := r.Row(selectJob, partner, kind, object).Scan(&kind)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// claim leases due jobs to this runner.
func (r *Runner) claim(ctx context.Context) ([]*run, error) {
	claim := r.node + "/" + clock.NewID().String()
	var jobs []Job
	var until time.Time
	err := r.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		now := time.Now()
		jobs, until = nil, now.Add(leaseTime)
		rows := tx.Rows(r.queries.claim, r.clock.Now(), now, now.Add(longestLease), claimBatch)
		defer rows.Close()
		for rows.Next() {
			j := Job{claim: claim}
			if err := rows.Scan(&j.Partner, &j.Kind, &j.Object, &j.Attempts); err != nil {
				return err
			}
			jobs = append(jobs, j)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, j := range jobs {
			tx.Write(leaseJob, j.Partner, j.Kind, j.Object, claim, until)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	runs := make([]*run, 0, len(jobs))
	for _, j := range jobs {
		runs = append(runs, r.hold(ctx, j, until))
	}
	return runs, nil
}

// renewAll keeps the leases of all claimed jobs until stopped is closed.
func (r *Runner) renewAll(ctx context.Context, stopped <-chan struct{}) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stopped:
			return
		case <-ticker.C:
		}
		if err := r.renew(ctx); err != nil {
			r.log.Warn("jobs: cannot renew leases", "error", err)
		}
	}
}

func (r *Runner) renew(ctx context.Context) error {
	held := r.held()
	until := time.Now().Add(leaseTime)
	err := r.db.Update(ctx, func(tx *db.Tx) error {
		for _, h := range held {
			tx.Write(renewJob, h.Partner, h.Kind, h.Object, h.claim, until)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, h := range held {
		h.lease.Reset(time.Until(until))
	}
	return nil
}

// write stores what became of a job. It must happen also when the program is ending.
func (r *Runner) write(ctx context.Context, c *db.Command, args ...any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	defer cancel()
	err := r.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(c, args...)
		return nil
	})
	if err != nil {
		r.log.Error("jobs: cannot store an outcome; the job runs again", "error", err)
	}
}
