package exchange

import (
	"maps"
	"math/big"
	"slices"
	"strings"

	"kontor/internal/catalog"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// Market tells prices: what one unit costs in EUR, by slug. It answers from memory, with maps that nobody changes.
type Market interface {
	// Prices are those of the markets that have one now. A market whose price is too old or disputed has none.
	Prices() map[string]money.Rate
	// Last are the last prices that there were, however old.
	Last() map[string]money.Rate
}

// quoteDecimals is how fine a quoted rate is.
const quoteDecimals = 8

// Away is the pin of a market that is taken away.
var Away money.Rate

// Pins are prices that a partner's sandbox has instead of the market's, by slug; Away takes the market away.
type Pins map[string]money.Rate

// Quote is what the platform offers at a moment.
type Quote struct {
	Rates  map[string]money.Rate // by slug, with the operator's spread
	Market map[string]money.Rate // the market's own
}

// Quote answers the rates of all currencies of the catalogue. P501 while one of them has no price: nothing is
// quoted that could not be covered.
func (s *Service) Quote(pins Pins) (Quote, error) {
	prices := pinned(s.market.Prices(), pins)
	var missing []string
	for _, e := range s.entries {
		if prices[e.Code].IsZero() {
			missing = append(missing, e.Code)
		}
	}
	if len(missing) > 0 {
		return Quote{}, noPrice(missing...)
	}
	return Quote{Rates: s.spread(prices), Market: prices}, nil
}

func noPrice(slugs ...string) error {
	return fault.Newf(fault.ServiceUnavailable, "There is no reliable price at the moment for %s.", strings.Join(slugs, ", "))
}

// Rates answers the last known rates, for display: a market that is away keeps its last one. A currency that never
// had a price is absent.
func (s *Service) Rates(pins Pins) map[string]money.Rate {
	last := s.market.Last()
	for slug, pin := range pins {
		if pin != Away {
			last = pinned(last, Pins{slug: pin})
		}
	}
	return s.spread(last)
}

func pinned(prices map[string]money.Rate, pins Pins) map[string]money.Rate {
	if len(pins) == 0 {
		return prices
	}
	all := maps.Clone(prices)
	maps.Copy(all, pins)
	return all
}

// spread puts the operator's spread inside the prices.
func (s *Service) spread(prices map[string]money.Rate) map[string]money.Rate {
	if !slices.ContainsFunc(s.entries, func(e catalog.Entry) bool { return !e.Spread.IsZero() }) {
		return prices
	}
	all := maps.Clone(prices)
	for _, e := range s.entries {
		price, ok := prices[e.Code]
		if !ok || price == Away || e.Spread.IsZero() {
			continue
		}
		factor := e.Spread.Rat()
		if e.SpreadBelow {
			factor.Neg(factor)
		}
		factor.Add(factor, big.NewRat(1, 1))
		if rate, err := money.RateOf(factor.Mul(factor, price.Rat()), quoteDecimals); err == nil {
			all[e.Code] = rate
		}
	}
	return all
}
