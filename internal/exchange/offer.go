package exchange

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// offer is what locks of a partner promise. It is in the database before the first lock refers to it, so that any node
// finds it by its number, also after a restart; and it is made anew when prices or shares have changed, not for each
// lock. Nobody changes it.
type offer struct {
	Quote
	fee, markup money.Percent // the whole fee, and the partner's part of it
	number      int64
	madeAt      time.Time // business time
}

const (
	// offerAge is how old an offer may be when a lock refers to it. With the validity of locks it is well within the
	// time for which offers are kept.
	offerAge = time.Minute
	// offerTrusted is for how long an offer is used without a look at the database, where its number is given to another
	// one some time after it was swept.
	offerTrusted = 2 * time.Minute
	// maxOffers is how many offers are remembered, some 2 KiB each.
	maxOffers = 5_000
)

func (o *offer) same(other *offer) bool {
	return o.fee == other.fee && o.markup == other.markup && maps.Equal(o.Rates, other.Rates) && maps.Equal(o.Market, other.Market)
}

// offered names to whom offers are made: a partner for itself, or for its users, whose fee may have a mark-up.
type offered struct {
	partner int64
	itself  bool
}

// offers are those that this node has made or read.
type offers struct {
	mu      sync.RWMutex
	current map[offered]*offer
	known   map[offerKey]*offer
	turns   turns[offered]
}

type offerKey struct{ partner, number int64 }

// standing answers the current offer if it says what is wanted and is young enough.
func (all *offers) standing(to offered, wanted *offer, now time.Time) *offer {
	all.mu.RLock()
	defer all.mu.RUnlock()
	o := all.current[to]
	if o == nil || !o.same(wanted) || now.Before(o.madeAt) || now.Sub(o.madeAt) > offerAge {
		return nil
	}
	return o
}

func (all *offers) find(key offerKey) *offer {
	all.mu.RLock()
	defer all.mu.RUnlock()
	return all.known[key]
}

// remember takes note of an offer. When there are too many it begins anew.
func (all *offers) remember(partner int64, o *offer) {
	if all.known == nil || len(all.known) >= maxOffers {
		all.known = map[offerKey]*offer{}
	}
	all.known[offerKey{partner, o.number}] = o
}

var (
	insertOffer = db.NewInsert("exchange_offer", `partner_id bigint, number bigint, rates text, market text, fee_percent text,
		markup_percent text, created_at bigint`)
	selectOffer = db.NewQuery(`SELECT rates, market, fee_percent, markup_percent, created_at FROM exchange_offer
		WHERE partner_id = $1 AND number = $2`)
)

// keep answers the standing offer that says what is wanted, or commits a new one.
func (s *Service) keep(ctx context.Context, to offered, wanted offer) (*offer, error) {
	if o := s.offers.standing(to, &wanted, s.clock.Now()); o != nil {
		return o, nil
	}
	// One makes it, and the others find it when their turn comes.
	leave, err := s.offers.turns.enter(ctx, to)
	if err != nil {
		return nil, fault.New(fault.ServiceUnavailable).Wrap(err)
	}
	defer leave()
	if o := s.offers.standing(to, &wanted, s.clock.Now()); o != nil {
		return o, nil
	}
	wanted.madeAt = s.clock.Now()
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		wanted.number = rand.Int64N(1 << offerBits) // one that is taken is a collision: this runs again
		return wanted.insert(tx, to.partner)
	})
	if err != nil {
		return nil, err
	}
	s.offers.mu.Lock()
	defer s.offers.mu.Unlock()
	s.offers.remember(to.partner, &wanted)
	if s.offers.current == nil || len(s.offers.current) >= maxOffers {
		s.offers.current = map[offered]*offer{}
	}
	s.offers.current[to] = &wanted
	return &wanted, nil
}

func (o *offer) insert(tx *db.Tx, partner int64) error {
	rates, err := encodeRates(o.Rates)
	if err != nil {
		return err
	}
	market := ""
	if !maps.Equal(o.Rates, o.Market) {
		if market, err = encodeRates(o.Market); err != nil {
			return err
		}
	}
	tx.Write(insertOffer, partner, o.number, rates, market, o.fee.String(), o.markup.String(), o.madeAt)
	return nil
}

// findOffer answers an offer by its number; db.ErrNoRows when there is none, or none any more.
func (s *Service) findOffer(r db.Reader, partner, number int64) (*offer, error) {
	if o := s.offers.find(offerKey{partner, number}); o != nil && s.clock.Now().Sub(o.madeAt) < offerTrusted {
		return o, nil
	}
	o := &offer{number: number}
	var rates, market, fee, markup string
	err := r.Row(selectOffer, partner, number).Scan(&rates, &market, &fee, &markup, &o.madeAt)
	if err != nil {
		return nil, err
	}
	if o.Rates, err = decodeRates(rates); err != nil {
		return nil, err
	}
	o.Market = o.Rates
	if market != "" {
		if o.Market, err = decodeRates(market); err != nil {
			return nil, err
		}
	}
	if o.fee, err = money.ParsePercent(fee); err != nil {
		return nil, err
	}
	if o.markup, err = money.ParsePercent(markup); err != nil {
		return nil, err
	}
	s.offers.mu.Lock()
	defer s.offers.mu.Unlock()
	s.offers.remember(partner, o)
	return o, nil
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
