// Package ratelimit holds each API key to its rate of requests: a token bucket per key, in real time.
//
// A bucket has room for the key's burst, and gains rate tokens a second; a request takes one. It counts in
// integers, billionths of a token per nanosecond, so it is exactly the GCRA of ATM Forum TM 4.0 and never
// drifts.
//
// Nodes on one database share the limits. What is promised depends on how many there are:
//
//   - One node counts in memory, exactly, and asks the database for nothing but the list of nodes.
//   - Several nodes take tokens from one row per key, a few at a time and ahead of need. The row is the
//     bucket. Each node may hold its part of a fortieth of what two seconds allow, so over any two seconds all
//     nodes together let pass what one bucket would, within 10 %. (A burst below an eighth of the rate counts
//     as that eighth, because a lease takes time.) A node that is busy alone gets the whole rate; nodes
//     that are all too busy get about the same. A request waits for the database only when its node holds
//     no token and the row may have one.
//   - Without the database each node goes on with an equal share of rate and burst, by the number of nodes
//     it knew last. Partners see no error for it.
//
// In moments of change:
//
//   - A node that joins is noticed within half a second. Until then the node that was alone still counts
//     alone, so that together they can let pass twice the limit. What it spent is then taken off the row, and
//     is missing afterwards: over a longer time the sum is right.
//   - A node that stops says so, and one that dies is noticed within two seconds. The others are not held
//     back meanwhile; only the tokens that it held are lost. A node that is left alone goes on from what it
//     last saw in the row: what others took since, a burst at most, may pass once more.
//   - A node that is alone in not reaching the database spends its share on top of what the others lease. When
//     it comes back it brings in what it has not earned again.
//
// Guesses limits failed authentication by address. It is each node's own.
package ratelimit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"kontor/internal/db"
)

// Unlimited is what Limit and Remaining are for a key without a limit: the highest rate and burst that a
// setting can have.
const Unlimited = 1_000_000

// patience is how long a request waits for a lease before its node counts by its share. It needs the
// database anyway, so it gains nothing by giving up sooner.
const patience = time.Second

// Rate is a limit: requests per second, and how many may come at once. PerSecond 0 is unlimited; a Burst
// below 1 counts as 1. Neither is above Unlimited.
type Rate struct{ PerSecond, Burst int64 }

// Key names what is limited: an API key of a partner, by its id.
type Key struct {
	Partner int64
	ID      string
}

// Decision says whether a request may pass, and what its caller is told.
type Decision struct {
	Allowed    bool
	Limit      int64         // requests that may come at once when nothing was used
	Remaining  int64         // of them, how many are left; an estimate when several nodes share the limit
	Reset      time.Duration // until nothing will be used
	RetryAfter time.Duration // until the next request can pass; 0 when this one may
}

// Limiter decides for one node. It is safe for concurrent use. It counts alone until Join.
type Limiter struct {
	db   *db.DB
	node string
	log  *slog.Logger

	wake  chan struct{}    // holds one: a lease is wanted
	peers map[string]*peer // the other nodes; only Join and then Run use it
	beats int64
	swept time.Time

	mu      sync.Mutex
	buckets map[Key]*bucket
	wanted  map[Key]*bucket // those that need a lease
	round   chan struct{}   // closed when leases came
	nodes   int             // that share the limits, with this one
	away    bool            // the database does not answer, or nobody asks it any more
}

// New makes the limiter of a node. node is its name, unique among all that ever run on the database.
func New(d *db.DB, node string, log *slog.Logger) *Limiter {
	return &Limiter{
		db: d, node: node, log: log, wake: make(chan struct{}, 1), peers: map[string]*peer{},
		buckets: map[Key]*bucket{}, wanted: map[Key]*bucket{}, round: make(chan struct{}), nodes: 1,
	}
}

// Take decides on one request. It never fails: when the database does not answer, the node's share decides. A
// request whose context ends while it waits may not pass.
func (l *Limiter) Take(ctx context.Context, key Key, rate Rate) Decision {
	if rate.PerSecond == 0 {
		return Decision{Allowed: true, Limit: Unlimited, Remaining: Unlimited}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	deadline := now.Add(patience)
	b := l.bucket(key, rate, now)
	for {
		b.settle(now, rate, l.divisor())
		if b.level >= token {
			b.level -= token
			if b.leased() && b.short(l.nodes) && !now.Before(b.dry) {
				l.want(b)
			}
			return b.decision(now, true)
		}
		if !b.leased() || now.Before(b.dry) {
			return b.decision(now, false)
		}
		answered := l.await(ctx, b, deadline.Sub(now))
		now = time.Now()
		if !answered {
			return b.decision(now, false)
		}
	}
}

// divisor tells how buckets count now: 0 by leases, otherwise by that part of the rate.
func (l *Limiter) divisor() int {
	if l.nodes > 1 && !l.away {
		return 0
	}
	return l.nodes
}

func (l *Limiter) bucket(key Key, rate Rate, now time.Time) *bucket {
	b, ok := l.buckets[key]
	if !ok {
		b = newBucket(key, rate, l.divisor(), now)
		l.buckets[key] = b
	}
	return b
}

// want asks for a lease, without waiting for it.
func (l *Limiter) want(b *bucket) {
	l.wanted[b.key] = b
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// await waits until leases came, or so long that the database counts as away; it answers false when the
// context ended first. The caller holds the lock, which is released meanwhile.
func (l *Limiter) await(ctx context.Context, b *bucket, patience time.Duration) bool {
	b.waiting++
	l.want(b)
	round := l.round
	l.mu.Unlock()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	answered, late := true, false
	select {
	case <-round:
	case <-timeout.C:
		late = true
	case <-ctx.Done():
		answered = false
	}
	l.mu.Lock()
	b.waiting--
	if late {
		l.lose(errLate)
	}
	return answered
}

var errLate = errors.New("a lease of tokens takes too long")

// lose goes on without the database. The caller holds the lock.
func (l *Limiter) lose(why error) {
	if !l.away && l.nodes > 1 {
		l.log.Warn("rate limits: the database does not answer; each node uses its share", "nodes", l.nodes, "error", why)
	}
	l.detach()
}

// detach ends leasing, for a while or for good. The caller holds the lock.
func (l *Limiter) detach() {
	l.away = true
	clear(l.wanted)
	l.next()
}

// next lets those who wait look again. The caller holds the lock.
func (l *Limiter) next() {
	close(l.round)
	l.round = make(chan struct{})
}

// sweep forgets buckets that nobody uses and that are full, as a new one would be.
func (l *Limiter) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, b := range l.buckets {
		if b.waiting == 0 && now.Sub(b.used) > sweepEvery && b.full(now) {
			delete(l.buckets, key)
		}
	}
}
