package walbuffer_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"kontor/internal/db/walbuffer"
)

func open(t *testing.T, path, vfs string) *sqlite.Conn {
	t.Helper()
	if err := walbuffer.Register(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.OpenConn("file:"+path+"?vfs="+vfs, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenURI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func run(t *testing.T, c *sqlite.Conn, statement string, args ...any) {
	t.Helper()
	if err := sqlitex.Execute(c, statement, &sqlitex.ExecOptions{Args: args}); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// content reads the whole table, and has SQLite check the file.
func content(t *testing.T, c *sqlite.Conn) map[int64][]byte {
	t.Helper()
	found := map[int64][]byte{}
	err := sqlitex.Execute(c, "SELECT id, body FROM t", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		body := make([]byte, s.ColumnLen(1))
		s.ColumnBytes(1, body)
		found[s.ColumnInt64(0)] = body
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.Execute(c, "PRAGMA integrity_check", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		if s.ColumnText(0) != "ok" {
			return errors.New(s.ColumnText(0))
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func same(a, b map[int64][]byte) bool {
	for id := range a {
		if !bytes.Equal(a[id], b[id]) {
			return false
		}
	}
	return len(a) == len(b)
}

// After each commit the two files, as they lie there, hold all that was committed and nothing else, to SQLite's own
// VFS; and so it is to a connection that reads beside the writer. The cache is so small that a transaction writes to
// the log before it commits and reads from it again, some are larger than what is gathered, some are rolled back, and
// the log is begun anew again and again.
func TestWhatIsCommittedIsInTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	w := open(t, path, walbuffer.Name)
	for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "cache_size(10)", "wal_autocheckpoint(300)"} {
		run(t, w, "PRAGMA "+p)
	}
	run(t, w, "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
	run(t, w, "CREATE INDEX t_body ON t (body)")
	reader := open(t, path, walbuffer.Name)
	random := rand.New(rand.NewPCG(1, 2))
	want := map[int64][]byte{}
	for step := range 40 {
		kept := random.IntN(5) > 0
		run(t, w, "BEGIN IMMEDIATE")
		for range 1 + random.IntN(40) {
			id, body := int64(random.IntN(200)), bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(9000))
			run(t, w, "INSERT OR REPLACE INTO t (id, body) VALUES (?, ?)", id, body)
			if kept {
				want[id] = body
			}
		}
		if !kept {
			run(t, w, "ROLLBACK")
		} else {
			run(t, w, "COMMIT")
		}
		if !same(want, content(t, reader)) {
			t.Fatalf("step %d: a reader sees something else than was committed", step)
		}
		crashed := filepath.Join(dir, fmt.Sprintf("crash%d.db", step))
		for _, file := range []string{"", "-wal"} {
			image, err := os.ReadFile(path + file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(crashed+file, image, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !same(want, content(t, open(t, crashed, "unix"))) {
			t.Fatalf("step %d: the files hold something else than was committed", step)
		}
	}
}
