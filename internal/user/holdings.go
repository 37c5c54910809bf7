package user

import (
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// Holdings are what a user has, with what must be known of the user to show it.
type Holdings struct {
	Owner       clock.ID
	KYC         bool                    // the user's model
	ActivatedAt time.Time               // as User has it
	Balances    map[string]ledger.State // by currency slug
}

var selectHoldings = db.NewQuery(`
		SELECT u.id, u.model = '` + KYC + `', u.activated_at, COALESCE(a.id, ` + noAccount + `), COALESCE(a.currency, ''),
			COALESCE(a.posted, 0), COALESCE(a.held, 0)
		FROM users u
		LEFT JOIN account a ON a.partner_id = u.partner_id AND a.owner_id = u.id AND a.purpose = 'balance'
		WHERE u.partner_id = $1 AND u.external_id = $2 AND u.deleted_at = 0`)

// FindHoldings reads what a user has, in one round trip. currency gives each slug its scale. P412 when the partner has
// no such user.
func FindHoldings(r db.Reader, partner int64, externalID string, currency func(slug string) (money.Currency, bool)) (Holdings, error) {
	rows := r.Rows(selectHoldings, partner, externalID)
	defer rows.Close()
	h := Holdings{Balances: map[string]ledger.State{}}
	for rows.Next() {
		var account clock.ID
		var slug string
		var posted, held int64
		if err := rows.Scan(&h.Owner, &h.KYC, &h.ActivatedAt, &account, &slug, &posted, &held); err != nil {
			return Holdings{}, err
		}
		if account.IsZero() {
			break
		}
		var err error
		if h.Balances[slug], err = ledger.NewState(account, slug, posted, held, currency); err != nil {
			return Holdings{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Holdings{}, err
	}
	if h.Owner.IsZero() {
		return Holdings{}, fault.New(fault.InvalidUser)
	}
	return h, nil
}
