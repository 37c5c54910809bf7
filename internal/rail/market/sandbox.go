package market

import (
	"encoding/binary"
	"hash/fnv"
	"math/big"
	"sync"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/money"
)

// step is how long a price of the sandbox stays, in business time.
const step = 5 * time.Second

// seed makes the sandbox's walk the same everywhere.
const seed = 100

// wave is a part of the walk: every period it turns to another height, of at most so many millionths of the
// start value.
type wave struct {
	period time.Duration
	height int64
}

// waves make a coin move by some tenths of a per cent in an hour, and stay within about eight per cent for ever.
var waves = []wave{
	{time.Minute, 400},
	{17 * time.Minute, 2_500},
	{5 * time.Hour, 12_000},
	{4 * 24 * time.Hour, 60_000},
}

// tokenCalm is how much less a token moves, which follows a currency.
const tokenCalm = 25

// Sandbox is the imagined market. A price is a function of the business time alone, so all nodes agree on it, and
// a clock that jumps finds the price that a slow one would have come to.
type Sandbox struct {
	clock   clock.Clock
	begin   time.Time
	entries []catalog.Entry

	mu     sync.Mutex
	at     int64 // the step whose prices these are
	prices Prices
}

// NewSandbox makes a market that has the catalogue's start values at the given time.
func NewSandbox(c clock.Clock, cat *catalog.Catalog, begin time.Time) *Sandbox {
	return &Sandbox{clock: c, begin: begin, entries: cat.Currencies(), at: -1}
}

// Prices answers the prices of the moment. No market of the sandbox is ever closed by itself.
func (s *Sandbox) Prices() Prices {
	at := int64(max(s.clock.Now().Sub(s.begin), 0) / step)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at != s.at {
		s.at, s.prices = at, s.pricesAt(time.Duration(at)*step)
	}
	return s.prices
}

// Last answers what Prices does.
func (s *Sandbox) Last() Prices { return s.Prices() }

func (s *Sandbox) pricesAt(since time.Duration) Prices {
	all := Prices{}
	for _, e := range s.entries {
		all[e.Code] = e.StartRate
		if e.Kind == catalog.Fiat {
			continue
		}
		moved := int64(0)
		for i, w := range waves {
			moved += w.at(since, e.Code, i)
		}
		if e.Kind == catalog.Token {
			moved /= tokenCalm
		}
		const whole = 1_000_000
		price := new(big.Rat).Mul(e.StartRate.Rat(), big.NewRat(whole+moved, whole))
		if rate, err := money.RateOf(price, decimals); err == nil { // a start value near zero stays
			all[e.Code] = rate
		}
	}
	return all
}

// at is the wave's height at a time: on a straight line between its last turn and its next one.
func (w wave) at(since time.Duration, slug string, number int) int64 {
	turn := int64(since / w.period)
	from, to := w.turn(turn, slug, number), w.turn(turn+1, slug, number)
	return from + (to-from)*int64(since%w.period/time.Millisecond)/w.period.Milliseconds()
}

// turn is the height at a turn, between -height and height. The first one is zero.
func (w wave) turn(turn int64, slug string, number int) int64 {
	if turn == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, n := range []uint64{seed, uint64(number), uint64(turn)} {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, n))
	}
	_, _ = h.Write([]byte(slug))
	mixed := h.Sum64()
	mixed ^= mixed >> 33 // the sum's low bits hardly depend on what came first
	mixed *= 0xff51afd7ed558ccd
	mixed ^= mixed >> 33
	return int64(mixed%uint64(2*w.height+1)) - w.height
}
