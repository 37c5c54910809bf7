package db

import (
	"context"
	"errors"
	"slices"
	"strings"

	"kontor/internal/clock"
)

// ErrNoRows says that a Row had nothing to scan.
var ErrNoRows = errors.New("db: no rows")

var (
	errReadAfterWrite = errors.New("db: a read after a write in one transaction; read first, or call Locked")
	errOpenRows       = errors.New("db: a statement while Rows of the same transaction are open")
)

// Reader reads rows. Tx, and what View and Snapshot hand out, are Readers.
type Reader interface {
	// Row reads the first row of an answer.
	Row(q *Query, args ...any) Row
	// Rows reads all of them. The caller closes what it got, or reads to the end.
	Rows(q *Query, args ...any) *Rows
}

// Scanner is a row to scan: a Row, or the current one of Rows.
type Scanner interface{ Scan(dest ...any) error }

// Tx is one run of an Update. It must not be used after the function returned, nor by two goroutines.
type Tx struct {
	db      *DB
	ctx     context.Context
	attempt int
	conn    conn
	locked  lockedConn
	queue   queue
	relied  []move // that move nothing; see Rely
	rows    bool   // Rows are open
	err     error
	after   []func()
}

// queue is what an Update wants to be committed.
type queue struct {
	first []op
	ops   []op
	moves []move
}

type op struct {
	cmd  *Command
	args []any
}

type move struct {
	partner  int64
	account  clock.ID
	posted   int64
	held     int64
	revision int64 // that the account must have; anyRevision
}

// anyRevision is that of a move which was not decided on one.
const anyRevision = -1

func (q *queue) empty() bool { return len(q.first)+len(q.ops)+len(q.moves) == 0 }

// settle merges the moves of each account and sorts them by account, so that concurrent transactions
// take the locks of hot rows in the same order.
func (q *queue) settle() {
	slices.SortStableFunc(q.moves, func(a, b move) int {
		if a.partner != b.partner {
			return int(min(max(a.partner-b.partner, -1), 1))
		}
		return slices.Compare(a.account[:], b.account[:])
	})
	merged := q.moves[:0]
	for _, m := range q.moves {
		if n := len(merged); n > 0 && merged[n-1].partner == m.partner && merged[n-1].account == m.account {
			merged[n-1].posted += m.posted
			merged[n-1].held += m.held
			merged[n-1].revision = max(merged[n-1].revision, m.revision)
			continue
		}
		merged = append(merged, m)
	}
	q.moves = merged
}

// run calls fn and commits. It gives every connection back, also when fn panics.
func (tx *Tx) run(fn func(*Tx) error) error {
	committed := false
	defer func() {
		if tx.locked != nil && !committed {
			tx.locked.rollback()
		}
		if tx.conn != nil {
			tx.conn.release()
		}
	}()
	if err := fn(tx); err != nil {
		// A collision that fn saw as its own error must still count as a collision.
		if tx.err != nil && !errors.Is(err, tx.err) {
			return errors.Join(tx.err, err)
		}
		return err
	}
	if tx.err != nil {
		return tx.err
	}
	if tx.locked != nil {
		committed = true
		return tx.db.watch.applying(tx.locked.commit)
	}
	if tx.queue.empty() {
		return nil
	}
	tx.queue.moves = append(tx.queue.moves, tx.relied...)
	tx.queue.settle()
	c := tx.conn
	tx.conn = nil
	return tx.db.watch.applying(func() error { return tx.db.engine.apply(tx.ctx, c, &tx.queue) })
}

// Attempt tells which run of the function this is, counted from 1.
func (tx *Tx) Attempt() int { return tx.attempt }

// Row reads the first row of an answer.
func (tx *Tx) Row(q *Query, args ...any) Row {
	return Row{rows: tx.Rows(q, args...)}
}

// Rows reads an answer of many rows.
func (tx *Tx) Rows(q *Query, args ...any) *Rows {
	c, err := tx.reading()
	if err != nil {
		return &Rows{err: err}
	}
	src, err := c.query(q, args)
	if err != nil {
		return &Rows{err: tx.fail(err)}
	}
	tx.rows = true
	return &Rows{src: src, tx: tx}
}

func (tx *Tx) reading() (conn, error) {
	switch {
	case tx.err != nil:
		return nil, tx.err
	case tx.rows:
		return nil, tx.fail(errOpenRows)
	case tx.locked != nil:
		return tx.locked, nil
	case !tx.queue.empty():
		return nil, tx.fail(errReadAfterWrite)
	case tx.conn == nil:
		c, err := tx.db.engine.acquire(tx.ctx)
		if err != nil {
			return nil, tx.fail(err)
		}
		tx.conn = c
	}
	return tx.conn, nil
}

// Write queues a change. Its failure, a violated constraint, fails the whole Update.
func (tx *Tx) Write(c *Command, args ...any) {
	if tx.locked == nil {
		tx.queue.ops = append(tx.queue.ops, op{c, args})
		return
	}
	if tx.err == nil {
		if err := tx.locked.exec(c, args); err != nil {
			_ = tx.fail(err)
		}
	}
}

// WriteFirst queues a change ahead of all others. An idempotency record is written so: of two racers the
// later one waits at it, and fails before it touches anything else.
func (tx *Tx) WriteFirst(c *Command, args ...any) {
	if tx.locked != nil {
		tx.Write(c, args...)
		return
	}
	tx.queue.first = append(tx.queue.first, op{c, args})
}

// Move changes the posted and held amounts of a ledger account by deltas in minor units. The changes of
// one account are merged and applied last, in the order of accounts; an account that does not exist fails
// the Update. The constraints account_funds, account_held and account_open guard it.
func (tx *Tx) Move(partner int64, account clock.ID, posted, held int64) {
	m := move{partner, account, posted, held, anyRevision}
	if tx.locked == nil {
		tx.queue.moves = append(tx.queue.moves, m)
		return
	}
	if tx.err == nil {
		if err := tx.locked.move(m); err != nil {
			_ = tx.fail(err)
		}
	}
}

// Rely lets what the Update writes be committed only if an account still has the revision on which it was decided.
// Otherwise the function runs again, and must then read anew: see Attempt. It may be called before reads.
func (tx *Tx) Rely(partner int64, account clock.ID, revision int64) {
	tx.relied = append(tx.relied, move{partner, account, 0, 0, revision})
	if tx.locked != nil {
		tx.judge()
	}
}

// judge holds the accounts of a locked transaction against the revisions on which it relies.
func (tx *Tx) judge() {
	for _, m := range tx.relied {
		if tx.err == nil {
			if err := tx.locked.move(m); err != nil {
				_ = tx.fail(err)
			}
		}
	}
	tx.relied = nil
}

// Locked makes the rest of this run an explicit transaction: statements run at once, reads see earlier
// writes, and a query that ends with FOR UPDATE locks its rows. What was queued before is applied first.
// It is for operations of several dependent steps that are rare, or that own their rows.
func (tx *Tx) Locked() {
	if tx.locked != nil || tx.err != nil {
		return
	}
	if tx.conn != nil { // one connection at a time: asking for a second one can hang the pool
		tx.conn.release()
		tx.conn = nil
	}
	l, err := tx.db.engine.lock(tx.ctx)
	if err != nil {
		_ = tx.fail(err)
		return
	}
	tx.locked = l
	tx.judge()
	q := tx.queue
	tx.queue = queue{}
	for _, o := range slices.Concat(q.first, q.ops) {
		tx.Write(o.cmd, o.args...)
	}
	q.settle()
	for _, m := range q.moves {
		tx.Move(m.partner, m.account, m.posted, m.held)
	}
}

// AfterCommit registers a hook that runs once, after this run committed: to wake a worker, say.
func (tx *Tx) AfterCommit(hook func()) { tx.after = append(tx.after, hook) }

// fail makes an error stick: nothing runs after it, and the Update ends with it.
func (tx *Tx) fail(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return tx.err
}

// view is a Reader on a connection of its own.
type view struct {
	conn conn
	open bool
}

func (v *view) Row(q *Query, args ...any) Row { return Row{rows: v.Rows(q, args...)} }

func (v *view) Rows(q *Query, args ...any) *Rows {
	if v.open {
		return &Rows{err: errOpenRows}
	}
	src, err := v.conn.query(q, args)
	if err != nil {
		return &Rows{err: err}
	}
	v.open = true
	return &Rows{src: src, view: v}
}

// Rows is an open answer.
type Rows struct {
	src  rowSource
	tx   *Tx
	view *view
	err  error
}

// Next moves to the next row and closes the answer after the last.
func (r *Rows) Next() bool {
	if r.err != nil || r.src == nil {
		return false
	}
	if r.src.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan copies the columns of the current row. Destinations are pointers to string, int, int64, bool,
// []byte, clock.ID, time.Time (a BIGINT of microseconds; 0 is the zero time), *int64 for a nullable number.
func (r *Rows) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if err := r.src.scan(dest); err != nil {
		r.err = err
		r.Close()
	}
	return r.err
}

// Err is the error that ended the rows early, if any.
func (r *Rows) Err() error { return r.err }

// Close ends the answer. It may be called more than once.
func (r *Rows) Close() {
	if r.src == nil {
		return
	}
	r.src.Close()
	if err := r.src.Err(); err != nil && r.err == nil {
		r.err = err
	}
	r.src = nil
	if r.view != nil {
		r.view.open = false
	}
	if r.tx != nil {
		r.tx.rows = false
		if r.err != nil {
			_ = r.tx.fail(r.err)
		}
	}
}

// Row is the first row of an answer.
type Row struct{ rows *Rows }

// Scan copies the row's columns, or answers ErrNoRows.
func (r Row) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if r.rows.err != nil {
			return r.rows.err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.err
}

// columnList is the text of a constraint's columns as SQLite reports them: "t.a, t.b".
func columnList(table string, columns []string) string {
	return table + "." + strings.Join(columns, ", "+table+".")
}
