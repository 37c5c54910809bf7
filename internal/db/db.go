// Package db is the only way to the database: SQLite and PostgreSQL behind one transaction runner.
//
// A store registers its statements once (NewQuery, NewCommand, NewInsert) and uses them inside
// DB.Update, DB.View or DB.Snapshot. It never sees which engine answers. What Update promises:
//
//   - The function may run more than once, so it only assigns its results and touches nothing outside.
//   - Reads see committed data and take no locks. Writes are queued and applied together with the
//     commit after the function returned; nothing is sent to the engine before that.
//   - A read after a write is an error, on both engines: on neither would it see the write.
//   - Every guard is a constraint that raises (CHECK, UNIQUE). A violated constraint that the table in
//     constraint.go knows becomes the partner's error; a unique key it does not know is an optimistic
//     collision, and the function runs again on fresh reads.
//   - What was read is current at the commit only where a constraint says so: Tx.Rely makes the revision of an
//     account one, and the function runs again when it is outdated.
//   - Tx.Locked turns the transaction into an explicit one for the rare operation of several dependent
//     steps: statements run at once, in order, and reads see earlier writes.
//
// When Update returns nil, everything is durable. When it returns an error, nothing happened, except
// that the outcome of a commit whose connection broke is unknown: that is ErrUnavailable (P501), and
// safe to repeat under the same idempotency key.
package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"kontor/internal/fault"
)

// Limits of the runner. They bound how long one operation can hold resources of the database.
const (
	maxAttempts  = 10               // runs of one Update before a collision is given up as P501
	opTimeout    = 10 * time.Second // one statement or commit, counted from when it is sent
	groupSize    = 64               // members of one SQLite group commit
	sqliteReader = 4                // read connections on SQLite
	pgPoolSize   = 8                // connections on PostgreSQL; larger pools lose on hot rows
)

// ErrUnavailable says that the database could not be reached, is out of space, or broke in mid-commit.
var ErrUnavailable = errors.New("database unavailable")

// Engine names which database answers.
type Engine string

// The two engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine engine
	kind   Engine
	watch  watch
	closed sync.Once
}

// engine is what the runner needs from SQLite or PostgreSQL.
type engine interface {
	// acquire takes a connection for reads; the context bounds the wait only.
	acquire(ctx context.Context) (conn, error)
	// apply commits a queue atomically. c is the connection that the reads used, or nil; apply releases it.
	apply(ctx context.Context, c conn, q *queue) error
	// lock begins an explicit transaction.
	lock(ctx context.Context) (lockedConn, error)
	// snapshot takes a connection whose reads all see one moment.
	snapshot(ctx context.Context) (conn, error)
	// settle waits until what can be read is as durable as an acknowledged commit; the context bounds the wait in line.
	settle(ctx context.Context) error
	ping(ctx context.Context) error
	close() error
}

// conn reads.
type conn interface {
	query(q *Query, args []any) (rowSource, error)
	release()
}

// lockedConn is a connection inside an explicit transaction.
type lockedConn interface {
	conn
	exec(c *Command, args []any) error
	move(m move) error
	commit() error
	rollback()
}

// rowSource is an open result of either engine.
type rowSource interface {
	Next() bool
	scan(dest []any) error
	Err() error
	Close()
}

// Option changes how Open opens.
type Option func(*options)

type options struct {
	schema    Schema
	watch     watch
	connected func(*sqlite.Conn) error // see lite
	injector  Injector
}

// WithSchema says what may be done with the schema that is found. Without it, it is upgraded.
func WithSchema(s Schema) Option { return func(o *options) { o.schema = s } }

// WithObserver names who is told what the runner does.
func WithObserver(observer Observer) Option { return func(o *options) { o.watch.observer = observer } }

// WithTracer names who follows each transaction.
func WithTracer(t Tracer) Option { return func(o *options) { o.watch.tracer = t } }

// Open opens the database that target names, a postgres:// URL or the path of an SQLite file, and, unless an
// option says otherwise, brings its schema up to date.
func Open(ctx context.Context, target string, more ...Option) (*DB, error) {
	var o options
	for _, option := range more {
		option(&o)
	}
	if IsPostgres(target) {
		e, err := openPostgres(ctx, target, o)
		if err != nil {
			return nil, err
		}
		return &DB{engine: o.inject(e), kind: Postgres, watch: o.watch}, nil
	}
	e, err := openSQLite(ctx, target, o)
	if err != nil {
		return nil, err
	}
	return &DB{engine: o.inject(e), kind: SQLite, watch: o.watch}, nil
}

// IsPostgres tells whether a database target is a PostgreSQL URL rather than a file.
func IsPostgres(target string) bool {
	return strings.HasPrefix(target, "postgres://") || strings.HasPrefix(target, "postgresql://")
}

// Engine tells which database answers, for messages and benchmarks; stores never ask.
func (d *DB) Engine() Engine { return d.kind }

// Ping asks the database for a sign of life.
func (d *DB) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

// Settle waits until everything that could be read before is as durable as a commit that Update acknowledged. On
// PostgreSQL a commit that waits for its standby can become readable without it: when the server is killed, or somebody
// ends the session. It is then lost with the primary, and nobody must have been told that it succeeded because it was
// read. Whoever tells the outcome of another request by what was read settles it first.
func (d *DB) Settle(ctx context.Context) error { return partnerError(d.engine.settle(ctx)) }

// Close waits for running groups and closes every connection. Closing again does nothing.
func (d *DB) Close() (err error) {
	d.closed.Do(func() { err = d.engine.close() })
	return err
}

// Update runs fn and commits what it queued, all or nothing. See the package comment for the rules.
// The context bounds only the wait for a connection: once work was sent, it ends by itself.
func (d *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	attempts, err := 0, errPanicked
	end := d.watch.begin(ctx, kindUpdate)
	defer func() { end(attempts, err) }()
	for attempts = 1; ; attempts++ {
		var again bool
		if again, err = d.attempt(ctx, attempts, fn); !again {
			return err
		}
	}
}

// attempt runs fn once, and answers whether it should run again. Then it has waited already.
func (d *DB) attempt(ctx context.Context, attempt int, fn func(tx *Tx) error) (again bool, err error) {
	tx := &Tx{db: d, ctx: ctx, attempt: attempt}
	err = tx.run(fn)
	if err == nil {
		for _, hook := range tx.after {
			hook()
		}
		return false, nil
	}
	again, backoff := retryable(err)
	if !again {
		return false, partnerError(err)
	}
	if attempt == maxAttempts {
		return false, fault.New(fault.ServiceUnavailable).Wrap(fmt.Errorf("gave up after %d attempts: %w", attempt, err))
	}
	d.watch.retry(err)
	if backoff {
		if err := pause(ctx, attempt); err != nil {
			return false, partnerError(err)
		}
	}
	return true, nil
}

// View runs fn with a connection for reads. Each statement sees what is committed when it starts.
func (d *DB) View(ctx context.Context, fn func(r Reader) error) error {
	return d.read(ctx, kindView, d.engine.acquire, fn)
}

// Snapshot is View with all statements seeing the same moment.
func (d *DB) Snapshot(ctx context.Context, fn func(r Reader) error) error {
	return d.read(ctx, kindSnapshot, d.engine.snapshot, fn)
}

func (d *DB) read(ctx context.Context, kind string, acquire func(context.Context) (conn, error), fn func(r Reader) error) error {
	err := errPanicked
	end := d.watch.begin(ctx, kind)
	defer func() { end(1, err) }()
	var c conn
	if c, err = acquire(ctx); err != nil {
		err = partnerError(err)
		return err
	}
	defer c.release()
	err = partnerError(fn(&view{conn: c}))
	return err
}

// pause waits before another attempt after a collision, longer with each, with jitter.
func pause(ctx context.Context, attempt int) error {
	limit := time.Duration(1<<min(attempt, 6)) * time.Millisecond
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
