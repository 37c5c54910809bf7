package sepa

import (
	"context"
	"errors"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

var (
	lockTransfer   = db.NewQuery(`SELECT ` + transferColumns + ` FROM sepa_transfer WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	updateTransfer = db.NewCommand(`UPDATE sepa_transfer SET status = $3, reason = $4, returned = $5, version = $6
		WHERE partner_id = $1 AND id = $2`)
	// selectTarget finds the partner of a transfer by its id alone: the bank does not know of partners.
	selectTarget  = db.NewQuery(`SELECT partner_id FROM sepa_batch_item WHERE transfer_id = $1`)
	selectInBatch = db.NewQuery(`SELECT partner_id, transfer_id FROM sepa_batch_item WHERE batch_id = $1`)
)

// Report takes what the bank says of transfers. It can be told again: a transfer ends once. What is not ours is
// passed over.
func (s *Service) Report(ctx context.Context, statuses []Status) error {
	for _, st := range statuses {
		t, ours, err := s.target(ctx, st.EndToEnd)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		err = s.db.Update(ctx, func(tx *db.Tx) error { return s.end(tx, t, st) })
		if err != nil {
			return err
		}
	}
	return nil
}

// ReportBatch takes what the bank says of a whole batch.
func (s *Service) ReportBatch(ctx context.Context, batch clock.ID, settled bool, reason string) error {
	var statuses []Status
	err := s.db.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectInBatch, batch)
		defer rows.Close()
		statuses = nil
		for rows.Next() {
			var t ref
			if err := rows.Scan(&t.partner, &t.id); err != nil {
				return err
			}
			statuses = append(statuses, Status{EndToEnd: EndToEnd(t.id), Settled: settled, Reason: reason})
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	return s.Report(ctx, statuses)
}

// target finds the transfer of an end-to-end id.
func (s *Service) target(ctx context.Context, endToEnd string) (t ref, ours bool, err error) {
	if t.id, err = clock.ParseID(dashed(endToEnd)); err != nil {
		return ref{}, false, nil
	}
	err = s.db.View(ctx, func(r db.Reader) error { return r.Row(selectTarget, t.id).Scan(&t.partner) })
	if errors.Is(err, db.ErrNoRows) {
		return ref{}, false, nil
	}
	return t, err == nil, err
}

// dashed spells 32 digits as ids are written.
func dashed(digits string) string {
	if len(digits) != 32 {
		return ""
	}
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// end ends a transfer that the bank has decided on, unless it has ended before.
func (s *Service) end(tx *db.Tx, target ref, st Status) error {
	tx.Locked()
	t, err := s.scanTransfer(tx.Row(lockTransfer, target.partner, target.id))
	if err != nil || (t.Status != TransferPending && t.Status != TransferProcessing) {
		return err
	}
	if !st.Settled {
		return s.failTransfer(tx, t, st.Reason)
	}
	return s.succeed(tx, &t)
}

// failTransfer releases what was held, the fee too.
func (s *Service) failTransfer(tx *db.Tx, t Transfer, reason string) error {
	if reason == "" {
		reason = noReason
	}
	t.Status, t.Reason = TransferFailed, reason
	hold, err := ledger.FindHold(tx, t.Partner, t.hold, s.euro)
	if err != nil {
		return err
	}
	if err := s.tellLocked(tx, &t); err != nil {
		return err
	}
	return ledger.Release(tx, t.Partner, hold, s.clock.Now())
}

// succeed takes what was held: the amount goes to the bank by way of clearing, the fee to the platform, the mark-up
// to the partner.
func (s *Service) succeed(tx *db.Tx, t *Transfer) error {
	t.Status = TransferSuccessful
	hold, err := ledger.FindHold(tx, t.Partner, t.hold, s.euro)
	if err != nil {
		return err
	}
	clearing, err := ledger.FindAccount(tx, t.Partner, ledger.PartnerItself, ledger.Clearing, s.euro)
	if err != nil {
		return err
	}
	fees, err := ledger.FindAccount(tx, t.Partner, ledger.PartnerItself, ledger.Fees, s.euro)
	if err != nil {
		return err
	}
	legs := []ledger.Leg{{Name: "amount", Debit: hold.Account, Credit: clearing, Amount: t.Amount}}
	platform, err := t.Fee.Sub(t.Markup)
	if err != nil {
		return err
	}
	if platform.Sign() > 0 {
		legs = append(legs, ledger.Leg{Name: "fee", Debit: hold.Account, Credit: fees, Amount: platform})
	}
	if t.Markup.Sign() > 0 {
		own, err := ledger.FindCustomer(tx, t.Partner, ledger.PartnerItself, s.euro)
		if err != nil {
			return err
		}
		legs = append(legs, ledger.Leg{Name: "markup", Debit: hold.Account, Credit: own.Balance, Amount: t.Markup})
	}
	if err := s.tellLocked(tx, t); err != nil {
		return err
	}
	return ledger.Capture(tx, t.Partner, hold, s.clock.Now(), true, legs...)
}

// comeBack credits what the beneficiary's bank sent back, at most the amount. What is for a deleted user goes to the
// partner's suspense account. The fee stays.
func (s *Service) comeBack(tx *db.Tx, target ref, amount money.Amount, reason string) error {
	tx.Locked()
	t, err := s.scanTransfer(tx.Row(lockTransfer, target.partner, target.id))
	if err != nil {
		return err
	}
	if t.Status == TransferPending || t.Status == TransferProcessing {
		if err := s.succeed(tx, &t); err != nil { // the bank's word on that is still under way
			return err
		}
	}
	if t.Status != TransferSuccessful {
		return nil // an earlier run came this far
	}
	clearing, err := ledger.FindAccount(tx, t.Partner, ledger.PartnerItself, ledger.Clearing, s.euro)
	if err != nil {
		return err
	}
	legs, err := s.backTo(tx, t, clearing, amount)
	if err != nil {
		return err
	}
	t.Status, t.Reason, t.Returned = TransferReturned, reason, amount
	if err := s.tellLocked(tx, &t); err != nil {
		return err
	}
	ledger.Post(tx, t.Partner, t.operation(), s.clock.Now(), legs...)
	return nil
}

func (s *Service) backTo(tx *db.Tx, t Transfer, clearing clock.ID, amount money.Amount) ([]ledger.Leg, error) {
	if t.Owner != ledger.PartnerItself {
		if u, err := user.FindByID(tx, t.Partner, t.Owner); err != nil {
			return nil, err
		} else if !u.DeletedAt.IsZero() {
			suspense, err := ledger.FindAccount(tx, t.Partner, ledger.PartnerItself, ledger.Suspense, s.euro)
			return []ledger.Leg{{Name: "return", Debit: clearing, Credit: suspense, Amount: amount}}, err
		}
	}
	to, err := ledger.LockCustomer(tx, t.Partner, t.Owner, s.euro)
	return ledger.Credit("return", clearing, to, amount), err
}

// tellLocked stores a locked transfer's new state with its event.
func (s *Service) tellLocked(tx *db.Tx, t *Transfer) error {
	var payer *user.User
	if t.Owner != ledger.PartnerItself {
		u, err := user.FindByID(tx, t.Partner, t.Owner)
		if err != nil {
			return err
		}
		payer = &u
	}
	var person *user.Person
	if payer != nil && t.Status != TransferFailed {
		p, err := s.users.FindPerson(tx, *payer)
		if err != nil && !errors.Is(err, db.ErrNoRows) { // those of deleted users are erased
			return err
		}
		person = &p
	}
	t.Version++
	tx.Write(updateTransfer, t.Partner, t.ID, t.Status, t.Reason, t.Returned.Units(), t.Version)
	return s.tellTransfer(tx, *t, payer, person)
}
