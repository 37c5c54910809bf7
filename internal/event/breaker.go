package event

import "time"

const openAfter = 5 // failures in a row

// breaker watches one target of a partner. While the target fails, the breaker is open and attempts go there
// one at a time: none is skipped, since each event has its five and their schedule, but a receiver that hangs
// holds one attempt instead of all that the partner may have. The first success closes it.
type breaker struct {
	sending  int // attempts under way
	failures int // in a row
}

func (b *breaker) isOpen() bool { return b.failures >= openAfter }

func (b *breaker) admits() bool { return b.sending == 0 || !b.isOpen() }

// note counts how an attempt ended, and answers whether the breaker is open now.
func (b *breaker) note(success bool) (open bool) {
	if success {
		b.failures = 0
	} else {
		b.failures++
	}
	return b.isOpen()
}

const paceTolerance = 100 * time.Millisecond // that a lane may be ahead of its rate

// pace keeps a lane's attempts to a rate, in the machine's time (generic cell rate algorithm). A lane sends in
// bursts, as its events come, and no faster than the rate over any longer time.
type pace struct {
	next time.Time // when the next attempt would start if they were evenly spread
}

// wait answers for how long nothing may be sent; 0: an attempt may start now.
func (p *pace) wait(now time.Time) time.Duration { return max(p.next.Add(-paceTolerance).Sub(now), 0) }

// take counts an attempt that starts now.
func (p *pace) take(now time.Time, perSecond int) {
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Second / time.Duration(perSecond))
}

// Breakers counts the targets that this node has events for, by the state of their breakers.
func (d *Deliverer) Breakers() (closed, open int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		closed += int(l.closed.Load())
		open += int(l.open.Load())
	}
	return closed, open
}

// countBreakers publishes the states of the lane's breakers.
func (l *lane) countBreakers() {
	var closed, open int32
	for _, b := range l.breakers {
		if b.isOpen() {
			open++
		} else {
			closed++
		}
	}
	l.closed.Store(closed)
	l.open.Store(open)
}
