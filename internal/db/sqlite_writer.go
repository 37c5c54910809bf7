package db

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// carefulGroups is how many groups are played with savepoints after a member failed.
const carefulGroups = 64

// liteWriter owns the one connection that writes. Waiting members are committed together, all with one fsync:
// at once when idle, in groups when busy. A member that fails takes nobody with it.
type liteWriter struct {
	engine  *lite
	conn    *liteConn // nil until opened, and after it broke
	careful int       // groups that are still to be played with savepoints
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

func startWriter(e *lite) *liteWriter {
	w := &liteWriter{
		engine: e,
		inbox:  make(chan *member), closing: make(chan struct{}), stopped: make(chan struct{}),
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

// gather adds what is waiting already; it never waits for more. It lets those go first who can run at once:
// each of them that joins saves a commit. An explicit transaction ends the group.
func (w *liteWriter) gather(group []*member) (full []*member, next *member) {
	runtime.Gosched()
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
	c, err := w.engine.connect(writerPragmas...)
	if err != nil {
		return err
	}
	w.conn = c
	return nil
}

// commit decides a group. A member whose statement failed leaves the others untouched. When the engine ended
// the whole transaction, as it does when the disk is full, nobody's work is there, and every member is told so.
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

// transaction plays a group, first without savepoints: they cost each member a copy of every page that it
// changes. If one fails then, everything is rolled back and played again with them, and so are the groups that
// follow for a while.
func (w *liteWriter) transaction(group []*member, results []error) error {
	if err := w.open(); err != nil {
		return err
	}
	if w.careful == 0 {
		failed, err := w.together(group)
		if failed == nil || err != nil {
			return err
		}
		if len(group) == 1 {
			results[0] = failed
			return nil
		}
		w.careful = carefulGroups
	}
	w.careful--
	return w.apart(group, results)
}

// together commits a group whose members all succeed. When one fails, nothing happened and it answers why.
func (w *liteWriter) together(group []*member) (failed, err error) {
	if err := w.conn.exec("BEGIN IMMEDIATE", nil); err != nil {
		return nil, err
	}
	for _, m := range group {
		if failed = w.play(m.queue); failed == nil {
			continue
		}
		if err := w.conn.exec("ROLLBACK", nil); err != nil {
			return nil, lost(err, failed)
		}
		return failed, nil
	}
	return nil, w.end()
}

// apart commits those members of a group that succeed.
func (w *liteWriter) apart(group []*member, results []error) error {
	if err := w.conn.exec("BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	for i, m := range group {
		if err := w.conn.exec("SAVEPOINT member", nil); err != nil {
			return lost(err, nil)
		}
		if results[i] = w.play(m.queue); results[i] != nil {
			if err := w.conn.exec("ROLLBACK TO member", nil); err != nil {
				return lost(err, results[i])
			}
		}
		if err := w.conn.exec("RELEASE member", nil); err != nil {
			return lost(err, results[i])
		}
	}
	return w.end()
}

func (w *liteWriter) end() error {
	if err := w.conn.exec("COMMIT", nil); err != nil {
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
			if err := w.conn.exec(o.cmd.lite, o.args); err != nil {
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
	w.conn.discard()
	w.conn = nil
}

// handOver lends the connection to one explicit transaction and waits until it is given back.
func (w *liteWriter) handOver(m *member) {
	err := w.open()
	if err == nil {
		err = w.conn.exec("BEGIN IMMEDIATE", nil)
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
	return l.liteConn.exec(c.lite, args)
}

func (l *liteLocked) release() {}

func (l *liteLocked) commit() error {
	err := l.liteConn.exec("COMMIT", nil)
	if err != nil {
		err = lost(err, nil)
	}
	l.ended <- err
	return err
}

func (l *liteLocked) rollback() {
	err := l.liteConn.exec("ROLLBACK", nil)
	l.ended <- err
}
