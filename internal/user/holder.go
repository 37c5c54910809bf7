package user

import (
	"errors"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

var selectHolder = db.NewQuery(`
		SELECT ` + columns + `, a.id, COALESCE(ra.id, a.id), COALESCE(ra.posted, 0),
			b.id, COALESCE(rb.id, b.id), COALESCE(rb.posted, 0)
		FROM users u
		JOIN account a ON a.partner_id = u.partner_id AND a.owner_id = u.id AND a.purpose = 'balance' AND a.currency = $3
		JOIN account b ON b.partner_id = u.partner_id AND b.owner_id = u.id AND b.purpose = 'balance' AND b.currency = $4
		LEFT JOIN account ra ON ra.partner_id = u.partner_id AND ra.owner_id = u.id AND ra.purpose = 'receivable'
			AND ra.currency = $3
		LEFT JOIN account rb ON rb.partner_id = u.partner_id AND rb.owner_id = u.id AND rb.purpose = 'receivable'
			AND rb.currency = $4
		WHERE u.partner_id = $1 AND u.external_id = $2 AND u.deleted_at = 0`)

// FindHolder reads a user together with the user's accounts of two currencies, in one round trip. P412 when the
// partner has no such user.
func FindHolder(r db.Reader, partner int64, externalID string, a, b money.Currency) (u User, inA, inB ledger.Customer, err error) {
	var owedA, owedB int64
	u, err = scan(r.Row(selectHolder, partner, externalID, a.Code, b.Code),
		&inA.Balance, &inA.Receivable, &owedA, &inB.Balance, &inB.Receivable, &owedB)
	if errors.Is(err, db.ErrNoRows) {
		err = fault.New(fault.InvalidUser)
	}
	for _, c := range []*ledger.Customer{&inA, &inB} {
		if c.Receivable == c.Balance { // there is none
			c.Receivable = clock.ID{}
		}
	}
	inA.Owed, inB.Owed = money.New(-owedA, a), money.New(-owedB, b)
	return u, inA, inB, err
}
