//go:build linux

// Package bench measures the program as a partner meets it: over HTTP, on a database of its own, in a process of
// its own. The load generator is a closed loop (each client sends its next request when it has the answer to
// the last one) and lives, with the receivers of webhooks, in the process that calls this package. What the
// figures mean is in docs/benchmarks.md.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"kontor/internal/db"
)

// Config says what to measure and how.
type Config struct {
	Program  string // the executable of kontor, which is started as the server
	Engines  []db.Engine
	Database string // URL of a PostgreSQL server on which databases may be made and dropped; empty: Postgres starts one
	Postgres func() (url string, stop func(), err error)
	Folder   string // where the data are put, in a folder that is removed again

	Clients  []int
	Accounts int           // among which transfers and reads are spread; at least 2
	Measured time.Duration // for each cell; a warm-up precedes it
	JSON     bool          // one object per cell on a line, and nothing else
	Out      io.Writer
}

// warmUp is how long a load runs before it is measured. It fills caches, prepares statements and lets the
// connections settle; a short measurement gets a short one.
func (c Config) warmUp() time.Duration { return min(c.Measured/2, 2*time.Second) }

// session is one run of the command.
type session struct {
	Config
	folder string
	stop   []func() // what is to be done in the end, the last first
	number int      // of the data that were made last
	server string   // URL of the PostgreSQL server that was started; empty before
}

// subject is what a benchmark says about itself.
type subject struct {
	title  string
	server string // the command that is measured
	load   string
	floor  string // how the engine's floor is measured; empty: it is not
}

const closedLoop = "closed loop over HTTP on loopback, from this process"

// run prepares a session, calls f for each engine, and removes everything again.
func run(ctx context.Context, c Config, about subject, f func(*session, *engine) error) (err error) {
	folder, err := os.MkdirTemp(c.Folder, "kontor-bench-")
	if err != nil {
		return err
	}
	s := &session{Config: c, folder: folder}
	defer func() {
		for i := len(s.stop) - 1; i >= 0; i-- {
			s.stop[i]()
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	if err := s.head(about); err != nil {
		return err
	}
	for _, kind := range c.Engines {
		e, err := s.engine(ctx, kind)
		if err != nil {
			return err
		}
		if err := f(s, e); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// engine is where databases of one kind are made.
type engine struct {
	kind  db.Engine
	admin string // URL of PostgreSQL
	s     *session
}

func (s *session) engine(ctx context.Context, kind db.Engine) (*engine, error) {
	e := &engine{kind: kind, s: s}
	if kind == db.SQLite {
		return e, nil
	}
	e.admin = s.Database
	if e.admin == "" {
		if s.server == "" {
			url, stop, err := s.Postgres()
			if err != nil {
				return nil, err
			}
			s.server, s.stop = url, append(s.stop, stop)
		}
		e.admin = s.server
	}
	return e, e.check(ctx)
}

// place is where the data of one server are.
type place struct {
	*engine
	folder   string // has the master key, and on SQLite the database
	database string // URL on PostgreSQL; empty on SQLite
	name     string // of the database on PostgreSQL
}

// target names the database as db.Open takes it.
func (p place) target() string {
	if p.database != "" {
		return p.database
	}
	return filepath.Join(p.folder, "kontor.db")
}

// newPlace makes room for data; on PostgreSQL with a database that is a copy of another one.
func (e *engine) newPlace(ctx context.Context, template string) (place, error) {
	e.s.number++
	p := place{engine: e, folder: filepath.Join(e.s.folder, fmt.Sprint(e.kind, "-", e.s.number))}
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		return p, err
	}
	if e.kind == db.SQLite {
		return p, nil
	}
	var err error
	p.name = fmt.Sprintf("kontor_bench_%d_%d", os.Getpid(), e.s.number)
	p.database, err = e.create(ctx, p.name, template)
	return p, err
}

// copy makes the same data again. Nobody may have them open.
func (p place) copy(ctx context.Context) (place, error) {
	c, err := p.newPlace(ctx, p.name)
	if err != nil {
		return c, err
	}
	return c, os.CopyFS(c.folder, os.DirFS(p.folder))
}

// remove makes room again. Nobody may have the data open.
func (p place) remove(ctx context.Context) error {
	err := os.RemoveAll(p.folder)
	if p.name != "" {
		err = errors.Join(err, p.drop(ctx, p.name))
	}
	return err
}
