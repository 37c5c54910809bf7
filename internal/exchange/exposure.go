package exchange

import (
	"context"
	"log/slog"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

const (
	exposureEvery   = time.Second      // how often the exposure is read
	exposureTrusted = 10 * time.Second // how old it may be before exchanges that it limits are refused
)

// exposure is the sum of all books and hedges by currency, as it was read last. Nobody changes it.
type exposure struct {
	units map[string]int64
	at    time.Time // when reading it began, in machine time
}

// selectExposure reads eight accounts of each partner by their key, and no customer's.
var selectExposure = db.NewQuery(`
	SELECT a.currency, CAST(SUM(a.posted) AS BIGINT) FROM partner p
	JOIN account a ON a.partner_id = p.partner_id AND a.owner_id = $1 AND a.purpose = 'liquidity' GROUP BY a.currency
	UNION ALL SELECT currency, CAST(SUM(amount) AS BIGINT) FROM treasury_hedge GROUP BY currency`)

// limitsOf are the limits of the catalogue, by slug.
func limitsOf(entries []catalog.Entry) map[string]money.Amount {
	limits := map[string]money.Amount{}
	for _, e := range entries {
		if !e.MaxExposureEUR.IsZero() {
			limits[e.Code] = e.MaxExposureEUR
		}
	}
	return limits
}

// WatchExposure reads the platform's exposure every second until the context ends, if a currency has a limit. A
// node that makes exchanges must run it.
func (s *Service) WatchExposure(ctx context.Context, log *slog.Logger) {
	if len(s.limits) == 0 {
		return
	}
	tick := time.NewTicker(exposureEvery)
	defer tick.Stop()
	for {
		if err := s.ReadExposure(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "the exposure of exchanges could not be read", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ReadExposure reads by what the next exchanges are judged.
func (s *Service) ReadExposure(ctx context.Context) error {
	now := exposure{units: map[string]int64{}, at: s.now()}
	err := s.db.View(ctx, func(r db.Reader) error {
		clear(now.units)
		rows := r.Rows(selectExposure, ledger.PartnerItself)
		defer rows.Close()
		for rows.Next() {
			var slug string
			var units int64
			if err := rows.Scan(&slug, &units); err != nil {
				return err
			}
			now.units[slug] += units
		}
		return rows.Err()
	})
	if err == nil {
		s.exposed.Store(&now)
	}
	return err
}

// bounded refuses with P430 an exchange that takes the platform's exposure in either currency beyond its limit. What
// brings the exposure nearer to zero is always taken. P501 while the exposure is not known.
func (s *Service) bounded(x Exchange, market map[string]money.Rate) error {
	if len(s.limits) == 0 {
		return nil
	}
	kept, err := x.kept()
	if err != nil {
		return err
	}
	for _, change := range []money.Amount{kept, x.To.Neg()} {
		slug := change.Currency().Code
		limit, ok := s.limits[slug]
		if !ok {
			continue
		}
		known := s.exposed.Load()
		if known == nil || s.now().Sub(known.at) > exposureTrusted {
			return fault.Newf(fault.ServiceUnavailable, "How much %s can be exchanged is not known at the moment.", slug)
		}
		before := money.New(known.units[slug], change.Currency())
		after, err := before.Add(change)
		if err != nil {
			return fault.New(fault.AmountOutOfRange).Wrap(err)
		}
		if size(after).Cmp(size(before)) > 0 && money.ValueOf(size(after), market[slug]).Cmp(money.ValueOf(limit, money.One)) > 0 {
			return fault.Newf(fault.AmountOutOfRange, "So much %s cannot be exchanged in this direction at the moment.", slug)
		}
	}
	return nil
}

// size is an amount without its sign.
func size(a money.Amount) money.Amount {
	if a.Sign() < 0 {
		return a.Neg()
	}
	return a
}
