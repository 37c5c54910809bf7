package sepa

import (
	"context"
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// selectOddDeposits finds the deposits whose state, postings in both books and event do not belong together.
var selectOddDeposits = db.NewQuery(`
	SELECT d.partner_id, d.id FROM sepa_deposit d
	WHERE (SELECT COUNT(*) FROM ledger_transfer l
			WHERE l.partner_id = d.partner_id AND l.operation_id = d.id AND l.leg = 'amount' AND l.amount = d.amount)
		<> CASE d.status WHEN 'SUCCESSFUL' THEN 1 ELSE 0 END
	OR (SELECT COUNT(*) FROM ledger_transfer l
			WHERE l.partner_id = d.partner_id AND l.operation_id = d.id AND l.leg = 'suspense' AND l.amount = d.amount)
		NOT BETWEEN CASE WHEN d.status IN ('PENDING', 'SUCCESSFUL') THEN 0 ELSE 1 END AND CASE d.status WHEN 'PENDING' THEN 0 ELSE 1 END
	OR (SELECT COUNT(*) FROM ledger_transfer l
			WHERE l.partner_id = d.partner_id AND l.operation_id = d.id AND l.leg = 'return' AND l.amount = d.amount)
		<> CASE d.status WHEN 'RETURNED' THEN 1 ELSE 0 END
	OR d.entry_id <> '00000000-0000-0000-0000-000000000000' AND NOT EXISTS (
		SELECT 1 FROM bank_entry e WHERE e.partner_id = 0 AND e.id = d.entry_id AND e.amount = d.amount)
	OR d.entry_id = '00000000-0000-0000-0000-000000000000' AND d.status <> 'PENDING' AND NOT EXISTS (
		SELECT 1 FROM ledger_transfer l WHERE l.partner_id = 0 AND l.operation_id = d.id AND l.leg = 'amount' AND l.amount = d.amount)
	OR d.status = 'RETURNED' AND NOT EXISTS (
		SELECT 1 FROM sepa_return r JOIN bank_entry e ON e.partner_id = r.partner_id AND e.object_id = r.id AND e.kind = 'SENT_BACK'
		WHERE r.partner_id = 0 AND r.entry_id = d.entry_id AND e.amount = -d.amount)
	OR (d.version > 0 OR d.status = 'SUCCESSFUL')
		AND NOT EXISTS (
			SELECT 1 FROM event e WHERE e.partner_id = d.partner_id AND e.object_id = d.id AND e.version = d.version)
		AND NOT EXISTS (
			SELECT 1 FROM event_lane n WHERE n.partner_id = d.partner_id AND n.removed_until >= d.created_at)`)

// selectOddEntries finds what the bank booked and the operator's book has not, or has otherwise.
var selectOddEntries = db.NewQuery(`
	SELECT e.partner_id, e.id FROM bank_entry e
	WHERE (SELECT COUNT(*) FROM ledger_transfer l
		WHERE l.partner_id = e.partner_id AND l.operation_id = e.id AND l.leg = 'amount' AND l.amount IN (e.amount, -e.amount)) <> 1`)

// Verify names the deposits and transfers whose state, holds, postings and events do not belong together, what the
// bank booked that the operator's book has not, and decisions that were not followed (I4). An event of which those of its
// age were removed is not missed.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	var violations []string
	for _, c := range []struct {
		query *db.Query
		text  string
	}{
		{selectOddDeposits, "SEPA deposit %s of partner %d does not agree with its postings, the bank's or its event"},
		{selectOddEntries, "what the bank booked as %s in book %d is posted otherwise"},
		{selectOddDecisions, "what was decided about %s on suspense in book %d is not what was done"},
		{selectOdd, "SEPA transfer %s of partner %d does not agree with its hold, its postings or its event"},
	} {
		rows := r.Rows(c.query)
		for rows.Next() {
			var partner int64
			var id clock.ID
			if err := rows.Scan(&partner, &id); err != nil {
				return nil, err
			}
			violations = append(violations, fmt.Sprintf("I4: "+c.text, id, partner))
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return violations, nil
}
