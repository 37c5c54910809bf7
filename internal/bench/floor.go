//go:build linux

package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"kontor/internal/db"
)

// The floor is what the engine itself takes for the least that a transfer is: one inserted row and two changed
// balances, committed durably, one transaction for each, by prepared statements of the bare driver.
const (
	floorSchema = `
		CREATE TABLE floor_account (id BIGINT PRIMARY KEY, posted BIGINT NOT NULL);
		CREATE TABLE floor_entry (id TEXT PRIMARY KEY, debit BIGINT NOT NULL, credit BIGINT NOT NULL, amount BIGINT NOT NULL, created_at BIGINT NOT NULL);`
	floorAccounts = `
		INSERT INTO floor_account (id, posted)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d) SELECT i, 1000000000 FROM n;`
	floorInsert = "INSERT INTO floor_entry (id, debit, credit, amount, created_at) VALUES ($1, $2, $3, $4, $5)"
	floorUpdate = "UPDATE floor_account SET posted = posted + $2 WHERE id = $1"

	poolSize = 8 // connections to PostgreSQL, as the program has
)

// floor is an engine with the least of a schema.
type floor interface {
	transfer(ctx context.Context, from, to int) error
	close() error
}

func (e *engine) floor(ctx context.Context) (floor, error) {
	p, err := e.newPlace(ctx, "")
	if err != nil {
		return nil, err
	}
	schema := floorSchema + fmt.Sprintf(floorAccounts, e.s.Accounts)
	if e.kind == db.SQLite {
		return newSQLiteFloor(ctx, filepath.Join(p.folder, "floor.db"), schema)
	}
	return newPostgresFloor(ctx, p.database, schema)
}

// floorOf measures the floor under the load of a cell.
func (s *session) floorOf(ctx context.Context, f floor, clients int, scenario string) (sample, error) {
	return load{
		clients: clients, warmUp: s.warmUp(), measured: s.Measured,
		client: func(n int) operation {
			choose := chooser(scenario, s.Accounts, n)
			return func(ctx context.Context) string {
				from, to := choose()
				if err := f.transfer(ctx, from, to); err != nil {
					return "floor: " + err.Error()
				}
				return ""
			}
		},
	}.run(ctx)
}

// sqliteFloor has one writer, with the settings of the program's.
type sqliteFloor struct {
	mu     sync.Mutex // one writer
	handle *sql.DB
	conn   *sql.Conn

	begin, insert, update, commit *sql.Stmt
}

func newSQLiteFloor(ctx context.Context, path, schema string) (*sqliteFloor, error) {
	options := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)", "cache_size(-32000)",
	}}
	handle, err := sql.Open("sqlite", "file:"+path+"?"+options.Encode())
	if err != nil {
		return nil, err
	}
	f := &sqliteFloor{handle: handle}
	if f.conn, err = handle.Conn(ctx); err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	_, err = f.conn.ExecContext(ctx, schema)
	for text, into := range map[string]**sql.Stmt{
		"BEGIN IMMEDIATE": &f.begin, floorInsert: &f.insert, floorUpdate: &f.update, "COMMIT": &f.commit,
	} {
		if err == nil {
			*into, err = f.conn.PrepareContext(ctx, text)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *sqliteFloor) transfer(_ context.Context, from, to int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx := context.Background() // an interrupted statement would take the transaction along
	for _, step := range []struct {
		statement *sql.Stmt
		args      []any
	}{
		{f.begin, nil},
		{f.insert, []any{uuid.NewString(), from, to, 1, time.Now().UnixMicro()}},
		{f.update, []any{from, -1}},
		{f.update, []any{to, 1}},
		{f.commit, nil},
	} {
		if _, err := step.statement.ExecContext(ctx, step.args...); err != nil {
			return err
		}
	}
	return nil
}

func (f *sqliteFloor) close() error { return errors.Join(f.conn.Close(), f.handle.Close()) }

// postgresFloor sends each transaction as one pipelined batch: one round trip.
type postgresFloor struct{ pool *pgxpool.Pool }

func newPostgresFloor(ctx context.Context, database, schema string) (*postgresFloor, error) {
	cfg, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = poolSize
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Prepare(ctx, "insert", floorInsert)
		if err == nil {
			_, err = conn.Prepare(ctx, "update", floorUpdate)
		}
		return err
	}
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	_, err = conn.PgConn().Exec(ctx, schema+"ANALYZE floor_account").ReadAll()
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	return &postgresFloor{pool: pool}, err
}

func (f *postgresFloor) transfer(ctx context.Context, from, to int) error {
	var b pgx.Batch
	b.Queue("insert", uuid.NewString(), from, to, 1, time.Now().UnixMicro())
	first, amount := from, -1
	if to < from { // one order of locks for all, so that there is no deadlock
		first, amount = to, 1
	}
	b.Queue("update", first, amount)
	b.Queue("update", from+to-first, -amount)
	return f.pool.SendBatch(ctx, &b).Close()
}

func (f *postgresFloor) close() error {
	f.pool.Close()
	return nil
}
