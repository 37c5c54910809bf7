package sepa

import (
	"context"
	"fmt"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// answersWithin is how long a bank may take with a return before a person should ask it: no holiday closes it for longer
// than from Good Friday to Easter Monday.
const answersWithin = 5 * 24 * time.Hour

// Unanswered is the order to send a payment back that the bank has neither refused nor debited in time.
type Unanswered struct {
	ID      clock.ID // of the return; the message to the bank is named after it
	Item    clock.ID // what was decided: a deposit, or a payment that was nobody's
	Partner int64    // whose deposit it is; the operator: nobody's
	Amount  money.Amount
	Since   time.Time
}

// ofUnanswered is what has no answer. That a bank took the message, or settles it, is none: the debit is.
const ofUnanswered = `FROM sepa_return r WHERE r.partner_id = $1 AND r.created_at < $2
	AND NOT EXISTS (SELECT 1 FROM sepa_return_refusal f WHERE f.partner_id = r.partner_id AND f.return_id = r.id)
	AND NOT EXISTS (SELECT 1 FROM bank_entry e WHERE e.partner_id = r.partner_id AND e.object_id = r.id AND e.kind = '` + entrySentBack + `')`

var (
	selectUnanswered = db.NewQuery(`SELECT r.id, r.entry_id, r.target_partner, r.deposit_id, r.amount, r.created_at ` + ofUnanswered +
		` ORDER BY r.created_at, r.id LIMIT $3`)
	countUnanswered = db.NewQuery(`SELECT COUNT(*), COALESCE(MIN(r.created_at), 0) ` + ofUnanswered)
	isUnanswered    = db.NewQuery(`SELECT COUNT(*) ` + ofUnanswered + ` AND r.id = $3`)
)

// ListUnanswered reads the returns that wait for the bank's answer for more than five days, the oldest first.
func (s *Service) ListUnanswered(r db.Reader, limit int) ([]Unanswered, error) {
	rows := r.Rows(selectUnanswered, ledger.Operator, s.clock.Now().Add(-answersWithin), limit)
	defer rows.Close()
	var all []Unanswered
	for rows.Next() {
		var u Unanswered
		var deposit clock.ID
		var units int64
		if err := rows.Scan(&u.ID, &u.Item, &u.Partner, &deposit, &units, &u.Since); err != nil {
			return nil, err
		}
		if u.Amount = money.New(units, s.euro); !deposit.IsZero() {
			u.Item = deposit
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

// ReturnsUnanswered counts what ListUnanswered lists, and tells since when the oldest waits.
func ReturnsUnanswered(r db.Reader, now time.Time) (waiting int64, oldest time.Time, err error) {
	err = r.Row(countUnanswered, ledger.Operator, now.Add(-answersWithin)).Scan(&waiting, &oldest)
	if waiting == 0 {
		oldest = time.Time{}
	}
	return waiting, oldest, err
}

// Reopen takes the word of an officer, who has asked the bank, that it will not execute a return that is unanswered:
// the payment waits for a decision again, as if the bank had refused. Should the bank debit it after all, that debit is
// one for a person. Errors wrap ErrNoItem, ErrNotPossible and compliance.ErrBadDecision.
func (s *Service) Reopen(ctx context.Context, id clock.ID, officer, reason string) error {
	officer, reason, err := compliance.Signed(officer, reason)
	if err != nil {
		return err
	}
	var back giveBack
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		var known bool
		var waits int64
		if back, known, err = s.findReturn(tx, id); err != nil {
			return err
		}
		if !known {
			return ErrNoItem
		}
		if err := tx.Row(isUnanswered, ledger.Operator, s.clock.Now().Add(-answersWithin), id).Scan(&waits); err != nil {
			return err
		}
		if waits == 0 {
			return fmt.Errorf("%w: the bank has answered, or has not had five days for it", ErrNotPossible)
		}
		tx.Write(insertRefusal, ledger.Operator, id, noReason, s.clock.Now())
		return audit.Write(tx, audit.Entry{
			Actor: audit.Actor(ctx), Action: "suspense.reopen", Partner: back.deposit.partner, Object: id.String(),
			Details: map[string]any{"officer": officer, "reason": reason, "amount": back.amount.String()},
		})
	})
	if err != nil {
		return err
	}
	return s.refuseReturn(ctx, back, noReason)
}
