package event

import (
	"slices"
	"time"

	"kontor/internal/clock"
)

// longestWait is more than there is between two attempts. An event that seems to wait longer was put off before the
// clock was set back; it is due, or those that wait would fill the window.
const longestWait = 5 * time.Minute

// delivery is a pending event in memory.
type delivery struct {
	partner  int64
	object   clock.ID
	version  int64
	id       clock.ID
	kind     Type
	sequence int64
	sealed   []byte // the body at rest
	body     []byte // the body, once it was needed
	attempts int
	due      time.Time // of the next attempt; business time
}

// window holds the part of a lane's pending events that is in memory. Of each object only the first event
// can be sent; it is ready, waiting for its due time, or in the hands of a sender.
type window struct {
	queues  map[clock.ID][]*delivery // by object, in order
	ready   []*delivery
	waiting []*delivery // earliest first
	size    int
	last    int64 // highest sequence that was loaded
}

func newWindow() *window { return &window{queues: map[clock.ID][]*delivery{}} }

// add appends an event. Events come in the order of their sequence.
func (w *window) add(d *delivery) {
	w.size++
	w.last = d.sequence
	w.queues[d.object] = append(w.queues[d.object], d)
	if len(w.queues[d.object]) == 1 {
		w.offer(d)
	}
}

// offer makes an object's first event available: at once, or when its next attempt is due.
func (w *window) offer(d *delivery) {
	if d.attempts == 0 {
		w.ready = append(w.ready, d)
		return
	}
	i, _ := slices.BinarySearchFunc(w.waiting, d.due, func(other *delivery, due time.Time) int {
		return other.due.Compare(due)
	})
	w.waiting = slices.Insert(w.waiting, i, d)
}

// next takes an event that may be sent now, or nil. The caller gives it back with offer or remove.
func (w *window) next(now time.Time) *delivery {
	for len(w.waiting) > 0 && !w.waiting[0].due.After(now) {
		w.ready = append(w.ready, w.waiting[0])
		w.waiting = slices.Delete(w.waiting, 0, 1)
	}
	for n := len(w.waiting); n > 0 && w.waiting[n-1].due.After(now.Add(longestWait)); n-- {
		w.ready = append(w.ready, w.waiting[n-1])
		w.waiting = w.waiting[:n-1]
	}
	if len(w.ready) == 0 {
		return nil
	}
	d := w.ready[0]
	w.ready[0] = nil
	w.ready = w.ready[1:]
	return d
}

// remove forgets an object's first event, which next handed out, and offers the one behind it.
func (w *window) remove(d *delivery) {
	w.size--
	rest := w.queues[d.object][1:]
	if len(rest) == 0 {
		delete(w.queues, d.object)
		return
	}
	w.queues[d.object] = rest
	w.offer(rest[0])
}
