package event

import (
	"context"
	"time"

	"kontor/internal/db"
)

const (
	resultBatch = 500                   // results stored in one transaction
	recordEvery = 30 * time.Millisecond // a busy node collects results for so long
)

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

// The guard of storeResult keeps a node that lost its lane from undoing what its successor stored. An attempt that is in
// the log already is written again when a commit succeeded and its answer was lost.
var (
	storeResult = db.NewUpdate("event", eventKey, "status text, attempts bigint, due_at bigint, outcome text",
		"event.status = 'PENDING' AND event.attempts <= new.attempts")
	insertAttempt = db.NewInsertOnce("event_attempt", `partner_id bigint, event_id uuid, id uuid, at bigint, outcome text,
		duration_ms bigint, answer bytes`, "partner_id, event_id, id")
	storeBody = db.NewUpdate("event", eventKey, "body bytes, secrets boolean", "")
)

// writeAttempts queues the attempts of results, and what they leave of the events' bodies.
func writeAttempts(tx *db.Tx, results []result) {
	for _, r := range results {
		answer := r.answer
		if answer == nil {
			answer = []byte{}
		}
		tx.Write(insertAttempt, r.partner, r.delivery.id, r.exchange.id, r.at, r.outcome, r.took.Milliseconds(), answer)
	}
	for _, r := range results {
		if r.remainder != nil {
			tx.Write(storeBody, r.partner, r.object, r.version, r.remainder, false)
		}
	}
}

// record stores the results of all lanes, as many at once as there are, until the channel is closed. While
// the database is away it holds them; after the signal to stop it tries once more, and what is not stored
// then is delivered again by the next holder of the lane.
func (d *Deliverer) record(ctx context.Context, stop <-chan struct{}) {
	var stored time.Time
	for first := range d.results {
		if early := recordEvery - time.Since(stored); early > 0 {
			sleep(early, stop)
		}
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
		stored = time.Now()
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
		}
		writeAttempts(tx, batch)
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
