package sepa

import (
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
)

// hours is a bank that takes batches from a moment on.
type hours struct{ from time.Time }

func (h hours) Next(now time.Time) (at, executeOn time.Time) {
	if at = h.from; now.After(at) {
		at = now
	}
	return at, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
}

func TestTransfersWaitForTheHoursOfTheBank(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newSender(t, dbtest.Target(t, engine), &crash{})
			transfer := s.accept()
			send := func(from time.Time) {
				s.sepa.calendar = hours{from}
				s.twice(func() error {
					return s.sepa.send(t.Context(), job.Job{Partner: 1, Kind: sendTransfer, Object: transfer.ID})
				})
			}
			now := s.sepa.clock.Now()
			send(now.Add(time.Microsecond))
			err := s.db.View(t.Context(), func(r db.Reader) (err error) {
				transfer, err = s.sepa.FindTransfer(r, 1, transfer.ID)
				return err
			})
			if err != nil || transfer.Status != TransferPending {
				t.Fatalf("the transfer is %s before the bank opens (%v)", transfer.Status, err)
			}
			send(now)
			var b Batch
			err = s.db.View(t.Context(), func(r db.Reader) (err error) {
				b, err = s.sepa.findBatch(r, s.batch(transfer))
				return err
			})
			if err != nil || len(b.Payments) != 1 || b.ExecuteOn.Format(time.DateOnly) != "2026-03-02" {
				t.Errorf("the batch is %+v (%v)", b, err)
			}
		})
	}
}
