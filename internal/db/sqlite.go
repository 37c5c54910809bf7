package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"kontor/internal/clock"
)

// lite is SQLite: a pool of read connections, and one writer that commits in groups (sqlite_writer.go).
type lite struct {
	path    string
	readers *sql.DB
	idle    chan *liteConn
	writer  *liteWriter
	unique  map[string]string // "table.a, table.b" → name of the unique index, as errors report columns only
	watch   watch
}

func openSQLite(ctx context.Context, path string, o options) (*lite, error) {
	if o.schema == Keep {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("no database: %w", err)
		}
	} else if err := createPrivately(path); err != nil {
		return nil, err
	}
	handle, err := sql.Open("sqlite", dataSource(path, "_pragma=cache_size(-32000)", "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	if _, _, err := prepare(ctx, handle, SQLite, o.schema); err != nil {
		handle.Close()
		return nil, err
	}
	e := &lite{path: path, idle: make(chan *liteConn, sqliteReader), watch: o.watch}
	if e.unique, err = uniqueNames(ctx, handle); err != nil {
		handle.Close()
		return nil, err
	}
	if e.readers, err = sql.Open("sqlite", dataSource(path, "_pragma=query_only(1)", "_pragma=cache_size(-8000)")); err != nil {
		handle.Close()
		return nil, err
	}
	for range sqliteReader {
		c, err := e.readers.Conn(ctx)
		if err != nil {
			handle.Close()
			e.readers.Close()
			return nil, unavailable(err)
		}
		e.idle <- &liteConn{conn: c, engine: e, prepared: map[string]*sql.Stmt{}}
	}
	e.writer = startWriter(e, handle)
	return e, nil
}

// createPrivately makes the file readable by its owner only: SQLite would follow the umask.
func createPrivately(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// dataSource is the driver's name for a file with our settings. temp_store=MEMORY keeps savepoints from
// writing a temporary file each; synchronous=FULL makes every commit survive a power loss.
func dataSource(path string, more ...string) string {
	options := append([]string{
		"_pragma=busy_timeout(10000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
		"_pragma=foreign_keys(1)", "_pragma=temp_store(MEMORY)", "_pragma=wal_autocheckpoint(4000)",
	}, more...)
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: strings.Join(options, "&")}).String()
}

// uniqueNames reads the columns of every unique index, so that violations can be named.
func uniqueNames(ctx context.Context, handle *sql.DB) (map[string]string, error) {
	rows, err := handle.QueryContext(ctx, `
		SELECT m.name, il.name, il.origin, group_concat(ii.name, ', ')
		FROM sqlite_master m, pragma_index_list(m.name) il, pragma_index_info(il.name) ii
		WHERE m.type = 'table' AND il."unique" = 1
		GROUP BY m.name, il.name, il.origin`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]string{}
	for rows.Next() {
		var table, index, origin, columns string
		if err := rows.Scan(&table, &index, &origin, &columns); err != nil {
			return nil, err
		}
		if origin == "pk" {
			index = table + "_pkey" // as PostgreSQL names it
		}
		names[columnList(table, strings.Split(columns, ", "))] = index
	}
	return names, rows.Err()
}

func (e *lite) acquire(ctx context.Context) (conn, error) {
	timeout := time.NewTimer(opTimeout)
	defer timeout.Stop()
	select {
	case c := <-e.idle:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timeout.C:
		return nil, fmt.Errorf("%w: no free read connection", ErrUnavailable)
	}
}

// apply gives the read connection back before it waits in line: otherwise groups could not grow beyond the
// number of read connections.
func (e *lite) apply(ctx context.Context, c conn, q *queue) error {
	if c != nil {
		c.release()
	}
	return e.writer.submit(ctx, &member{queue: q, done: make(chan error, 1)})
}

func (e *lite) lock(ctx context.Context) (lockedConn, error) {
	m := &member{handover: make(chan *liteLocked, 1), done: make(chan error, 1)}
	if err := e.writer.submit(ctx, m); err != nil {
		return nil, err
	}
	return <-m.handover, nil
}

func (e *lite) snapshot(ctx context.Context) (conn, error) {
	c, err := e.readers.Conn(ctx) // a connection of its own: a long verification must not starve the readers
	if err != nil {
		return nil, unavailable(err)
	}
	s := &liteSnapshot{liteConn{conn: c, engine: e, prepared: map[string]*sql.Stmt{}}}
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		c.Close()
		return nil, e.error(err)
	}
	return s, nil
}

func (e *lite) ping(ctx context.Context) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.release()
	rows, err := c.query(NewQuery("SELECT 1"), nil)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

func (e *lite) close() error {
	e.writer.stop()
	for range sqliteReader {
		c := <-e.idle
		c.conn.Close()
	}
	return errors.Join(e.readers.Close(), e.writer.handle.Close())
}

// liteConn is one connection with its prepared statements. No request's context reaches it: an interrupt
// would end the transaction of a whole group.
type liteConn struct {
	conn     *sql.Conn
	engine   *lite
	prepared map[string]*sql.Stmt
}

func (c *liteConn) release() { c.engine.idle <- c }

func (c *liteConn) prepare(text string) (*sql.Stmt, error) {
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, c.engine.error(err)
	}
	c.prepared[text] = s
	return s, nil
}

func (c *liteConn) query(q *Query, args []any) (rowSource, error) {
	s, err := c.prepare(q.lite)
	if err != nil {
		return nil, err
	}
	rows, err := s.Query(liteArgs(args)...)
	if err != nil {
		return nil, c.engine.error(err)
	}
	return &liteRows{rows: rows, engine: c.engine}, nil
}

func (c *liteConn) exec(text string, args []any) (sql.Result, error) {
	s, err := c.prepare(text)
	if err != nil {
		return nil, err
	}
	res, err := s.Exec(liteArgs(args)...)
	if err != nil {
		return nil, c.engine.error(err)
	}
	return res, nil
}

const liteMove = `UPDATE account SET posted = posted + $3, held = held + $4 WHERE partner_id = $1 AND id = $2`

func (c *liteConn) move(m move) error {
	res, err := c.exec(liteMove, []any{m.partner, m.account, m.posted, m.held})
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("db: move on an account that does not exist: partner %d, account %s", m.partner, m.account)
	}
	return nil
}

// discard closes the connection for good, instead of handing it back to the driver's pool.
func (c *liteConn) discard() {
	for _, s := range c.prepared {
		s.Close()
	}
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn })
	c.conn.Close()
}

type liteSnapshot struct{ liteConn }

func (s *liteSnapshot) release() {
	_, _ = s.conn.ExecContext(context.Background(), "ROLLBACK")
	s.discard()
}

type liteRows struct {
	rows   *sql.Rows
	engine *lite
}

func (r *liteRows) Next() bool { return r.rows.Next() }
func (r *liteRows) Close()     { r.rows.Close() }
func (r *liteRows) Err() error { return r.engine.error(r.rows.Err()) }

func (r *liteRows) scan(dest []any) error {
	targets := make([]any, len(dest))
	for i, d := range dest {
		switch d := d.(type) {
		case *clock.ID:
			targets[i] = (*liteID)(d)
		case *time.Time:
			targets[i] = (*liteTime)(d)
		default:
			targets[i] = d
		}
	}
	return r.rows.Scan(targets...)
}

type liteID clock.ID

// Scan reads an id from its text.
func (id *liteID) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("db: an id is stored as %T", src)
	}
	parsed, err := clock.ParseID(text)
	*id = liteID(parsed)
	return err
}

type liteTime time.Time

// Scan reads a time from its microseconds.
func (t *liteTime) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("db: a time is stored as %T", src)
	}
	*t = liteTime(fromMicros(us))
	return nil
}

func liteArgs(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case clock.ID:
			out[i] = a.String()
		case time.Time:
			out[i] = toMicros(a)
		default:
			out[i] = a
		}
	}
	return out
}

var (
	uniqueColumns = regexp.MustCompile(`UNIQUE constraint failed: (?:index '([^']+)'|(.+)) \(\d+\)`)
	checkName     = regexp.MustCompile(`CHECK constraint failed: (\w+)`)
	immutableName = regexp.MustCompile(`(\w+_immutable)`)
	notNullColumn = regexp.MustCompile(`NOT NULL constraint failed: (\S+)`)
)

// error gives an error of SQLite its neutral form.
func (e *lite) error(err error) error {
	var se *sqlite.Error
	if err == nil || !errors.As(err, &se) {
		return err
	}
	text := se.Error()
	switch se.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		m := uniqueColumns.FindStringSubmatch(text)
		if m == nil {
			return &ConstraintError{Unique, "", err}
		}
		if m[1] != "" {
			return &ConstraintError{Unique, m[1], err}
		}
		return &ConstraintError{Unique, e.unique[m[2]], err}
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return &ConstraintError{Check, submatch(checkName, text), err}
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return &ConstraintError{ForeignKey, "", err}
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return &ConstraintError{NotNull, submatch(notNullColumn, text), err}
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return &ConstraintError{Immutable, submatch(immutableName, text), err}
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, // another process kept the file for all of busy_timeout
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
		return unavailable(err)
	}
	return fmt.Errorf("db: %w", err)
}

func submatch(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
