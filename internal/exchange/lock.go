package exchange

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	sweepEvery = 30 * time.Second
	sweepMax   = 500 // rows removed in one transaction
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

func (o *offer) lock(id clock.ID, at time.Time) Lock {
	return Lock{
		ID: id, Rates: o.Rates, Market: o.Market, Fee: o.fee, Markup: o.markup, CreatedAt: at, ValidUntil: at.Add(validity),
	}
}

// Lock locks the rates of the moment for a user, or with an empty externalUserId for the partner itself. P412; P429
// when the owner has taken too many within a minute; P501 while a currency has no price. That a lock was given does
// not say that its owner may exchange.
//
// Nothing is stored of a lock: its id says, with proof, all that an exchange must know (see ticket), and the offer that
// it refers to is in the database already.
func (s *Service) Lock(ctx context.Context, partner int64, externalUserID string, t Terms) (Lock, error) {
	owner := ledger.PartnerItself
	if externalUserID != "" {
		err := s.db.View(ctx, func(r db.Reader) error {
			u, err := user.Find(r, partner, externalUserID)
			owner = u.ID
			return err
		})
		if err != nil {
			return Lock{}, err
		}
	}
	number, giveBack, err := s.take(ctx, holding{partner, owner}, t.LocksPerMinute)
	if err != nil {
		return Lock{}, err
	}
	l, err := s.newLock(ctx, holding{partner, owner}, number, t)
	if err != nil {
		giveBack()
	}
	return l, err
}

func (s *Service) newLock(ctx context.Context, h holding, number uint64, t Terms) (Lock, error) {
	quote, err := s.Quote(t.Pins)
	if err != nil {
		return Lock{}, err
	}
	o := offer{Quote: quote, fee: t.Fee}
	if h.owner != ledger.PartnerItself {
		o.markup = t.Markup
		if o.fee, err = t.Fee.Plus(t.Markup); err != nil {
			return Lock{}, err
		}
	}
	kept, err := s.keep(ctx, offered{h.partner, h.owner == ledger.PartnerItself}, o)
	if err != nil {
		return Lock{}, err
	}
	ticket := ticket{holding: h, at: s.clock.Now().Truncate(time.Millisecond), take: number, offer: kept.number}
	id, err := ticket.seal(s.vault)
	return kept.lock(id, ticket.at), err
}

// usable finds what an owner's lock holds and checks that it can be used now. That it is used only once is for the
// schema to say.
func (s *Service) usable(r db.Reader, h holding, c Create, pins Pins) (Lock, error) {
	ticket, ok, err := openTicket(s.vault, h, c.Lock)
	if err != nil {
		return Lock{}, err
	}
	if !ok || s.clock.Now().After(ticket.at.Add(validity)) {
		return Lock{}, fault.New(fault.InvalidLock)
	}
	o, err := s.findOffer(r, h.partner, ticket.offer)
	if errors.Is(err, db.ErrNoRows) {
		return Lock{}, fault.New(fault.InvalidLock)
	}
	if err != nil {
		return Lock{}, err
	}
	return o.lock(c.Lock, ticket.at), s.guarded(o, c, pins)
}

// guarded refuses with P413 a lock that the market has moved against.
func (s *Service) guarded(o *offer, c Create, pins Pins) error {
	if s.guard.IsZero() {
		return nil
	}
	from, to := c.Amount.Currency().Code, c.To.Code
	now := pinned(s.market.Prices(), pins)
	missing := slices.DeleteFunc([]string{from, to}, func(slug string) bool { return !now[slug].IsZero() })
	if len(missing) > 0 {
		return noPrice(missing...)
	}
	if money.Moved(o.Market[from], o.Market[to], now[from], now[to], s.guard) {
		return fault.Newf(fault.InvalidLock, "The market has moved too far since the rates were locked: take a new lock.")
	}
	return nil
}

// Run removes what locks left behind until the context ends.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		s.taken.forget(s.now())
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "what is left of old rate locks was not removed", "error", err)
		}
	}
}

var (
	selectOldOffers = db.NewQuery(`SELECT partner_id, number FROM exchange_offer WHERE created_at < $1 LIMIT $2`)
	deleteOffer     = db.NewCommand(`DELETE FROM exchange_offer WHERE partner_id = $1 AND number = $2`)
	selectOldTaken  = db.NewQuery(`SELECT partner_id, owner_id, id FROM exchange_lock_taken WHERE id < $1 LIMIT $2`)
	deleteTaken     = db.NewCommand(`DELETE FROM exchange_lock_taken WHERE partner_id = $1 AND owner_id = $2 AND id = $3`)
)

// Sweep removes the offers whose locks ended a while ago, and what was counted before the last minute. It answers how
// many offers there were, and works in steps of bounded size.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	_, err := s.sweep(ctx, deleteTaken, func(tx *db.Tx) ([][]any, error) {
		return collectKeys(tx.Rows(selectOldTaken, clock.FirstID(s.now().Add(-sweepAfter)), sweepMax), func(rows *db.Rows) ([]any, error) {
			var partner int64
			var owner, id clock.ID
			err := rows.Scan(&partner, &owner, &id)
			return []any{partner, owner, id}, err
		})
	})
	if err != nil {
		return 0, err
	}
	return s.sweep(ctx, deleteOffer, func(tx *db.Tx) ([][]any, error) {
		return collectKeys(tx.Rows(selectOldOffers, s.clock.Now().Add(-sweepAfter), sweepMax), func(rows *db.Rows) ([]any, error) {
			var partner, number int64
			err := rows.Scan(&partner, &number)
			return []any{partner, number}, err
		})
	})
}

func (s *Service) sweep(ctx context.Context, remove *db.Command, old func(*db.Tx) ([][]any, error)) (total int, err error) {
	for {
		n := 0
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			keys, err := old(tx)
			if err != nil {
				return err
			}
			for _, key := range keys {
				tx.Write(remove, key...)
			}
			n = len(keys)
			return nil
		})
		total += n
		if err != nil || n < sweepMax {
			return total, err
		}
	}
}

func collectKeys(rows *db.Rows, scan func(*db.Rows) ([]any, error)) (keys [][]any, err error) {
	defer rows.Close()
	for rows.Next() {
		key, err := scan(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
