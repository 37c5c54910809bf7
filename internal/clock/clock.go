// Package clock tells business time and makes identifiers, so that both can be given to a program instead
// of being taken from the machine.
//
// Business time is what dates an object and makes it due: creation, expiry, the end of a lock. The sandbox
// can move it forward. Whatever concerns the outside world (signatures, rate limits, leases, time-outs)
// keeps to the machine's time and does not come here.
package clock

import (
	"fmt"
	"sync"
	"time"
)

// Clock tells the business time: UTC, whole microseconds, which is how times are stored, so that a time
// reads back from the database as it was.
type Clock interface {
	Now() time.Time
}

// System returns the machine's clock.
func System() Clock { return system{} }

type system struct{}

// Now returns the machine's time.
func (system) Now() time.Time { return stored(time.Now()) }

// Manual is a clock that stands still until it is moved, and only moves forward: what has expired stays
// expired. It is safe for concurrent use.
type Manual struct {
	mu  sync.RWMutex
	now time.Time
}

// NewManual returns a clock that stands at t.
func NewManual(t time.Time) *Manual { return &Manual{now: stored(t)} }

// Now returns the time at which the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.now
}

// Advance moves the clock forward by d. It panics when d is negative.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.move(m.now.Add(d))
}

// Set moves the clock to t. It panics when t is earlier than the time at which the clock stands.
func (m *Manual) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.move(t)
}

// move is called with the lock held.
func (m *Manual) move(to time.Time) {
	to = stored(to)
	if to.Before(m.now) {
		panic(fmt.Sprintf("clock: moved back from %s to %s", m.now, to))
	}
	m.now = to
}

// stored returns t as the database keeps it.
func stored(t time.Time) time.Time { return FromMicros(Micros(t)) }

// Micros returns t as it is stored: microseconds since 1970-01-01T00:00:00Z. What is finer is cut.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros returns the time, in UTC, that is stored as us.
func FromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// Format writes t as the API does: ISO 8601, UTC, milliseconds (cut, not rounded) and Z, such as
// "2025-08-05T10:33:54.730Z".
func Format(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
