package sepa

import (
	"context"
	"errors"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// applyEntries is the job that passes what was booked together on to the book of one partner.
const applyEntries = "sepa-entry-apply"

var (
	selectApplied = db.NewQuery(`SELECT id, kind, amount, object_id, reason FROM bank_entry
		WHERE partner_id = $1 AND id >= $2 AND id <= $3 AND target_partner = $4 AND kind <> '` + entryUnknown + `' ORDER BY id`)
	insertAside = db.NewInsert("suspense_entry", "partner_id bigint, entry_id uuid, created_at bigint")
	selectUnfit = db.NewQuery(`SELECT COUNT(*) FROM ledger_transfer WHERE partner_id = $1 AND operation_id = $2 AND leg = $3`)
)

// booked is a payment that stands in the operator's book and is a partner's.
type booked struct {
	id     clock.ID // of the entry
	kind   string
	amount money.Amount
	object clock.ID
	reason string
}

// apply passes entries on to the partner's book, in the order of the statement.
func (s *Service) apply(ctx context.Context, j job.Job) error {
	var all []booked
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		all, err = s.applied(r, j)
		return err
	})
	if err != nil {
		return err
	}
	var told []news
	var deposits, sentBack []booked
	for _, b := range all {
		switch b.kind {
		case entryDeposit:
			deposits = append(deposits, b)
		case entrySentBack:
			sentBack = append(sentBack, b)
		default:
			n := news{id: b.object, settled: true, reason: b.reason, entry: b}
			if b.kind == entryReturn {
				n.back = b.amount
			}
			told = append(told, n)
		}
	}
	failed := []error{s.takeAll(ctx, j.Partner, told), s.arriveAll(ctx, j.Partner, deposits)}
	for _, b := range sentBack {
		failed = append(failed, s.applySentBack(ctx, b))
	}
	return errors.Join(failed...)
}

// applySentBack passes on the end of a return.
func (s *Service) applySentBack(ctx context.Context, b booked) error {
	var back giveBack
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		back, _, err = s.findReturn(r, b.object)
		return err
	})
	if err != nil {
		return err
	}
	fits := true
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		fits, err = s.returned(tx, back)
		return err
	})
	if err != nil || fits {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return s.setAside(tx, b) })
}

func (s *Service) applied(r db.Reader, j job.Job) ([]booked, error) {
	rows := r.Rows(selectApplied, ledger.Operator, j.Object, lastOf(j.Object), j.Partner)
	defer rows.Close()
	var all []booked
	for rows.Next() {
		var b booked
		var units int64
		if err := rows.Scan(&b.id, &b.kind, &units, &b.object, &b.reason); err != nil {
			return nil, err
		}
		b.amount = money.New(units, s.euro)
		all = append(all, b)
	}
	return all, rows.Err()
}

// unfitLeg names the posting of what turned out to fit no transfer.
const unfitLeg = "unfit"

// setAside moves what the bank has booked, and what fits nothing of the partner's any more, from clearing to the
// operator's suspense account, where a person looks at it: a debit of a transfer that the bank had refused, whose money
// was given back already, or a credit whose owner cannot be told any more.
func (s *Service) setAside(tx *db.Tx, e booked) error {
	var before int64
	if err := tx.Row(selectUnfit, ledger.Operator, e.id, unfitLeg).Scan(&before); err != nil || before > 0 {
		return err
	}
	clearing, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Clearing, s.euro)
	if err != nil {
		return err
	}
	suspense, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Suspense, s.euro)
	if err != nil {
		return err
	}
	leg := ledger.Leg{Name: unfitLeg, Debit: clearing, Credit: suspense, Amount: e.amount}
	if e.amount.Sign() < 0 {
		leg.Debit, leg.Credit, leg.Amount = suspense, clearing, e.amount.Neg()
	}
	now := s.clock.Now()
	ledger.Post(tx, ledger.Operator, ledger.Operation{Type: TransferOperation, ID: e.id}, now, leg)
	tx.Write(insertAside, ledger.Operator, e.id, now)
	return nil
}
