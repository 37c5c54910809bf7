package user

import (
	"sync"

	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// Party is one side of a payment: a user with the accounts of one currency.
type Party struct {
	User
	ledger.Customer
	revision int64 // of the balance, when this was read; see ledger.Revise
}

// free tells whether nothing stands against a payment of any currency to or from the party, and nothing is to be
// repaid.
func (p *Party) free() bool {
	return p.User.MayPay(true) == nil && p.User.MayReceive(true) == nil && p.Owed.IsZero()
}

// The joins are outer ones, so that no planner can begin with the accounts: one that knows nothing of the tables yet
// would take all of the partner's for a single one.
var selectParties = db.NewQuery(`
		SELECT ` + hot + `, COALESCE(r.id, ` + noAccount + `), COALESCE(r.posted, 0),
			COALESCE(b.id, ` + noAccount + `), COALESCE(b.revision, 0)
		FROM users u
		LEFT JOIN account b ON b.partner_id = u.partner_id AND b.owner_id = u.id AND b.purpose = 'balance'
			AND b.currency = $4
		LEFT JOIN account r ON r.partner_id = u.partner_id AND r.owner_id = u.id AND r.purpose = 'receivable'
			AND r.currency = $4
		WHERE u.partner_id = $1 AND u.external_id IN ($2, $3) AND u.deleted_at = 0`)

const noAccount = `'00000000-0000-0000-0000-000000000000'`

// FindParties reads the users of a payment together with their accounts, in one round trip. An id that is empty is
// no party. P412 when one of the others does not exist.
func FindParties(r db.Reader, partner int64, externalA, externalB string, c money.Currency) (a, b *Party, err error) {
	rows := r.Rows(selectParties, partner, externalA, externalB, c.Code)
	defer rows.Close()
	for rows.Next() {
		p := &Party{}
		var owed int64
		err := rows.Scan(&p.Partner, &p.User.ID, &p.ExternalID, &p.Model, &p.Verification, &p.ActivatedAt,
			&p.SuspendedAt, &p.FrozenAt, &p.Version, &p.CreatedAt, &p.Receivable, &owed, &p.Balance, &p.revision)
		if err != nil {
			return nil, nil, err
		}
		if p.Balance.IsZero() {
			continue // a currency that came to the catalogue after the user
		}
		p.Owed = money.New(-owed, c)
		if p.ExternalID == externalA {
			a = p
		}
		if p.ExternalID == externalB {
			b = p
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	if (externalA != "" && a == nil) || (externalB != "" && b == nil) {
		return nil, nil, fault.New(fault.InvalidUser)
	}
	return a, b, nil
}

// Parties is FindParties for a payment that moves the balances of both. It remembers those against whom nothing
// stands and spares the hot path the read; should something have been taken from one of them since, in whatever
// process, the transaction is not committed but runs again, and reads. What a party had as events then is unknown.
func (s *Service) Parties(tx *db.Tx, partner int64, externalA, externalB string, c money.Currency) (a, b *Party, err error) {
	known := false
	if tx.Attempt() == 1 {
		a, b, known = s.parties.both(partner, externalA, externalB, c)
	}
	if !known {
		if a, b, err = FindParties(tx, partner, externalA, externalB, c); err != nil {
			return nil, nil, err
		}
		s.parties.remember(c, a, b)
	}
	for _, p := range []*Party{a, b} {
		if p != nil {
			tx.Rely(partner, p.Balance, p.revision)
		}
	}
	return a, b, nil
}

// maxParties is how many parties are remembered; some hundred bytes each.
const maxParties = 50_000

// parties are those who were free to pay and to receive when they were read last. They are shared: nobody changes
// them.
type parties struct {
	mu    sync.RWMutex
	known map[partyKey]*Party
}

type partyKey struct {
	partner            int64
	external, currency string
}

// both answers the parties of a payment, if all of them are known.
func (all *parties) both(partner int64, externalA, externalB string, c money.Currency) (a, b *Party, known bool) {
	all.mu.RLock()
	defer all.mu.RUnlock()
	knownA, knownB := externalA == "", externalB == ""
	if !knownA {
		a, knownA = all.known[partyKey{partner, externalA, c.Code}]
	}
	if !knownB {
		b, knownB = all.known[partyKey{partner, externalB, c.Code}]
	}
	return a, b, knownA && knownB
}

// remember takes note of what was read. When there are too many it begins anew.
func (all *parties) remember(c money.Currency, read ...*Party) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, p := range read {
		if p == nil {
			continue
		}
		key := partyKey{p.Partner, p.ExternalID, c.Code}
		if !p.free() {
			delete(all.known, key)
			continue
		}
		if all.known == nil || len(all.known) >= maxParties {
			all.known = map[partyKey]*Party{}
		}
		all.known[key] = p
	}
}
