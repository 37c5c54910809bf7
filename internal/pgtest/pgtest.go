//go:build unix

// Package pgtest runs throw-away PostgreSQL servers for tests, benchmarks and fault tests, from the
// binaries installed on the machine (`initdb` and `postgres`); no container and no running service is needed.
//
// Most tests want one call, and nothing to clean up:
//
//	url := pgtest.NewDatabase(t) // an empty database of its own, in the cluster its test binary shares
//
// A store's tests copy a migrated database instead of migrating each time: see [Template]. A test that
// kills or restarts the database starts a server of its own with [Start].
//
// The servers are as durable as production (fsync and synchronous_commit are on), so that what is
// measured or broken against them means something. They never outlive the program that started them.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startLimit = 30 * time.Second // replaying the log after a Kill under load may take a while
	stopLimit  = 20 * time.Second // then a fast shutdown becomes an immediate one
)

// Options adjusts a server. The zero value suits most tests.
type Options struct {
	// Settings are PostgreSQL settings by name. They win over the package's own, except port,
	// addresses and socket folder.
	Settings map[string]string
}

// Server is one PostgreSQL cluster and its process. Its methods may be called from several goroutines.
type Server struct {
	cluster  *cluster
	settings map[string]string
	port     int

	mu      sync.Mutex // guards what follows, and makes Stop, Kill and Restart follow one another
	process *process   // nil when the server is down
	stopped bool
}

// Start makes a fresh cluster in a temporary folder and starts it. It listens on a unix socket in that
// folder and on a free port of 127.0.0.1 below 32768, where no client's ephemeral port can take its
// place during a restart. Every local connection is trusted; the superuser is "postgres". Under root the
// server runs as the user postgres, or else nobody, since PostgreSQL refuses to run as root.
//
// The caller owns the server and calls Stop. Should the program die first, Linux stops the server at
// once, and the folder is removed by the next Start of any program.
func Start(opts Options) (*Server, error) {
	sweep(os.TempDir(), time.Now())
	c, err := newCluster(os.TempDir())
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	s := &Server{cluster: c, settings: maps.Clone(defaults)}
	maps.Copy(s.settings, opts.Settings)
	if err := s.listen(); err != nil {
		c.remove()
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	return s, nil
}

var defaults = map[string]string{
	"fsync":              "on",
	"synchronous_commit": "on",
	"max_connections":    "200",
}

// URL returns the address of one of the server's databases, over TCP, as pgx and psql read it. It stays
// the same over restarts. The database "postgres" always exists.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable",
		s.Address(), url.PathEscape(database))
}

// CreateDatabase creates an empty database.
func (s *Server) CreateDatabase(name string) error {
	return s.copyDatabase(name, "template0")
}

// Stop shuts the server down in PostgreSQL's fast mode (sessions are ended, open transactions rolled
// back) and removes its folder. Later calls do nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	s.halt(syscall.SIGINT)
	s.cluster.remove()
}

// Kill ends the server as a crash would: nothing is flushed, no checkpoint is written, every session is
// cut. It returns when no process of the server is left. The cluster stays on disk for Restart, which
// recovers it from its log.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Not SIGKILL: PostgreSQL's children would notice only a moment later, and could commit after Kill
	// had returned. SIGQUIT is its immediate shutdown, which leaves the same state on disk.
	s.halt(syscall.SIGQUIT)
}

// Restart starts the server again on the same port with the same data: after Kill, or after a fast
// shutdown of its own if the server still runs.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("pgtest: Restart after Stop: the cluster is gone, call Start for a new one")
	}
	s.halt(syscall.SIGINT)
	if err := s.launch(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

var errPortTaken = errors.New("the port was taken by another program")

// launch starts the server process and returns when it answers queries.
func (s *Server) launch() error {
	log, err := s.cluster.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.cluster.command("postgres", s.arguments()...)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := spawn(cmd)
	if err != nil {
		return err
	}
	if err := s.awaitReady(process); err != nil {
		process.end(syscall.SIGQUIT, stopLimit)
		tail := s.cluster.logTail()
		if strings.Contains(tail, "Address already in use") {
			return errPortTaken
		}
		return fmt.Errorf("start PostgreSQL: %w; the end of its log:\n%s", err, tail)
	}
	s.process = process
	return nil
}

func (s *Server) arguments() []string {
	settings := maps.Clone(s.settings)
	settings["port"] = strconv.Itoa(s.port)
	settings["listen_addresses"] = "127.0.0.1"
	settings["unix_socket_directories"] = s.cluster.dir
	args := []string{"-D", s.cluster.data()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// awaitReady asks over the socket, because its folder is ours alone: on the port another server might answer.
func (s *Server) awaitReady(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := s.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended by itself: %v", p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", startLimit, err)
		case <-again.C:
		}
	}
}

// halt ends the process, if there is one.
func (s *Server) halt(signal syscall.Signal) {
	if s.process != nil {
		s.process.end(signal, stopLimit)
		s.process = nil
	}
}

func (s *Server) copyDatabase(name, template string) error {
	err := s.exec(context.Background(), "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template))
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

// dropDatabase also ends the sessions that are still open in the database.
func (s *Server) dropDatabase(name string) error {
	if err := s.exec(context.Background(), "DROP DATABASE "+quote(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

// exec runs one statement as superuser in the database "postgres", over the socket.
func (s *Server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, fmt.Sprintf("host='%s' port=%d user=postgres dbname=postgres sslmode=disable", s.cluster.dir, s.port))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func quote(identifier string) string {
	return pgx.Identifier{identifier}.Sanitize()
}

// binaries returns the folder that holds both initdb and postgres: from PATH, or else the newest of Debian's.
func binaries() (string, error) {
	return firstWithBoth(append(filepath.SplitList(os.Getenv("PATH")), debianFolders("/usr/lib/postgresql")...))
}

func firstWithBoth(folders []string) (string, error) {
	for _, folder := range folders {
		_, errInitdb := exec.LookPath(filepath.Join(folder, "initdb"))
		_, errPostgres := exec.LookPath(filepath.Join(folder, "postgres"))
		if errInitdb == nil && errPostgres == nil {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed (no initdb and postgres on PATH or in /usr/lib/postgresql/*/bin); on Debian: apt-get install postgresql")
}

// debianFolders lists parent/VERSION/bin, newest version first.
func debianFolders(parent string) []string {
	versions, _ := filepath.Glob(filepath.Join(parent, "*"))
	slices.SortFunc(versions, func(a, b string) int { return major(b) - major(a) })
	for i := range versions {
		versions[i] = filepath.Join(versions[i], "bin")
	}
	return versions
}

func major(folder string) int {
	digits, _, _ := strings.Cut(filepath.Base(folder), ".")
	n, _ := strconv.Atoi(digits)
	return n
}
