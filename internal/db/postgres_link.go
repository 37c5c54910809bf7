package db

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// When a connection is taken for dead although nobody closed it.
const (
	suspectAfter = 1500 * time.Millisecond // without a byte from the server
	suspectLook  = 500 * time.Millisecond
	probeTimeout = 1500 * time.Millisecond // to reach one server, or for its answer
)

// errNeverCancel stands in the way of pgx, which sends a cancel request when it gives up a connection. A
// server that waits for its synchronous standby answers such a request by committing without it: others would
// see, and be told of, what a failover can still take away.
var errNeverCancel = errors.New("db: statements are not cancelled")

// links are the network connections to the server. When the network swallows what was sent, or the server's
// machine vanishes, nobody tells: a connection would wait for its answer until its time-out, and keep its place
// in the pool. So the server is asked, over a fresh connection, whether it is at work for those that wait.
type links struct {
	mu   sync.Mutex
	open map[*link]struct{}
}

// link is one network connection. It knows since when a Read has been waiting.
type link struct {
	net.Conn
	all     *links
	pid     atomic.Uint32 // of the server's process; 0 until the server has let us in
	waiting atomic.Int64  // in nanoseconds since processStart; 0 while no Read waits
}

// processStart makes times of one clock that nobody sets.
var processStart = time.Now()

func (l *link) Read(b []byte) (int, error) {
	l.waiting.Store(int64(time.Since(processStart)))
	defer l.waiting.Store(0)
	return l.Conn.Read(b)
}

func (l *link) Close() error {
	l.all.mu.Lock()
	delete(l.all.open, l)
	l.all.mu.Unlock()
	return l.Conn.Close()
}

// attach has a connection that is about to be made watched. One configuration makes one connection.
func (s *links) attach(_ context.Context, cfg *pgx.ConnConfig) error {
	dial := cfg.DialFunc
	var latest atomic.Pointer[link] // of the servers that are tried
	var entered atomic.Bool
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if entered.Load() {
			return nil, errNeverCancel
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l := &link{Conn: conn, all: s}
		latest.Store(l)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open[l] = struct{}{}
		return l, nil
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgconn.PgConn) error {
		latest.Load().pid.Store(conn.PID())
		entered.Store(true)
		return nil
	}
	return nil
}

// suspects answers the links whose Read has waited for long, with the moment when it began.
func (s *links) suspects() map[*link]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[*link]int64{}
	limit := int64(time.Since(processStart) - suspectAfter)
	for l := range s.open {
		if since := l.waiting.Load(); since > 0 && since < limit {
			found[l] = since
		}
	}
	return found
}

// watch closes links that wait for an answer nobody is working on, until the context ends; then all that are left.
func (s *links) watch(ctx context.Context, cfg *pgx.ConnConfig) {
	var p probe
	ticker := time.NewTicker(suspectLook)
	defer ticker.Stop()
	idle := map[*link]int64{} // links that nobody worked for at the last look, and since when they waited
	for {
		select {
		case <-ctx.Done():
			p.close()
			s.closeAll()
			return
		case <-ticker.C:
		}
		suspects := s.suspects()
		if len(suspects) == 0 {
			p.close()
			clear(idle)
			continue
		}
		working, err := p.working(ctx, s, cfg, suspects)
		if err != nil {
			p.close()
			clear(idle)
			continue
		}
		// The second look makes sure that the answer was not just on its way.
		for l, since := range suspects {
			switch {
			case working[l.pid.Load()]:
				delete(idle, l)
			case idle[l] == since:
				_ = l.Close() // the one who waits gets the error
			default:
				idle[l] = since
			}
		}
	}
}

func (s *links) closeAll() {
	s.mu.Lock()
	var all []*link
	for l := range s.open {
		all = append(all, l)
	}
	s.mu.Unlock()
	for _, l := range all {
		_ = l.Close()
	}
}

// probe is a connection of its own to the server, while there is something to ask.
type probe struct{ conn *pgx.Conn }

// selectWorking answers no process for which the server waits to hear from us. A state that is not shown
// counts as work.
const selectWorking = `SELECT pg_backend_pid(), COALESCE(array_agg(pid) FILTER (WHERE state IS NULL OR state NOT LIKE 'idle%'), '{}')
	FROM pg_stat_activity WHERE pid = ANY($1)`

// errForeignProcess says that what the server calls its processes is not what pg_stat_activity calls them:
// something stands between us and the server.
var errForeignProcess = errors.New("db: the server's processes cannot be told apart")

// working asks which of the links' processes are at work.
func (p *probe) working(ctx context.Context, s *links, cfg *pgx.ConnConfig, suspects map[*link]int64) (map[uint32]bool, error) {
	if p.conn == nil {
		cfg := cfg.Copy()
		cfg.ConnectTimeout = probeTimeout // for each of the servers
		_ = s.attach(ctx, cfg)
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			return nil, err
		}
		p.conn = conn
	}
	var pids []int32
	for l := range suspects {
		pids = append(pids, int32(l.pid.Load()))
	}
	timeout, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var own uint32
	var active []int32
	if err := p.conn.QueryRow(timeout, selectWorking, pids).Scan(&own, &active); err != nil {
		return nil, err
	}
	if own != p.conn.PgConn().PID() {
		return nil, errForeignProcess
	}
	working := map[uint32]bool{}
	for pid := range slices.Values(active) {
		working[uint32(pid)] = true
	}
	return working, nil
}

func (p *probe) close() {
	if p.conn == nil {
		return
	}
	timeout, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	_ = p.conn.Close(timeout)
	p.conn = nil
}
