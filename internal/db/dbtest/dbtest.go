// Package dbtest runs a test on both engines, each on a fresh database with the current schema.
package dbtest

import (
	"path/filepath"
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

// Target names a fresh, empty database of one engine, as db.Open takes it.
func Target(t *testing.T, kind db.Engine) string {
	t.Helper()
	if kind == db.Postgres {
		return pgtest.NewDatabase(t)
	}
	return filepath.Join(t.TempDir(), "kontor.db")
}
