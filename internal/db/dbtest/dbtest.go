// Package dbtest runs a test on both engines, each on a fresh database with the current schema.
package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"kontor/internal/db"
	"kontor/internal/pgtest"
)

// Each runs f once on SQLite and once on PostgreSQL, in parallel.
func Each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, Open(t, kind))
		})
	}
}

// Open opens a fresh database of one engine; it is gone when the test ends.
func Open(t *testing.T, kind db.Engine) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), Target(t, kind))
	if err != nil {
		t.Fatalf("open %s: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close %s: %v", kind, err)
		}
	})
	return d
}

// The schema is made once for a test binary and then copied, in a fraction of the time.
var (
	pgTemplate   = pgtest.Template{Prepare: migrate}
	liteTemplate = sync.OnceValues(migratedFile)
)

func migrate(target string) error {
	_, _, err := db.Migrate(context.Background(), target)
	return err
}

func migratedFile() (content []byte, err error) {
	folder, err := os.MkdirTemp("", "kontor-template-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "kontor.db")
	if err := migrate(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // whole: whoever closes a file last empties its WAL into it
}

// Target names a fresh database of one engine with the current schema, as db.Open takes it.
func Target(t *testing.T, kind db.Engine) string {
	t.Helper()
	if kind == db.Postgres {
		return pgTemplate.NewDatabase(t)
	}
	content, err := liteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	path := Empty(t, kind)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Empty names a database of one engine in which there is nothing, nor is there a file on SQLite.
func Empty(t *testing.T, kind db.Engine) string {
	t.Helper()
	if kind == db.Postgres {
		return pgtest.NewDatabase(t)
	}
	return filepath.Join(t.TempDir(), "kontor.db")
}
