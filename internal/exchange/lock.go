package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

const (
	validity   = 40 * time.Second // of a lock, in business time
	window     = time.Minute      // of locks per minute, in machine time
	sweepEvery = 30 * time.Second
	sweepMax   = 500 // locks removed in one transaction
	sweepAfter = 5 * time.Minute
)

// Lock holds rates, and the fee, for one exchange of its owner.
type Lock struct {
	ID          clock.ID
	Rates       map[string]money.Rate // as they were quoted
	Market      map[string]money.Rate // the market's own
	Fee, Markup money.Percent         // the whole fee, and the partner's part of it
	CreatedAt   time.Time
	ValidUntil  time.Time // the last moment at which it can be used
}

var (
	insertLock = db.NewInsert("exchange_lock", `partner_id bigint, owner_id uuid, id uuid, rates text, market text,
		fee_percent text, markup_percent text, created_at bigint, valid_until bigint`)
	selectLock = db.NewQuery(`
		SELECT l.rates, l.market, l.fee_percent, l.markup_percent, l.created_at, l.valid_until,
			EXISTS (SELECT 1 FROM exchange x WHERE x.partner_id = l.partner_id AND x.lock_id = l.id)
		FROM exchange_lock l WHERE l.partner_id = $1 AND l.owner_id = $2 AND l.id = $3`)
	selectRecent = db.NewQuery(`
		SELECT id FROM exchange_lock WHERE partner_id = $1 AND owner_id = $2 AND id >= $3 ORDER BY id DESC LIMIT 1 OFFSET $4`)
	selectOld  = db.NewQuery(`SELECT partner_id, owner_id, id FROM exchange_lock WHERE valid_until < $1 LIMIT $2`)
	deleteLock = db.NewCommand(`DELETE FROM exchange_lock WHERE partner_id = $1 AND owner_id = $2 AND id = $3`)
)

// Lock locks the rates of the moment for a user, or with an empty externalUserId for the partner itself. P412; P429
// when the owner has taken too many within a minute; P501 while a currency has no price. That a lock was given does
// not say that its owner may exchange.
func (s *Service) Lock(ctx context.Context, partner int64, externalUserID string, t Terms) (Lock, error) {
	// One after the other for each owner, so that this node counts them exactly.
	leave, err := s.turns.enter(ctx, owned{partner, externalUserID})
	if err != nil {
		return Lock{}, fault.New(fault.ServiceUnavailable).Wrap(err)
	}
	defer leave()
	var l Lock
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		owner := ledger.PartnerItself
		if externalUserID != "" {
			u, err := user.Find(tx, partner, externalUserID)
			if err != nil {
				return err
			}
			owner = u.ID
		}
		if err := s.mayLock(tx, partner, owner, t.LocksPerMinute); err != nil {
			return err
		}
		if l, err = s.newLock(owner, t); err != nil {
			return err
		}
		return insert(tx, partner, owner, l)
	})
	return l, err
}

// mayLock refuses an owner who has taken as many locks as are allowed within the last minute.
func (s *Service) mayLock(r db.Reader, partner int64, owner clock.ID, most int) error {
	now := s.now()
	var oldest clock.ID // of those that fill the minute
	err := r.Row(selectRecent, partner, owner, clock.FirstID(now.Add(-window)), most-1).Scan(&oldest)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	refusal := fault.New(fault.TooManyRequests)
	refusal.RetryAfter = max(oldest.Time().Add(window).Sub(now), time.Second)
	return refusal
}

func (s *Service) newLock(owner clock.ID, t Terms) (Lock, error) {
	quote, err := s.Quote(t.Pins)
	if err != nil {
		return Lock{}, err
	}
	now := s.clock.Now()
	l := Lock{
		ID: clock.NewID(), Rates: quote.Rates, Market: quote.Market, Fee: t.Fee, CreatedAt: now, ValidUntil: now.Add(validity),
	}
	if owner != ledger.PartnerItself {
		l.Markup = t.Markup
		l.Fee, err = t.Fee.Plus(t.Markup)
	}
	return l, err
}

func insert(tx *db.Tx, partner int64, owner clock.ID, l Lock) error {
	rates, err := encodeRates(l.Rates)
	if err != nil {
		return err
	}
	market := ""
	if !maps.Equal(l.Rates, l.Market) {
		if market, err = encodeRates(l.Market); err != nil {
			return err
		}
	}
	tx.Write(insertLock, partner, owner, l.ID, rates, market, l.Fee.String(), l.Markup.String(), l.CreatedAt, l.ValidUntil)
	return nil
}

// usable reads an owner's lock and checks that it can be used now. That it is used only once is for the schema to
// say.
func (s *Service) usable(r db.Reader, partner int64, owner clock.ID, c Create, pins Pins) (Lock, error) {
	l, used, err := findLock(r, partner, owner, c.Lock)
	if errors.Is(err, db.ErrNoRows) || err == nil && (used || s.clock.Now().After(l.ValidUntil)) {
		return Lock{}, fault.New(fault.InvalidLock)
	}
	if err != nil || s.guard.IsZero() {
		return l, err
	}
	from, to := c.Amount.Currency().Code, c.To.Code
	now := pinned(s.market.Prices(), pins)
	missing := slices.DeleteFunc([]string{from, to}, func(slug string) bool { return !now[slug].IsZero() })
	if len(missing) > 0 {
		return Lock{}, noPrice(missing...)
	}
	if money.Moved(l.Market[from], l.Market[to], now[from], now[to], s.guard) {
		return Lock{}, fault.Newf(fault.InvalidLock, "The market has moved too far since the rates were locked: take a new lock.")
	}
	return l, nil
}

func findLock(r db.Reader, partner int64, owner, id clock.ID) (l Lock, used bool, err error) {
	var rates, market, fee, markup string
	err = r.Row(selectLock, partner, owner, id).Scan(&rates, &market, &fee, &markup, &l.CreatedAt, &l.ValidUntil, &used)
	if err != nil {
		return l, false, err
	}
	l.ID = id
	if l.Rates, err = decodeRates(rates); err != nil {
		return l, false, err
	}
	l.Market = l.Rates
	if market != "" {
		if l.Market, err = decodeRates(market); err != nil {
			return l, false, err
		}
	}
	if l.Fee, err = money.ParsePercent(fee); err != nil {
		return l, false, err
	}
	l.Markup, err = money.ParsePercent(markup)
	return l, used, err
}

func encodeRates(rates map[string]money.Rate) (string, error) {
	numbers := make(map[string]json.Number, len(rates))
	for slug, rate := range rates {
		numbers[slug] = json.Number(rate.String())
	}
	text, err := json.Marshal(numbers)
	return string(text), err
}

func decodeRates(text string) (map[string]money.Rate, error) {
	var numbers map[string]json.Number
	if err := json.Unmarshal([]byte(text), &numbers); err != nil {
		return nil, err
	}
	rates := make(map[string]money.Rate, len(numbers))
	for slug, number := range numbers {
		rate, err := money.ParseRate(number.String())
		if err != nil {
			return nil, err
		}
		rates[slug] = rate
	}
	return rates, nil
}

// Run removes old locks until the context ends.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "old rate locks were not removed", "error", err)
		}
	}
}

// Sweep removes the locks that ended a while ago, and answers how many there were. It works in steps of bounded
// size.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	for total := 0; ; {
		n := 0
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			n = 0
			rows := tx.Rows(selectOld, s.clock.Now().Add(-sweepAfter), sweepMax)
			defer rows.Close()
			var old [][]any
			for rows.Next() {
				var partner int64
				var owner, id clock.ID
				if err := rows.Scan(&partner, &owner, &id); err != nil {
					return err
				}
				old = append(old, []any{partner, owner, id})
			}
			if err := rows.Err(); err != nil {
				return err
			}
			for _, key := range old {
				tx.Write(deleteLock, key...)
			}
			n = len(old)
			return nil
		})
		total += n
		if err != nil || n < sweepMax {
			return total, err
		}
	}
}

// owned names an owner before its id is known.
type owned struct {
	partner        int64
	externalUserID string
}

// turns lets one at a time in for each owner.
type turns struct {
	mu   sync.Mutex
	open map[owned]*turn
}

// turn is held by who could put something into it.
type turn struct {
	held chan struct{}
	with int // who holds it or waits for it
}

// enter waits for the owner's turn. The caller leaves when done.
func (t *turns) enter(ctx context.Context, o owned) (leave func(), err error) {
	t.mu.Lock()
	if t.open == nil {
		t.open = map[owned]*turn{}
	}
	mine := t.open[o]
	if mine == nil {
		mine = &turn{held: make(chan struct{}, 1)}
		t.open[o] = mine
	}
	mine.with++
	t.mu.Unlock()
	done := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.with--; mine.with == 0 {
			delete(t.open, o)
		}
	}
	select {
	case mine.held <- struct{}{}:
		return func() { <-mine.held; done() }, nil
	case <-ctx.Done():
		done()
		return nil, ctx.Err()
	}
}
