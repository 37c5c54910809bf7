package db

import (
	"context"
	"errors"
	"io/fs"

	"zombiezen.com/go/sqlite"
)

// Rendered are the migrations as one engine runs them.
var Rendered = rendered

// MigrateFiles runs other migrations than the program's own.
func MigrateFiles(ctx context.Context, target string, files fs.FS) error {
	handle, kind, err := migrationHandle(ctx, target)
	if err != nil {
		return err
	}
	m, err := newMigrator(handle, kind, files)
	if err == nil {
		err = m.up(ctx)
	}
	return errors.Join(err, handle.Close())
}

// WithConnected prepares each connection to SQLite further.
func WithConnected(f func(*sqlite.Conn) error) Option { return func(o *options) { o.connected = f } }

// HoldLine keeps Updates on PostgreSQL in line until release is called: as if all committers were at work.
func HoldLine(d *DB) (release func()) {
	l := &d.engine.(*postgres).line
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.free
	l.free = 0
	return func() {
		l.mu.Lock()
		l.free = held - 1
		l.mu.Unlock()
		l.pass(nil)
	}
}

// InLine is how many Updates stand in line.
func InLine(d *DB) int {
	l := &d.engine.(*postgres).line
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// Suspected is how many accounts and idempotency keys go alone for a moment on PostgreSQL.
func Suspected(d *DB) int {
	s := &d.engine.(*postgres).suspects
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.until)
}

// Readers is how many round trips of reads are under way at once on PostgreSQL, if none of them is slow.
const Readers = pgReaders

// HoldReads keeps reads in line on PostgreSQL until they are let go.
func HoldReads(d *DB) (release func()) {
	l := &d.engine.(*postgres).reads
	l.mu.Lock()
	l.leading += pgMoreReader
	l.mu.Unlock()
	return func() {
		l.mu.Lock()
		l.leading -= pgMoreReader - 1
		l.mu.Unlock()
		l.pass(nil)
	}
}

// ReadsInLine counts the reads that wait.
func ReadsInLine(d *DB) int {
	l := &d.engine.(*postgres).reads
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// SetText is the form of a command for many rows.
func SetText(c *Command) string { return c.set }
