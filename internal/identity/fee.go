package identity

import (
	"context"
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
)

// FeeOperation names fees in the ledger and in histories.
const FeeOperation = "FEE"

// feeSuccessful is the status of every fee in a history: it is never refused.
const feeSuccessful = "SUCCESSFUL"

// Fee is what a partner paid for a hosted identity check.
type Fee struct {
	ID        clock.ID // the attempt's
	User      clock.ID // whose identity was checked
	Amount    money.Amount
	CreatedAt time.Time
}

var (
	insertFee = db.NewInsert("kyc_fee", `partner_id bigint, id uuid, user_id uuid, currency text, amount bigint, created_at bigint`)
	// selectFees reads one fee, or all in the window.
	selectFees = db.NewQuery(`
		SELECT id, user_id, amount, created_at FROM kyc_fee
		WHERE partner_id = $1 AND ($6 OR id = $7) AND ` + page.Window("id", 2))
	selectUnpaid = db.NewQuery(`
		SELECT f.partner_id, f.id FROM kyc_fee f
		WHERE f.amount <> (SELECT CAST(COALESCE(SUM(l.amount), 0) AS BIGINT) FROM ledger_transfer l
			WHERE l.partner_id = f.partner_id AND l.operation_id = f.id AND l.leg IN ('fee', 'fee-receivable'))`)
)

// charge takes the fee for an attempt from the partner's euros. What they do not cover is owed: the fee is never
// refused for want of money.
func (s *Service) charge(tx *db.Tx, a Attempt, fee money.Amount) error {
	if fee.Sign() <= 0 {
		return nil
	}
	now := s.Clock.Now()
	to, err := ledger.FindAccount(tx, a.Partner, ledger.PartnerItself, ledger.Fees, s.euro)
	if err != nil {
		return err
	}
	tx.Write(insertFee, a.Partner, a.ID, a.User, s.euro.Code, fee.Units(), now)
	return ledger.Collect(tx, a.Partner, ledger.Operation{Type: FeeOperation, ID: a.ID}, now, ledger.PartnerItself, "fee", to, fee)
}

// History answers the entries of fees that a query asks for, in no order: at least the newest, as many as its
// limit says. They are the partner's own.
func (s *Service) History(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	_, euros := q.Currency(s.euro.Code)
	if !q.Wants(FeeOperation) || !euros || q.Reference != "" || (q.Status != "" && q.Status != feeSuccessful) ||
		(!q.Everyone && q.Owner != ledger.PartnerItself) {
		return nil, nil
	}
	rows := r.Rows(selectFees, append(append([]any{q.Partner}, q.Args()...), q.Operation.IsZero(), q.Operation)...)
	defer rows.Close()
	var found []entry.Entry
	for rows.Next() {
		var f Fee
		var units int64
		if err := rows.Scan(&f.ID, &f.User, &units, &f.CreatedAt); err != nil {
			return nil, err
		}
		f.Amount = money.New(units, s.euro)
		e := entry.Entry{
			Position: page.Position{At: f.CreatedAt, ID: f.ID, Part: entry.Out}, Owner: ledger.PartnerItself,
			Type: FeeOperation, Status: feeSuccessful, Amount: f.Amount, Fee: money.New(0, s.euro), Object: f,
		}
		if q.Matches(e) {
			found = append(found, e)
		}
	}
	return found, rows.Err()
}

// selectHalfActive finds users who are active although the partner never asked for it.
var selectHalfActive = db.NewQuery(`
	SELECT u.partner_id, u.id FROM users u
	WHERE u.activated_at <> 0 AND u.model = 'kyc' AND NOT EXISTS (
		SELECT 1 FROM identity_attempt a
		WHERE a.partner_id = u.partner_id AND a.user_id = u.id AND a.requested_at <> 0 AND a.requested_at <= u.activated_at)`)

// Verify names the fees that differ from their postings (I4), and the users who are active without having been
// through the steps.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	unpaid, err := name(r, selectUnpaid, "I4: KYC fee %s of partner %d does not agree with its postings")
	if err != nil {
		return nil, err
	}
	half, err := name(r, selectHalfActive, "user %s of partner %d is active without an identity check that was asked for")
	return append(unpaid, half...), err
}

func name(r db.Reader, q *db.Query, sentence string) ([]string, error) {
	rows := r.Rows(q)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner int64
		var id clock.ID
		if err := rows.Scan(&partner, &id); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf(sentence, id, partner))
	}
	return violations, rows.Err()
}
