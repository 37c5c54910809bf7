package event

import (
	"context"
	"errors"
	"maps"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// Limits of what a lane holds and sends.
const (
	windowSize   = 1000   // pending events of one partner in memory
	memoryEvents = 20_000 // and of all partners of a node, as long as each has leastWindow
	leastWindow  = 100
	againSize    = 64  // events in memory that are sent again
	againSending = 16  // attempts at a time for these; less than half of againSize, see recover.go
	sharedSlots  = 512 // attempts at a time that all busy lanes of a node share, beside one for each
)

// selectPending orders by created_at only so that SQLite, too, reads the index event_pending: ordered by the
// sequence alone it takes event_sequence_key, and walks through everything that was ever delivered.
var (
	selectPending = db.NewQuery(`
		SELECT object_id, version, id, type, body, sequence, attempts, due_at FROM event
		WHERE partner_id = $1 AND status = 'PENDING' AND sequence > $2 AND NOT again ORDER BY sequence, created_at LIMIT $3`)
	selectAgain = db.NewQuery(`
		SELECT object_id, version, id, type, body, sequence, attempts, due_at FROM event
		WHERE partner_id = $1 AND status = 'PENDING' AND again AND sequence > $2 ORDER BY sequence LIMIT $3`)
)

// refill numbers new events and loads pending ones. Numbers are committed before anything is sent.
func (l *lane) refill(ctx context.Context) error {
	if l.fresh && time.Since(l.numbered) >= numberEvery {
		if err := l.readTarget(ctx); err != nil {
			return err
		}
		err := l.number(func() (numbered, error) {
			return numberMore(ctx, l.d.cfg.DB, l.partner, l.d.node, l.refuse)
		})
		if errors.Is(err, errHeld) {
			return errLost
		}
		if err != nil {
			return err
		}
	}
	room := l.d.windowSize()
	live := l.more && l.live.size <= room/2
	again := l.moreOld && l.again.size <= againSize/2
	if !live && !again {
		return nil
	}
	return l.d.limited(func() error {
		return l.d.cfg.DB.View(ctx, func(r db.Reader) (err error) {
			if live {
				l.more, err = l.load(r, selectPending, l.live, room-l.live.size)
			}
			if again && err == nil {
				if l.again.size == l.byHand {
					l.again.last = 0 // events are sent again in any order
				}
				l.moreOld, err = l.load(r, selectAgain, l.again, againSize-l.again.size)
				l.loaded = time.Now()
			}
			return err
		})
	})
}

// load fills a window with the events behind those it has, and tells whether there may be more.
func (l *lane) load(r db.Reader, from *db.Query, w *window, room int) (more bool, err error) {
	rows := r.Rows(from, l.partner, w.last, room)
	defer rows.Close()
	for rows.Next() {
		d := &delivery{partner: l.partner, again: w == l.again}
		var kind string
		if err := rows.Scan(&d.object, &d.version, &d.id, &kind, &d.sealed, &d.sequence, &d.attempts, &d.due); err != nil {
			return true, err
		}
		d.kind = Type(kind)
		l.d.find(d)
		w.add(d)
		d.failing = d.attempts > 0
		l.suspect = l.suspect || d.failing
		room--
	}
	return room == 0, rows.Err()
}

// dispatch begins as many attempts as may run at a time.
func (l *lane) dispatch(ctx context.Context, held *lease) error {
	for l.paused = 0; ; {
		now := l.d.cfg.Clock.Now()
		if !l.live.isReady(now) && !l.again.isReady(now) {
			return nil
		}
		if l.sending > 0 && (l.sending >= l.room() || !l.d.takeSlot()) {
			return nil
		}
		begun, more, err := l.sendNext(ctx, held, now)
		if l.sending > 0 && !begun {
			l.d.shared.Add(-1)
		}
		if err != nil || !more {
			return err
		}
	}
}

// sendNext begins an attempt, or settles an event that goes nowhere, and tells whether there may be more.
func (l *lane) sendNext(ctx context.Context, held *lease, now time.Time) (begun, more bool, err error) {
	if err := l.readTarget(ctx); err != nil {
		return false, false, err
	}
	l.paused = l.pace.wait(time.Now())
	next := l.pick(now)
	if next == nil {
		return false, false, nil
	}
	way := l.way(next)
	if way.refusal != "" {
		l.settleRefused(next, way.refusal)
		return false, true, nil
	}
	l.begin(held, way, next)
	return true, true, nil
}

// refuse is the refusal of the events that the lane numbers.
func (l *lane) refuse(kind Type) (exchange, bool) {
	if !kind.HasRoute() {
		return exchange{}, false
	}
	why := l.route(kind).refusal
	return exchange{id: clock.NewID(), at: l.d.cfg.Clock.Now(), outcome: why}, why != ""
}

// takeSlot takes one of the slots that lanes share for attempts beyond their first.
func (d *Deliverer) takeSlot() bool {
	if d.shared.Add(1) <= sharedSlots {
		return true
	}
	d.shared.Add(-1)
	return false
}

// room is how many attempts the lane may have under way: what its partner has chosen, within its share of
// what the node has. Each lane may have one, however many partners have receivers that are slow.
func (l *lane) room() int {
	busy := max(1, int(l.d.busy.Load()))
	return min(l.target.concurrency(), 1+sharedSlots/busy)
}

// pick takes the next event that may be sent. Events in order and others take turns.
func (l *lane) pick(now time.Time) *delivery {
	isAgainOpen := l.resent < min(againSending, max(1, l.target.concurrency()/2))
	if isAgainOpen && l.wasLive {
		if d := l.again.next(now, l.admits); d != nil {
			l.wasLive = false
			return d
		}
	}
	d := l.live.next(now, l.admits)
	if l.wasLive = d != nil; l.wasLive || !isAgainOpen {
		return d
	}
	return l.again.next(now, l.admits)
}

// admits tells whether an event may be sent now, or need not be sent at all.
func (l *lane) admits(e *delivery) bool {
	way := l.way(e)
	if way.refusal != "" {
		return true
	}
	b := l.breakers[way.host]
	return l.paused == 0 && (b == nil || b.admits())
}

// way is where an event goes.
func (l *lane) way(e *delivery) route {
	if e.own != nil {
		return *e.own
	}
	return l.route(e.kind)
}

func (l *lane) route(kind Type) route {
	if way, known := l.routes[kind]; known {
		return way
	}
	return route{refusal: "no webhook URL is set"}
}

func (l *lane) begin(held *lease, way route, next *delivery) {
	b := l.breakers[way.host]
	if b == nil {
		b = &breaker{}
		l.breakers[way.host] = b
		l.countBreakers()
	}
	b.sending++
	if l.sending++; l.sending == 1 {
		l.d.busy.Add(1)
	}
	if next.again {
		l.resent++
	}
	l.pace.take(time.Now(), l.target.rate())
	target := l.target
	go func() {
		r, ok := l.d.send(held.ctx, target, way.address, next)
		l.sent <- attempt{r, ok, next.again, way.host, b}
	}()
}

func (l *lane) readTarget(ctx context.Context) error {
	if !l.retarget.Swap(false) && time.Since(l.targetAt) < targetAge {
		return nil
	}
	err := l.d.limited(func() error {
		return l.d.cfg.DB.View(ctx, func(r db.Reader) (err error) {
			l.target, err = l.d.cfg.Targets.WebhookTarget(r, l.partner)
			return err
		})
	})
	if err != nil {
		return err
	}
	routes := l.target.routes()
	if !maps.Equal(routes, l.routes) {
		clear(l.clean)
	}
	l.targetAt, l.routes = time.Now(), routes
	known := map[string]bool{}
	for _, way := range l.routes {
		known[way.host] = true
	}
	maps.DeleteFunc(l.breakers, func(host string, b *breaker) bool { return !known[host] && b.sending == 0 })
	l.countBreakers()
	return nil
}

func (l *lane) ended(a attempt) {
	if l.sending--; l.sending == 0 {
		l.d.busy.Add(-1)
	} else {
		l.d.shared.Add(-1)
	}
	a.breaker.sending--
	if a.isAgain {
		l.resent--
	}
	if !a.ok {
		return
	}
	success := a.status == Delivered
	if wasOpen := a.breaker.isOpen(); a.breaker.note(success) != wasOpen {
		l.countBreakers()
	}
	if success && !l.clean[a.host] {
		l.recovered[a.host] = struct{}{}
	}
	if a.tried != nil {
		l.answer(a.result)
		return
	}
	if !success {
		a.failing, l.suspect = true, true
	}
	l.store(a.result)
}

func (l *lane) store(r result) {
	l.d.observe(r)
	r.stored = l.stored
	l.storing++
	l.d.results <- r
}

// settle goes on with an object once it is in the database what became of its event: a later event is never
// sent before, so that after a crash no more than the one before it arrives twice.
func (l *lane) settle(r result) {
	l.storing--
	w := l.live
	if r.again {
		w = l.again
	}
	if r.status == Pending {
		w.offer(r.delivery)
		return
	}
	w.remove(r.delivery)
	if r.status == Failed && !r.again {
		clear(l.clean)
	}
}
