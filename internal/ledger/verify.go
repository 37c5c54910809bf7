package ledger

import (
	"context"
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// check is a query that finds violations of one invariant: partner, object, and two figures that should
// agree, or tell how far they are apart.
type check struct {
	text  string // with the four columns in order
	query *db.Query
}

// The checks read whole tables; they are for kontor verify and for tests.
var checks = []check{
	{
		"I1: in the book of partner %d the account %s has %d posted, but its transfers sum to %d",
		db.NewQuery(`
			SELECT a.partner_id, a.id, a.posted, CAST(COALESCE(t.total, 0) AS BIGINT)
			FROM account a LEFT JOIN (
				SELECT partner_id, account_id, SUM(amount) AS total FROM (
					SELECT partner_id, credit_id AS account_id, amount FROM ledger_transfer
					UNION ALL
					SELECT partner_id, debit_id, -amount FROM ledger_transfer
				) sides GROUP BY partner_id, account_id
			) t ON t.partner_id = a.partner_id AND t.account_id = a.id
			WHERE a.posted <> COALESCE(t.total, 0)`),
	},
	{
		"I1: in the book of partner %d the transfer of operation %s touches %d of 2 accounts of its currency (amount %d)",
		db.NewQuery(`
			SELECT l.partner_id, l.operation_id, COUNT(a.id), l.amount
			FROM ledger_transfer l LEFT JOIN account a ON a.partner_id = l.partner_id AND a.currency = l.currency
				AND a.id IN (l.debit_id, l.credit_id)
			GROUP BY l.partner_id, l.operation_id, l.leg, l.amount HAVING COUNT(a.id) <> 2`),
	},
	{
		"I2: in the book of partner %d the customer account %s has %d posted and %d held",
		db.NewQuery(`
			SELECT partner_id, id, posted, held FROM account
			WHERE purpose = 'balance' AND (posted - held < 0 OR overdraft)`),
	},
	{
		"I8: in the book of partner %d the account %s has %d held, but its open holds sum to %d",
		db.NewQuery(`
			SELECT a.partner_id, a.id, a.held, CAST(COALESCE(h.remaining, 0) AS BIGINT)
			FROM account a LEFT JOIN (
				SELECT partner_id, account_id, SUM(amount) - SUM(used) AS remaining FROM (
					SELECT partner_id, account_id, amount, 0 AS used FROM hold
					UNION ALL
					SELECT s.partner_id, o.account_id, 0, s.captured + s.released
					FROM hold_step s JOIN hold o ON o.partner_id = s.partner_id AND o.id = s.hold_id
				) moves GROUP BY partner_id, account_id
			) h ON h.partner_id = a.partner_id AND h.account_id = a.id
			WHERE a.held <> COALESCE(h.remaining, 0)`),
	},
	{
		"I8: in the book of partner %d the hold %s has %d ends and %d of its amount unaccounted for",
		db.NewQuery(`
			SELECT h.partner_id, h.id, SUM(CASE WHEN s.ended THEN 1 ELSE 0 END),
				CAST(h.amount - SUM(s.captured + s.released) AS BIGINT)
			FROM hold h JOIN hold_step s ON s.partner_id = h.partner_id AND s.hold_id = h.id
			GROUP BY h.partner_id, h.id, h.amount
			HAVING SUM(CASE WHEN s.ended THEN 1 ELSE 0 END) > 1
				OR SUM(s.captured + s.released) > h.amount
				OR (SUM(CASE WHEN s.ended THEN 1 ELSE 0 END) = 1 AND SUM(s.captured + s.released) <> h.amount)`),
	},
}

var sumBooks = db.NewQuery(`
	SELECT partner_id, currency, CAST(SUM(posted) AS BIGINT) FROM account
	GROUP BY partner_id, currency HAVING SUM(posted) <> 0`)

// Verify checks I1, I2 and I8 and names every violation. r should be a Snapshot.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	violations, err := verifyBooks(r)
	if err != nil {
		return nil, err
	}
	for _, c := range checks {
		found, err := c.run(r)
		if err != nil {
			return nil, err
		}
		violations = append(violations, found...)
	}
	return violations, nil
}

func verifyBooks(r db.Reader) ([]string, error) {
	rows := r.Rows(sumBooks)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner, sum int64
		var currency string
		if err := rows.Scan(&partner, &currency, &sum); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I1: the accounts of partner %d in %s sum to %d, not to zero", partner, currency, sum))
	}
	return violations, rows.Err()
}

func (c check) run(r db.Reader) ([]string, error) {
	rows := r.Rows(c.query)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner, a, b int64
		var object clock.ID
		if err := rows.Scan(&partner, &object, &a, &b); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf(c.text, partner, object, a, b))
	}
	return violations, rows.Err()
}
