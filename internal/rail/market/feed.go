package market

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/money"
)

// Limits of a feed.
const (
	attemptTimeout = 5 * time.Second
	maxAnswer      = 1 << 20 // bytes
	quorum         = 2       // sources that must agree
	referenceEvery = time.Hour
	referenceRetry = time.Minute
	referenceAge   = 6 * 24 * time.Hour // over Easter four days pass between two reference rates
)

// Feed is the real market: independent sources, polled. It is safe for concurrent use.
type Feed struct {
	sources Sources
	clock   clock.Clock
	slugs   []string // in the order of the catalogue, without eur
	client  *http.Client
	log     *slog.Logger

	mu        sync.Mutex
	quotes    map[string]map[string]quote // by slug and source
	reference reference
	prices    Prices
	until     time.Time // the prices are right until the first of their quotes is too old, or a new one comes
	last      Prices
	open      map[string]bool // what the log said last
}

// quote is what one source said.
type quote struct {
	price *big.Rat // EUR
	at    time.Time
}

// FeedConfig is what a Feed needs.
type FeedConfig struct {
	Sources Sources
	Catalog *catalog.Catalog
	Clock   clock.Clock
	Log     *slog.Logger
	Last    Prices // what was known before; may be nil
}

// NewFeed makes a feed. It knows nothing before Run has asked.
func NewFeed(c FeedConfig) *Feed {
	f := &Feed{
		sources: c.Sources, clock: c.Clock, log: c.Log, quotes: map[string]map[string]quote{}, open: map[string]bool{},
		client: &http.Client{
			Timeout:       attemptTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	f.last = maps.Clone(c.Last)
	if f.last == nil {
		f.last = Prices{}
	}
	f.last[euro] = money.One
	for _, e := range c.Catalog.Currencies() {
		if e.Code != euro {
			f.slugs = append(f.slugs, e.Code)
		}
	}
	return f
}

// Run asks the sources until the context ends.
func (f *Feed) Run(ctx context.Context) {
	var working sync.WaitGroup
	working.Go(func() { f.followReference(ctx) })
	for _, s := range f.sources.All {
		working.Go(func() {
			every(ctx, f.sources.Poll, func() time.Duration {
				if err := f.Poll(ctx, s); err != nil && ctx.Err() == nil {
					f.log.WarnContext(ctx, "a source of prices does not answer as it should", "source", s.Name, "error", err)
				}
				f.report(ctx)
				return f.sources.Poll
			})
		})
	}
	working.Wait()
}

func (f *Feed) followReference(ctx context.Context) {
	every(ctx, referenceEvery, func() time.Duration {
		if err := f.PollReference(ctx); err != nil {
			if ctx.Err() == nil {
				f.log.WarnContext(ctx, "the reference rates cannot be read", "error", err)
			}
			return referenceRetry
		}
		return referenceEvery
	})
}

// every does something at once, and then again after each pause that it answers.
func every(ctx context.Context, pause time.Duration, do func() time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(do())
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// Poll asks a source once for all of its markets. What could be read counts even if other answers could not. A price is
// as old as the question, whatever the answer took, as what a cache on the way says, or as the source itself says.
func (f *Feed) Poll(ctx context.Context, s Source) error {
	tickers := map[string]ticker{}
	var problems []error
	for address, symbol := range s.addresses() {
		asked := f.clock.Now()
		body, age, err := f.get(ctx, address)
		var found map[string]ticker
		if err == nil {
			found, err = formats[s.Format](body, symbol)
		}
		problems = append(problems, err)
		for symbol, t := range found {
			if known := asked.Add(-age); t.at.IsZero() || t.at.After(known) {
				t.at = known
			}
			tickers[symbol] = t
		}
	}
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for slug, symbol := range s.Markets {
		t, ok := tickers[symbol]
		if !ok {
			continue
		}
		price, err := t.middle(f.sources.Tolerance)
		if err == nil && now.Sub(t.at) > f.sources.MaxAge {
			err = fmt.Errorf("its price is of %s", t.at.UTC().Format(time.RFC3339))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", symbol, err))
			continue
		}
		if s.Quote == dollar {
			if f.reference.dollar.IsZero() || now.Sub(f.reference.day) > referenceAge {
				continue // nobody knows what it is in EUR
			}
			price.Quo(price, f.reference.dollar.Rat())
		}
		if f.quotes[slug] == nil {
			f.quotes[slug] = map[string]quote{}
		}
		f.quotes[slug][s.Name] = quote{price, t.at}
	}
	f.compose(now)
	return errors.Join(problems...)
}

// PollReference asks for the reference rates once.
func (f *Feed) PollReference(ctx context.Context) error {
	body, _, err := f.get(ctx, f.sources.Reference)
	if err != nil {
		return err
	}
	r, err := readReference(body)
	if err != nil {
		return err
	}
	if r.day.After(f.clock.Now()) {
		return fmt.Errorf("it is of %s, which is not yet", r.day.Format(time.DateOnly))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reference = r
	return nil
}

// get answers a body, and for how long it lay in a cache on the way (RFC 9111, section 5.1).
func (f *Feed) get(ctx context.Context, address string) (body []byte, age time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("User-Agent", "Kontor/1")
	response, err := f.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("it answers with status %d", response.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errors.New("its answer is too long")
	}
	if seconds, bad := strconv.ParseUint(response.Header.Get("Age"), 10, 32); bad == nil {
		age = time.Duration(seconds) * time.Second //nolint:gosec // 32 bits
	}
	return body, age, err
}

// Prices answers the prices of the open markets.
func (f *Feed) Prices() Prices {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.After(f.until) {
		f.compose(now)
	}
	return f.prices
}

// Last answers the last price of every market that ever had one.
func (f *Feed) Last() Prices {
	f.Prices()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// compose makes the prices anew. The caller holds the lock.
func (f *Feed) compose(now time.Time) {
	f.until = now.Add(f.sources.MaxAge)
	f.prices = Prices{euro: money.One}
	for _, slug := range f.slugs {
		var fresh []*big.Rat
		for _, q := range f.quotes[slug] {
			if until := q.at.Add(f.sources.MaxAge); !now.After(until) {
				fresh = append(fresh, q.price)
				f.until = minTime(f.until, until)
			}
		}
		if price, ok := agreed(fresh, f.sources.Tolerance); ok {
			f.prices[slug] = price
		}
	}
	f.last = maps.Clone(f.last)
	maps.Copy(f.last, f.prices)
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// agreed is the median of the prices that are near the median of all. There is none unless two sources agree, and
// more of them than disagree.
func agreed(prices []*big.Rat, tolerance money.Percent) (money.Rate, bool) {
	if len(prices) < quorum {
		return money.Rate{}, false
	}
	middle := median(prices)
	distance := new(big.Rat).Mul(middle, tolerance.Rat())
	var near []*big.Rat
	for _, p := range prices {
		off := new(big.Rat).Sub(p, middle)
		if off.Abs(off).Cmp(distance) <= 0 {
			near = append(near, p)
		}
	}
	if len(near) < quorum || 2*len(near) <= len(prices) {
		return money.Rate{}, false
	}
	rate, err := money.RateOf(median(near), decimals)
	return rate, err == nil
}

func median(prices []*big.Rat) *big.Rat {
	sorted := slices.SortedFunc(slices.Values(prices), (*big.Rat).Cmp)
	low, high := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	sum := new(big.Rat).Add(low, high)
	return sum.Quo(sum, big.NewRat(2, 1))
}

// report logs which markets have opened or closed.
func (f *Feed) report(ctx context.Context) {
	prices := f.Prices()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, slug := range f.slugs {
		_, open := prices[slug]
		if was, told := f.open[slug]; told && was == open {
			continue
		}
		f.open[slug] = open
		if open {
			f.log.InfoContext(ctx, "a market is open", "currency", slug)
		} else {
			f.log.WarnContext(ctx, "a market is closed: its sources are too old, too few, or disagree", "currency", slug)
		}
	}
}
