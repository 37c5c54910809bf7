package sepa

import (
	"context"
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
)

// submitBatch is the job that gives a batch to the bank.
const submitBatch = "sepa-batch-submit"

// maxBatch is how many transfers a batch has at most.
const maxBatch = 500

var (
	selectItem = db.NewQuery(`SELECT batch_id FROM sepa_batch_item WHERE partner_id = $1 AND transfer_id = $2`)
	// selectWaiting looks at all partners' transfers: the bank gets them together.
	selectWaiting = db.NewQuery(`SELECT partner_id, id FROM sepa_transfer
		WHERE status = '` + TransferPending + `' ORDER BY created_at, id LIMIT $1`)
	insertBatch = db.NewInsert("sepa_batch", "partner_id bigint, id uuid, execute_on bigint, created_at bigint")
	insertItem  = db.NewInsert("sepa_batch_item", "partner_id bigint, transfer_id uuid, batch_id uuid")
	processing  = db.NewUpdate("sepa_transfer", "partner_id bigint, id uuid", "status text", "sepa_transfer.status = '"+TransferPending+"'")
	selectBatch = db.NewQuery(`SELECT execute_on, created_at FROM sepa_batch WHERE partner_id = $1 AND id = $2`)
	selectItems = db.NewQuery(`SELECT t.partner_id, t.id, t.owner_id, t.amount, t.fee, t.markup, t.title, t.destination_iban,
			t.receiver, t.reference, t.metadata, t.status, t.hold_id, t.reason, t.returned, t.version, t.created_at
		FROM sepa_batch_item i JOIN sepa_transfer t ON t.partner_id = i.partner_id AND t.id = i.transfer_id
		WHERE i.batch_id = $1 ORDER BY i.transfer_id`)
)

// send puts a transfer, and all that wait beside it, into a batch. Which batch it is in is decided once, by the key
// of sepa_batch_item: of two nodes that make batches at the same time, one runs again.
func (s *Service) send(ctx context.Context, j job.Job) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var batch clock.ID
		err := tx.Row(selectItem, j.Partner, j.Object).Scan(&batch)
		if err == nil {
			return nil // another job's batch took it along
		}
		if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		refs, err := scanRefs(tx.Rows(selectWaiting, maxBatch))
		if err != nil || len(refs) == 0 {
			return err
		}
		batch = clock.NewID()
		now := s.clock.Now()
		executeOn := day(now)
		if s.calendar != nil {
			var open time.Time
			if open, executeOn = s.calendar.Next(now); open.After(now) {
				j.Again(tx, open)
				return nil
			}
		}
		tx.Write(insertBatch, ledger.Operator, batch, executeOn, now)
		tx.Write(sweepSent, j.Partner, day(now))
		for _, ref := range refs {
			tx.Write(insertItem, ref.partner, ref.id, batch)
		}
		job.Enqueue(tx, ledger.Operator, submitBatch, batch, now)
		for _, ref := range refs {
			tx.Write(processing, ref.partner, ref.id, TransferProcessing)
		}
		for _, ref := range refs {
			if ref.id != j.Object {
				job.Done(tx, ref.partner, sendTransfer, ref.id)
			}
		}
		if len(refs) == maxBatch {
			j.Again(tx, now) // this job's own transfer may still be among those that wait
		}
		tx.AfterCommit(s.jobs.Wake)
		return nil
	})
}

func day(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// ref names a transfer.
type ref struct {
	partner int64
	id      clock.ID
}

func scanRefs(rows *db.Rows) ([]ref, error) {
	defer rows.Close()
	var all []ref
	for rows.Next() {
		var t ref
		if err := rows.Scan(&t.partner, &t.id); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// submit gives a batch to the bank. Everything the bank gets was committed before, so that a repeated run gives
// the same again, under the same ids.
func (s *Service) submit(ctx context.Context, j job.Job) error {
	var b Batch
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		b, err = s.findBatch(r, j.Object)
		return err
	})
	if err != nil {
		return err
	}
	if s.rail == nil {
		return errors.New("no bank is connected")
	}
	return s.rail.Submit(ctx, b)
}

func (s *Service) findBatch(r db.Reader, id clock.ID) (Batch, error) {
	b := Batch{ID: id}
	if err := r.Row(selectBatch, ledger.Operator, id).Scan(&b.ExecuteOn, &b.CreatedAt); err != nil {
		return b, err
	}
	rows := r.Rows(selectItems, id)
	defer rows.Close()
	for rows.Next() {
		t, err := s.scanTransfer(rows)
		if err != nil {
			return b, err
		}
		b.Payments = append(b.Payments, Payment{
			ID: EndToEnd(t.ID), Amount: t.Amount, Name: t.Receiver.name(), IBAN: t.Destination, Title: t.Title,
		})
	}
	return b, rows.Err()
}
