package ledger

import (
	"errors"
	"strconv"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

// ErrHoldEnded says that a hold was captured finally, released, or expired before.
var ErrHoldEnded = errors.New("ledger: the hold has ended")

// ErrHoldExceeded says that a capture is larger than what remains of the hold.
var ErrHoldExceeded = errors.New("ledger: the capture exceeds what remains of the hold")

// The kinds of steps of a hold.
const (
	stepCapture = "CAPTURE"
	stepRelease = "RELEASE"
	stepExpire  = "EXPIRE"
)

// Hold is a reservation on a customer's balance.
type Hold struct {
	ID        clock.ID
	Account   clock.ID
	Operation Operation
	Amount    money.Amount // as placed
	Remaining money.Amount // neither captured nor released yet
	Ended     bool
	steps     int64
}

var (
	insertHold = db.NewInsert("hold", `partner_id bigint, id uuid, account_id uuid, currency text, amount bigint,
		operation_type text, operation_id uuid, created_at bigint`)
	insertStep = db.NewInsert("hold_step", `partner_id bigint, hold_id uuid, step bigint, kind text, captured bigint,
		released bigint, ended boolean, created_at bigint`)
	selectHold = db.NewQuery(`
		SELECT h.account_id, h.operation_type, h.operation_id, h.amount,
			CAST(h.amount - COALESCE(SUM(s.captured + s.released), 0) AS BIGINT),
			COALESCE(MAX(CASE WHEN s.ended THEN 1 ELSE 0 END), 0), COUNT(s.step)
		FROM hold h LEFT JOIN hold_step s ON s.partner_id = h.partner_id AND s.hold_id = h.id
		WHERE h.partner_id = $1 AND h.id = $2 AND h.currency = $3
		GROUP BY h.account_id, h.operation_type, h.operation_id, h.amount`)
)

// Place reserves an amount of a customer's balance for an operation. The commit fails with P433 when the
// balance does not cover it.
func Place(tx *db.Tx, partner int64, op Operation, account clock.ID, amount money.Amount, at time.Time) clock.ID {
	id := clock.NewID()
	tx.Write(insertHold, partner, id, account, amount.Currency().Code, amount.Units(), op.Type, op.ID, at)
	tx.Move(partner, account, 0, amount.Units())
	return id
}

// FindHold reads a hold with what remains of it; db.ErrNoRows when there is none.
func FindHold(r db.Reader, partner int64, id clock.ID, c money.Currency) (Hold, error) {
	h := Hold{ID: id}
	var amount, remaining, ended int64
	err := r.Row(selectHold, partner, id, c.Code).
		Scan(&h.Account, &h.Operation.Type, &h.Operation.ID, &amount, &remaining, &ended, &h.steps)
	h.Amount, h.Remaining, h.Ended = money.New(amount, c), money.New(remaining, c), ended != 0
	return h, err
}

// Capture takes part of a hold: each leg leaves the held account, and together they must not exceed what
// remains. With final the hold ends and the rest becomes available again. The hold must have been read in
// this transaction; of two that race, one runs again on what the other left.
func Capture(tx *db.Tx, partner int64, h Hold, at time.Time, final bool, legs ...Leg) error {
	if h.Ended {
		return ErrHoldEnded
	}
	total := money.New(0, h.Amount.Currency())
	for i, l := range legs {
		l.Name += "-" + strconv.FormatInt(h.steps+1, 10) // several captures of one operation may use the same names
		legs[i] = l
		var err error
		if total, err = total.Add(l.Amount); err != nil {
			return err
		}
	}
	rest, err := h.Remaining.Sub(total)
	if err != nil {
		return err
	}
	if rest.Sign() < 0 {
		return ErrHoldExceeded
	}
	released := money.New(0, total.Currency())
	if final {
		released = rest
	}
	ended := final || rest.IsZero()
	writeStep(tx, partner, h, stepCapture, total, released, ended, at)
	Post(tx, partner, h.Operation, at, legs...)
	return nil
}

// Release ends a hold and makes what remains of it available again.
func Release(tx *db.Tx, partner int64, h Hold, at time.Time) error {
	return end(tx, partner, h, stepRelease, at)
}

// Expire is Release because the hold's time is over.
func Expire(tx *db.Tx, partner int64, h Hold, at time.Time) error {
	return end(tx, partner, h, stepExpire, at)
}

func end(tx *db.Tx, partner int64, h Hold, kind string, at time.Time) error {
	if h.Ended {
		return ErrHoldEnded
	}
	writeStep(tx, partner, h, kind, money.New(0, h.Amount.Currency()), h.Remaining, true, at)
	return nil
}

func writeStep(tx *db.Tx, partner int64, h Hold, kind string, captured, released money.Amount, ended bool, at time.Time) {
	tx.Write(insertStep, partner, h.ID, h.steps+1, kind, captured.Units(), released.Units(), ended, at)
	tx.Move(partner, h.Account, 0, -captured.Units()-released.Units())
}
