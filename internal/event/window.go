package event

import (
	"cmp"
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
	again    bool      // it is sent again, outside the order
	failing  bool      // an attempt has failed; the lane's, while a sender may be counting attempts
	own      *route    // of a notice; nil: that of its type

	tried chan<- exchange // told of the one attempt that was asked for; nil: the event is pending
}

// window holds the part of a lane's pending events that is in memory. Of each object only the first event
// can be sent; it is ready, waiting for its due time, or in the hands of a sender.
type window struct {
	queues  map[clock.ID][]*delivery // by object, in order
	first   map[Type][]*delivery     // ready for their first attempt; no type has an empty list
	retries map[Type][]*delivery     // due again, earliest first
	waiting []*delivery              // not due yet, earliest first
	size    int
	last    int64 // highest sequence that was loaded
}

func newWindow() *window {
	return &window{
		queues: map[clock.ID][]*delivery{}, first: map[Type][]*delivery{}, retries: map[Type][]*delivery{},
	}
}

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
		w.first[d.kind] = append(w.first[d.kind], d)
		return
	}
	i, _ := slices.BinarySearchFunc(w.waiting, d, func(a, b *delivery) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.sequence, b.sequence))
	})
	w.waiting = slices.Insert(w.waiting, i, d)
}

// isReady tells whether any event may be sent now, wherever it goes.
func (w *window) isReady(now time.Time) bool {
	if len(w.first)+len(w.retries) > 0 {
		return true
	}
	n := len(w.waiting)
	return n > 0 && (!w.waiting[0].due.After(now) || w.waiting[n-1].due.After(now.Add(longestWait)))
}

// next takes an event that may be sent now and is admitted, or nil. What was begun keeps its
// schedule: retries come first, and then new events, oldest first. The caller gives the event back with offer
// or remove.
func (w *window) next(now time.Time, admits func(*delivery) bool) *delivery {
	for len(w.waiting) > 0 && !w.waiting[0].due.After(now) {
		d := w.waiting[0]
		w.waiting = slices.Delete(w.waiting, 0, 1)
		w.retries[d.kind] = append(w.retries[d.kind], d)
	}
	for n := len(w.waiting); n > 0 && w.waiting[n-1].due.After(now.Add(longestWait)); n-- {
		d := w.waiting[n-1]
		w.waiting = w.waiting[:n-1]
		w.retries[d.kind] = append(w.retries[d.kind], d)
	}
	if d := takeHead(w.retries, admits, func(a, b *delivery) bool { return a.due.Before(b.due) }); d != nil {
		return d
	}
	return takeHead(w.first, admits, func(a, b *delivery) bool { return a.sequence < b.sequence })
}

// takeHead removes the head that comes before all other heads that are admitted.
func takeHead(lists map[Type][]*delivery, admits func(*delivery) bool, before func(a, b *delivery) bool) *delivery {
	var found *delivery
	for _, list := range lists {
		if (found == nil || before(list[0], found)) && admits(list[0]) {
			found = list[0]
		}
	}
	if found == nil {
		return nil
	}
	list := lists[found.kind]
	list[0] = nil // or the list would hold it
	if len(list) == 1 {
		delete(lists, found.kind)
	} else {
		lists[found.kind] = list[1:]
	}
	return found
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

// hasFailing tells whether an event of certain types has failed and is to be tried again.
func (w *window) hasFailing(counts func(Type) bool) bool {
	for _, queue := range w.queues {
		if queue[0].failing && counts(queue[0].kind) {
			return true
		}
	}
	return false
}
