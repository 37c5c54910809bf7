package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"kontor/internal/db/walbuffer"
)

// lite is SQLite: a pool of read connections, and one writer that commits in groups (sqlite_writer.go). Its
// connections are SQLite's own; database/sql, through which the migrations go, would cost a read four times
// its time.
type lite struct {
	path      string
	idle      chan *liteConn
	writer    *liteWriter
	unique    map[string]string // "table.a, table.b" → name of the unique index, as errors report columns only
	watch     watch
	connected func(*sqlite.Conn) error // for tests: prepares each connection further
}

func openSQLite(ctx context.Context, path string, o options) (*lite, error) {
	if o.schema == Keep {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("no database: %w", err)
		}
	} else if err := createPrivately(path); err != nil {
		return nil, err
	}
	// The handle of the migrations is closed last: whoever closes the last connection to a file takes it for itself
	// for a moment, and another process that starts meanwhile would find it locked.
	handle, err := liteHandle(ctx, path)
	if err != nil {
		return nil, err
	}
	e, err := connectSQLite(ctx, handle, path, o)
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return e, handle.Close()
}

func connectSQLite(ctx context.Context, handle *sql.DB, path string, o options) (*lite, error) {
	if _, _, err := prepare(ctx, handle, SQLite, o.schema); err != nil {
		return nil, err
	}
	unique, err := uniqueNames(ctx, handle)
	if err != nil {
		return nil, err
	}
	e := &lite{path: path, idle: make(chan *liteConn, sqliteReader), unique: unique, watch: o.watch, connected: o.connected}
	for i := range sqliteReader {
		c, err := e.connect(readerPragmas...)
		if err != nil {
			e.closeReaders(i)
			return nil, err
		}
		e.idle <- c
	}
	e.writer = startWriter(e)
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

// pragmas are the settings of every connection. temp_store=MEMORY keeps savepoints from writing a temporary
// file each; synchronous=FULL makes every commit survive a power loss.
var pragmas = []string{
	"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
	"wal_autocheckpoint(4000)",
}

var (
	readerPragmas = []string{"query_only(1)", "cache_size(-8000)"}
	writerPragmas = []string{"cache_size(-32000)"}
)

// dataSource is the name of a file with our settings for database/sql.
func dataSource(path string) string {
	return fileURI(path, "_pragma="+strings.Join(pragmas, "&_pragma="))
}

func fileURI(path, query string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query}).String()
}

// connect opens a connection with our settings and more of its own.
func (e *lite) connect(more ...string) (*liteConn, error) {
	if err := walbuffer.Register(); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(fileURI(e.path, "vfs="+walbuffer.Name), sqlite.OpenReadWrite|sqlite.OpenURI)
	if err != nil {
		return nil, unavailable(err)
	}
	c := &liteConn{conn: conn, engine: e, prepared: map[string]*liteStmt{}}
	for _, pragma := range append(pragmas[:len(pragmas):len(pragmas)], more...) {
		if err == nil {
			err = c.exec("PRAGMA "+pragma, nil)
		}
	}
	if err == nil && e.connected != nil {
		err = e.connected(conn)
	}
	if err != nil {
		c.discard()
		return nil, unavailable(err)
	}
	return c, nil
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

func (e *lite) snapshot(context.Context) (conn, error) {
	c, err := e.connect(readerPragmas...) // a connection of its own: a long verification must not starve the readers
	if err != nil {
		return nil, err
	}
	if err := c.exec("BEGIN", nil); err != nil {
		c.discard()
		return nil, err
	}
	return &liteSnapshot{*c}, nil
}

// settle has nothing to wait for: others read a commit only after it was synced.
func (e *lite) settle(context.Context) error { return nil }

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
	e.closeReaders(sqliteReader)
	return nil
}

// closeReaders waits for the read connections, of which there are n, and closes them.
func (e *lite) closeReaders(n int) {
	for range n {
		c := <-e.idle
		c.discard()
	}
}

var (
	uniqueColumns = regexp.MustCompile(`UNIQUE constraint failed: (?:index '([^']+)'|(.+))$`)
	checkName     = regexp.MustCompile(`CHECK constraint failed: (\w+)`)
	immutableName = regexp.MustCompile(`(\w+_immutable)`)
	notNullColumn = regexp.MustCompile(`NOT NULL constraint failed: (\S+)`)
)

// error gives an error of SQLite its neutral form.
func (e *lite) error(err error) error {
	if err == nil {
		return nil
	}
	text, code := err.Error(), sqlite.ErrCode(err)
	switch code {
	case sqlite.ResultConstraintUnique, sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintRowID:
		m := uniqueColumns.FindStringSubmatch(text)
		if m == nil {
			return &ConstraintError{Unique, "", err}
		}
		if m[1] != "" {
			return &ConstraintError{Unique, m[1], err}
		}
		return &ConstraintError{Unique, e.unique[m[2]], err}
	case sqlite.ResultConstraintCheck:
		return &ConstraintError{Check, submatch(checkName, text), err}
	case sqlite.ResultConstraintForeignKey:
		return &ConstraintError{ForeignKey, "", err}
	case sqlite.ResultConstraintNotNull:
		return &ConstraintError{NotNull, submatch(notNullColumn, text), err}
	case sqlite.ResultConstraintTrigger:
		return &ConstraintError{Immutable, submatch(immutableName, text), err}
	}
	switch code.ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked, // another process kept the file for all of busy_timeout
		sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultNoMem, sqlite.ResultCantOpen,
		sqlite.ResultReadOnly, sqlite.ResultInterrupt, sqlite.ResultProtocol:
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
