package sepa

import (
	"context"
	"fmt"
	"time"

	"kontor/internal/db"
)

var selectUnposted = db.NewQuery(`
	SELECT e.reference, e.amount FROM bank_entry e
	LEFT JOIN ledger_transfer l ON l.partner_id = e.partner_id AND l.operation_id = e.id AND l.leg = 'amount'
	LEFT JOIN account a ON a.partner_id = l.partner_id AND a.purpose = 'bank'
		AND a.id = CASE WHEN e.amount < 0 THEN l.credit_id ELSE l.debit_id END
	WHERE a.id IS NULL OR ABS(e.amount) <> l.amount`)

// VerifyBank names the payments that the bank told of and that were not posted as they were told, and, when the newest
// statement does not agree with the books, why (I11).
func VerifyBank(_ context.Context, r db.Reader) ([]string, error) {
	violations, err := verifyEntries(r)
	if err != nil {
		return nil, err
	}
	odd, err := verifyOpenings(r)
	if err != nil {
		return nil, err
	}
	violations = append(violations, odd...)
	days, err := Days(r, Span{Limit: 1})
	if err != nil || len(days) == 0 || days[0].Difference.IsZero() {
		return violations, err
	}
	d := days[0]
	violations = append(violations, fmt.Sprintf("I11: on %s the bank has %s on %s and the books have %s",
		d.Day.Format(time.DateOnly), d.Closing, d.Account, d.Books))
	for _, n := range d.Differences {
		violations = append(violations, fmt.Sprintf("I11: %s: %s", n, n.Amount))
	}
	return violations, nil
}

func verifyEntries(r db.Reader) (violations []string, err error) {
	rows := r.Rows(selectUnposted)
	defer rows.Close()
	for rows.Next() {
		var reference string
		var units int64
		if err := rows.Scan(&reference, &units); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I11: the bank's payment %s of %s has no posting of its amount", reference, euros(units)))
	}
	return violations, rows.Err()
}
