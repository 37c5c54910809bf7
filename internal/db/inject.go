package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Point is a place at which a call of the database can be made to fail.
type Point string

// The points. Between them they cover everything that the runner asks of an engine.
const (
	AtAcquire Point = "acquire" // a connection for reads
	AtQuery   Point = "query"   // a statement that reads
	AtQueue   Point = "queue"   // the commit of what an Update queued
	AtLock    Point = "lock"    // the beginning of an explicit transaction
	AtExec    Point = "exec"    // a statement that writes, in an explicit transaction
	AtCommit  Point = "commit"  // the commit of an explicit transaction
)

// Failure is how a call fails.
type Failure string

// The failures. A call to which one does not apply goes well.
const (
	Refuse  Failure = "refuse"  // the call does not reach the engine
	Cut     Failure = "cut"     // a query breaks off after some of its rows
	Break   Failure = "break"   // a statement that is put among those of the caller fails in the engine
	Collide Failure = "collide" // the same, and the engine asks for the transaction to be repeated
	Abort   Failure = "abort"   // the engine ends the transaction, with all that is committed together with it
	Lose    Failure = "lose"    // the call takes effect, and its answer is lost
)

// Call is what is asked of the database.
type Call struct {
	Point      Point
	Statements []string // their texts; a change of an account's figures is "move"
}

// Fault is what is done to a call. The zero value lets it go well.
type Fault struct {
	Failure Failure
	At      int // Cut: the number of rows before it; Break, Collide, Abort: the number of statements before it
}

// Injector decides which calls fail: for simulations of what goes wrong. Its methods are called by several
// goroutines. The context is the transaction's; a statement's call has it too.
type Injector interface {
	Inject(ctx context.Context, c Call) Fault
	// Committed tells that a transaction took effect, whatever its caller is told.
	Committed(ctx context.Context)
}

// WithInjector makes calls of the database fail. It is for tests only.
func WithInjector(i Injector) Option { return func(o *options) { o.injector = i } }

var errInjected = fmt.Errorf("%w: a fault was injected", ErrUnavailable)

// breaking violates a constraint on either engine, and so fails when it is executed, not when it is prepared.
var breaking = NewCommand(`INSERT INTO audit_head (id, number, hash) VALUES (2, 0, '')`)

const brokenConstraint = "audit_head_one"

// aborting ends the transaction as a full disk does on SQLite, and as a crash of the backend does on PostgreSQL.
var aborting = &Command{
	text: `SELECT pg_terminate_backend(pg_backend_pid())`,
	lite: `INSERT OR ROLLBACK INTO audit_head (id, number, hash) VALUES (2, 0, '')`,
}

// injecting is an engine whose calls fail as its injector decides.
type injecting struct {
	engine
	injector Injector
}

func (o options) inject(e engine) engine {
	if o.injector == nil {
		return e
	}
	return &injecting{e, o.injector}
}

func (e *injecting) acquire(ctx context.Context) (conn, error) {
	return e.reader(ctx, e.engine.acquire)
}

func (e *injecting) snapshot(ctx context.Context) (conn, error) {
	return e.reader(ctx, e.engine.snapshot)
}

func (e *injecting) reader(ctx context.Context, take func(context.Context) (conn, error)) (conn, error) {
	if e.injector.Inject(ctx, Call{Point: AtAcquire}).Failure == Refuse {
		return nil, errInjected
	}
	c, err := take(ctx)
	if err != nil {
		return nil, err
	}
	return &injectedConn{c, ctx, e.injector}, nil
}

func (e *injecting) apply(ctx context.Context, c conn, q *queue) error {
	if wrapped, ok := c.(*injectedConn); ok {
		c = wrapped.conn
	}
	f := e.injector.Inject(ctx, Call{AtQueue, q.texts()})
	switch f.Failure {
	case Refuse:
		if c != nil {
			c.release()
		}
		return errInjected
	case Break, Collide, Abort:
		q = q.broken(f)
	}
	err := e.engine.apply(ctx, c, q)
	if err == nil {
		e.injector.Committed(ctx)
	}
	return f.outcome(err)
}

func (e *injecting) lock(ctx context.Context) (lockedConn, error) {
	if e.injector.Inject(ctx, Call{Point: AtLock}).Failure == Refuse {
		return nil, errInjected
	}
	l, err := e.engine.lock(ctx)
	if err != nil {
		return nil, err
	}
	return &injectedLocked{injectedConn{l, ctx, e.injector}, l}, nil
}

// outcome is what the caller is told of a call that ended with err.
func (f Fault) outcome(err error) error {
	var constraint *ConstraintError
	switch {
	case err == nil && f.Failure == Lose:
		return errInjected
	case err == nil, f.Failure != Break && f.Failure != Collide:
		return err
	case errors.As(err, &constraint) && constraint.Name != brokenConstraint:
		return err // the transaction's own, and earlier
	case f.Failure == Collide:
		return &transient{err}
	}
	return errors.Join(errInjected, err)
}

// texts are the statements of a queue in the order in which they are executed.
func (q *queue) texts() []string {
	var all []string
	for _, o := range slices.Concat(q.first, q.ops) {
		all = append(all, o.cmd.text)
	}
	for range q.moves {
		all = append(all, "move")
	}
	return all
}

// broken is a copy of the queue with a statement in it that fails. Behind the first move it is a move on an
// account that does not exist, because moves are what comes last.
func (q *queue) broken(f Fault) *queue {
	bad := op{cmd: breaking}
	if f.Failure == Abort {
		bad.cmd = aborting
	}
	first, ops := len(q.first), len(q.first)+len(q.ops)
	b := &queue{first: slices.Clone(q.first), ops: slices.Clone(q.ops), moves: slices.Clone(q.moves)}
	switch at := min(f.At, ops+len(q.moves)); {
	case at < first:
		b.first = slices.Insert(b.first, at, bad)
	case at <= ops || f.Failure == Abort:
		b.ops = slices.Insert(b.ops, min(at, ops)-first, bad)
	default:
		b.moves = slices.Insert(b.moves, at-ops, move{partner: -1})
	}
	return b
}

// injectedConn is a connection whose queries fail as the injector decides.
type injectedConn struct {
	conn
	ctx      context.Context // of the transaction, for the injector only
	injector Injector
}

func (c *injectedConn) query(q *Query, args []any) (rowSource, error) {
	f := c.injector.Inject(c.ctx, Call{AtQuery, []string{q.text}})
	if f.Failure == Refuse {
		return nil, errInjected
	}
	rows, err := c.conn.query(q, args)
	if err == nil && f.Failure == Cut {
		rows = &cutRows{rowSource: rows, left: f.At}
	}
	return rows, err
}

// cutRows is an answer that breaks off.
type cutRows struct {
	rowSource
	left   int
	broken bool
}

func (r *cutRows) Next() bool {
	r.broken = r.broken || r.left == 0
	r.left--
	return !r.broken && r.rowSource.Next()
}

func (r *cutRows) Err() error {
	if r.broken {
		return errInjected
	}
	return r.rowSource.Err()
}

// injectedLocked is an explicit transaction whose statements and commit fail as the injector decides.
type injectedLocked struct {
	injectedConn
	locked lockedConn
}

func (l *injectedLocked) exec(c *Command, args []any) error {
	return l.write(c.text, func() error { return l.locked.exec(c, args) })
}

func (l *injectedLocked) move(m move) error {
	return l.write("move", func() error { return l.locked.move(m) })
}

func (l *injectedLocked) write(text string, call func() error) error {
	f := l.injector.Inject(l.ctx, Call{AtExec, []string{text}})
	switch f.Failure {
	case Refuse:
		return errInjected
	case Break, Collide:
		return f.outcome(l.atOnce(breaking))
	case Abort:
		return errors.Join(errInjected, l.atOnce(aborting))
	}
	return f.outcome(call())
}

var nothing = NewQuery("SELECT 1")

// atOnce executes a statement now, for which it takes a read: PostgreSQL's engine keeps what has no answer.
func (l *injectedLocked) atOnce(c *Command) error {
	if err := l.locked.exec(c, nil); err != nil {
		return err
	}
	rows, err := l.locked.query(nothing, nil)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

func (l *injectedLocked) commit() error {
	f := l.injector.Inject(l.ctx, Call{Point: AtCommit})
	if f.Failure == Refuse {
		l.locked.rollback()
		return errInjected
	}
	err := l.locked.commit()
	if err == nil {
		l.injector.Committed(l.ctx)
	}
	return f.outcome(err)
}

func (l *injectedLocked) rollback() { l.locked.rollback() }
