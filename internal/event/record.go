package event

import (
	"context"
	"time"

	"kontor/internal/db"
)

const resultBatch = 500 // results stored in one transaction

// result is what became of an event: delivered, failed for good, or pending with a further attempt due.
type result struct {
	*delivery
	exchange
	status string
	stored chan<- result // told when it is in the database; has room for it
}

// outcomes are what an observer is told, by the state that an attempt left.
var outcomes = map[string]string{Delivered: "delivered", Pending: "retry", Failed: "failed"}

func (d *Deliverer) observe(r result) {
	if d.cfg.Observer != nil {
		d.cfg.Observer.Delivery(outcomes[r.status])
	}
}

// The guards of storeResult keep a node that lost its lane from undoing what its successor stored; COALESCE keeps
// PostgreSQL from taking the status for a reason to search all of the partner's pending events instead of the
// primary key. An attempt that is in the log already is written again when a commit succeeded and its answer was
// lost.
var (
	storeResult = db.NewCommand(`
		UPDATE event SET status = $4, attempts = $5, due_at = $6, outcome = $7
		WHERE partner_id = $1 AND object_id = $2 AND version = $3 AND COALESCE(status, '') = 'PENDING'
			AND attempts <= $5`)
	insertAttempt = db.NewCommand(`
		INSERT INTO event_attempt (partner_id, event_id, id, at, outcome, duration_ms, answer)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (partner_id, event_id, id) DO NOTHING`)
	storeBody = db.NewCommand(`
		UPDATE event SET body = $4, secrets = FALSE WHERE partner_id = $1 AND object_id = $2 AND version = $3`)
)

// write queues an attempt, and what it leaves of the event's body.
func (x exchange) write(tx *db.Tx, e *delivery) {
	answer := x.answer
	if answer == nil {
		answer = []byte{}
	}
	tx.Write(insertAttempt, e.partner, e.id, x.id, x.at, x.outcome, x.took.Milliseconds(), answer)
	if x.remainder != nil {
		tx.Write(storeBody, e.partner, e.object, e.version, x.remainder)
	}
}

// record stores the results of all lanes, as many at once as there are, until the channel is closed. While
// the database is away it holds them; after the signal to stop it tries once more, and what is not stored
// then is delivered again by the next holder of the lane.
func (d *Deliverer) record(ctx context.Context, stop <-chan struct{}) {
	for first := range d.results {
		batch := d.gather(first)
		for {
			err := d.store(ctx, batch)
			if err == nil {
				break
			}
			d.cfg.Log.Error("webhooks: cannot store results", "results", len(batch), "error", err)
			if !sleep(errorPause, stop) {
				break
			}
		}
		for _, r := range batch {
			r.stored <- r
		}
	}
}

// gather adds the results that are there already; it never waits for more.
func (d *Deliverer) gather(first result) []result {
	batch := []result{first}
	for len(batch) < resultBatch {
		select {
		case r, ok := <-d.results:
			if !ok {
				return batch
			}
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

func (d *Deliverer) store(ctx context.Context, batch []result) error {
	return d.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		for _, r := range batch {
			tx.Write(storeResult, r.partner, r.object, r.version, r.status, r.attempts, r.due, r.outcome)
			r.write(tx, r.delivery)
		}
		return nil
	})
}

// sleep waits, and answers false when it was told to stop.
func sleep(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}
