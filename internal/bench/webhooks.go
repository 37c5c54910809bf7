//go:build linux

package bench

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// The scenarios of webhooks.
const (
	Waiting = "backlog" // events wait when the server starts
	Running = "load"    // clients make transfers as fast as they can
	Calm    = "idle"    // a few transfers a second
)

const (
	calmPause = 100 * time.Millisecond // between two transfers when all is calm
	patience  = time.Minute            // without any delivery, until those that are missing are given up
)

// crowd is how many partners there are, and how many of their receivers are dead.
type crowd struct{ partners, dead int }

// Webhooks measures deliveries to live receivers for numbers of partners, of whom one in ten has a dead receiver.
// The backlog is the number of events that wait in the scenario of that name.
func Webhooks(ctx context.Context, c Config, scenarios []string, partners []int, backlog int) error {
	return run(ctx, c, subject{
		title: "webhooks: deliveries to live receivers", server: "serve",
		load: closedLoop + "; the receivers are in this process too",
	}, func(s *session, e *engine) error {
		for _, n := range partners {
			people := crowd{n, n / 10}
			if err := s.webhooks(ctx, e, people, scenarios, backlog); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) webhooks(ctx context.Context, e *engine, people crowd, scenarios []string, backlog int) error {
	w, err := e.newWorld(ctx, people.partners, 2)
	if err != nil {
		return err
	}
	dead, err := dig()
	if err != nil {
		return err
	}
	defer dead.close()
	a := &arrivals{}
	live, err := startReceiver(a.note)
	if err != nil {
		return err
	}
	defer live.stop()
	if err := w.target(ctx, live.url, dead, people.dead); err != nil {
		return err
	}
	for _, scenario := range scenarios {
		a.reset(people.partners)
		cell := Cell{Bench: "webhooks", Engine: string(e.kind), Scenario: scenario, Partners: people.partners, Dead: people.dead}
		hooks := &webhooks{session: s, world: w, arrivals: a, crowd: people}
		switch scenario {
		case Waiting:
			cell.Backlog = backlog
			err = hooks.drain(ctx, &cell)
		case Running:
			cell.Clients = slices.Max(s.Clients)
			err = w.onCopy(ctx, func(srv *server) error { return hooks.flood(ctx, srv, &cell) })
		default:
			cell.Clients = 1
			err = w.onCopy(ctx, func(srv *server) error { return hooks.trickle(ctx, srv, &cell) })
		}
		if err != nil {
			return err
		}
		if err := s.print(cell); err != nil {
			return err
		}
	}
	return nil
}

// webhooks measures the cells of one crowd.
type webhooks struct {
	*session
	*world
	*arrivals
	crowd
}

// drain measures how fast a backlog is delivered, from the first arrival to the last.
func (h *webhooks) drain(ctx context.Context, cell *Cell) error {
	p, err := h.world.copy(ctx)
	if err != nil {
		return err
	}
	if err := h.fill(ctx, p, cell.Backlog); err != nil {
		return err
	}
	srv, err := p.serve(ctx)
	if err != nil {
		return err
	}
	from, err := measure(srv.pid())
	if err == nil {
		err = h.await(ctx, h.alive(cell.Backlog))
	}
	if err == nil {
		var to usage
		to, err = measure(srv.pid())
		cell.use(from, to)
		got := h.arrivals.look()
		if span := got.last.Sub(got.first); span > 0 {
			cell.PerSecond = round(float64(got.count)/span.Seconds(), 1)
		}
		missing := int64(h.alive(cell.Backlog)) - got.count
		cell.Waiting = &missing
		cell.count(map[string]int64{"not delivered": missing, "delivered twice": got.twice})
		err = errors.Join(err, cell.peak(srv))
	}
	srv.stop()
	return errors.Join(err, p.remove(ctx))
}

// alive is how many of a number of events, dealt to the partners in turn, are for live receivers.
func (h *webhooks) alive(events int) int {
	rest := events % h.crowd.partners
	return events/h.crowd.partners*(h.crowd.partners-h.dead) + max(0, rest-h.dead)
}

// flood measures deliveries while transfers are made as fast as possible.
func (h *webhooks) flood(ctx context.Context, srv *server, cell *Cell) error {
	var open connections
	defer open.close()
	var before arrived
	l := load{clients: cell.Clients, warmUp: h.warmUp(), measured: h.Measured, server: srv.pid()}
	l.begun = func() { before = h.arrivals.begin() }
	told := make([]int64, cell.Clients)
	l.client = func(n int) operation { return h.transfers(open.add(srv.address), n, &told[n]) }
	got, err := l.run(ctx)
	if err != nil {
		return err
	}
	if err := cell.fill(got, srv); err != nil {
		return err
	}
	transfers := cell.PerSecond
	cell.TransfersPerSecond = &transfers
	to := h.arrivals.look()
	cell.PerSecond = round(float64(to.count-before.count)/got.during.Seconds(), 1)
	cell.times(to.took)
	waiting := sumOf(told) - to.count
	cell.Waiting = &waiting
	cell.count(map[string]int64{"delivered twice": to.twice})
	return nil
}

// trickle measures the time from a transfer's request to the arrival of its event while little happens.
func (h *webhooks) trickle(ctx context.Context, srv *server, cell *Cell) error {
	var open connections
	defer open.close()
	var told int64
	var before arrived
	l := load{clients: 1, warmUp: h.warmUp(), measured: h.Measured, server: srv.pid()}
	l.begun = func() { before = h.arrivals.begin() }
	l.client = func(n int) operation {
		do := h.transfers(open.add(srv.address), n, &told)
		return func(ctx context.Context) string {
			problem := do(ctx)
			select {
			case <-time.After(calmPause):
			case <-ctx.Done():
			}
			return problem
		}
	}
	got, err := l.run(ctx)
	if err != nil {
		return err
	}
	if err := h.await(ctx, int(told)); err != nil {
		return err
	}
	if err := cell.fill(got, srv); err != nil {
		return err
	}
	transfers := cell.PerSecond
	cell.TransfersPerSecond = &transfers
	all := h.arrivals.look()
	cell.PerSecond = round(float64(all.count-before.count)/got.during.Seconds(), 1)
	cell.times(all.took)
	missing := told - all.count
	cell.Waiting = &missing
	cell.count(map[string]int64{"not delivered": missing, "delivered twice": all.twice})
	return nil
}

// transfers is a client that makes transfers for all partners in turn, the dead ones last. It counts those whose
// events a live receiver must get.
func (h *webhooks) transfers(c *connection, n int, told *int64) operation {
	all, turn := h.world.partners, n
	return func(context.Context) string {
		which, from := len(all)-1-turn%len(all), turn/len(all)%2
		turn++
		p := all[which]
		head := "POST /v1/transfer HTTP/1.1\r\nx-api-key: " + p.key + "\r\nIdempotency-Key: " + uuid.NewString() + "\r\n"
		body := `{"sourceExternalUserId":"` + p.users[from] + `","destinationExternalUserId":"` + p.users[1-from] +
			`","amount":"0.01","currency":"eur","reference":"` + stamp() + `"}`
		problem := c.call(http.StatusCreated, head, body)
		if problem == "" && which >= h.dead {
			*told++
		}
		return problem
	}
}

// arrivals is what live receivers got.
type arrivals struct {
	mu      sync.Mutex
	now     arrived
	seen    []map[int64]bool // by partner, the sequences that arrived
	changed chan struct{}    // has room for one
}

// arrived is what had arrived at a moment.
type arrived struct {
	count, twice int64 // different events; those that arrived again
	first, last  time.Time
	took         []time.Duration // since the requests that made the events, in ascending order
}

func (a *arrivals) reset(partners int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now, a.changed = arrived{}, make(chan struct{}, 1)
	a.seen = make([]map[int64]bool, partners)
	for i := range a.seen {
		a.seen[i] = map[int64]bool{}
	}
}

// note notes a delivery. Its path begins with the partner's number.
func (a *arrivals) note(r *http.Request, body []byte, at time.Time) {
	number, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	partner, _ := strconv.Atoi(number)
	sequence, _ := strconv.ParseInt(r.Header.Get("x-kontor-sequence"), 10, 64)
	took, timed := since(body, at)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[partner][sequence] {
		a.now.twice++
		return
	}
	a.seen[partner][sequence] = true
	a.now.count++
	if a.now.first.IsZero() {
		a.now.first = at
	}
	a.now.last = at
	if timed {
		a.now.took = append(a.now.took, took)
	}
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// look answers what has arrived so far.
func (a *arrivals) look() arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now
	now.took = slices.Sorted(slices.Values(a.now.took))
	return now
}

// begin ends the warm-up: the times until now are forgotten. It answers what has arrived so far.
func (a *arrivals) begin() arrived {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now
	a.now.took = nil
	return now
}

// await waits until a number of events has arrived, or none has for a long time.
func (a *arrivals) await(ctx context.Context, count int) error {
	for {
		a.mu.Lock()
		enough := a.now.count >= int64(count)
		a.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-a.changed:
		case <-time.After(patience):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sumOf(numbers []int64) (total int64) {
	for _, n := range numbers {
		total += n
	}
	return total
}
