package db

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"kontor/internal/clock"
)

// Statements that wait to read at the same time share a round trip: what a look at one row costs is mostly messages and
// switches between processes. Of those who wait, one leads: it sends what waits, hands out the answers, and passes the
// lead on. Each statement sees what is committed when it starts, as it would alone.
const (
	pgReaders    = 3                    // round trips under way at once
	pgMoreReader = pgPoolSize - 2       // of them, when there are slow ones: somebody waited for pgPatience
	pgPatience   = 3 * time.Millisecond // then who waits reads alone, if there is a connection
	pgReadGroup  = 16                   // statements in one round trip
)

// pgReader reads for one View or Update. It holds no connection.
type pgReader struct {
	engine *postgres
	ctx    context.Context // bounds the wait only
}

func (r *pgReader) release() {}

func (r *pgReader) query(q *Query, args []any) (rowSource, error) {
	return r.engine.reads.read(r.ctx, r.engine, &pgRead{query: q, args: pgArgs(args), turn: make(chan pgReadTurn, 1)})
}

// pgRead is a statement that waits for its answer.
type pgRead struct {
	query *Query
	args  []any
	turn  chan pgReadTurn // told once; has room for it
}

// pgReadTurn ends a wait: the answer, or the lead with a connection.
type pgReadTurn struct {
	conn *pgxpool.Conn
	rows *pgAnswer
	err  error
}

// pgReads is where statements that read wait.
type pgReads struct {
	mu      sync.Mutex
	waiting []*pgRead
	leading int
}

func (l *pgReads) read(ctx context.Context, e *postgres, r *pgRead) (rowSource, error) {
	turn := pgReadTurn{}
	if !l.join(r) {
		var err error
		if turn, err = l.wait(ctx, r); err != nil {
			return nil, err
		}
	}
	if turn.rows == nil && turn.err == nil {
		turn = l.lead(ctx, e, turn.conn, r)
	}
	if turn.err != nil {
		return nil, turn.err
	}
	return turn.rows, nil
}

// join lets a statement lead at once, or puts it in line.
func (l *pgReads) join(r *pgRead) (leads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leading < pgReaders {
		l.leading++
		return true
	}
	l.waiting = append(l.waiting, r)
	return false
}

// leave takes a statement out of the line, unless somebody took it already; to lead, if it may.
func (l *pgReads) leave(r *pgRead, toLead bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, r)
	if i < 0 || toLead && l.leading >= pgMoreReader {
		return false
	}
	if toLead {
		l.leading++
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return true
}

// wait ends with the statement's turn, or when its time is over and nobody has taken it. After a while it takes the
// lead without being asked: those who read before may be slow.
func (l *pgReads) wait(ctx context.Context, r *pgRead) (pgReadTurn, error) {
	patience, timeout := time.NewTimer(pgPatience), time.Now().Add(opTimeout)
	defer patience.Stop()
	for {
		select {
		case turn := <-r.turn:
			return turn, nil
		case <-ctx.Done():
			if l.leave(r, false) {
				return pgReadTurn{}, ctx.Err()
			}
			return <-r.turn, nil
		case <-patience.C:
			switch {
			case l.leave(r, true):
				return pgReadTurn{}, nil
			case time.Now().After(timeout) && l.leave(r, false):
				return pgReadTurn{}, fmt.Errorf("%w: no connection was free in time", ErrUnavailable)
			}
			patience.Reset(pgPatience)
		}
	}
}

// lead reads for a statement and for others who wait, tells them, and answers the statement's own turn.
func (l *pgReads) lead(ctx context.Context, e *postgres, c *pgxpool.Conn, r *pgRead) pgReadTurn {
	group := []*pgRead{r}
	turns := []pgReadTurn{{err: fmt.Errorf("%w: the reading was broken off", ErrUnavailable)}}
	defer func() { // whatever happens the line goes on
		if c != nil && c.Conn().IsClosed() {
			c.Release()
			c = nil
		}
		l.pass(c)
		for i, other := range group[1:] {
			other.turn <- turns[min(i+1, len(turns)-1)]
		}
	}()
	if c == nil {
		var err error
		if c, err = e.take(ctx); err != nil {
			turns[0].err = err
			if ctx.Err() == nil { // the database is away, for everybody
				group = l.gather(r)
			}
			return turns[0]
		}
	}
	runtime.Gosched() // who is about to join does
	group = l.gather(r)
	turns = readTogether(c.Conn(), group)
	return turns[0]
}

// gather adds to the one who leads those in line.
func (l *pgReads) gather(first *pgRead) []*pgRead {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), pgReadGroup-1)
	group := append([]*pgRead{first}, l.waiting[:n]...)
	l.waiting = slices.Delete(l.waiting, 0, n)
	return group
}

// pass hands the lead to the next in line, or gives the connection back.
func (l *pgReads) pass(c *pgxpool.Conn) {
	l.mu.Lock()
	if len(l.waiting) == 0 || l.leading > pgReaders {
		l.leading--
		l.mu.Unlock()
		if c != nil {
			c.Release()
		}
		return
	}
	next := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	l.mu.Unlock()
	next.turn <- pgReadTurn{conn: c}
}

// readTogether asks all that a group asks. When PostgreSQL refuses a statement, it leaves out those behind it, and they
// are asked again.
func readTogether(c *pgx.Conn, group []*pgRead) []pgReadTurn {
	turns := make([]pgReadTurn, len(group))
	for first := 0; first < len(group); {
		answered, err := readAll(c, group[first:], turns[first:])
		if err == nil {
			return turns
		}
		var refused *pgconn.PgError
		switch last := first + answered; {
		case c.IsClosed():
			for i := last; i < len(group); i++ {
				turns[i].err = pgError(err)
			}
			return turns
		case errors.As(err, &refused) || last == len(group)-1:
			turns[last].err = pgError(err)
			first = last + 1
		default: // a statement that could not be sent, it is not known which
			for i := last; i < len(group); i++ {
				turns[i] = readTogether(c, group[i:i+1])[0]
			}
			return turns
		}
	}
	return turns
}

// readAll sends a group, and answers how many of its statements were answered before one failed.
func readAll(c *pgx.Conn, group []*pgRead, turns []pgReadTurn) (answered int, err error) {
	timeout, cancel := detached()
	defer cancel()
	batch := pgx.Batch{QueuedQueries: make([]*pgx.QueuedQuery, 0, len(group))}
	for _, r := range group {
		batch.Queue(r.query.text, r.args...)
	}
	results := c.SendBatch(timeout, &batch)
	for i := range group {
		rows, err := results.Query()
		if err == nil {
			turns[i].rows, err = keep(rows)
		}
		if err != nil {
			return i, errors.Join(err, results.Close())
		}
	}
	_ = results.Close() // all answers are here
	return len(group), nil
}

// pgAnswer is a statement's whole answer.
type pgAnswer struct {
	kinds []pgKind
	bytes []byte
	ends  []int // of each value in bytes, row by row; -1: NULL
	row   int   // counted from 1
}

type pgKind struct {
	oid    uint32
	format int16
}

func keep(rows pgx.Rows) (*pgAnswer, error) {
	defer rows.Close()
	a := &pgAnswer{}
	fields := rows.FieldDescriptions()
	a.kinds = make([]pgKind, len(fields))
	for i, f := range fields {
		a.kinds[i] = pgKind{f.DataTypeOID, f.Format}
	}
	for rows.Next() {
		values := rows.RawValues()
		if a.ends == nil {
			a.ends = make([]int, 0, 8*len(values)) // few answers have more rows
		}
		for _, value := range values {
			if value == nil {
				a.ends = append(a.ends, -1)
				continue
			}
			a.bytes = append(a.bytes, value...)
			a.ends = append(a.ends, len(a.bytes))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *pgAnswer) Next() bool {
	a.row++
	return a.row*len(a.kinds) <= len(a.ends) && len(a.ends) > 0
}

func (a *pgAnswer) Err() error { return nil }
func (a *pgAnswer) Close()     { a.row = len(a.ends) + 1 }

// scan copies the columns of the current row.
func (a *pgAnswer) scan(dest []any) error {
	if len(dest) != len(a.kinds) {
		return fmt.Errorf("db: %d destinations for %d columns", len(dest), len(a.kinds))
	}
	first := (a.row - 1) * len(a.kinds)
	start := 0
	for _, end := range slices.Backward(a.ends[:first]) {
		if end >= 0 {
			start = end
			break
		}
	}
	for i, d := range dest {
		end := a.ends[first+i]
		value := []byte{} // what is empty is not NULL
		if end > start {
			value = a.bytes[start:end:end]
		}
		start = max(start, end)
		if err := a.kinds[i].decode(value, end < 0, d); err != nil {
			return fmt.Errorf("db: column %d: %w", i+1, err)
		}
	}
	return nil
}

// decode copies a value. What is rare goes through pgx.
func (k pgKind) decode(value []byte, null bool, dest any) error {
	if null {
		return k.decodeRare(nil, dest)
	}
	if text, ok := dest.(*string); ok && k.oid == pgtype.TextOID { // either format is the text
		*text = string(value)
		return nil
	}
	if k.format == pgtype.BinaryFormatCode && k.decodeBinary(value, dest) {
		return nil
	}
	return k.decodeRare(value, dest)
}

func (k pgKind) decodeBinary(value []byte, dest any) bool {
	switch d := dest.(type) {
	case *[]byte:
		if k.oid == pgtype.ByteaOID {
			*d = slices.Clone(value)
			return true
		}
	case *clock.ID:
		if k.oid == pgtype.UUIDOID && len(value) == len(d) {
			copy(d[:], value)
			return true
		}
	case *bool:
		if k.oid == pgtype.BoolOID && len(value) == 1 {
			*d = value[0] != 0
			return true
		}
	default:
		if k.oid == pgtype.Int8OID && len(value) == 8 {
			return setInteger(dest, int64(binary.BigEndian.Uint64(value)))
		}
	}
	return false
}

func setInteger(dest any, n int64) bool {
	switch d := dest.(type) {
	case *int64:
		*d = n
	case *int:
		*d = int(n)
	case *time.Time:
		*d = fromMicros(n)
	case **int64:
		*d = &n
	default:
		return false
	}
	return true
}

// maps decode what is rare: one may be used by one goroutine at a time, and is dear to make.
var maps = sync.Pool{New: func() any { return pgtype.NewMap() }}

func (k pgKind) decodeRare(value []byte, dest any) error {
	m := maps.Get().(*pgtype.Map)
	defer maps.Put(m)
	switch d := dest.(type) {
	case *clock.ID:
		return m.Scan(k.oid, k.format, value, (*[16]byte)(d))
	case *time.Time:
		var micros int64
		err := m.Scan(k.oid, k.format, value, &micros)
		*d = fromMicros(micros)
		return err
	}
	return m.Scan(k.oid, k.format, value, dest)
}
