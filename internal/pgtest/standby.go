//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// standbyName is what a standby calls itself to its primary.
const standbyName = "standby"

// StartStandby starts a second server that follows this one by streaming replication, from a copy that it makes
// first. From then on a commit on this server succeeds only when the standby has it on disk. The standby reaches
// this server at the address that is given, so that something can stand between the two; empty: directly. The
// caller stops both.
func (s *Server) StartStandby(through string) (*Server, error) {
	if through == "" {
		through = s.Address()
	}
	c, err := prepareCluster(os.TempDir())
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	standby := &Server{cluster: c, settings: maps.Clone(s.settings)}
	if err := s.follow(standby, through); err != nil {
		standby.Stop()
		return nil, fmt.Errorf("pgtest: standby: %w", err)
	}
	return standby, nil
}

func (s *Server) follow(standby *Server, through string) error {
	host, port, err := net.SplitHostPort(through)
	if err != nil {
		return err
	}
	primary := fmt.Sprintf("host=%s port=%s user=postgres application_name=%s sslmode=disable", host, port, standbyName)
	if err := standby.cluster.run("pg_basebackup", "-D", standby.cluster.data(), "-d", primary, "-c", "fast", "--no-sync", "-R"); err != nil {
		return err
	}
	standby.settings["primary_conninfo"] = primary
	if err := standby.listen(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for _, sql := range []string{
		"ALTER SYSTEM SET synchronous_standby_names = '" + standbyName + "'",
		"SELECT pg_reload_conf()",
	} {
		if err := s.exec(ctx, sql); err != nil {
			return err
		}
	}
	return s.await(ctx, "SELECT 1 / count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
}

// await repeats a statement until it succeeds.
func (s *Server) await(ctx context.Context, sql string) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := s.exec(ctx, sql)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
}

// Promote makes a standby a primary, and returns when it is one.
func (s *Server) Promote() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := s.exec(ctx, "SELECT 1 / pg_promote()::int"); err != nil {
		return fmt.Errorf("pgtest: promote: %w", err)
	}
	return nil
}

// Crash ends the server's first process with SIGKILL; the others end by themselves when they notice, a moment
// later. It is for servers that do not come back: see Kill.
func (s *Server) Crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halt(syscall.SIGKILL)
}

// Address is where the server listens, as host:port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// listen finds a port and starts the server there. Between the moment a port is found free and the server's own
// bind another program may take it.
func (s *Server) listen() (err error) {
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.launch(); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}
