//go:build linux

package fault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kontor/internal/pgtest"
)

// TestFullDiskSQLite fills the disk that holds the data. Nothing may be acknowledged then that is not kept,
// and the program must work again once there is space, also when it was killed meanwhile.
func TestFullDiskSQLite(t *testing.T) {
	t.Parallel()
	mount(t, "size=1m") // skips the test when that is not allowed
	repeatedly(t, 10, func(t *testing.T) {
		disk := mount(t, "size=48m")
		r := startReceiver(t)
		s := startSandboxAt(t, r.url, "--data", disk)
		fullDisk(t, disk, r, s)
	})
}

// TestFullDiskPostgres does the same where PostgreSQL has its tables. Its log lies elsewhere: without space
// for that PostgreSQL ends, which is TestDatabaseGoesAway.
func TestFullDiskPostgres(t *testing.T) {
	t.Parallel()
	mount(t, "size=1m") // skips the test when that is not allowed
	repeatedly(t, 10, fullDiskPostgres)
}

func fullDiskPostgres(t *testing.T) {
	disk := mount(t, "size=48m")
	server, err := pgtest.Start(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var data string
	if err := conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	owner, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	tables := filepath.Join(disk, "tables")
	id := owner.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Mkdir(tables, 0o700), os.Chown(tables, int(id.Uid), int(id.Gid))); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"CREATE TABLESPACE disk LOCATION '" + tables + "'",
		"CREATE DATABASE kontor TEMPLATE template0 TABLESPACE disk",
	} {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	r := startReceiver(t)
	s := startSandboxAt(t, r.url, "--data", t.TempDir(), "--database", server.URL("kontor"))
	fullDisk(t, disk, r, s)
}

func fullDisk(t *testing.T, disk string, r *receiver, s *sandbox) {
	t.Helper()
	rng := random(t)
	r.expect(t, s.creds)
	w := newWorld(t, r, s.creds.APIKey)
	w.populate(s.url, 6, 5_000)
	stop := w.load(rng, 8, s.url)
	for round := range 2 {
		w.progress(100 + rng.IntN(100))
		silent := w.silence()
		filler := fill(t, disk)
		w.stall()
		if _, err := w.balance(s.url, ""); err != nil {
			t.Errorf("balances cannot be read while the disk is full: %v", err)
		}
		if n := w.silence() - silent; n > 0 {
			t.Errorf("%d requests were not answered, although the program lived", n)
		}
		killed := round%2 == 1
		if killed {
			s.kill()
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		ended := time.Now()
		if killed {
			s.start()
		}
		w.recovered("the disk was full", ended, s.node)
	}
	stop()
	w.settle(s.url)
	w.check(s.url)
	s.verify("at the end")
}

// mount gives the test a small disk of its own, which others may enter. Without the right to mount the test
// is skipped: internal/db shows on any machine what a full file does to a group of requests.
func mount(t *testing.T, options string) string {
	t.Helper()
	disk, err := os.MkdirTemp("", "kontor-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(disk) })
	err = syscall.Mount("tmpfs", disk, "tmpfs", 0, options)
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("mounting a small disk needs more rights:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	return disk
}

// fill takes all the space that is left and answers the file that takes it.
func fill(t *testing.T, disk string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 4 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
	return f.Name()
}
