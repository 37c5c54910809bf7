package user

import (
	"errors"

	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/money"
)

var selectHolder = db.NewQuery(`
		SELECT ` + columns + `, a.id, a.revision, COALESCE(ra.id, ` + noAccount + `), COALESCE(ra.posted, 0),
			b.id, b.revision, COALESCE(rb.id, ` + noAccount + `), COALESCE(rb.posted, 0)
		FROM users u
		JOIN account a ON a.partner_id = u.partner_id AND a.owner_id = u.id AND a.purpose = 'balance' AND a.currency = $3
		JOIN account b ON b.partner_id = u.partner_id AND b.owner_id = u.id AND b.purpose = 'balance' AND b.currency = $4
		LEFT JOIN account ra ON ra.partner_id = u.partner_id AND ra.owner_id = u.id AND ra.purpose = 'receivable'
			AND ra.currency = $3
		LEFT JOIN account rb ON rb.partner_id = u.partner_id AND rb.owner_id = u.id AND rb.purpose = 'receivable'
			AND rb.currency = $4
		WHERE u.partner_id = $1 AND u.external_id = $2 AND u.deleted_at = 0`)

// findHolder reads a user together with the user's accounts of two currencies, in one round trip. P412 when the
// partner has no such user.
func findHolder(r db.Reader, partner int64, externalID string, a, b money.Currency) (inA, inB *Party, err error) {
	inA, inB = &Party{}, &Party{}
	var owedA, owedB int64
	inA.User, err = scan(r.Row(selectHolder, partner, externalID, a.Code, b.Code),
		&inA.Balance, &inA.revision, &inA.Receivable, &owedA, &inB.Balance, &inB.revision, &inB.Receivable, &owedB)
	if errors.Is(err, db.ErrNoRows) {
		err = fault.New(fault.InvalidUser)
	}
	inB.User = inA.User
	inA.Owed, inB.Owed = money.New(-owedA, a), money.New(-owedB, b)
	return inA, inB, err
}

// Holder finds a user with the accounts of two currencies, for an operation that moves both balances. It remembers
// and relies on what it read as Parties does. P412 when the partner has no such user.
func (s *Service) Holder(tx *db.Tx, partner int64, externalID string, a, b money.Currency) (inA, inB *Party, err error) {
	known := false
	if tx.Attempt() == 1 {
		inA, inB, known = s.parties.holder(partner, externalID, a, b)
	}
	if !known {
		if inA, inB, err = findHolder(tx, partner, externalID, a, b); err != nil {
			return nil, nil, err
		}
		s.parties.remember(a, inA)
		s.parties.remember(b, inB)
	}
	tx.Rely(partner, inA.Balance, inA.revision)
	tx.Rely(partner, inB.Balance, inB.revision)
	return inA, inB, nil
}

// holder answers a user with the accounts of two currencies, if both are known.
func (all *parties) holder(partner int64, externalID string, a, b money.Currency) (inA, inB *Party, known bool) {
	all.mu.RLock()
	defer all.mu.RUnlock()
	inA, inB = all.known[partyKey{partner, externalID, a.Code}], all.known[partyKey{partner, externalID, b.Code}]
	return inA, inB, inA != nil && inB != nil
}
