package ledger

import (
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

var (
	selectCustomers = db.NewQuery(`
		SELECT b.owner_id, b.id, COALESCE(r.id, b.id), COALESCE(r.posted, 0), b.revision
		FROM account b
		LEFT JOIN account r ON r.partner_id = b.partner_id AND r.owner_id = b.owner_id
			AND r.purpose = 'receivable' AND r.currency = b.currency
		WHERE b.partner_id = $1 AND b.purpose = 'balance' AND b.currency = $2 AND b.owner_id IN (` + db.List(3) + `)`)
	selectHolds = db.NewQuery(`
		SELECT h.id, h.account_id, h.operation_type, h.operation_id, h.amount,
			CAST(h.amount - COALESCE(SUM(s.captured + s.released), 0) AS BIGINT),
			COALESCE(MAX(CASE WHEN s.ended THEN 1 ELSE 0 END), 0), COUNT(s.step)
		FROM hold h LEFT JOIN hold_step s ON s.partner_id = h.partner_id AND s.hold_id = h.id
		WHERE h.partner_id = $1 AND h.currency = $2 AND h.id IN (` + db.List(3) + `)
		GROUP BY h.id, h.account_id, h.operation_type, h.operation_id, h.amount`)
)

// FindCustomers is FindCustomer of many owners. Those without accounts are missing in the answer.
func FindCustomers(r db.Reader, partner int64, owners []clock.ID, c money.Currency) (map[clock.ID]Customer, error) {
	all := make(map[clock.ID]Customer, len(owners))
	for _, args := range db.Lists(owners, partner, c.Code) {
		rows := r.Rows(selectCustomers, args...)
		for rows.Next() {
			var owner clock.ID
			var found Customer
			var owed int64
			if err := rows.Scan(&owner, &found.Balance, &found.Receivable, &owed, &found.Revision); err != nil {
				return nil, err
			}
			if found.Receivable == found.Balance {
				found.Receivable = clock.ID{}
			}
			found.Owed = money.New(-owed, c)
			all[owner] = found
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// FindHolds is FindHold of many holds. Those that are not there are missing in the answer.
func FindHolds(r db.Reader, partner int64, ids []clock.ID, c money.Currency) (map[clock.ID]Hold, error) {
	all := make(map[clock.ID]Hold, len(ids))
	for _, args := range db.Lists(ids, partner, c.Code) {
		rows := r.Rows(selectHolds, args...)
		for rows.Next() {
			var h Hold
			var amount, remaining, ended int64
			err := rows.Scan(&h.ID, &h.Account, &h.Operation.Type, &h.Operation.ID, &amount, &remaining, &ended, &h.steps)
			if err != nil {
				return nil, err
			}
			h.Amount, h.Remaining, h.Ended = money.New(amount, c), money.New(remaining, c), ended != 0
			all[h.ID] = h
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}
