package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"kontor/internal/clock"
)

const (
	connectTimeout = 3 * time.Second // for each of the servers that the URL names
	pingTimeout    = 2 * time.Second // of a connection that was idle, before it is used again
)

// postgres commits queues as pipelined batches, each in one round trip with one fsync: the queues that wait at the same
// time together (pg_group.go). Reads that wait at the same time share a round trip, too (pg_read.go).
type postgres struct {
	pool     *pgxpool.Pool
	line     pgLine
	reads    pgReads
	suspects pgSuspects
	observed watch
	watch    sync.WaitGroup // of the links
	stop     context.CancelFunc
}

func openPostgres(ctx context.Context, url string, o options) (*postgres, error) {
	cfg, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	open := &links{open: map[*link]struct{}{}}
	cfg.BeforeConnect = open.attach
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	e := &postgres{pool: pool, line: pgLine{free: pgCommitters}, observed: o.watch}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.watch.Go(func() { open.watch(watching, cfg.ConnConfig) })
	err = e.checkDurability(ctx)
	if err == nil {
		err = prepareSchema(ctx, url, o.schema)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// checkDurability refuses a server whose commits need not survive a crash: every 2xx promises that they do.
func (e *postgres) checkDurability(ctx context.Context) error {
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := e.pool.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return pgError(err)
		}
		if value == "off" {
			return fmt.Errorf("the PostgreSQL setting %s is off: what was committed would not survive a crash; turn it on", setting)
		}
	}
	return nil
}

func postgresConfig(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	cfg.MaxConns = pgPoolSize
	cfg.MinConns = 1
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.PingTimeout = pingTimeout
	for name, value := range map[string]string{
		"application_name":                    "kontor",
		"timezone":                            "UTC",
		"lock_timeout":                        "10s",
		"statement_timeout":                   "15s",
		"idle_in_transaction_session_timeout": "30s",
		// The planner gives a way that is switched off an enormous cost, and takes a statement that has no other for one
		// worth compiling: that cost half a second of a processor, each time.
		"jit": "off",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	for _, way := range wideWays {
		cfg.ConnConfig.RuntimeParams[way] = "off"
	}
	return cfg, nil
}

// wideWays are the planner's ways that read all of a table or an index, or of a partner's rows in it. Requests go without
// them: a plan made while a table was small, or before anybody analysed it, stays with its connection, and would read all
// of it when it has grown. To look up row by row costs little in a small one.
var wideWays = []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_material"}

// mark leaves a mark in PostgreSQL's log and nothing in the tables.
var mark = NewCommand(`SELECT pg_logical_emit_message(TRUE, 'kontor', CAST('' AS TEXT))`)

// settle commits something: commits reach the standby in their order, and an acknowledged one is there.
func (e *postgres) settle(ctx context.Context) error {
	return e.alone(ctx, &queue{ops: []op{{cmd: mark}}})
}

func prepareSchema(ctx context.Context, url string, schema Schema) error {
	handle, err := migrationPool(url)
	if err != nil {
		return err
	}
	_, _, err = prepare(ctx, handle, Postgres, schema)
	return errors.Join(err, handle.Close())
}

// migrationPool connects without the limits for requests: an index may take its time.
func migrationPool(url string) (*sql.DB, error) {
	cfg, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	delete(cfg.ConnConfig.RuntimeParams, "statement_timeout")
	delete(cfg.ConnConfig.RuntimeParams, "idle_in_transaction_session_timeout")
	for _, way := range wideWays {
		delete(cfg.ConnConfig.RuntimeParams, way)
	}
	return stdlib.OpenDB(*cfg.ConnConfig), nil
}

func (e *postgres) ping(ctx context.Context) error {
	if err := e.pool.Ping(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (e *postgres) close() error {
	e.pool.Close()
	e.stop()
	e.watch.Wait()
	return nil
}

// detached bounds one statement or commit without inheriting the request's cancellation: a client that
// hangs up must not leave a commit undecided.
func detached() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), opTimeout)
}

func (e *postgres) take(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return c, nil
}

func (e *postgres) acquire(ctx context.Context) (conn, error) {
	return &pgReader{engine: e, ctx: ctx}, nil
}

type pgConn struct {
	conn *pgxpool.Conn
}

func (c *pgConn) query(q *Query, args []any) (rowSource, error) {
	timeout, cancel := detached()
	rows, err := c.conn.Query(timeout, q.text, pgArgs(args)...)
	if err != nil {
		cancel()
		return nil, pgError(err)
	}
	return &pgRows{rows: rows, end: cancel}, nil
}

func (c *pgConn) release() { c.conn.Release() }

type pgRows struct {
	rows pgx.Rows
	end  func()
}

func (r *pgRows) Next() bool { return r.rows.Next() }
func (r *pgRows) Err() error { return pgError(r.rows.Err()) }

func (r *pgRows) Close() {
	r.rows.Close()
	r.end()
}

func (r *pgRows) scan(dest []any) error {
	targets := make([]any, len(dest))
	micros := make([]int64, len(dest))
	for i, d := range dest {
		switch d := d.(type) {
		case *clock.ID:
			targets[i] = (*[16]byte)(d)
		case *time.Time:
			targets[i] = &micros[i]
		default:
			targets[i] = d
		}
	}
	if err := r.rows.Scan(targets...); err != nil {
		return err
	}
	for i, d := range dest {
		if t, ok := d.(*time.Time); ok {
			*t = fromMicros(micros[i])
		}
	}
	return nil
}

func pgArgs(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case clock.ID:
			out[i] = [16]byte(a)
		case time.Time:
			out[i] = toMicros(a)
		default:
			out[i] = a
		}
	}
	return out
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return clock.Micros(t)
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return clock.FromMicros(us)
}

// pgError gives an error of the server or the connection its neutral form.
func pgError(err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if broken(err) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return fmt.Errorf("db: %w", err) // a mistake of ours, such as a column scanned into a wrong type
	}
	switch pg.Code {
	case "23505":
		return &ConstraintError{Unique, pg.ConstraintName, err}
	case "23514":
		return &ConstraintError{Check, pg.ConstraintName, err}
	case "23503":
		return &ConstraintError{ForeignKey, pg.ConstraintName, err}
	case "23502":
		return &ConstraintError{NotNull, pg.TableName + "." + pg.ColumnName, err}
	case "23001":
		return &ConstraintError{Immutable, pg.ConstraintName, err}
	case "22003": // a sum beyond 64 bits, which the check would have refused as well
		return &ConstraintError{Check, "account_range", err}
	case "40001", "40P01":
		return &transient{err}
	case "55P03", "57014", "57P01", "57P02", "57P03", "53100", "53200", "53300", "25006":
		// lock or statement time-out, shutdown, out of disk, memory or connections, read-only standby
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("db: %w", err)
}

// broken tells whether an error is the connection's, not the statement's.
func broken(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed")
}
