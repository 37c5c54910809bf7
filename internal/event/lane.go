package event

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"kontor/internal/db"
)

// Pauses of a lane, in the machine's time.
const (
	linger      = time.Second            // an empty lane waits for more events, then gives up its lease
	numberEvery = 10 * time.Millisecond  // a busy lane collects new events for so long
	targetAge   = time.Second            // until a target is read again
	lookEvery   = 200 * time.Millisecond // at due times, because the business clock can be moved
)

// errLost says that the lease ended while the lane was at work.
var errLost = errors.New("event: the lease ended")

// selectPending orders by created_at only so that SQLite, too, reads the index event_pending: ordered by the
// sequence alone it takes event_sequence_key, and walks through everything that was ever delivered.
var selectPending = db.NewQuery(`
	SELECT object_id, version, id, type, body, sequence, attempts, due_at FROM event
	WHERE partner_id = $1 AND status = 'PENDING' AND sequence > $2 ORDER BY sequence, created_at LIMIT $3`)

// lane delivers the events of one partner. One goroutine, run, owns it.
type lane struct {
	d       *Deliverer
	partner int64
	wake    chan struct{}   // there are new events; holds one
	stop    <-chan struct{} // closed when the program ends
	lease   *lease          // nil while the lane is not held; guarded by d.mu, written by run only

	window   *window
	fresh    bool      // there may be events without a number
	numbered time.Time // when numbers were last given
	more     bool      // there may be events with a number that are not in memory
	target   Target
	targetAt time.Time
	retarget atomic.Bool  // the target is to be read before anything else is sent
	sending  int          // attempts under way
	sent     chan attempt // has room for all of them
	storing  int          // results that are not in the database yet
	stored   chan result  // has room for all of them
}

// attempt is one that ended; without ok it counts for nothing.
type attempt struct {
	result
	ok bool
}

func newLane(d *Deliverer, partner int64, stop <-chan struct{}) *lane {
	return &lane{
		d: d, partner: partner, stop: stop,
		wake:   make(chan struct{}, 1),
		sent:   make(chan attempt, concurrency),
		stored: make(chan result, windowSize),
	}
}

// run serves the lane until it is empty, and again when it was woken while it closed.
func (l *lane) run(ctx context.Context) {
	for {
		err := l.serve(ctx)
		switch {
		case err == nil:
			if l.close(true) {
				return
			}
			continue
		case errors.Is(err, errHeld):
			// Its holder polls. Staying here for a moment absorbs the wake-ups meanwhile.
			sleep(pollEvery, l.stop)
		case !errors.Is(err, errLost):
			l.d.cfg.Log.Warn("webhooks: a lane failed", "partner", l.partner, "error", err)
			sleep(errorPause, l.stop)
		}
		l.close(false)
		return
	}
}

// close forgets the lane. It answers false, and does not, when the lane was woken and that matters.
func (l *lane) close(unlessWoken bool) bool {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if unlessWoken && len(l.wake) > 0 {
		select {
		case <-l.stop:
		default:
			return false
		}
	}
	delete(l.d.lanes, l.partner)
	return true
}

// serve holds the lane's lease while there is something to deliver.
func (l *lane) serve(ctx context.Context) error {
	l.window, l.more, l.targetAt = newWindow(), true, time.Time{}
	until := time.Now().Add(leaseTime)
	err := l.number(func() (int, error) { return take(ctx, l.d.cfg.DB, l.partner, l.d.node, until) })
	if err != nil {
		return err
	}
	held := newLease(ctx, until)
	l.hold(held)
	err = l.work(ctx, held)
	l.finish()
	l.hold(nil)
	held.end()
	if !errors.Is(err, errLost) {
		err = errors.Join(err, l.release(ctx))
	}
	return err
}

func (l *lane) hold(held *lease) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.lease = held
}

// number runs what gives numbers to events.
func (l *lane) number(give func() (count int, err error)) error {
	count := 0
	err := l.d.limited(func() (err error) {
		count, err = give()
		return err
	})
	l.fresh = count >= numberBatch
	l.more = l.more || count > 0
	l.numbered = time.Now()
	return err
}

func (l *lane) release(ctx context.Context) error {
	return l.d.limited(func() error {
		return l.d.cfg.DB.Update(ctx, func(tx *db.Tx) error {
			tx.Write(releaseLane, l.partner, l.d.node)
			return nil
		})
	})
}

// work delivers until the lane is empty, the program ends, or the lease does.
func (l *lane) work(ctx context.Context, held *lease) error {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for {
		if err := l.refill(ctx); err != nil {
			return err
		}
		if err := l.dispatch(ctx, held); err != nil {
			return err
		}
		timer.Reset(l.pause())
		select {
		case <-l.wake:
			l.fresh = true
		case a := <-l.sent:
			l.ended(a)
		case r := <-l.stored:
			l.settle(r)
		case <-timer.C:
			if l.window.size == 0 && !l.fresh {
				return nil
			}
		case <-held.ctx.Done():
			return errLost
		case <-l.stop:
			return nil
		}
	}
}

// pause is how long the lane may wait when nothing happens.
func (l *lane) pause() time.Duration {
	wait := linger
	if len(l.window.waiting) > 0 {
		untilDue := l.window.waiting[0].due.Sub(l.d.cfg.Clock.Now())
		wait = min(max(untilDue, numberEvery), lookEvery)
	}
	if l.fresh {
		wait = min(wait, numberEvery)
	}
	return wait
}

// refill numbers new events and loads pending ones. Numbers are committed before anything is sent.
func (l *lane) refill(ctx context.Context) error {
	if l.fresh && (l.window.size == 0 || time.Since(l.numbered) >= numberEvery) {
		err := l.number(func() (int, error) { return numberMore(ctx, l.d.cfg.DB, l.partner, l.d.node) })
		if errors.Is(err, errHeld) {
			return errLost
		}
		if err != nil {
			return err
		}
	}
	if l.window.size > 0 && (!l.more || l.window.size > windowSize/2) {
		return nil
	}
	return l.d.limited(func() error {
		return l.d.cfg.DB.View(ctx, l.load)
	})
}

// load fills the window. An empty one begins with the lowest sequence again, which finds events that became
// pending anew.
func (l *lane) load(r db.Reader) error {
	if l.window.size == 0 {
		l.window.last = 0
	}
	room := windowSize - l.window.size
	rows := r.Rows(selectPending, l.partner, l.window.last, room)
	defer rows.Close()
	for rows.Next() {
		d := &delivery{partner: l.partner}
		var kind string
		if err := rows.Scan(&d.object, &d.version, &d.id, &kind, &d.sealed, &d.sequence, &d.attempts, &d.due); err != nil {
			return err
		}
		d.kind = Type(kind)
		l.window.add(d)
		room--
	}
	l.more = room == 0
	return rows.Err()
}

// dispatch begins as many attempts as may run at a time.
func (l *lane) dispatch(ctx context.Context, held *lease) error {
	for l.sending < concurrency {
		next := l.window.next(l.d.cfg.Clock.Now())
		if next == nil {
			return nil
		}
		if err := l.readTarget(ctx); err != nil {
			return err
		}
		address, refusal := l.target.resolve(next.kind)
		if refusal != "" {
			l.store(result{delivery: next, status: Failed, outcome: refusal})
			continue
		}
		l.sending++
		target := l.target
		go func() {
			r, ok := l.d.send(held.ctx, target, address, next)
			l.sent <- attempt{r, ok}
		}()
	}
	return nil
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
	l.targetAt = time.Now()
	return err
}

func (l *lane) ended(a attempt) {
	l.sending--
	if a.ok {
		l.store(a.result)
	}
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
	if r.status == Pending {
		l.window.offer(r.delivery)
	} else {
		l.window.remove(r.delivery)
	}
}

// finish waits for the attempts under way and for their results.
func (l *lane) finish() {
	for l.sending > 0 || l.storing > 0 {
		select {
		case a := <-l.sent:
			l.ended(a)
		case <-l.stored:
			l.storing--
		}
	}
}
