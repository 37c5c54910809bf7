package ratelimit

import "time"

// token is one request, in the unit that buckets count in: a rate of one per second earns one unit each
// nanosecond.
const token = int64(time.Second)

// Bounds of what several nodes do with a bucket, as parts of what it allows in two seconds, or of its rate.
const (
	heldPart   = 40 // nodes hold one fortieth between them, ahead of need
	sharedPart = 8  // the row has room for at least an eighth of a second
)

// room is how much the bucket can hold.
func (r Rate) room() int64 { return max(r.Burst, 1) * token }

// sharedRoom is how much the row of several nodes can hold.
func (r Rate) sharedRoom() int64 { return max(r.room(), r.PerSecond*token/sharedPart) }

// ahead is how many tokens one of several nodes holds ahead of need; none where the limit is so low that
// they would count.
func (r Rate) ahead(nodes int) int64 {
	return (max(r.Burst, 1) + 2*r.PerSecond) / (heldPart * int64(nodes))
}

// earned is what the rate brings in a time, up to a limit.
func (r Rate) earned(d time.Duration, limit int64) int64 {
	switch {
	case d <= 0 || limit <= 0:
		return 0
	case int64(d) > limit/r.PerSecond:
		return limit
	}
	return int64(d) * r.PerSecond
}

// takes is how long the rate needs to bring an amount.
func (r Rate) takes(amount int64) time.Duration {
	return time.Duration((max(amount, 0) + r.PerSecond - 1) / r.PerSecond)
}

// bucket is what a node knows of one key's tokens. Either it counts by itself, for its part of the rate;
// or it spends what it leases from the key's row.
type bucket struct {
	key   Key
	rate  Rate
	parts int       // the node's share is one of so many; 0: it leases
	level int64     // what may be spent here
	at    time.Time // of level, when it counts by itself
	used  time.Time

	debt    int64     // to be brought into the row with the next lease: what was spent before there were leases
	row     int64     // what the row held,
	rowAt   time.Time // at this moment
	dry     time.Time // no lease is worth asking for before
	waiting int64     // requests that wait for a lease
}

func newBucket(key Key, rate Rate, parts int, now time.Time) *bucket {
	b := &bucket{key: key, rate: rate, parts: parts, at: now, used: now, row: rate.room(), rowAt: now}
	if parts > 0 {
		b.level = b.share()
	}
	return b
}

func (b *bucket) leased() bool { return b.parts == 0 }

// share is the room of the node's part; one request always fits.
func (b *bucket) share() int64 { return max(b.rate.room()/int64(max(b.parts, 1)), token) }

// settle brings the bucket to this moment, to the rate, and to how the node counts: by its part, or, when
// parts is 0, by leases.
func (b *bucket) settle(now time.Time, rate Rate, parts int) {
	b.refill(now)
	b.used = now
	if rate != b.rate {
		b.rate, b.dry = rate, time.Time{}
		if b.parts > 0 {
			b.level = min(b.level, b.share())
		}
	}
	if parts == b.parts {
		return
	}
	row := b.rowNow(now)
	switch {
	case parts == 0: // the row gets what is missing here
		b.debt = max(b.share()-b.level, 0)
		b.level, b.row, b.rowAt, b.dry = 0, rate.room()-b.debt, now, time.Time{}
	case b.leased():
		b.parts = parts
		b.level, b.debt = min(b.level+row/int64(parts), b.share()), 0
	default:
		level := b.level / int64(parts) * int64(b.parts)
		b.parts = parts
		b.level = min(level, b.share())
	}
	b.parts, b.at = parts, now
}

func (b *bucket) refill(now time.Time) {
	if b.leased() {
		return
	}
	b.level += b.rate.earned(now.Sub(b.at)/time.Duration(b.parts), b.share()-b.level)
	b.at = now
}

// rowNow is what the row holds, if no other node took from it since this one did.
func (b *bucket) rowNow(now time.Time) int64 {
	return max(b.row+b.rate.earned(now.Sub(b.rowAt), b.rate.room()-b.row), 0)
}

// left is what the key may spend on all nodes, as far as this one knows.
func (b *bucket) left(now time.Time) int64 {
	if b.leased() {
		return min(b.level+b.rowNow(now), b.rate.room())
	}
	return b.level
}

// full tells whether the bucket is as a new one would be.
func (b *bucket) full(now time.Time) bool {
	b.refill(now)
	return b.left(now) >= b.share() && b.debt == 0
}

// short tells whether it is time to lease more.
func (b *bucket) short(nodes int) bool {
	ahead := b.rate.ahead(nodes)
	return ahead > 0 && b.level/token <= ahead/2
}

// need is how many tokens to lease now.
func (b *bucket) need(nodes int) int64 {
	return b.waiting + max(b.rate.ahead(nodes)-b.level/token, 0)
}

// decision is what a caller is told after this request.
func (b *bucket) decision(now time.Time, allowed bool) Decision {
	left := b.left(now)
	d := Decision{Allowed: allowed, Limit: b.rate.room() / token}
	if allowed {
		d.Remaining = left / token
	} else {
		left = min(left, token-1) // whatever the row may hold, this node could not get it
		d.RetryAfter = max(b.rate.takes(token-left)*time.Duration(max(b.parts, 1)), b.dry.Sub(now))
	}
	d.Reset = b.rate.takes(b.share()-left) * time.Duration(max(b.parts, 1))
	return d
}
