package db_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	_ "github.com/jackc/pgx/v5/stdlib"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// onEach runs f with an empty database of each engine.
func onEach(t *testing.T, f func(t *testing.T, kind db.Engine, target string)) {
	t.Helper()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, kind, dbtest.Empty(t, kind))
		})
	}
}

// files are the first so many of the program's migrations, and more.
func files(t *testing.T, kind db.Engine, first int, more ...string) fs.FS {
	t.Helper()
	all, err := db.Rendered(kind)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(all, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	some := fstest.MapFS{}
	for _, name := range names[:first] {
		text, err := fs.ReadFile(all, name)
		if err != nil {
			t.Fatal(err)
		}
		some[name] = &fstest.MapFile{Data: text}
	}
	for i, text := range more {
		if kind == db.SQLite {
			text = "-- +goose NO TRANSACTION\n" + text
		}
		some[fmt.Sprintf("%05d_more.sql", 90000+i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return some
}

// tables counts the tables of the database.
func tables(t *testing.T, kind db.Engine, target string) (n int) {
	t.Helper()
	driver, query := "sqlite", `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if kind == db.Postgres {
		driver, query = "pgx", `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`
	}
	handle, err := sql.Open(driver, target)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	if err := handle.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// refused opens a database that must not open, and answers why it did not.
func refused(t *testing.T, target string, schema db.Schema) string {
	t.Helper()
	d, err := db.Open(t.Context(), target, db.WithSchema(schema))
	if err == nil {
		t.Error("the database opened")
		return errors.Join(d.Close()).Error()
	}
	return err.Error()
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind db.Engine, target string) {
		_, known, err := db.Migrate(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		newer := files(t, kind, int(count(t)), "-- +goose Up\nCREATE TABLE tomorrow (id BIGINT);")
		if err := db.MigrateFiles(t.Context(), target, newer); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("schema has version 90000, and this program knows versions up to %d", known)
		for _, schema := range []db.Schema{db.Upgrade, db.Create, db.Keep} {
			if got := refused(t, target, schema); !strings.Contains(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		if _, _, err := db.Migrate(t.Context(), target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("told %v, want %q", err, want)
		}
	})
}

// count is how many migrations the program has.
func count(t *testing.T) int {
	t.Helper()
	all, err := fs.Glob(os.DirFS("migrations"), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestOlderSchemaIsUpgradedOnlyByWhoMay(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind db.Engine, target string) {
		if err := db.MigrateFiles(t.Context(), target, files(t, kind, 5)); err != nil {
			t.Fatal(err)
		}
		before := tables(t, kind, target)
		for _, schema := range []db.Schema{db.Keep, db.Create} {
			got := refused(t, target, schema)
			if !strings.Contains(got, "schema has version 5, and this program needs version") || !strings.Contains(got, "run kontor migrate or start the program") {
				t.Errorf("told %q", got)
			}
		}
		if after := tables(t, kind, target); after != before {
			t.Errorf("there were %d tables, now there are %d", before, after)
		}
		from, to, err := db.Migrate(t.Context(), target)
		if err != nil || from != 5 || to <= 5 {
			t.Errorf("from %d to %d: %v", from, to, err)
		}
		if again, still, err := db.Migrate(t.Context(), target); err != nil || again != to || still != to {
			t.Errorf("again from %d to %d: %v", again, still, err)
		}
		d, err := db.Open(t.Context(), target, db.WithSchema(db.Keep))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestStepsThatWereLeftOutAreMadeUpFor(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind db.Engine, target string) {
		all := files(t, kind, count(t)).(fstest.MapFS)
		names, err := fs.Glob(all, "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		left := names[len(names)-2]
		delete(all, left) // it was added by somebody else, at the same time
		if err := db.MigrateFiles(t.Context(), target, all); err != nil {
			t.Fatal(err)
		}
		if got := refused(t, target, db.Keep); !strings.Contains(got, "run kontor migrate or start the program") {
			t.Errorf("told %q", got)
		}
		from, to, err := db.Migrate(t.Context(), target)
		if err != nil || from >= to {
			t.Errorf("from %d to %d: %v", from, to, err)
		}
	})
}

func TestReadingAnEmptyDatabaseLeavesItEmpty(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind db.Engine, target string) {
		if kind == db.SQLite {
			if got := refused(t, target, db.Keep); !strings.Contains(got, "no such file") {
				t.Errorf("told %q", got)
			}
			if _, err := os.Stat(target); err == nil {
				t.Error("the file was made")
			}
			if err := os.WriteFile(target, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := refused(t, target, db.Keep); !strings.Contains(got, "the database is empty") {
			t.Errorf("told %q", got)
		}
		if n := tables(t, kind, target); n != 0 {
			t.Errorf("there are %d tables", n)
		}
		d, err := db.Open(t.Context(), target, db.WithSchema(db.Create))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedUpgradeLeavesTheOldSchema(t *testing.T) {
	t.Parallel()
	target := dbtest.Empty(t, db.SQLite)
	if err := db.MigrateFiles(t.Context(), target, files(t, db.SQLite, 5)); err != nil {
		t.Fatal(err)
	}
	before := tables(t, db.SQLite, target)
	broken := files(t, db.SQLite, 6, "-- +goose Up\nCREATE TABLE half (id BIGINT);\nCREATE TABLE half (id BIGINT);")
	if err := db.MigrateFiles(t.Context(), target, broken); err == nil {
		t.Fatal("the broken upgrade succeeded")
	}
	if after := tables(t, db.SQLite, target); after != before {
		t.Errorf("there were %d tables, now there are %d", before, after)
	}
	if from, _, err := db.Migrate(t.Context(), target); err != nil || from != 5 {
		t.Errorf("the upgrade after it began at %d: %v", from, err)
	}
}

// onBehalf names the database that TestOpenOnBehalf opens in a process of its own.
const onBehalf = "KONTOR_TEST_OPEN"

func TestOpenOnBehalf(t *testing.T) {
	target := os.Getenv(onBehalf)
	if target == "" {
		t.Skip("is run by TestProcessesThatStartTogether")
	}
	d, err := db.Open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestProcessesThatStartTogether(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, kind db.Engine, target string) {
		if kind == db.SQLite {
			target = filepath.Join(t.TempDir(), "folder", "kontor.db") // which is not there yet either
		}
		const processes = 4
		var all sync.WaitGroup
		for range processes {
			all.Go(func() {
				c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpenOnBehalf$", "-test.v")
				c.Env = append(os.Environ(), onBehalf+"="+target)
				if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		all.Wait()
		d, err := db.Open(t.Context(), target, db.WithSchema(db.Keep))
		if err != nil {
			t.Fatal(err)
		}
		if violations, err := d.VerifyGuards(t.Context()); err != nil || len(violations) > 0 {
			t.Errorf("%v %q", err, violations)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}
