package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// pgPending is how many statements of an explicit transaction wait at most for the next read.
const pgPending = 500

// pgLocked is an explicit transaction. Statements without an answer wait, and are sent together with the next
// read or with the commit, in one round trip. The first to fail fails that.
type pgLocked struct {
	pgConn
	pending *pgx.Batch
}

func (e *postgres) lock(ctx context.Context) (lockedConn, error) {
	l, err := e.begin(ctx, "BEGIN")
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (e *postgres) begin(ctx context.Context, text string) (*pgLocked, error) {
	c, err := e.take(ctx)
	if err != nil {
		return nil, err
	}
	l := &pgLocked{pgConn{conn: c}, &pgx.Batch{}}
	l.pending.Queue(text)
	return l, nil
}

func (e *postgres) snapshot(ctx context.Context) (conn, error) {
	l, err := e.begin(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	if err != nil {
		return nil, err
	}
	// A verification of a large ledger reads for longer than a request may, and whole tables.
	l.pending.Queue("SET LOCAL statement_timeout = 0")
	for _, way := range wideWays {
		l.pending.Queue("SET LOCAL " + way + " = on")
	}
	if err := l.flush(); err != nil {
		l.rollback()
		return nil, err
	}
	return &pgSnapshot{*l}, nil
}

func (l *pgLocked) exec(c *Command, args []any) error {
	return l.add(c.text, pgArgs(args)...)
}

func (l *pgLocked) move(m move) error {
	return l.add(pgMove, m.partner, [16]byte(m.account), m.posted, m.held, m.revision)
}

func (l *pgLocked) add(text string, args ...any) error {
	l.pending.Queue(text, args...)
	if l.pending.Len() >= pgPending {
		return l.flush()
	}
	return nil
}

// flush sends what waits.
func (l *pgLocked) flush() error {
	timeout, cancel := detached()
	defer cancel()
	return pgError(l.send(timeout).Close())
}

func (l *pgLocked) send(ctx context.Context) pgx.BatchResults {
	batch := l.pending
	l.pending = &pgx.Batch{}
	return l.conn.SendBatch(ctx, batch)
}

func (l *pgLocked) query(q *Query, args []any) (rowSource, error) {
	before := l.pending.Len()
	if before == 0 {
		return l.pgConn.query(q, args)
	}
	l.pending.Queue(q.text, pgArgs(args)...)
	timeout, cancel := detached()
	results := l.send(timeout)
	end := func() {
		_ = results.Close() // has nothing to tell that the statements did not
		cancel()
	}
	for range before {
		if _, err := results.Exec(); err != nil {
			end()
			return nil, pgError(err)
		}
	}
	rows, err := results.Query()
	if err != nil {
		end()
		return nil, pgError(err)
	}
	return &pgRows{rows: rows, end: end}, nil
}

func (l *pgLocked) commit() error {
	before := l.pending.Len()
	l.pending.Queue("COMMIT")
	timeout, cancel := detached()
	defer cancel()
	results := l.send(timeout)
	var err error
	for range before {
		if _, err = results.Exec(); err != nil {
			break
		}
	}
	if err == nil {
		tag, failed := results.Exec()
		if err = failed; err == nil && tag.String() == "ROLLBACK" {
			err = errors.New("db: commit of a failed transaction")
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		l.rollback()
		return pgError(err)
	}
	l.conn.Release()
	return nil
}

// rollback gives the connection back. When it fails the pool destroys the connection, which rolls back as well.
func (l *pgLocked) rollback() {
	defer l.conn.Release()
	if l.conn.Conn().PgConn().TxStatus() == 'I' {
		return // nothing was sent, or all is over
	}
	timeout, cancel := detached()
	defer cancel()
	_, _ = l.conn.Exec(timeout, "ROLLBACK")
}

type pgSnapshot struct{ pgLocked }

func (s *pgSnapshot) release() { s.rollback() }

func (s *pgSnapshot) query(q *Query, args []any) (rowSource, error) {
	rows, err := s.conn.Query(context.Background(), q.text, pgArgs(args)...)
	if err != nil {
		return nil, pgError(err)
	}
	return &pgRows{rows: rows, end: func() {}}, nil
}
