package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// liteWriter owns the one connection that writes. Waiting members are committed together: each inside its
// savepoint, all with one fsync; at once when idle, in groups when busy.
type liteWriter struct {
	engine  *lite
	handle  *sql.DB
	conn    *liteConn // nil until opened, and after it broke
	inbox   chan *member
	closing chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// member is one Update that waits for its commit, or, with a handover, one that wants the connection for
// an explicit transaction.
type member struct {
	queue    *queue
	handover chan *liteLocked
	done     chan error
}

var errClosed = fmt.Errorf("%w: database closed", ErrUnavailable)

func startWriter(e *lite, handle *sql.DB) *liteWriter {
	w := &liteWriter{
		engine: e, handle: handle,
		inbox: make(chan *member), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// submit waits for the member's commit, or for the handover. The context bounds only the wait in line:
// a member that the writer took is decided by the writer.
func (w *liteWriter) submit(ctx context.Context, m *member) error {
	select {
	case w.inbox <- m:
		return <-m.done
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
}

func (w *liteWriter) stop() {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
}

func (w *liteWriter) loop() {
	defer close(w.stopped)
	defer func() {
		if w.conn != nil {
			w.conn.discard()
		}
	}()
	var next *member
	for {
		if next == nil {
			select {
			case next = <-w.inbox:
			case <-w.closing:
				return
			}
		}
		if next.handover != nil {
			w.handOver(next)
			next = nil
			continue
		}
		group := []*member{next}
		group, next = w.gather(group)
		w.commit(group)
	}
}

// gather adds what is waiting already; it never waits for more. An explicit transaction ends the group.
func (w *liteWriter) gather(group []*member) (full []*member, next *member) {
	for len(group) < groupSize {
		select {
		case m := <-w.inbox:
			if m.handover != nil {
				return group, m
			}
			group = append(group, m)
		default:
			return group, nil
		}
	}
	return group, nil
}

// open prepares the connection, anew after it broke.
func (w *liteWriter) open() error {
	if w.conn != nil {
		return nil
	}
	c, err := w.handle.Conn(context.Background())
	if err != nil {
		return unavailable(err)
	}
	w.conn = &liteConn{conn: c, engine: w.engine, prepared: map[string]*sql.Stmt{}}
	return nil
}

// commit decides a group. A member whose statement failed is rolled back to its savepoint and leaves the
// others untouched. When the engine ended the whole transaction, as it does when the disk is full, the
// savepoint is gone: then nobody's work is there, and every member is told so.
func (w *liteWriter) commit(group []*member) {
	w.engine.watch.grouped(len(group))
	results := make([]error, len(group))
	err := w.transaction(group, results)
	if err != nil {
		w.breakConn()
	}
	for i, m := range group {
		if err != nil {
			m.done <- err
		} else {
			m.done <- results[i]
		}
	}
}

func (w *liteWriter) transaction(group []*member, results []error) error {
	if err := w.open(); err != nil {
		return err
	}
	if _, err := w.conn.exec("BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	for i, m := range group {
		if _, err := w.conn.exec("SAVEPOINT member", nil); err != nil {
			return lost(err, nil)
		}
		if results[i] = w.play(m.queue); results[i] != nil {
			if _, err := w.conn.exec("ROLLBACK TO member", nil); err != nil {
				return lost(err, results[i])
			}
		}
		if _, err := w.conn.exec("RELEASE member", nil); err != nil {
			return lost(err, results[i])
		}
	}
	if _, err := w.conn.exec("COMMIT", nil); err != nil {
		return lost(err, nil)
	}
	return nil
}

// lost explains why a whole group failed; the cause is the statement after which the transaction was gone.
func lost(err, cause error) error {
	return fmt.Errorf("%w: the group's transaction ended: %w", ErrUnavailable, errors.Join(cause, err))
}

func (w *liteWriter) play(q *queue) error {
	for _, ops := range [][]op{q.first, q.ops} {
		for _, o := range ops {
			if _, err := w.conn.exec(o.cmd.lite, o.args); err != nil {
				return err
			}
		}
	}
	for _, m := range q.moves {
		if err := w.conn.move(m); err != nil {
			return err
		}
	}
	return nil
}

// breakConn closes the connection; closing rolls back whatever it still held.
func (w *liteWriter) breakConn() {
	if w.conn == nil {
		return
	}
	_, _ = w.conn.conn.ExecContext(context.Background(), "ROLLBACK")
	w.conn.discard()
	w.conn = nil
}

// handOver lends the connection to one explicit transaction and waits until it is given back.
func (w *liteWriter) handOver(m *member) {
	err := w.open()
	if err == nil {
		_, err = w.conn.exec("BEGIN IMMEDIATE", nil)
	}
	if err != nil {
		w.breakConn()
		m.done <- err
		return
	}
	l := &liteLocked{liteConn: w.conn, ended: make(chan error, 1)}
	m.handover <- l
	m.done <- nil
	if err := <-l.ended; err != nil {
		w.breakConn()
	}
}

// liteLocked is the writer's connection in the hands of one explicit transaction.
type liteLocked struct {
	*liteConn
	ended chan error
}

func (l *liteLocked) exec(c *Command, args []any) error {
	_, err := l.liteConn.exec(c.lite, args)
	return err
}

func (l *liteLocked) release() {}

func (l *liteLocked) commit() error {
	_, err := l.liteConn.exec("COMMIT", nil)
	if err != nil {
		err = lost(err, nil)
	}
	l.ended <- err
	return err
}

func (l *liteLocked) rollback() {
	_, err := l.liteConn.exec("ROLLBACK", nil)
	l.ended <- err
}
