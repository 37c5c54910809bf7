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
	handle, kind, err := migrationHandle(target)
	if err != nil {
		return 0, 0, err
	}
	from, to, err = prepare(ctx, handle, kind, Upgrade)
	return from, to, errors.Join(err, handle.Close())
}

func migrationHandle(target string) (handle *sql.DB, kind Engine, err error) {
	if IsPostgres(target) {
		handle, err = migrationPool(target)
		return handle, Postgres, err
	}
	handle, err = sql.Open("sqlite", dataSource(target))
	return handle, SQLite, err
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
	if from, err = m.version(ctx); err != nil {
		return 0, 0, err
	}
	switch {
	case from >= m.latest:
		return from, from, m.check(from)
	case schema == Keep, schema == Create && from > 0:
		return from, from, m.check(from)
	}
	if err := m.up(ctx); err != nil {
		return from, from, fmt.Errorf("migrate from version %d: %w", from, err)
	}
	if to, err = m.version(ctx); err != nil {
		return from, from, err
	}
	return from, to, m.check(to) // a newer program may have come in between
}

// migrator knows the program's schema and the database's.
type migrator struct {
	handle   *sql.DB
	kind     Engine
	provider *goose.Provider
	latest   int64 // the version that the program needs
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
	m.provider, err = goose.NewProvider(dialect, handle, files, goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return nil, err
	}
	sources := m.provider.ListSources() // in order
	m.latest = sources[len(sources)-1].Version
	return m, nil
}

func (m *migrator) up(ctx context.Context) error {
	_, err := m.provider.Up(ctx)
	return err
}

// check tells what is wrong with a schema of a version, for this program.
func (m *migrator) check(version int64) error {
	switch {
	case version > m.latest:
		return fmt.Errorf("the database's schema has version %d, and this program knows versions up to %d: a newer kontor has upgraded it; run that one, or a later one", version, m.latest)
	case version == 0:
		return fmt.Errorf("the database is empty, and this program needs version %d of the schema: run kontor migrate or start the program", m.latest)
	case version < m.latest:
		return fmt.Errorf("the database's schema has version %d, and this program needs version %d: run kontor migrate or start the program; both upgrade it", version, m.latest)
	}
	return nil
}

const (
	liteVersionTable = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	pgVersionTable   = `SELECT COUNT(to_regclass('goose_db_version'))`
)

// version reads the schema's version and writes nothing, unlike goose, which makes its table.
func (m *migrator) version(ctx context.Context) (int64, error) {
	exists := liteVersionTable
	if m.kind == Postgres {
		exists = pgVersionTable
	}
	var tables, version int64
	if err := m.handle.QueryRowContext(ctx, exists).Scan(&tables); err != nil {
		return 0, unavailable(err)
	}
	if tables == 0 {
		return 0, nil
	}
	err := m.handle.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	if err != nil {
		return 0, unavailable(err)
	}
	return version, nil
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
	var version int64
	err := conn.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&version)
	if err == nil && version >= l.latest {
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
