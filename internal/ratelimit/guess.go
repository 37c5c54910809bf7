package ratelimit

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Limits of guessing.
const (
	guessesPerMinute = 60
	guessEvery       = time.Minute / guessesPerMinute
	guessSlots       = 1024
)

// Guesses counts failed authentications per address: an IPv4 address (mapped into IPv6 or not), or an IPv6
// /64, the least that one subscriber has. After 60 in a minute an address must wait.
//
// The table is fixed. Addresses that fall on the same slot share it, by a hash that outsiders cannot predict, so
// memory does not grow with the number of attackers, and all of them together get 1,024 guesses a second. A
// limited address is never refused by this alone: only a key that is known to be wrong is, so an innocent one,
// behind the same NAT or in the same slot, is not locked out.
type Guesses struct {
	seed  maphash.Seed
	start time.Time

	mu    sync.Mutex
	slots [guessSlots]time.Duration // when the slot's failures will be forgotten, counted from start
}

// NewGuesses makes an empty table.
func NewGuesses() *Guesses {
	return &Guesses{seed: maphash.MakeSeed(), start: time.Now()}
}

// Wait tells how long an address must wait before it may guess again; 0 when it may now.
func (g *Guesses) Wait(from netip.Addr) time.Duration {
	slot := g.slot(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(*slot-time.Since(g.start)-(guessesPerMinute-1)*guessEvery, 0)
}

// Failed counts a failed authentication.
func (g *Guesses) Failed(from netip.Addr) {
	slot := g.slot(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Since(g.start)
	*slot = min(max(*slot, now), now+(guessesPerMinute-1)*guessEvery) + guessEvery
}

func (g *Guesses) slot(from netip.Addr) *time.Duration {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		network, _ := from.Prefix(64) // fails only for more than 128 bits
		from = network.Addr()
	}
	return &g.slots[maphash.Comparable(g.seed, from)%guessSlots]
}
