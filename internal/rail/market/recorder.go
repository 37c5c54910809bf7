package market

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

const (
	recordEvery = time.Minute
	recordsKept = 400 * 24 * time.Hour
	forgetMax   = 1000 // prices removed in one transaction
)

// Recorder keeps the prices of a market, one a minute for each currency, and those only that changed. Several nodes
// may record: whoever comes first in a minute does.
type Recorder struct {
	db     *db.DB
	clock  clock.Clock
	prices func() Prices
	log    *slog.Logger
}

// NewRecorder makes a recorder of what prices answers.
func NewRecorder(d *db.DB, c clock.Clock, prices func() Prices, log *slog.Logger) *Recorder {
	return &Recorder{db: d, clock: c, prices: prices, log: log}
}

// Recorded is a price that was kept.
type Recorded struct {
	Price money.Rate
	At    time.Time // since then; business time
}

var (
	insertPrice = db.NewInsert("market_price", "currency text, at bigint, rate text")
	selectLast  = db.NewQuery(`
		SELECT p.currency, p.at, p.rate FROM market_price p
		JOIN (SELECT currency, MAX(at) AS newest FROM market_price GROUP BY currency) n
			ON n.currency = p.currency AND n.newest = p.at`)
	selectForgotten = db.NewQuery(`SELECT currency, at FROM market_price WHERE at < $1 LIMIT $2`)
	deletePrice     = db.NewCommand(`DELETE FROM market_price WHERE currency = $1 AND at = $2`)
)

// Run records until the context ends.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	for {
		if err := r.Record(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "prices were not recorded", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Record keeps the prices of the minute, and forgets some that are too old.
func (r *Recorder) Record(ctx context.Context) error {
	prices, minute := r.prices(), r.clock.Now().Truncate(recordEvery)
	return r.db.Update(ctx, func(tx *db.Tx) error {
		known, err := LastRecorded(tx)
		if err != nil {
			return err
		}
		old, err := forgotten(tx, minute.Add(-recordsKept))
		if err != nil {
			return err
		}
		for _, slug := range slices.Sorted(maps.Keys(prices)) {
			if last, ok := known[slug]; ok && (last.Price == prices[slug] || !last.At.Before(minute)) {
				continue
			}
			tx.Write(insertPrice, slug, minute, prices[slug].String())
		}
		for _, key := range old {
			tx.Write(deletePrice, key...)
		}
		return nil
	})
}

func forgotten(r db.Reader, before time.Time) (keys [][]any, err error) {
	rows := r.Rows(selectForgotten, before, forgetMax)
	defer rows.Close()
	for rows.Next() {
		var slug string
		var at time.Time
		if err := rows.Scan(&slug, &at); err != nil {
			return nil, err
		}
		keys = append(keys, []any{slug, at})
	}
	return keys, rows.Err()
}

// LastRecorded reads the last price of each currency that was kept.
func LastRecorded(r db.Reader) (map[string]Recorded, error) {
	rows := r.Rows(selectLast)
	defer rows.Close()
	all := map[string]Recorded{}
	for rows.Next() {
		var slug, text string
		var p Recorded
		if err := rows.Scan(&slug, &p.At, &text); err != nil {
			return nil, err
		}
		var err error
		if p.Price, err = money.ParseRate(text); err != nil {
			return nil, err
		}
		all[slug] = p
	}
	return all, rows.Err()
}
