package sepa

import (
	"context"
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// The jobs of a return: the first takes the order from the partner's book to the operator's, the second gives it to the
// bank.
const (
	orderReturn = "sepa-deposit-return"
	sendReturn  = "sepa-return-send"
)

var (
	insertReturn = db.NewInsert("sepa_return", `partner_id bigint, id uuid, entry_id uuid, attempt bigint, target_partner bigint,
		deposit_id uuid, amount bigint, reason text, created_at bigint`)
	selectOrdered = db.NewQuery(`SELECT id FROM sepa_return WHERE partner_id = $1 AND entry_id = $2 AND deposit_id = $3 AND attempt = $4`)
	selectReturn  = db.NewQuery(`SELECT entry_id, attempt, target_partner, deposit_id, amount, reason, created_at FROM sepa_return
		WHERE partner_id = $1 AND id = $2`)
	insertRefusal = db.NewInsertOnce("sepa_return_refusal", "partner_id bigint, return_id uuid, reason text, created_at bigint",
		"partner_id, return_id")
	countRefusals = db.NewQuery(`SELECT COUNT(*) FROM sepa_return_refusal WHERE partner_id = $1 AND return_id = $2`)
)

// giveBack is the order to send a payment back.
type giveBack struct {
	id      clock.ID
	entry   clock.ID // the payment in bank_entry
	deposit ref      // whose payment it is; zero: nobody's
	attempt int64    // of this deposit, or of nobody's, from 1; a later one only after the bank refused the one before
	amount  money.Amount
	reason  string // a code of ISO 20022
	at      time.Time
}

// returnCode is the reason that the sender's bank is told. It does not tell whom the account belongs to.
func returnCode(reason string) string {
	if reason == WaitsDeleted {
		return "AC04"
	}
	return "MS02"
}

// order takes the order to return a deposit to the operator's book.
func (s *Service) order(ctx context.Context, j job.Job) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		d, err := s.FindDeposit(tx, j.Partner, j.Object)
		if err != nil || d.Status != DepositReturning {
			return err
		}
		return s.orderBack(tx, giveBack{
			entry: d.Entry, attempt: d.Returns, deposit: ref{d.Partner, d.ID}, amount: d.Amount, reason: returnCode(d.Reason),
		})
	})
}

// orderBack writes an order in the operator's book, unless it is there, and lets a job give it to the bank.
func (s *Service) orderBack(tx *db.Tx, g giveBack) error {
	err := tx.Row(selectOrdered, ledger.Operator, g.entry, g.deposit.id, g.attempt).Scan(&g.id)
	if err == nil || !errors.Is(err, db.ErrNoRows) {
		return err // an earlier run came this far
	}
	g.id = clock.NewID()
	now := s.clock.Now()
	tx.Write(insertReturn, ledger.Operator, g.id, g.entry, g.attempt, g.deposit.partner, g.deposit.id, g.amount.Units(), g.reason, now)
	job.Enqueue(tx, ledger.Operator, sendReturn, g.id, now)
	tx.AfterCommit(s.jobs.Wake)
	return nil
}

// findReturn reads an order; ok is false when there is none with this id.
func (s *Service) findReturn(r db.Reader, id clock.ID) (g giveBack, ok bool, err error) {
	g.id = id
	var units int64
	err = r.Row(selectReturn, ledger.Operator, id).Scan(&g.entry, &g.attempt, &g.deposit.partner, &g.deposit.id, &units, &g.reason, &g.at)
	g.amount = money.New(units, s.euro)
	if errors.Is(err, db.ErrNoRows) {
		return giveBack{}, false, nil
	}
	return g, err == nil, err
}

// sendReturn gives a return to the bank. All that the bank gets was committed before, so that a repeated run gives the
// same again, under the same ids.
func (s *Service) sendReturn(ctx context.Context, j job.Job) error {
	var o ReturnOrder
	err := s.db.View(ctx, func(r db.Reader) error {
		g, ok, err := s.findReturn(r, j.Object)
		if err != nil || !ok {
			return errors.Join(err, errors.New("sepa: a job for a return that there is not"))
		}
		e, detail, err := s.findEntry(r, g.entry)
		if err != nil {
			return err
		}
		o = ReturnOrder{
			ID: g.id, CreatedAt: g.at, Reference: e.Reference, EndToEnd: detail.EndToEnd, Amount: g.amount, Reason: g.reason,
			Debtor: detail.Debtor, Creditor: detail.Creditor,
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.rail == nil {
		return errors.New("no bank is connected")
	}
	return s.rail.Return(ctx, o)
}

// returned ends a return in the partner's book when the bank has debited it. It does not fit when the bank had refused
// this very return, or an officer has said so.
func (s *Service) returned(tx *db.Tx, g giveBack) (fits bool, err error) {
	tx.Locked()
	d, err := s.scanDeposit(tx.Row(lockDeposit, g.deposit.partner, g.deposit.id), g.deposit.partner)
	switch {
	case err != nil:
		return false, err
	case d.Returns != g.attempt || d.Status != DepositReturning && d.Status != DepositReturned:
		return false, nil
	case d.Status == DepositReturned:
		return true, nil // an earlier run came this far
	}
	clearing, suspense, err := s.between(tx, d.Partner)
	if err != nil {
		return false, err
	}
	d.Status = DepositReturned
	s.save(tx, d)
	ledger.Post(tx, d.Partner, d.operation(), s.clock.Now(),
		ledger.Leg{Name: "return", Debit: suspense, Credit: clearing, Amount: d.Amount})
	return true, nil
}

// refuseReturn takes the bank's word that it will not send a payment back: the deposit waits for a person again.
func (s *Service) refuseReturn(ctx context.Context, g giveBack, reason string) error {
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(insertRefusal, ledger.Operator, g.id, reason, s.clock.Now())
		return nil
	})
	if err != nil || g.deposit == (ref{}) {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		d, err := s.scanDeposit(tx.Row(lockDeposit, g.deposit.partner, g.deposit.id), g.deposit.partner)
		if err != nil || d.Status != DepositReturning || d.Returns != g.attempt {
			return err
		}
		d.Status, d.Reason = DepositSuspended, WaitsRefused
		s.save(tx, d)
		return nil
	})
}
