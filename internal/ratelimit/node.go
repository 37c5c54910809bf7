package ratelimit

import (
	"context"
	"sync"
	"time"

	"kontor/internal/db"
)

// How nodes know of each other.
const (
	beatEvery  = 500 * time.Millisecond
	deadAfter  = 3 // looks in a row at which a node showed no new beat
	sweepEvery = time.Minute
)

// peer is another node, as it was last seen.
type peer struct {
	beat   int64
	silent int // looks since its beat changed
}

var (
	selectNodes = db.NewQuery(`SELECT node, beat FROM rate_node`)
	upsertNode  = db.NewCommand(`
		INSERT INTO rate_node (node, beat) VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET beat = excluded.beat`)
	deleteNode = db.NewCommand(`DELETE FROM rate_node WHERE node = $1 AND beat = $2`)
)

// Join tells the other nodes that this one begins to serve. It is called once, before Run.
func (l *Limiter) Join(ctx context.Context) error { return l.beat(ctx) }

// Run keeps in touch with the other nodes and leases tokens until the context ends, and then leaves. It
// returns when it has. Requests that come later are decided by the node's share.
func (l *Limiter) Run(ctx context.Context) {
	var lending sync.WaitGroup
	lending.Go(func() { l.lend(ctx) })
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			l.tick(ctx)
		}
	}
	lending.Wait()
	l.leave(context.WithoutCancel(ctx))
}

// Alone tells whether this node knows of no other one on the database.
func (l *Limiter) Alone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes == 1
}

func (l *Limiter) tick(ctx context.Context) {
	if err := l.beat(ctx); err != nil && ctx.Err() == nil {
		l.mu.Lock()
		l.lose(err)
		l.mu.Unlock()
	}
	if now := time.Now(); now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		l.sweep(now)
	}
}

// beat looks who is there, and gives a sign of life if there is somebody to see it: a node that is alone
// only reads.
func (l *Limiter) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	seen, err := l.look(ctx)
	if err != nil {
		return err
	}
	dead := l.judge(seen)
	if _, known := seen[l.node]; !known || len(seen) > 1 {
		if err := l.sign(ctx, dead); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if nodes := 1 + len(l.peers); l.nodes != nodes {
		l.log.Info("rate limits: the number of nodes that share them changed", "nodes", nodes)
		l.nodes = nodes
		l.next()
	}
	l.away = false
	return nil
}

// look reads the nodes and their beats.
func (l *Limiter) look(ctx context.Context) (map[string]int64, error) {
	seen := map[string]int64{}
	err := l.db.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectNodes)
		defer rows.Close()
		for rows.Next() {
			var node string
			var beat int64
			if err := rows.Scan(&node, &beat); err != nil {
				return err
			}
			seen[node] = beat
		}
		return rows.Err()
	})
	return seen, err
}

// judge brings peers in step with the nodes that were seen, and answers those that are dead. Beats are
// counted and not timed: machines have different clocks, and a database that stood still makes all silent
// at once.
func (l *Limiter) judge(seen map[string]int64) (dead map[string]int64) {
	dead = map[string]int64{}
	for node := range l.peers {
		if _, ok := seen[node]; !ok {
			delete(l.peers, node)
		}
	}
	for node, beat := range seen {
		p, known := l.peers[node]
		switch {
		case node == l.node:
		case !known || p.beat != beat:
			l.peers[node] = &peer{beat: beat}
		case p.silent+1 >= deadAfter:
			dead[node] = beat
			delete(l.peers, node)
		default:
			p.silent++
		}
	}
	return dead
}

// sign writes this node's sign of life and removes the dead, unless they came back meanwhile.
func (l *Limiter) sign(ctx context.Context, dead map[string]int64) error {
	l.beats++
	beats := l.beats
	return l.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(upsertNode, l.node, beats)
		for node, beat := range dead {
			tx.Write(deleteNode, node, beat)
		}
		return nil
	})
}

// leave tells the other nodes that this one has stopped.
func (l *Limiter) leave(ctx context.Context) {
	l.mu.Lock()
	l.detach()
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	err := l.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(deleteNode, l.node, l.beats)
		return nil
	})
	if err != nil {
		l.log.Warn("rate limits: cannot tell the other nodes that this one stops; they will notice", "error", err)
	}
}
