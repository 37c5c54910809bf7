package exchange

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
)

// window is that of locks per minute, in machine time.
const window = time.Minute

// taken counts the locks that each owner took of this node within the last minute.
type taken struct {
	mu     sync.Mutex
	owners map[holding]*takes
}

// takes are an owner's.
type takes struct {
	at   []time.Time // within the window, in order
	next uint64      // number of the next one
}

// add counts a lock, unless as many as are allowed were taken within the last minute. Then it answers how long to wait.
func (all *taken) add(h holding, most int, now time.Time) (number uint64, wait time.Duration) {
	all.mu.Lock()
	defer all.mu.Unlock()
	mine := all.owners[h]
	if mine == nil {
		mine = &takes{}
		if all.owners == nil {
			all.owners = map[holding]*takes{}
		}
		all.owners[h] = mine
	}
	mine.trim(now)
	if n := len(mine.at); n >= most {
		return 0, mine.at[n-most].Add(window).Sub(now)
	}
	mine.at = append(mine.at, now)
	mine.next++
	return mine.next, 0
}

// remove takes back a lock that was counted and not given.
func (all *taken) remove(h holding, at time.Time) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if mine := all.owners[h]; mine != nil {
		if i := slices.Index(mine.at, at); i >= 0 {
			mine.at = slices.Delete(mine.at, i, i+1)
		}
	}
}

// forget drops the owners who took none within the last minute.
func (all *taken) forget(now time.Time) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for h, mine := range all.owners {
		if mine.trim(now); len(mine.at) == 0 {
			delete(all.owners, h)
		}
	}
}

func (t *takes) trim(now time.Time) {
	old := 0
	for old < len(t.at) && now.Sub(t.at[old]) >= window {
		old++
	}
	t.at = slices.Delete(t.at, 0, old)
}

var (
	selectRecent = db.NewQuery(`
		SELECT id FROM exchange_lock_taken WHERE partner_id = $1 AND owner_id = $2 AND id >= $3 ORDER BY id DESC LIMIT 1 OFFSET $4`)
	insertTaken = db.NewInsert("exchange_lock_taken", "partner_id bigint, owner_id uuid, id uuid")
)

// take counts a lock of an owner: P429 when as many as are allowed were taken within the last minute. A node that is
// alone counts in memory; several count in the database as well. number tells the locks that an owner takes of this
// node apart. giveBack is for a lock that could not be given after all.
func (s *Service) take(ctx context.Context, h holding, most int) (number uint64, giveBack func(), err error) {
	now := s.now()
	number, wait := s.taken.add(h, most, now)
	if wait > 0 {
		return 0, nil, tooMany(wait)
	}
	giveBack = func() { s.taken.remove(h, now) }
	if !s.alone() {
		if err := s.share(ctx, h, most); err != nil {
			giveBack()
			return 0, nil, err
		}
	}
	return number, giveBack, nil
}

// share counts a lock where all nodes see it.
func (s *Service) share(ctx context.Context, h holding, most int) error {
	// One after the other for each owner, so that this node counts them exactly.
	leave, err := s.turns.enter(ctx, h)
	if err != nil {
		return fault.New(fault.ServiceUnavailable).Wrap(err)
	}
	defer leave()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		now := s.now()
		var oldest clock.ID // of those that fill the minute
		err := tx.Row(selectRecent, h.partner, h.owner, clock.FirstID(now.Add(-window)), most-1).Scan(&oldest)
		if err == nil {
			return tooMany(oldest.Time().Add(window).Sub(now))
		}
		if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		tx.Write(insertTaken, h.partner, h.owner, clock.NewID())
		return nil
	})
}

func tooMany(wait time.Duration) error {
	refusal := fault.New(fault.TooManyRequests)
	refusal.RetryAfter = max(wait, time.Second)
	return refusal
}

// turns lets one at a time in for each key.
type turns[K comparable] struct {
	mu   sync.Mutex
	open map[K]*turn
}

// turn is held by who could put something into it.
type turn struct {
	held chan struct{}
	with int // who holds it or waits for it
}

// enter waits for the key's turn. The caller leaves when done.
func (t *turns[K]) enter(ctx context.Context, key K) (leave func(), err error) {
	t.mu.Lock()
	if t.open == nil {
		t.open = map[K]*turn{}
	}
	mine := t.open[key]
	if mine == nil {
		mine = &turn{held: make(chan struct{}, 1)}
		t.open[key] = mine
	}
	mine.with++
	t.mu.Unlock()
	done := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.with--; mine.with == 0 {
			delete(t.open, key)
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
