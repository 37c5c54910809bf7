package sepa

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// OpeningOperation names the opening balance in the ledger.
const OpeningOperation = "BANK_OPENING"

// openingLeg names its posting.
const openingLeg = "opening"

// ErrNoOpening says that the opening balance cannot be booked so. Its text may be shown to officers.
var ErrNoOpening = errors.New("this opening balance cannot be booked")

// Opening is what the bank had more than the books before its first statement, as a person says that it is to be booked
// against the operator's equity.
type Opening struct {
	Amount     money.Amount // below zero: the books had more
	Person     string
	Reason     string    // why; kept for ever
	Final      bool      // it was confirmed, and is booked
	ProposedBy string    // of a final one: who proposed it
	Account    string    // with the day and the id of the first statement
	Day        time.Time //
	Statement  string    //
	number     int64
	id         clock.ID
}

var (
	lockBank      = db.NewQuery(`SELECT id FROM account WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'bank' AND currency = 'eur' FOR UPDATE`)
	selectFirst   = db.NewQuery(`SELECT ` + dayColumns + ` FROM bank_statement WHERE partner_id = $1 AND account = $2 ORDER BY day, sequence, made_at, statement_id LIMIT 1`)
	insertOpening = db.NewInsert("bank_opening", `partner_id bigint, account text, day bigint, statement_id text, number bigint, id uuid,
		amount bigint, final boolean, person text, proposed_by text, reason text, created_at bigint`)
	selectOpenings = db.NewQuery(`SELECT number, amount, final, person, created_at FROM bank_opening
		WHERE partner_id = $1 AND account = $2 AND day = $3 AND statement_id = $4 ORDER BY number`)
	sumOpenings = db.NewQuery(`SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM bank_opening WHERE partner_id = $1 AND account = $2 AND final`)
)

// OpenBank records that what the bank had before its first statement is to be booked. The first person proposes, and
// another one's same amount is final and booked in the same transaction; another amount takes the place of the proposal.
// The amount must be the difference with which reconciliation begins (Beginning), and all that was ever booked so is at
// most the opening balance of the first statement. Errors wrap ErrNoOpening, compliance.ErrSameOfficer and
// compliance.ErrBadDecision.
func (s *Service) OpenBank(ctx context.Context, o Opening) (said Opening, err error) {
	if o.Person, o.Reason, err = compliance.Signed(o.Person, o.Reason); err != nil {
		return Opening{}, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		said = o
		tx.Locked() // and the account: nothing is booked at the bank meanwhile
		var bank clock.ID
		if err := tx.Row(lockBank, ledger.Operator, ledger.PartnerItself).Scan(&bank); err != nil {
			return err
		}
		first, err := firstDay(tx)
		if err != nil {
			return err
		}
		if err := mayOpen(tx, first, o.Amount); err != nil {
			return err
		}
		if said, err = weighOpening(tx, first, o, s.clock.Now()); err != nil {
			return err
		}
		return s.recordOpening(ctx, tx, bank, said)
	})
	return said, err
}

// firstDay is the first statement of all beside the books.
func firstDay(r db.Reader) (Day, error) {
	account, err := newestAccount(r)
	if err != nil {
		return Day{}, err
	}
	if account == "" {
		return Day{}, fmt.Errorf("%w: the bank has given no statement yet", ErrNoOpening)
	}
	first, err := scanDay(r.Row(selectFirst, ledger.Operator, account))
	if err != nil {
		return Day{}, err
	}
	return compareOne(r, first.Place())
}

// compareOne compares one statement with the books.
func compareOne(r db.Reader, at Place) (Day, error) {
	behind := at
	behind.MadeAt, behind.ID = behind.MadeAt.Add(time.Microsecond), ""
	const ofOneMoment = 10
	days, err := Days(r, Span{Before: &behind, Limit: ofOneMoment, Since: at.Day})
	if err != nil {
		return Day{}, err
	}
	for _, d := range days {
		if d.ID == at.ID {
			return d, nil
		}
	}
	return Day{}, db.ErrNoRows
}

// mayOpen refuses an amount with which the books would not agree, or which the bank never had.
func mayOpen(r db.Reader, first Day, amount money.Amount) error {
	begins := euros(0)
	for _, n := range first.Differences {
		if n.Cause == Beginning {
			begins = n.Amount
		}
	}
	if begins.IsZero() {
		return fmt.Errorf("%w: before the statement of %s the bank had what the books had", ErrNoOpening, first.Day.Format(time.DateOnly))
	}
	if amount != begins {
		return fmt.Errorf("%w: before the statement of %s the bank had %s more than the books", ErrNoOpening, first.Day.Format(time.DateOnly), begins)
	}
	var before int64
	if err := r.Row(sumOpenings, ledger.Operator, string(first.Account)).Scan(&before); err != nil {
		return err
	}
	if sum, opening := before+amount.Units(), first.Opening.Units(); sum < min(0, opening) || sum > max(0, opening) {
		return fmt.Errorf("%w: it would be more than the opening balance of the first statement, which is %s: find out what the books lack", ErrNoOpening, first.Opening)
	}
	return nil
}

// weighOpening numbers what a person says after others.
func weighOpening(r db.Reader, first Day, o Opening, now time.Time) (Opening, error) {
	rows := r.Rows(selectOpenings, ledger.Operator, string(first.Account), first.Day, first.ID)
	defer rows.Close()
	var earlier []compliance.Decided
	for rows.Next() {
		var d compliance.Decided
		var units int64
		if err := rows.Scan(&d.Number, &units, &d.Final, &d.Officer, &d.At); err != nil {
			return o, err
		}
		d.Verdict = compliance.Verdict(euros(units).String())
		if d.Final {
			return o, fmt.Errorf("%w: %s booked %s before this statement at %s", ErrNoOpening, d.Officer, d.Verdict, clock.Format(d.At))
		}
		earlier = append(earlier, d)
	}
	if err := rows.Err(); err != nil {
		return o, err
	}
	d, err := compliance.Weigh(earlier, compliance.Decided{Verdict: compliance.Verdict(o.Amount.String()), Officer: o.Person, At: now}, true)
	o.Account, o.Day, o.Statement = string(first.Account), first.Day, first.ID
	o.number, o.Final, o.ProposedBy, o.id = d.Number, d.Final, d.ProposedBy, clock.NewID()
	return o, err
}

// recordOpening writes what a person said, and books it when it is final.
func (s *Service) recordOpening(ctx context.Context, tx *db.Tx, bank clock.ID, o Opening) error {
	now := s.clock.Now()
	action := "reconcile.propose"
	if o.Final {
		action = "reconcile.open"
		equity, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Equity, s.euro)
		if err != nil {
			return err
		}
		leg := ledger.Leg{Name: openingLeg, Debit: bank, Credit: equity, Amount: o.Amount}
		if o.Amount.Sign() < 0 {
			leg.Debit, leg.Credit, leg.Amount = equity, bank, o.Amount.Neg()
		}
		ledger.Post(tx, ledger.Operator, ledger.Operation{Type: OpeningOperation, ID: o.id}, now, leg)
	}
	tx.Write(insertOpening, ledger.Operator, o.Account, o.Day, o.Statement, o.number, o.id, o.Amount.Units(), o.Final, o.Person, o.ProposedBy,
		o.Reason, now)
	return audit.Write(tx, audit.Entry{
		Actor: audit.Actor(ctx), Action: action, Partner: ledger.Operator, Object: o.id.String(), Details: map[string]string{
			"by": o.Person, "proposedBy": o.ProposedBy, "amount": o.Amount.String(), "day": o.Day.Format(time.DateOnly), "statement": o.Statement,
		},
	})
}

var (
	selectOddOpenings = db.NewQuery(`
		SELECT o.id FROM bank_opening o
		WHERE o.partner_id = 0 AND (SELECT COUNT(*) FROM ledger_transfer l
			JOIN account b ON b.partner_id = l.partner_id AND b.purpose = 'bank' AND b.id = CASE WHEN o.amount > 0 THEN l.debit_id ELSE l.credit_id END
			JOIN account q ON q.partner_id = l.partner_id AND q.purpose = 'equity' AND q.id = CASE WHEN o.amount > 0 THEN l.credit_id ELSE l.debit_id END
			WHERE l.partner_id = 0 AND l.operation_id = o.id AND l.operation_type = '` + OpeningOperation + `' AND l.amount = ABS(o.amount))
			<> CASE WHEN o.final THEN 1 ELSE 0 END
		UNION
		SELECT l.operation_id FROM ledger_transfer l
		JOIN account b ON b.partner_id = l.partner_id AND b.purpose = 'bank' AND b.id IN (l.debit_id, l.credit_id)
		LEFT JOIN bank_opening o ON o.partner_id = l.partner_id AND o.id = l.operation_id AND o.final
		WHERE l.partner_id = 0 AND l.operation_type = '` + OpeningOperation + `' AND o.id IS NULL`)
	selectExcess = db.NewQuery(`
		SELECT o.account, SUM(o.amount), f.opening FROM bank_opening o
		JOIN bank_statement f ON f.partner_id = o.partner_id AND f.account = o.account AND NOT EXISTS (
			SELECT 1 FROM bank_statement e WHERE e.partner_id = f.partner_id AND e.account = f.account
				AND (e.day, e.sequence, e.made_at, e.statement_id) < (f.day, f.sequence, f.made_at, f.statement_id))
		WHERE o.partner_id = 0 AND o.final GROUP BY o.account, f.opening
		HAVING SUM(o.amount) NOT BETWEEN CASE WHEN f.opening < 0 THEN f.opening ELSE 0 END AND CASE WHEN f.opening > 0 THEN f.opening ELSE 0 END`)
)

// verifyOpenings names opening balances that are not booked as they were confirmed, or are more than the bank had.
func verifyOpenings(r db.Reader) (violations []string, err error) {
	odd := r.Rows(selectOddOpenings)
	defer odd.Close()
	for odd.Next() {
		var id clock.ID
		if err := odd.Scan(&id); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I11: the opening balance %s of the bank is not booked as two persons said", id))
	}
	if err := odd.Err(); err != nil {
		return nil, err
	}
	excess := r.Rows(selectExcess)
	defer excess.Close()
	for excess.Next() {
		var account string
		var booked, opening int64
		if err := excess.Scan(&account, &booked, &opening); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I11: %s was booked as opening balance of %s, whose first statement begins with %s",
			euros(booked), account, euros(opening)))
	}
	return violations, excess.Err()
}
