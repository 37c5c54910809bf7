package event

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// Limits of delivery. Leases and pauses keep to the machine's time.
const (
	databaseSlots = 4               // database calls of all lanes at a time, so that requests find free connections
	leaseTime     = 4 * time.Second // so that another node, or the next start, takes over soon
	renewEvery    = time.Second
	pollEvery     = 200 * time.Millisecond
	errorPause    = time.Second // after the database failed
)

// Config is what a Deliverer needs.
type Config struct {
	DB         *db.DB
	Vault      *vault.Vault
	Clock      clock.Clock // retries become due by it
	Targets    Targets
	Node       string         // names this node in leases; for people, it need not be unique
	Production bool           // https only, and no loopback
	Allowed    []netip.Prefix // networks that may be dialled although they are not public
	Log        *slog.Logger
	Observer   Observer // nil: nobody

	Transport http.RoundTripper // in a simulation: takes the place of the guarded network; nil otherwise
}

// Observer is told what became of attempts to deliver: delivered, retry or failed. Its method is called by
// several goroutines.
type Observer interface{ Delivery(outcome string) }

// Deliverer sends the events of all partners whose lanes this node holds. Several nodes may run one each on
// the same database; when one stops, the others take its lanes over.
type Deliverer struct {
	cfg     Config
	node    string // unique among all Deliverers
	client  *http.Client
	slots   chan struct{} // database calls under way
	results chan result
	busy    atomic.Int64 // lanes with attempts under way
	shared  atomic.Int64 // attempts under way beyond the first of each of these lanes
	polled  atomic.Int64 // when poll last succeeded, in nanoseconds since 1970

	mu     sync.Mutex
	lanes  map[int64]*lane    // by partner
	woken  map[int64]struct{} // partners without a lane that Wake was called for
	signal chan struct{}      // woken is not empty
}

// NewDeliverer makes a Deliverer. Nothing is sent before Run.
func NewDeliverer(c Config) *Deliverer {
	d := &Deliverer{
		cfg:     c,
		node:    c.Node + "/" + clock.NewID().String(),
		client:  newClient(c.Production, c.Allowed, net.DefaultResolver),
		slots:   make(chan struct{}, databaseSlots),
		results: make(chan result, resultBatch),
		lanes:   map[int64]*lane{},
		woken:   map[int64]struct{}{},
		signal:  make(chan struct{}, 1),
	}
	if c.Transport != nil {
		d.client.Transport = c.Transport
	}
	return d
}

// Wake tells that a partner has new events. It never blocks. Without it they are found by polling.
func (d *Deliverer) Wake(partner int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.lanes[partner]; ok {
		nudge(l.wake)
		return
	}
	d.woken[partner] = struct{}{}
	nudge(d.signal)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Retarget tells that a partner's target was changed. This node sends nothing more to the old one, beyond what
// is on its way; other nodes find out within a second.
func (d *Deliverer) Retarget(partner int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.lanes[partner]; ok {
		l.retarget.Store(true)
	}
}

// Run delivers until the context ends. It returns when the attempts under way have ended, which takes at
// most their time-out, and their results are stored. It may be called once.
func (d *Deliverer) Run(ctx context.Context) {
	base := context.WithoutCancel(ctx) // attempts and their results outlive the signal to stop
	stopped := make(chan struct{})
	var lanes, helpers sync.WaitGroup
	helpers.Go(func() { d.record(base, ctx.Done()) })
	helpers.Go(func() { d.renewAll(base, stopped) })

	start := func(partner int64) {
		if l := d.open(partner, ctx.Done()); l != nil {
			lanes.Go(func() { l.run(base) })
		}
	}
	poll := time.NewTimer(0)
	defer poll.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-d.signal:
			for _, partner := range d.takeWoken() {
				start(partner)
			}
		case <-poll.C:
			poll.Reset(d.poll(ctx, start))
		}
	}
	lanes.Wait()
	close(d.results)
	close(stopped)
	helpers.Wait()
	d.client.CloseIdleConnections()
}

func (d *Deliverer) takeWoken() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	partners := make([]int64, 0, len(d.woken))
	for p := range d.woken {
		partners = append(partners, p)
	}
	clear(d.woken)
	return partners
}

// open makes the partner's lane, or answers nil when there is one already.
func (d *Deliverer) open(partner int64, stop <-chan struct{}) *lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.lanes[partner]; ok {
		nudge(l.wake)
		return nil
	}
	l := newLane(d, partner, stop)
	d.lanes[partner] = l
	return l
}

// selectWaiting finds the partners with pending events that no other node serves, and whether some have no
// number yet. It jumps from partner to partner in the index, however many events each has.
var selectWaiting = db.NewQuery(`
	WITH RECURSIVE waiting(partner_id) AS (
		SELECT (SELECT e.partner_id FROM event e WHERE e.status = 'PENDING'
			ORDER BY e.partner_id, e.sequence, e.created_at LIMIT 1)
		UNION ALL
		SELECT (SELECT e.partner_id FROM event e WHERE e.status = 'PENDING' AND e.partner_id > w.partner_id
			ORDER BY e.partner_id, e.sequence, e.created_at LIMIT 1)
		FROM waiting w WHERE w.partner_id IS NOT NULL
	)
	SELECT w.partner_id, COALESCE((
		SELECT 1 FROM event e WHERE e.partner_id = w.partner_id AND e.status = 'PENDING' AND e.sequence IS NULL
		LIMIT 1), 0)
	FROM waiting w LEFT JOIN event_lane l ON l.partner_id = w.partner_id
	WHERE w.partner_id IS NOT NULL
	AND (l.partner_id IS NULL OR l.node = '' OR l.node = $1 OR l.leased_until <= $2 OR l.leased_until > $3)`)

// poll starts lanes for events that no hook told of: those of other nodes, and those from before a restart; and
// for receivers that are to be asked how they are.
// It answers when to poll again.
func (d *Deliverer) poll(ctx context.Context, start func(partner int64)) time.Duration {
	fresh := map[int64]bool{}
	err := d.cfg.DB.View(ctx, func(r db.Reader) error {
		clear(fresh)
		now := time.Now()
		rows := r.Rows(selectWaiting, d.node, now, now.Add(longestLease))
		defer rows.Close()
		for rows.Next() {
			var partner, unnumbered int64
			if err := rows.Scan(&partner, &unnumbered); err != nil {
				return err
			}
			fresh[partner] = unnumbered > 0
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := d.findProbes(r, fresh); err != nil {
			return err
		}
		return d.findRedeliveries(r, fresh)
	})
	if err != nil {
		if ctx.Err() == nil {
			d.cfg.Log.Warn("webhooks: cannot look for events", "error", err)
		}
		return errorPause
	}
	d.polled.Store(time.Now().UnixNano())
	for partner, isFresh := range fresh {
		if isFresh || !d.has(partner) {
			start(partner)
		}
	}
	return pollEvery
}

// findProbes adds the partners whose receivers are to be asked how they are.
func (d *Deliverer) findProbes(r db.Reader, found map[int64]bool) error {
	now := time.Now()
	rows := r.Rows(selectProbes, d.cfg.Clock.Now(), d.node, now, now.Add(longestLease))
	defer rows.Close()
	for rows.Next() {
		var partner int64
		if err := rows.Scan(&partner); err != nil {
			return err
		}
		if _, known := found[partner]; !known {
			found[partner] = false // nothing to number
		}
	}
	return rows.Err()
}

// windowSize is how many events one lane may have in memory now.
func (d *Deliverer) windowSize() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(windowSize, max(leastWindow, memoryEvents/max(1, len(d.lanes))))
}

// Polled is when this node last looked for events with success; the zero time before the first time.
func (d *Deliverer) Polled() time.Time {
	if at := d.polled.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Backlog is what waits to be delivered, of all partners.
type Backlog struct {
	Pending    int64     // events that are not delivered yet
	Unnumbered int64     // of these, the ones that have no number yet
	Oldest     time.Time // when the oldest of them was made, in business time; zero: there is none
	Failing    int64     // partners whose receiver has failing deliveries and is asked how it is
}

var selectBacklog = db.NewQuery(`
	SELECT partner_id, COUNT(*), COUNT(sequence), MIN(created_at) FROM event
	WHERE status = 'PENDING' GROUP BY partner_id`)

// ReadBacklog counts what waits. It reads the index of all pending events.
func ReadBacklog(r db.Reader) (Backlog, error) {
	var all Backlog
	rows := r.Rows(selectBacklog)
	defer rows.Close()
	for rows.Next() {
		var partner, pending, numbered int64
		var oldest time.Time
		if err := rows.Scan(&partner, &pending, &numbered, &oldest); err != nil {
			return all, err
		}
		all.Pending += pending
		all.Unnumbered += pending - numbered
		if all.Oldest.IsZero() || oldest.Before(all.Oldest) {
			all.Oldest = oldest
		}
	}
	if err := rows.Err(); err != nil {
		return all, err
	}
	return all, r.Row(countProbes).Scan(&all.Failing)
}

func (d *Deliverer) has(partner int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lanes[partner] != nil
}

// limited runs a database call of a lane when one of the slots is free.
func (d *Deliverer) limited(call func() error) error {
	d.slots <- struct{}{}
	defer func() { <-d.slots }()
	return call()
}
