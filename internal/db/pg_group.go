package db

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"kontor/internal/clock"
)

// Queues that wait at the same time are committed as one transaction, because a commit and a round trip cost
// far more than the rows. There is no goroutine for it: of those who wait, the first leads. It gathers a group
// from the line, sends it, tells its members, and hands the lead, with the connection, to the next in line. So
// nobody waits while a committer is free, and groups grow by themselves when none is.
const (
	pgCommitters = 2 // groups under way at once: while one waits for its fsync the other is sent
	pgRounds     = 4 // attempts at a group from which members were taken out, before all its members go alone
	// pgLargest bounds the amounts of a member, so that the sums of a group stay within 64 bits.
	pgLargest = 1 << 55
)

// pgMember is one queue that waits for its commit.
type pgMember struct {
	queue *queue
	turn  chan pgTurn // told once what to do next; has room for it
}

// pgTurn ends a member's wait: it leads the next group, or is to be decided alone, or was decided.
type pgTurn struct {
	lead  bool
	conn  *pgxpool.Conn // of the one that led before; nil: take another
	alone bool
	err   error
}

// pgLine is where members wait.
type pgLine struct {
	mu      sync.Mutex
	waiting []*pgMember
	free    int // committers that nobody leads
}

// join lets a member lead at once, or puts it in line.
func (l *pgLine) join(m *pgMember) (leads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free > 0 {
		l.free--
		return true
	}
	l.waiting = append(l.waiting, m)
	return false
}

// leave takes a member out of the line, unless somebody took it already.
func (l *pgLine) leave(m *pgMember) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, m)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return true
}

// gather adds to the one who leads those in line who can go with it.
func (l *pgLine) gather(first *pgMember) []*pgMember {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return []*pgMember{first}
	}
	group := []*pgMember{first}
	flow := pgFlow{}
	flow.add(first.queue)
	rest := l.waiting[:0]
	for _, m := range l.waiting {
		if len(group) < groupSize && flow.add(m.queue) {
			group = append(group, m)
		} else {
			rest = append(rest, m)
		}
	}
	clear(l.waiting[len(rest):])
	l.waiting = rest
	return group
}

// pass hands the lead to the next in line, or gives the connection back.
func (l *pgLine) pass(c *pgxpool.Conn) {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		l.free++
		l.mu.Unlock()
		if c != nil {
			c.Release()
		}
		return
	}
	next := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	l.mu.Unlock()
	next.turn <- pgTurn{lead: true, conn: c}
}

// pgFlow is what the members of a group do to each account. All of them move each of its figures in the same
// direction: posted, held, and the difference. Then, if the sums of a group pass the checks of the account, so
// does every step towards them, whatever their order, and the group ends as its members would one by one.
// Otherwise a debit could be covered by a credit that was only possible because of the debit: two users without
// money could pay each other.
//
// They also rely on the same revision of an account, if on any.
type pgFlow map[pgAccount]pgCurrent

type pgCurrent struct {
	figures  [3]int64
	revision int64 // on which one of them relies, plus one; 0: nobody does
}

type pgAccount struct {
	partner int64
	id      clock.ID
}

// add counts a queue in, unless it goes against what is there.
func (f pgFlow) add(q *queue) bool {
	for _, m := range q.moves {
		current := f[pgAccount{m.partner, m.account}]
		for i, delta := range m.figures() {
			if sum := current.figures[i]; sum < 0 && delta > 0 || sum > 0 && delta < 0 {
				return false
			}
		}
		if m.revision != anyRevision && current.revision != 0 && current.revision != m.revision+1 {
			return false
		}
	}
	for _, m := range q.moves {
		key := pgAccount{m.partner, m.account}
		current := f[key]
		for i, delta := range m.figures() {
			current.figures[i] += delta
		}
		current.revision = max(current.revision, m.revision+1)
		f[key] = current
	}
	return true
}

func (m move) figures() [3]int64 { return [3]int64{m.posted, m.held, m.posted - m.held} }

// groupable tells whether a queue may share a transaction: it has only INSERTs of one row, and moves, for which
// there is an order of locks; and none of its keys or accounts has just failed.
func (e *postgres) groupable(q *queue) bool {
	for _, ops := range [][]op{q.first, q.ops} {
		for _, o := range ops {
			if !o.cmd.insert {
				return false
			}
		}
	}
	for _, m := range q.moves {
		if max(m.posted, -m.posted, m.held, -m.held) >= pgLargest {
			return false
		}
	}
	return !e.suspects.among(q)
}

// apply commits a queue. Reads hold no connection that could serve it.
func (e *postgres) apply(ctx context.Context, _ conn, q *queue) error {
	if !e.groupable(q) {
		return e.alone(ctx, q)
	}
	m := &pgMember{queue: q, turn: make(chan pgTurn, 1)}
	turn := pgTurn{lead: true}
	if !e.line.join(m) {
		var err error
		if turn, err = e.wait(ctx, m); err != nil {
			return err
		}
	}
	if turn.lead {
		turn = e.lead(ctx, turn.conn, m)
	}
	if turn.alone {
		return e.alone(ctx, q)
	}
	return turn.err
}

// wait ends with the member's turn, or when its time is over and nobody has taken it.
func (e *postgres) wait(ctx context.Context, m *pgMember) (pgTurn, error) {
	timeout := time.NewTimer(opTimeout)
	defer timeout.Stop()
	err := error(nil)
	select {
	case turn := <-m.turn:
		return turn, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = fmt.Errorf("%w: no committer was free in time", ErrUnavailable)
	}
	if e.line.leave(m) {
		return pgTurn{}, err
	}
	return <-m.turn, nil
}

// lead commits the group of a member, tells the others, and answers the member's own turn.
func (e *postgres) lead(ctx context.Context, c *pgxpool.Conn, m *pgMember) pgTurn {
	group := []*pgMember{m}
	turns := []pgTurn{{err: fmt.Errorf("%w: the commit was broken off", ErrUnavailable)}}
	defer func() { // whatever happens the line goes on
		if c != nil && c.Conn().IsClosed() {
			c.Release()
			c = nil
		}
		e.line.pass(c)
		for i, other := range group[1:] {
			other.turn <- turns[min(i+1, len(turns)-1)]
		}
	}()
	if c == nil {
		var err error
		if c, err = e.take(ctx); err != nil {
			turns[0].err = err
			if ctx.Err() == nil { // the database is away, for everybody
				group = e.line.gather(m)
			}
			return turns[0]
		}
	}
	runtime.Gosched() // who is about to join does
	group = e.line.gather(m)
	e.observed.grouped(len(group))
	if len(group) == 1 {
		turns[0].err = e.sendAlone(c, m.queue)
	} else {
		turns = e.decide(c, group)
	}
	return turns[0]
}

// decide commits a group. If it fails without a doubt, those who seem to be the cause are sent away to be
// decided alone, and the rest is tried again; when no cause is seen, all are decided alone.
func (e *postgres) decide(c *pgxpool.Conn, group []*pgMember) []pgTurn {
	turns := make([]pgTurn, len(group))
	var in []int // members still in the group
	for i := range group {
		in = append(in, i)
	}
	for range pgRounds {
		queues := make([]*queue, len(in))
		for n, i := range in {
			queues[n] = group[i].queue
		}
		batch, err := newPgBatch(queues)
		if err == nil {
			err = batch.send(c)
		}
		switch {
		case err == nil:
			return turns
		case errors.Is(err, ErrUnavailable):
			for _, i := range in {
				turns[i].err = err
			}
			return turns
		}
		guilty := e.suspects.accuse(err, queues)
		for n, i := range slices.Backward(in) {
			if guilty[n] {
				turns[i].alone = true
				in = slices.Delete(in, n, n+1)
			}
		}
		if len(in) == len(queues) || len(in) < 2 {
			break
		}
	}
	for _, i := range in {
		turns[i].alone = true
	}
	return turns
}

// alone commits one queue on a connection of its own.
func (e *postgres) alone(ctx context.Context, q *queue) error {
	c, err := e.take(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return e.sendAlone(c, q)
}

// sendAlone commits a queue as a transaction of its own.
func (e *postgres) sendAlone(c *pgxpool.Conn, q *queue) error {
	batch, err := newPgSequence(q)
	if err == nil {
		err = batch.send(c)
	}
	if err != nil {
		e.suspects.accuse(err, []*queue{q})
	}
	return err
}

// pgMove divides by the number of changed rows, so that a missing account raises: in a pipeline nobody
// looks at a count before the commit.
const pgMove = `WITH moved AS (
	UPDATE account SET posted = posted + $3, held = held + $4,
		revision = CASE WHEN revision = $5 OR $5 < 0 THEN revision ELSE -1 END
	WHERE partner_id = $1 AND id = $2 RETURNING 1
) SELECT 1 / count(*) FROM moved`
