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
	numberEvery = 30 * time.Millisecond  // a busy lane collects new events for so long
	targetAge   = time.Second            // until a target is read again
	lookEvery   = 200 * time.Millisecond // at due times, because the business clock can be moved
)

// errLost says that the lease ended while the lane was at work.
var errLost = errors.New("event: the lease ended")

// lane delivers the events of one partner. One goroutine, run, owns it.
type lane struct {
	d       *Deliverer
	partner int64
	wake    chan struct{}   // there are new events; holds one
	stop    <-chan struct{} // closed when the program ends
	lease   *lease          // nil while the lane is not held; guarded by d.mu, written by run only

	live     *window   // events in the order of their objects
	again    *window   // events that are sent again, outside that order
	fresh    bool      // there may be events without a number
	numbered time.Time // when numbers were last given
	loaded   time.Time // when events were last looked for
	more     bool      // there may be events in order that are not in memory
	moreOld  bool      // and events to be sent again

	target   Target
	routes   map[Type]route // of target
	targetAt time.Time
	retarget atomic.Bool         // the target is to be read before anything else is sent
	breakers map[string]*breaker // by the routes' hosts
	closed   atomic.Int32        // of breakers; others read these two
	open     atomic.Int32
	pace     pace
	paused   time.Duration // until the pace lets the next attempt start; 0: it does not hold anything up

	clean     map[string]bool     // hosts without failed events that a recovery would take up
	recovered map[string]struct{} // hosts that took a delivery, and whose failed events are to be looked for
	suspect   bool                // the receiver may have to be asked how it is
	probe     probe

	sending  int          // attempts under way
	resent   int          // of these, the ones outside the order
	wasLive  bool         // the last attempt was in order
	sent     chan attempt // has room for all of them
	storing  int          // results that are not in the database yet
	stored   chan result  // has room for all of them
	answered chan answer  // to the probe; has room for it

	resending atomic.Bool    // redeliveries are under way
	asked     chan struct{}  // there may be redeliveries; holds one
	tries     chan *delivery // of redeliveries, for the lane to make
	byHand    int            // of them, the ones in the window again
}

// attempt is one that ended; without ok it counts for nothing.
type attempt struct {
	result
	ok      bool
	isAgain bool // it was outside the order
	host    string
	breaker *breaker
}

func newLane(d *Deliverer, partner int64, stop <-chan struct{}) *lane {
	return &lane{
		d: d, partner: partner, stop: stop,
		wake:     make(chan struct{}, 1),
		asked:    make(chan struct{}, 1),
		tries:    make(chan *delivery),
		sent:     make(chan attempt, maxConcurrency),
		stored:   make(chan result, windowSize+againSize),
		answered: make(chan answer, 1),
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
	l.live, l.again, l.more, l.moreOld, l.byHand = newWindow(), newWindow(), true, true, 0
	l.targetAt, l.breakers = time.Time{}, map[string]*breaker{}
	l.clean, l.recovered = map[string]bool{}, map[string]struct{}{}
	until := time.Now().Add(leaseTime)
	err := l.number(func() (numbered, error) { return take(ctx, l.d.cfg.DB, l.partner, l.d.node, until) })
	if err != nil {
		return err
	}
	held := newLease(ctx, until)
	l.hold(held)
	end := l.resend(held.ctx)
	if err = l.readProbe(ctx); err == nil {
		err = l.work(ctx, held)
	}
	l.finish()
	end()
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
func (l *lane) number(give func() (numbered, error)) error {
	var n numbered
	err := l.d.limited(func() (err error) {
		n, err = give()
		return err
	})
	if err != nil {
		return err
	}
	for range n.refused {
		l.d.observe(result{status: Failed})
	}
	l.fresh = n.all >= numberBatch
	l.more = l.more || n.all > n.refused
	l.numbered = time.Now()
	return nil
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
		select {
		case <-l.stop: // a result that comes now begins nothing new
			return nil
		default:
		}
		if err := l.refill(ctx); err != nil {
			return err
		}
		if err := l.dispatch(ctx, held); err != nil {
			return err
		}
		if err := l.tend(ctx, held); err != nil {
			return err
		}
		timer.Reset(l.pause())
		select {
		case <-l.wake:
			l.fresh = true
			nudge(l.asked)
		case a := <-l.sent:
			l.ended(a)
		case r := <-l.stored:
			l.settle(r)
		case e := <-l.tries:
			l.try(e)
		case a := <-l.answered:
			if err := l.judge(ctx, a); err != nil {
				return err
			}
		case <-timer.C:
			if l.isIdle() && !l.resending.Load() {
				return nil
			}
			l.moreOld = l.moreOld || time.Since(l.loaded) >= linger // what another process has sent again
		case <-held.ctx.Done():
			return errLost
		case <-l.stop:
			return nil
		}
	}
}

// isIdle tells whether there is nothing left to do.
func (l *lane) isIdle() bool {
	return l.live.size+l.again.size == 0 && !l.fresh && !l.probe.sending && len(l.recovered) == 0
}

// pause is how long the lane may wait when nothing happens.
func (l *lane) pause() time.Duration {
	wait, now := linger, l.d.cfg.Clock.Now()
	for _, w := range []*window{l.live, l.again} {
		if len(w.waiting) > 0 {
			wait = min(wait, max(w.waiting[0].due.Sub(now), numberEvery), lookEvery)
		}
	}
	if !l.probe.at.IsZero() {
		wait = min(wait, lookEvery)
	}
	if l.paused > 0 {
		wait = min(wait, l.paused)
	}
	if l.fresh {
		wait = min(wait, numberEvery)
	}
	return wait
}

// finish waits for the attempts under way and for their results.
func (l *lane) finish() {
	l.probe.stop()
	for l.sending > 0 || l.storing > 0 || l.probe.sending {
		select {
		case a := <-l.sent:
			l.ended(a)
		case <-l.stored:
			l.storing--
		case <-l.answered:
			l.probe.sending = false
		}
	}
}
