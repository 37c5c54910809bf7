package exchange

import (
	"errors"
	"time"

	"kontor/internal/db"
	"kontor/internal/money"
)

// Position is what exchanges have made of the platform's money in one currency, over the books of all partners.
type Position struct {
	Currency  money.Currency
	Owed      money.Amount // to customers: what stands on their balances
	Open      money.Amount // on liquidity: above zero the platform holds it, below zero it owes it
	Exchanges int64        // out of this currency, since a time
	Fees      money.Amount // that the platform earned with them
	Gain      int64        // of spread and rounding, in 10^-8 EUR
}

var (
	sumAccounts = db.NewQuery(`
		SELECT currency, purpose, CAST(SUM(posted) AS BIGINT) FROM account
		WHERE partner_id >= 0 AND purpose IN ('balance', 'liquidity') GROUP BY currency, purpose`)
	sumExchanges = db.NewQuery(`
		SELECT currency_from, COUNT(*), CAST(SUM(fee - markup) AS BIGINT), CAST(SUM(gain) AS BIGINT) FROM exchange
		WHERE partner_id >= 0 AND created_at >= $1 GROUP BY currency_from`)
)

// Positions reads the position in each currency of the catalogue, and what exchanges have earned since a time. r must
// be a Snapshot. It reads every account: it is for people who look now and then.
func (s *Service) Positions(r db.Reader, since time.Time) ([]Position, error) {
	all := make([]Position, len(s.entries))
	bySlug := map[string]*Position{}
	for i, e := range s.entries {
		zero := money.New(0, e.Currency)
		all[i] = Position{Currency: e.Currency, Owed: zero, Open: zero, Fees: zero}
		bySlug[e.Code] = &all[i]
	}
	rows := r.Rows(sumAccounts)
	defer rows.Close()
	for rows.Next() {
		var slug, purpose string
		var posted int64
		if err := rows.Scan(&slug, &purpose, &posted); err != nil {
			return nil, err
		}
		p, ok := bySlug[slug]
		switch {
		case !ok:
			return nil, errors.New("exchange: an account has the unknown currency " + slug)
		case purpose == "liquidity":
			p.Open = money.New(posted, p.Currency)
		default:
			p.Owed = money.New(posted, p.Currency)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, readEarned(r, since, bySlug)
}

func readEarned(r db.Reader, since time.Time, bySlug map[string]*Position) error {
	rows := r.Rows(sumExchanges, since)
	defer rows.Close()
	for rows.Next() {
		var slug string
		var count, fees, gain int64
		if err := rows.Scan(&slug, &count, &fees, &gain); err != nil {
			return err
		}
		p, ok := bySlug[slug]
		if !ok {
			return errors.New("exchange: an exchange has the unknown currency " + slug)
		}
		p.Exchanges, p.Fees, p.Gain = count, money.New(fees, p.Currency), gain
	}
	return rows.Err()
}
