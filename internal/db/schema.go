package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// upgradeWait is how long a program that starts waits for another one's upgrade.
const upgradeWait = 5 * time.Minute

// Schema says what Open may do with the schema of the database it finds. A schema that is newer than the
// program is refused in any case: the program would write rows that the newer one misreads.
type Schema int

// What Open may do.
const (
	Upgrade Schema = iota // bring it up to date
	Create                // make it in an empty database; one that exists must be up to date
	Keep                  // change nothing: it must be up to date
)

// Migrate brings the schema of a database up to date, and answers its version before and after; 0 is an empty
// database. Programs that migrate together do it one after another; the later ones find nothing to do.
func Migrate(ctx context.Context, target string) (from, to int64, err error) {
	handle, kind, err := migrationHandle(ctx, target)
	if err != nil {
		return 0, 0, err
	}
	from, to, err = prepare(ctx, handle, kind, Upgrade)
	return from, to, errors.Join(err, handle.Close())
}

func migrationHandle(ctx context.Context, target string) (handle *sql.DB, kind Engine, err error) {
	if IsPostgres(target) {
		handle, err = migrationPool(target)
		return handle, Postgres, err
	}
	handle, err = liteHandle(ctx, target)
	return handle, SQLite, err
}

// liteHandle opens an SQLite file for database/sql. Programs that start together on a new file all switch it to
// WAL; those that come second are told at once that it is locked, whatever busy_timeout says, and try again.
func liteHandle(ctx context.Context, path string) (*sql.DB, error) {
	handle, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if err = handle.PingContext(ctx); err == nil {
			return handle, nil
		}
		if isBusy(err) {
			select {
			case <-again.C:
				continue
			case <-ctx.Done():
			}
		}
		return nil, errors.Join(unavailable(err), handle.Close())
	}
}

// prepare holds the schema against what the program needs, and upgrades it if it may. It answers the version
// that it found and the one that it leaves.
func prepare(ctx context.Context, handle *sql.DB, kind Engine, schema Schema) (from, to int64, err error) {
	files, err := rendered(kind)
	if err != nil {
		return 0, 0, err
	}
	m, err := newMigrator(handle, kind, files)
	if err != nil {
		return 0, 0, err
	}
	before, err := m.read(ctx, handle)
	if err != nil {
		return 0, 0, err
	}
	from = before.version
	if before.version == m.latest || before.newest > m.latest || schema == Keep || schema == Create && before.newest > 0 {
		return from, from, m.check(before)
	}
	if err := m.up(ctx); err != nil {
		return from, from, fmt.Errorf("migrate from version %d: %w", from, err)
	}
	after, err := m.read(ctx, handle)
	if err != nil {
		return from, from, err
	}
	return from, after.version, m.check(after) // a newer program may have come in between
}

// migrator knows the program's schema and the database's.
type migrator struct {
	handle   *sql.DB
	kind     Engine
	provider *goose.Provider
	steps    []int64 // the versions of all migrations, in order
	latest   int64   // the version that the program needs
}

// applied is what a database's schema is made of.
type applied struct {
	version int64 // every migration up to this one was applied; 0: none
	newest  int64 // the last of all, which a newer program may have brought
}

func newMigrator(handle *sql.DB, kind Engine, files fs.FS) (m *migrator, err error) {
	m = &migrator{handle: handle, kind: kind}
	dialect, locker := goose.DialectSQLite3, lock.SessionLocker(&liteLock{m})
	if kind == Postgres {
		dialect = goose.DialectPostgres
		// A lock of the session: it ends with the connection of a program that dies.
		if locker, err = lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(upgradeWait/time.Second))); err != nil {
			return nil, err
		}
	}
	m.provider, err = goose.NewProvider(dialect, handle, files, goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true)) // what two people add at the same time is applied in either order
	if err != nil {
		return nil, err
	}
	for _, s := range m.provider.ListSources() {
		m.steps = append(m.steps, s.Version)
	}
	m.latest = m.steps[len(m.steps)-1]
	return m, nil
}

func (m *migrator) up(ctx context.Context) error {
	_, err := m.provider.Up(ctx)
	return err
}

// check tells what is wrong with a schema for this program.
func (m *migrator) check(a applied) error {
	switch {
	case a.newest > m.latest:
		return fmt.Errorf("the database's schema has version %d, and this program knows versions up to %d: a newer kontor has upgraded it; run that one, or a later one", a.newest, m.latest)
	case a.newest == 0:
		return fmt.Errorf("the database is empty, and this program needs version %d of the schema: run kontor migrate or start the program", m.latest)
	case a.version < m.latest:
		return fmt.Errorf("the database's schema has version %d, and this program needs version %d: run kontor migrate or start the program; both upgrade it", a.version, m.latest)
	}
	return nil
}

const (
	liteVersionTable = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	pgVersionTable   = `SELECT COUNT(to_regclass('goose_db_version'))`
)

// querier is an *sql.DB or an *sql.Conn.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// read finds what was applied and writes nothing, unlike goose, which makes its table.
func (m *migrator) read(ctx context.Context, from querier) (a applied, err error) {
	exists := liteVersionTable
	if m.kind == Postgres {
		exists = pgVersionTable
	}
	var tables int64
	if err := from.QueryRowContext(ctx, exists).Scan(&tables); err != nil {
		return a, unavailable(err)
	}
	if tables == 0 {
		return a, nil
	}
	rows, err := from.QueryContext(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied`)
	if err != nil {
		return a, unavailable(err)
	}
	defer rows.Close()
	known := map[int64]bool{}
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return a, err
		}
		known[version] = true
		a.newest = max(a.newest, version)
	}
	for _, step := range m.steps {
		if !known[step] {
			break
		}
		a.version = step
	}
	return a, rows.Err()
}

// liteLock makes a whole upgrade of an SQLite file one transaction. It is the lock, since the file has one
// writer, and it ends with a process that dies; an upgrade that fails half-way leaves nothing behind.
type liteLock struct{ *migrator }

// SessionLock begins the transaction when no other process writes. It also makes goose's own table, which
// goose would make in a transaction of its own.
func (l *liteLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, upgradeWait)
	defer cancel()
	for {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE") // waits itself, for busy_timeout
		if err == nil {
			break
		}
		if !isBusy(err) || ctx.Err() != nil {
			return unavailable(err)
		}
	}
	store, err := database.NewStore(database.DialectSQLite3, goose.DefaultTablename)
	if err != nil {
		return err
	}
	var tables int64
	if err := conn.QueryRowContext(ctx, liteVersionTable).Scan(&tables); err != nil || tables > 0 {
		return err
	}
	if err := store.CreateVersionTable(ctx, conn); err != nil {
		return err
	}
	return store.Insert(ctx, conn, database.InsertRequest{Version: 0})
}

// SessionUnlock commits an upgrade that came to its end.
func (l *liteLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	now, err := l.read(ctx, conn)
	if err == nil && now.version == l.latest {
		_, err := conn.ExecContext(ctx, "COMMIT")
		return err
	}
	_, _ = conn.ExecContext(ctx, "ROLLBACK") // fails when the engine has rolled back already
	return err
}

func isBusy(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_BUSY
}
