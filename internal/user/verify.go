package user

import (
	"context"
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
)

var selectHalfDeleted = db.NewQuery(`
	SELECT u.partner_id, u.id FROM users u
	WHERE u.deleted_at <> 0 AND EXISTS (
		SELECT 1 FROM account a WHERE a.partner_id = u.partner_id AND a.owner_id = u.id AND a.purpose = 'balance' AND NOT a.closed)`)

// Verify names the deleted users with a balance that is not closed: money could still reach it.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	rows := r.Rows(selectHalfDeleted)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner int64
		var id clock.ID
		if err := rows.Scan(&partner, &id); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I4: user %s of partner %d is deleted and has an open balance", id, partner))
	}
	return violations, rows.Err()
}
