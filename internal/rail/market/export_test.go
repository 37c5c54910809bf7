package market

import (
	"time"

	"kontor/internal/db"
	"kontor/internal/money"
)

var selectHistory = db.NewQuery(`
		SELECT at, rate FROM market_price WHERE currency = $1 AND at >= $2 AND at < $3 ORDER BY at LIMIT $4`)

// History reads the kept prices of a currency from a time until before another, oldest first, at most so many. A
// minute without one had the price of the minute before.
func History(r db.Reader, slug string, from, to time.Time, limit int) ([]Recorded, error) {
	rows := r.Rows(selectHistory, slug, from, to, limit)
	defer rows.Close()
	var all []Recorded
	for rows.Next() {
		var text string
		var p Recorded
		if err := rows.Scan(&p.At, &text); err != nil {
			return nil, err
		}
		var err error
		if p.Price, err = money.ParseRate(text); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// SetPatience replaces the time that a source has for an answer.
func (f *Feed) SetPatience(d time.Duration) { f.client.Timeout = d }
