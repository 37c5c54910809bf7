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
	Hedged    money.Amount // all that was bought elsewhere less what was sold
	HedgedAt  time.Time    // the last time; zero: never
	Exposure  money.Amount // Open and Hedged: what the hedges do not cover
	Limit     money.Amount // of what Exposure may be worth, in EUR; zero: none
	Exchanges int64        // out of this currency, since a time
	Fees      money.Amount // that the platform earned with them
	Gain      int64        // of spread and rounding, in 10^-8 EUR
}

var (
	// sumAccounts reads the platform's accounts alone, which are few: in each book and currency all accounts sum to zero
	// (I1), so that customers have the opposite of what stands on the others.
	sumAccounts = db.NewQuery(`
		SELECT currency, CAST(SUM(CASE purpose WHEN 'liquidity' THEN posted ELSE 0 END) AS BIGINT), CAST(-SUM(posted) AS BIGINT) FROM account
		WHERE partner_id >= 0 AND purpose <> 'balance' GROUP BY currency`)
	sumExchanges = db.NewQuery(`
		SELECT currency_from, COUNT(*), CAST(SUM(fee - markup) AS BIGINT), CAST(SUM(gain) AS BIGINT) FROM exchange
		WHERE partner_id >= 0 AND created_at >= $1 GROUP BY currency_from`)
	sumHedges = db.NewQuery(`SELECT currency, CAST(SUM(amount) AS BIGINT), MAX(created_at) FROM treasury_hedge GROUP BY currency`)
)

// Positions reads the position in each currency of the catalogue, and what exchanges have earned since a time. r must
// be a Snapshot. It reads the platform's accounts, and all exchanges since the time.
func (s *Service) Positions(r db.Reader, since time.Time) ([]Position, error) {
	all := make([]Position, len(s.entries))
	bySlug := map[string]*Position{}
	for i, e := range s.entries {
		zero := money.New(0, e.Currency)
		all[i] = Position{Currency: e.Currency, Owed: zero, Open: zero, Hedged: zero, Fees: zero, Limit: e.MaxExposureEUR}
		bySlug[e.Code] = &all[i]
	}
	rows := r.Rows(sumAccounts)
	defer rows.Close()
	for rows.Next() {
		var slug string
		var liquidity, owed int64
		if err := rows.Scan(&slug, &liquidity, &owed); err != nil {
			return nil, err
		}
		p, ok := bySlug[slug]
		if !ok {
			return nil, errors.New("exchange: an account has the unknown currency " + slug)
		}
		p.Open, p.Owed = money.New(liquidity, p.Currency), money.New(owed, p.Currency)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := readHedged(r, bySlug); err != nil {
		return nil, err
	}
	for i := range all {
		var err error
		if all[i].Exposure, err = all[i].Open.Add(all[i].Hedged); err != nil {
			return nil, err
		}
	}
	return all, readEarned(r, since, bySlug)
}

func readHedged(r db.Reader, bySlug map[string]*Position) error {
	rows := r.Rows(sumHedges)
	defer rows.Close()
	for rows.Next() {
		var slug string
		var units int64
		var at time.Time
		if err := rows.Scan(&slug, &units, &at); err != nil {
			return err
		}
		p, ok := bySlug[slug]
		if !ok {
			return errors.New("exchange: a hedge has the unknown currency " + slug)
		}
		p.Hedged, p.HedgedAt = money.New(units, p.Currency), at
	}
	return rows.Err()
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

// Valued is a position with what it is worth.
type Valued struct {
	Position
	Price       money.Rate   // EUR for one unit; zero: it has none, and what follows says nothing
	OpenEUR     money.Amount // amounts in EUR are cut at the cent, downwards
	ExposureEUR money.Amount
	ProfitEUR   money.Amount // fees and gain
}

// Value tells what a position is worth at a price. Fees are taken at the same price, whenever they were earned.
func (p Position) Value(price money.Rate) (Valued, error) {
	v := Valued{Position: p, Price: price}
	profit := money.ValueOf(money.New(p.Gain, money.Currency{Code: "eur", Scale: gainDecimals}), money.One).Add(money.ValueOf(p.Fees, price))
	for _, part := range []struct {
		value money.Value
		into  *money.Amount
	}{{money.ValueOf(p.Open, price), &v.OpenEUR}, {money.ValueOf(p.Exposure, price), &v.ExposureEUR}, {profit, &v.ProfitEUR}} {
		euro := p.Limit.Currency()
		cents, err := part.value.Floor(euro.Scale)
		if err != nil {
			return v, err
		}
		*part.into = money.New(cents, euro)
	}
	return v, nil
}
