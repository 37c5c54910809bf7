package ratelimit

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"kontor/internal/db"
)

// Limits of leasing.
const (
	leaseTimeout = time.Second // to wait for a connection
	leaseBatch   = 64          // keys in one transaction

	// A row whose moment is further ahead than this is not another node's work: the clock was set back.
	longestWait = 10 * time.Second / time.Microsecond

	// A node that found too little in a row waits for a time between these: a random one, so that nodes which
	// are all too busy find about the same.
	shortPause = 30 * time.Millisecond
	longPause  = 50 * time.Millisecond
)

var (
	lockBucket = db.NewQuery(`
		SELECT level, refilled_at, (SELECT now FROM rate_clock) FROM rate_bucket
		WHERE partner_id = $1 AND key_id = $2 FOR UPDATE`)
	readClock    = db.NewQuery(`SELECT now FROM rate_clock`)
	insertBucket = db.NewInsert("rate_bucket", "partner_id bigint, key_id text, level bigint, refilled_at bigint")
	updateBucket = db.NewCommand(`UPDATE rate_bucket SET level = $3, refilled_at = $4 WHERE partner_id = $1 AND key_id = $2`)
)

// ask is one key's part of a lease transaction.
type ask struct {
	bucket  *bucket
	rate    Rate
	want    int64 // tokens
	debt    int64
	granted int64 // tokens
	left    int64 // what the row holds afterwards
}

// lend leases whenever a bucket wants it, until the context ends.
func (l *Limiter) lend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for l.lease(ctx) {
		}
	}
}

// lease takes tokens for the buckets that want some, all in one transaction. It answers whether there were
// any.
func (l *Limiter) lease(ctx context.Context) bool {
	asks := l.collect()
	if len(asks) == 0 {
		return false
	}
	waiting, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	err := l.db.Update(waiting, func(tx *db.Tx) error {
		tx.Locked()
		for _, a := range asks {
			if err := a.take(tx); err != nil {
				return err
			}
		}
		return nil
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			l.lose(err)
		}
		return ctx.Err() == nil
	}
	l.away = false
	now := time.Now()
	for _, a := range asks {
		a.apply(now)
	}
	l.next()
	return true
}

// collect gathers what is wanted, in the order in which every node locks rows.
func (l *Limiter) collect() []*ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	var asks []*ask
	for key, b := range l.wanted {
		if len(asks) == leaseBatch {
			break
		}
		delete(l.wanted, key)
		if want := b.need(l.nodes); b.leased() && want > 0 {
			asks = append(asks, &ask{bucket: b, rate: b.rate, want: want, debt: b.debt})
		}
	}
	slices.SortFunc(asks, func(a, b *ask) int {
		return cmp.Or(cmp.Compare(a.bucket.key.Partner, b.bucket.key.Partner), cmp.Compare(a.bucket.key.ID, b.bucket.key.ID))
	})
	return asks
}

// take brings the key's row to this moment, takes off the debt, and takes tokens from it.
func (a *ask) take(tx *db.Tx) error {
	key := a.bucket.key
	var level, refilled, now int64
	err := tx.Row(lockBucket, key.Partner, key.ID).Scan(&level, &refilled, &now)
	known := err == nil
	if errors.Is(err, db.ErrNoRows) {
		err = tx.Row(readClock).Scan(&now)
		level, refilled = a.rate.room(), now
	}
	if err != nil {
		return err
	}
	// The clock is read before the row is locked. While this node waited for it, another one may have brought it
	// further; brought back, it would earn the time in between once more.
	if ahead := refilled - now; ahead > 0 && ahead < int64(longestWait) {
		now = refilled
	}
	room := a.rate.sharedRoom()
	level = min(level+a.rate.earned(time.Duration(now-refilled)*time.Microsecond, room-level), room)
	level = max(level-a.debt, -room)
	a.granted = min(a.want, max(level, 0)/token)
	a.left = level - a.granted*token
	if known {
		tx.Write(updateBucket, key.Partner, key.ID, a.left, now)
	} else {
		tx.Write(insertBucket, key.Partner, key.ID, a.left, now)
	}
	return nil
}

// apply notes what was leased.
func (a *ask) apply(now time.Time) {
	b := a.bucket
	if !b.leased() { // a request lost patience meanwhile
		b.level = min(b.level+a.granted*token, b.share())
		return
	}
	b.level += a.granted * token
	b.debt = max(b.debt-a.debt, 0)
	b.row, b.rowAt = a.left, now
	if a.granted < a.want {
		pause := shortPause + rand.N(longPause-shortPause)
		b.dry = now.Add(max(pause, b.rate.takes(token-a.left)))
	}
}
