//go:build linux

package pgtest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		orphan()
	}
	goleak.VerifyTestMain(Main(m))
}

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func run(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func ask[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var answer T
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

func TestServerIsDurableAndLocal(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Settings: map[string]string{"work_mem": "8MB"}})
	conn := connect(t, s.URL("postgres"))
	for name, want := range map[string]string{
		"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "max_connections": "200",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": s.cluster.dir,
		"server_encoding": "UTF8", "lc_collate": "C", "TimeZone": "UTC", "work_mem": "8MB",
	} {
		if got := ask[string](t, conn, "SELECT current_setting('"+name+"')"); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if port := ask[int](t, conn, "SELECT inet_server_port()"); port >= 32768 {
		t.Errorf("port %d is among the ephemeral ones", port)
	}
}

func TestCommittedRowsSurviveKill(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	if err := s.CreateDatabase("kept"); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, s.URL("kept"))
	run(t, conn, "CREATE TABLE note (text TEXT)")
	run(t, conn, "INSERT INTO note VALUES ('committed')")
	run(t, conn, "BEGIN")
	run(t, conn, "INSERT INTO note VALUES ('open')")

	s.Kill()
	if _, err := conn.Exec(t.Context(), "COMMIT"); err == nil {
		t.Error("a session outlived Kill")
	}
	if _, err := pgx.Connect(t.Context(), s.URL("kept")); err == nil {
		t.Error("the server answers after Kill")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	again := connect(t, s.URL("kept"))
	if got := ask[string](t, again, "SELECT string_agg(text, ' ') FROM note"); got != "committed" {
		t.Errorf("after the crash the table holds %q, want only what was committed", got)
	}
}

func TestRestartOfARunningServer(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	url := s.URL("postgres")
	old := connect(t, url)
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a session outlived the restart")
	}
	if s.URL("postgres") != url {
		t.Errorf("the address changed from %s to %s", url, s.URL("postgres"))
	}
	ask[int](t, connect(t, url), "SELECT 1")
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	pid := s.process.cmd.Process.Pid
	s.Stop()
	s.Stop() // a second call is harmless
	if _, err := os.Stat(s.cluster.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if alive(pid) {
		t.Errorf("process %d is still there", pid)
	}
	if err := s.Restart(); err == nil {
		t.Error("Restart after Stop succeeded")
	}
}

func TestBadSettingIsExplained(t *testing.T) {
	t.Parallel()
	_, err := Start(Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v does not name the setting", err)
	}
}

func TestTakenPortIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	s.Kill()
	thief, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	if err := s.Restart(); !errors.Is(err, errPortTaken) {
		t.Errorf("Restart: %v, want %v", err, errPortTaken)
	}
}

func TestNewDatabase(t *testing.T) {
	t.Parallel()
	var first, second string
	t.Run("own", func(t *testing.T) {
		first, second = NewDatabase(t), NewDatabase(t)
		if first == second {
			t.Fatalf("twice the same database: %s", first)
		}
		run(t, connect(t, first), "CREATE TABLE mine ()")
		if n := ask[int](t, connect(t, second), "SELECT count(*) FROM pg_class WHERE relname = 'mine'"); n != 0 {
			t.Error("a new database is not empty")
		}
	})
	for _, url := range []string{first, second} {
		_, err := pgx.Connect(t.Context(), url)
		if pgErr := (*pgconn.PgError)(nil); !errors.As(err, &pgErr) || pgErr.Code != "3D000" { // no such database
			t.Errorf("%s was not dropped after its test: %v", url, err)
		}
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	prepared := 0
	template := Template{Prepare: func(url string) error {
		prepared++
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return err
		}
		defer conn.Close(t.Context())
		_, err = conn.Exec(t.Context(), "CREATE TABLE note (text TEXT)")
		return err
	}}
	run(t, connect(t, template.NewDatabase(t)), "INSERT INTO note VALUES ('mine')")
	if n := ask[int](t, connect(t, template.NewDatabase(t)), "SELECT count(*) FROM note"); n != 0 {
		t.Errorf("a copy holds %d rows of another copy", n)
	}
	if prepared != 1 {
		t.Errorf("prepared %d times", prepared)
	}
}

func TestBinaries(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for _, version := range []string{"9.6", "15", "16"} {
		bin := filepath.Join(parent, version, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		names := []string{"initdb", "postgres"}
		if version == "16" {
			names = names[:1] // half removed
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(bin, name), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := firstWithBoth(debianFolders(parent)); err != nil || got != filepath.Join(parent, "15", "bin") {
		t.Errorf("chose %q, %v; want the newest complete one, 15", got, err)
	}
	if _, err := firstWithBoth(debianFolders(t.TempDir())); err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("error %v does not say what to install", err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	parent, now := t.TempDir(), time.Now()
	folder := func(name string, age time.Duration) string {
		path := filepath.Join(parent, name)
		if err := os.MkdirAll(filepath.Join(path, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	folder(folderPrefix+"abandoned", time.Hour)
	folder(folderPrefix+"young", time.Second)
	folder("other", time.Hour)
	lock, err := tryLock(folder(folderPrefix+"used", 0))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	folder(folderPrefix+"used", time.Hour) // taking the lock made it young

	sweep(parent, now)
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if want := []string{folderPrefix + "used", folderPrefix + "young", "other"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
