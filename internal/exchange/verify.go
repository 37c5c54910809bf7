package exchange

import (
	"context"
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// unposted finds exchanges whose legs are not those that they must have, on the accounts that they must be on; those
// without their event, unless events of that age were removed; and legs without an exchange. Repayments of debts
// are the ledger's.
var unposted = []struct {
	text  string
	query *db.Query
}{
	{
		"I4: exchange %s of partner %d does not agree with its postings",
		db.NewQuery(`
			SELECT x.partner_id, x.id FROM exchange x
			WHERE 2 + (CASE WHEN x.fee > x.markup THEN 1 ELSE 0 END) + (CASE WHEN x.markup > 0 THEN 1 ELSE 0 END) <> (
				SELECT COUNT(*) FROM ledger_transfer l
				WHERE l.partner_id = x.partner_id AND l.operation_id = x.id AND l.leg NOT LIKE '%-repayment')
			OR 2 + (CASE WHEN x.fee > x.markup THEN 1 ELSE 0 END) + (CASE WHEN x.markup > 0 THEN 1 ELSE 0 END) <> (
				SELECT COUNT(*) FROM ledger_transfer l
				JOIN account d ON d.partner_id = l.partner_id AND d.id = l.debit_id
				JOIN account c ON c.partner_id = l.partner_id AND c.id = l.credit_id
				WHERE l.partner_id = x.partner_id AND l.operation_id = x.id AND l.operation_type = 'EXCHANGE' AND (
					l.leg = 'received' AND l.currency = x.currency_to AND l.amount = x.amount_to
						AND d.purpose = 'liquidity' AND c.purpose = 'balance' AND c.owner_id = x.owner_id
					OR l.currency = x.currency_from AND d.purpose = 'balance' AND d.owner_id = x.owner_id AND (
						l.leg = 'amount' AND l.amount = x.amount_from - x.fee AND c.purpose = 'liquidity'
						OR l.leg = 'fee' AND l.amount = x.fee - x.markup AND c.purpose = 'fees'
						OR l.leg = 'markup' AND l.amount = x.markup AND c.purpose = 'balance' AND c.owner_id <> x.owner_id)))`),
	},
	{
		"I4: exchange %s of partner %d has no event",
		db.NewQuery(`
			SELECT x.partner_id, x.id FROM exchange x
			WHERE NOT EXISTS (
				SELECT 1 FROM event e WHERE e.partner_id = x.partner_id AND e.object_id = x.id AND e.version = 1)
			AND NOT EXISTS (
				SELECT 1 FROM event_lane n WHERE n.partner_id = x.partner_id AND n.removed_until >= x.created_at)`),
	},
	{
		"I4: the postings of exchange %s of partner %d have no exchange",
		db.NewQuery(`
			SELECT DISTINCT l.partner_id, l.operation_id FROM ledger_transfer l
			WHERE l.operation_type = 'EXCHANGE' AND NOT EXISTS (
				SELECT 1 FROM exchange x WHERE x.partner_id = l.partner_id AND x.id = l.operation_id)`),
	},
}

// Verify names the exchanges whose rows, postings and events do not agree (I4), and those whose figures are not what
// their rates and shares make of the amount (I12). It is for a quiet hour: it reads everything.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	violations, err := misconverted(r)
	if err != nil {
		return nil, err
	}
	for _, check := range unposted {
		rows := r.Rows(check.query)
		defer rows.Close()
		for rows.Next() {
			var partner int64
			var id clock.ID
			if err := rows.Scan(&partner, &id); err != nil {
				return nil, err
			}
			violations = append(violations, fmt.Sprintf(check.text, id, partner))
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return violations, nil
}
