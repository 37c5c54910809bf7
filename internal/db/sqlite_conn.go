package db

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"kontor/internal/clock"
)

// liteConn is one connection with its prepared statements. No request's context reaches it: an interrupt
// would end the transaction of a whole group.
type liteConn struct {
	conn     *sqlite.Conn
	engine   *lite
	prepared map[string]*liteStmt
}

// liteStmt is a prepared statement. SQLite takes $3 for a name and numbers parameters as they appear;
// order tells for each of them which argument it is, counted from 0.
type liteStmt struct {
	*sqlite.Stmt
	order []int
	args  int
}

func (c *liteConn) release() { c.engine.idle <- c }

func (c *liteConn) prepare(text string) (*liteStmt, error) {
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	stmt, rest, err := c.conn.PrepareTransient(text)
	if err != nil {
		return nil, c.engine.error(err)
	}
	s := &liteStmt{Stmt: stmt}
	if err = s.number(); err == nil && rest > 0 {
		err = fmt.Errorf("db: more than one statement: %s", text)
	}
	if err != nil {
		_ = stmt.Finalize() // nothing ran
		return nil, err
	}
	c.prepared[text] = s
	return s, nil
}

func (s *liteStmt) number() error {
	for i := 1; i <= s.BindParamCount(); i++ {
		n, err := strconv.Atoi(strings.TrimPrefix(s.BindParamName(i), "$"))
		if err != nil || n < 1 {
			return fmt.Errorf("db: parameter %q is not numbered", s.BindParamName(i))
		}
		s.order = append(s.order, n-1)
		s.args = max(s.args, n)
	}
	return nil
}

// bind gives the statement its arguments; what SQLite refuses shows at the first step.
func (s *liteStmt) bind(args []any) error {
	if len(args) != s.args {
		return fmt.Errorf("db: %d arguments for a statement of %d", len(args), s.args)
	}
	for i, n := range s.order {
		switch a := args[n].(type) {
		case string:
			s.BindText(i+1, a)
		case int64:
			s.BindInt64(i+1, a)
		case int:
			s.BindInt64(i+1, int64(a))
		case bool:
			s.BindBool(i+1, a)
		case clock.ID:
			s.BindText(i+1, a.String())
		case time.Time:
			s.BindInt64(i+1, toMicros(a))
		case []byte:
			if a == nil {
				s.BindNull(i + 1)
			} else {
				s.BindBytes(i+1, a)
			}
		default:
			return fmt.Errorf("db: an argument cannot be %T", a)
		}
	}
	return nil
}

func (c *liteConn) start(text string, args []any) (*liteStmt, error) {
	s, err := c.prepare(text)
	if err != nil {
		return nil, err
	}
	return s, s.bind(args)
}

func (c *liteConn) query(q *Query, args []any) (rowSource, error) {
	s, err := c.start(q.lite, args)
	if err != nil {
		return nil, err
	}
	return &liteRows{stmt: s, engine: c.engine}, nil
}

func (c *liteConn) exec(text string, args []any) error {
	s, err := c.start(text, args)
	if err != nil {
		return err
	}
	if _, err = s.Step(); err != nil {
		return c.engine.error(err) // Step has reset it
	}
	return c.engine.error(s.Reset())
}

// A move on another revision than that of the account would leave it at -1, which account_current refuses.
const (
	liteMove = `UPDATE account SET posted = posted + $3, held = held + $4,
		revision = CASE WHEN revision = $5 OR $5 < 0 THEN revision ELSE -1 END WHERE partner_id = $1 AND id = $2`
	liteRevision = `SELECT revision FROM account WHERE partner_id = $1 AND id = $2`
)

func (c *liteConn) move(m move) error {
	if err := c.exec(liteMove, []any{m.partner, m.account, m.posted, m.held, m.revision}); err != nil {
		return c.outdated(m, err)
	}
	if c.conn.Changes() != 1 {
		return fmt.Errorf("db: move on an account that does not exist: partner %d, account %s", m.partner, m.account)
	}
	return nil
}

// outdated explains the failure of a move that was decided on another revision: whatever else was wrong with it may
// be right with the account as it is. SQLite checks in the order of the schema.
func (c *liteConn) outdated(m move, failed error) error {
	var violated *ConstraintError
	if m.revision == anyRevision || !errors.As(failed, &violated) {
		return failed
	}
	s, err := c.start(liteRevision, []any{m.partner, m.account})
	if err != nil {
		return failed
	}
	defer s.Reset() //nolint:errcheck // repeats the error of the last step
	if found, err := s.Step(); err == nil && found && s.ColumnInt64(0) != m.revision {
		return &ConstraintError{Check, accountCurrent, failed}
	}
	return failed
}

// discard closes the connection, which rolls back what it had begun.
func (c *liteConn) discard() {
	for _, s := range c.prepared {
		_ = s.Finalize() // repeats the error of the last step
	}
	_ = c.conn.Close() // nothing can be done about a file that cannot be closed
}

type liteSnapshot struct{ liteConn }

func (s *liteSnapshot) release() { s.discard() }

// liteRows is the answer of a statement, which is not reset until it is closed.
type liteRows struct {
	stmt   *liteStmt
	engine *lite
	err    error
}

func (r *liteRows) Next() bool {
	found, err := r.stmt.Step()
	if err != nil {
		r.err = r.engine.error(err)
	}
	return found
}

func (r *liteRows) Close()     { _ = r.stmt.Reset() } // repeats the error of the last step
func (r *liteRows) Err() error { return r.err }

func (r *liteRows) scan(dest []any) error {
	if n := r.stmt.ColumnCount(); n != len(dest) {
		return fmt.Errorf("db: %d destinations for %d columns", len(dest), n)
	}
	for i, d := range dest {
		if err := r.column(i, d); err != nil {
			return fmt.Errorf("db: column %d: %w", i+1, err)
		}
	}
	return nil
}

// column copies one column. What is stored must be of the kind that is asked for: nothing is converted.
func (r *liteRows) column(i int, dest any) (err error) {
	stored := r.stmt.ColumnType(i)
	ok := true
	switch d := dest.(type) {
	case *string:
		*d, ok = r.stmt.ColumnText(i), stored == sqlite.TypeText
	case *int64:
		*d, ok = r.stmt.ColumnInt64(i), stored == sqlite.TypeInteger
	case *int:
		*d, ok = int(r.stmt.ColumnInt64(i)), stored == sqlite.TypeInteger
	case *bool:
		*d, ok = r.stmt.ColumnInt64(i) != 0, stored == sqlite.TypeInteger
	case *clock.ID:
		if ok = stored == sqlite.TypeText; ok {
			*d, err = clock.ParseID(r.stmt.ColumnText(i))
		}
	case *time.Time:
		*d, ok = fromMicros(r.stmt.ColumnInt64(i)), stored == sqlite.TypeInteger
	case *[]byte:
		*d, ok = r.bytes(i, stored), stored == sqlite.TypeBlob || stored == sqlite.TypeNull
	case **int64:
		if *d = nil; stored != sqlite.TypeNull {
			n := r.stmt.ColumnInt64(i)
			*d, ok = &n, stored == sqlite.TypeInteger
		}
	default:
		return fmt.Errorf("a destination cannot be %T", dest)
	}
	if !ok {
		return fmt.Errorf("%s cannot be read into %T", stored, dest)
	}
	return err
}

// bytes copies a blob; nothing for NULL.
func (r *liteRows) bytes(i int, stored sqlite.ColumnType) []byte {
	if stored == sqlite.TypeNull {
		return nil
	}
	b := make([]byte, r.stmt.ColumnLen(i))
	r.stmt.ColumnBytes(i, b)
	return b
}
