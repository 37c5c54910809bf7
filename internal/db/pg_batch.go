package db

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"kontor/internal/clock"
)

// pgBatch is what one transaction sends: few statements, and their parameters as PostgreSQL reads them.
type pgBatch struct {
	statements []pgStatement
}

type pgStatement struct {
	text   string
	params [][]byte
	format []int16 // of the parameters
}

// Moves of many accounts are two statements. The first locks the accounts in the order in which they are given:
// a single UPDATE would lock them in the order of its plan. The inner SELECT is run for each element of the
// array in turn, as it depends on it and, having a lock, cannot be merged with the outer one. Its division
// raises when an account does not exist, as pgMove's does.
const (
	pgLock = `SELECT 1 / (CASE WHEN count(*) = cardinality($2::uuid[]) THEN 1 ELSE 0 END)
	FROM unnest($1::bigint[], $2::uuid[]) AS m(partner_id, id)
	CROSS JOIN LATERAL (
		SELECT 1 FROM account a WHERE a.partner_id = m.partner_id AND a.id = m.id FOR NO KEY UPDATE
	) AS locked`
	pgMoves = `UPDATE account AS a SET posted = a.posted + m.posted, held = a.held + m.held,
		revision = CASE WHEN a.revision = m.revision OR m.revision < 0 THEN a.revision ELSE -1 END
	FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[]) AS m(partner_id, id, posted, held, revision)
	WHERE a.partner_id = m.partner_id AND a.id = m.id`
)

// newPgBatch merges queues of INSERTs and moves, of which there is one statement for each table. All groups take
// their locks in the same order: the idempotency keys, the other tables by name, in each the rows by their columns,
// then the accounts.
func newPgBatch(queues []*queue) (*pgBatch, error) {
	b := &pgBatch{}
	var first, others pgSets
	var all queue
	for _, q := range queues {
		first = first.add(q.first)
		others = others.add(q.ops)
		all.moves = append(all.moves, q.moves...)
	}
	for _, sets := range []pgSets{first, others} {
		slices.SortFunc(sets, func(a, b *pgSet) int { return strings.Compare(a.cmd.set, b.cmd.set) })
		for _, s := range sets {
			params, err := s.params()
			if err != nil {
				return nil, err
			}
			b.statements = append(b.statements, pgStatement{s.cmd.set, params, binaryFormat})
		}
	}
	if len(all.moves) > 0 {
		all.settle()
		b.addMoves(all.moves)
	}
	return b, nil
}

// newPgSequence is one queue in its own order. What a command does several times in a row is one statement, if it
// has a form for that; among INSERTs that follow each other, which do not depend on their order, also what it does
// here and there.
func newPgSequence(q *queue) (*pgBatch, error) {
	b := &pgBatch{}
	ops := slices.Concat(q.first, q.ops)
	for len(ops) > 0 {
		run := 1
		for run < len(ops) && (ops[run].cmd == ops[0].cmd || ops[run].cmd.insert && ops[0].cmd.insert) {
			run++
		}
		for _, set := range (pgSets{}).add(ops[:run]) {
			if err := b.add(set); err != nil {
				return nil, err
			}
		}
		ops = ops[run:]
	}
	if len(q.moves) > fewMoves {
		b.addMoves(q.moves)
		return b, nil
	}
	for _, m := range q.moves {
		params, err := textParams([]any{m.partner, m.account, m.posted, m.held, m.revision})
		if err != nil {
			return nil, err
		}
		b.statements = append(b.statements, pgStatement{pgMove, params, textFormat})
	}
	return b, nil
}

// fewMoves is up to how many accounts are changed one by one.
const fewMoves = 6

// add adds what a command does with some rows: one statement if the command has a form for that.
func (b *pgBatch) add(s *pgSet) error {
	if s.cmd.set != "" && len(s.rows) > 1 {
		params, err := s.params()
		b.statements = append(b.statements, pgStatement{s.cmd.set, params, binaryFormat})
		return err
	}
	for _, row := range s.rows {
		params, err := textParams(row)
		if err != nil {
			return err
		}
		b.statements = append(b.statements, pgStatement{s.cmd.text, params, textFormat})
	}
	return nil
}

// addMoves adds the changes of many accounts, in the order of accounts.
func (b *pgBatch) addMoves(moves []move) {
	params := moveParams(moves)
	b.statements = append(b.statements, pgStatement{pgLock, params[:2], binaryFormat}, pgStatement{pgMoves, params, binaryFormat})
}

// Parameters of single statements are sent as text, because the types of their columns are PostgreSQL's to know.
var textFormat = []int16{pgtype.TextFormatCode}

func textParams(args []any) ([][]byte, error) {
	params := make([][]byte, len(args))
	for i, arg := range args {
		switch a := arg.(type) {
		case string:
			params[i] = []byte(a)
		case clock.ID:
			params[i] = []byte(a.String())
		case []byte:
			if a != nil {
				params[i] = append([]byte(`\x`), hex.AppendEncode(nil, a)...)
			}
		case bool:
			params[i] = strconv.AppendBool(nil, a)
		default:
			n, ok := bigint(a)
			if !ok {
				return nil, fmt.Errorf("db: an argument cannot be %T", a)
			}
			params[i] = strconv.AppendInt(nil, n, 10)
		}
	}
	return params, nil
}

var binaryFormat = []int16{pgtype.BinaryFormatCode}

// send commits the batch: without explicit BEGIN a pipeline is one implicit transaction, committed at its end.
// An error that is ErrUnavailable leaves open whether that happened; with any other, nothing was committed.
func (b *pgBatch) send(c *pgxpool.Conn) error {
	timeout, cancel := detached()
	defer cancel()
	prepared := make([]*pgconn.StatementDescription, len(b.statements))
	for i, s := range b.statements {
		var err error
		if prepared[i], err = c.Conn().Prepare(timeout, s.text, s.text); err != nil {
			return pgError(err)
		}
	}
	p := c.Conn().PgConn().StartPipeline(timeout)
	for i, s := range b.statements {
		p.SendQueryStatement(prepared[i], s.params, s.format, nil)
	}
	if err := p.Sync(); err != nil {
		_ = p.Close()
		return undecided(err)
	}
	err := b.results(p)
	if closed := p.Close(); err == nil {
		err = closed
	}
	if err == nil {
		return nil
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !c.Conn().IsClosed() {
		return pgError(err)
	}
	return undecided(err)
}

// results reads what the statements answer, up to the commit.
func (b *pgBatch) results(p *pgconn.Pipeline) error {
	for range b.statements {
		r, err := p.GetResults()
		if err != nil {
			return err
		}
		reader, ok := r.(*pgconn.ResultReader)
		if !ok {
			return fmt.Errorf("a statement answers %T", r)
		}
		if _, err := reader.Close(); err != nil {
			return err
		}
	}
	r, err := p.GetResults()
	if err != nil {
		return err
	}
	if _, ok := r.(*pgconn.PipelineSync); !ok {
		return fmt.Errorf("the end of the batch answers %T", r)
	}
	return nil
}

// undecided is the error of a commit that may or may not have happened.
func undecided(err error) error { return fmt.Errorf("%w: commit of a group: %w", ErrUnavailable, err) }

// pgSets are the rows to insert, by statement.
type pgSets []*pgSet

type pgSet struct {
	cmd  *Command
	rows [][]any
}

func (sets pgSets) add(ops []op) pgSets {
	for _, o := range ops {
		i := slices.IndexFunc(sets, func(s *pgSet) bool { return s.cmd == o.cmd })
		if i < 0 {
			i = len(sets)
			sets = append(sets, &pgSet{cmd: o.cmd})
		}
		sets[i].rows = append(sets[i].rows, o.args)
	}
	return sets
}

// params sorts the rows and encodes them column by column.
func (s *pgSet) params() ([][]byte, error) {
	for _, row := range s.rows {
		if len(row) != len(s.cmd.columns) {
			return nil, fmt.Errorf("db: %d arguments for %s", len(row), s.cmd.text)
		}
	}
	slices.SortStableFunc(s.rows, compareRows)
	params := make([][]byte, len(s.cmd.columns))
	for i, column := range s.cmd.columns {
		buf := appendArray(nil, column.kind, len(s.rows))
		for _, row := range s.rows {
			var err error
			if buf, err = appendValue(buf, column.kind, row[i]); err != nil {
				return nil, fmt.Errorf("db: column %s of %s: %w", column.name, s.cmd.text, err)
			}
		}
		params[i] = buf
	}
	return params, nil
}

func compareRows(a, b []any) int {
	for i := range a {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// compareValues orders the values that keys are made of; others are equal.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case clock.ID:
		if b, ok := b.(clock.ID); ok {
			return bytes.Compare(a[:], b[:])
		}
	}
	return 0
}

func moveParams(moves []move) [][]byte {
	n := len(moves)
	partners, accounts := appendArray(nil, "bigint", n), appendArray(nil, "uuid", n)
	posted, held, revisions := appendArray(nil, "bigint", n), appendArray(nil, "bigint", n), appendArray(nil, "bigint", n)
	for _, m := range moves {
		partners = appendBigint(partners, m.partner)
		accounts = appendBytes(accounts, m.account[:])
		posted = appendBigint(posted, m.posted)
		held = appendBigint(held, m.held)
		revisions = appendBigint(revisions, m.revision)
	}
	return [][]byte{partners, accounts, posted, held, revisions}
}

var elementOID = map[string]uint32{
	"bigint": pgtype.Int8OID, "text": pgtype.TextOID, "boolean": pgtype.BoolOID, "uuid": pgtype.UUIDOID, "bytes": pgtype.ByteaOID,
}

// appendArray begins an array of one dimension: dimensions, whether there may be NULLs, the elements' type,
// how many, the first index.
func appendArray(buf []byte, kind string, elements int) []byte {
	buf = slices.Grow(buf, 20+elements*20)
	for _, v := range []uint32{1, 1, elementOID[kind], uint32(elements), 1} { //nolint:gosec // at most a few hundred elements
		buf = binary.BigEndian.AppendUint32(buf, v)
	}
	return buf
}

func appendBigint(buf []byte, v int64) []byte {
	buf = binary.BigEndian.AppendUint32(buf, 8)
	return binary.BigEndian.AppendUint64(buf, uint64(v)) //nolint:gosec // the bits of the number
}

func appendBytes(buf, v []byte) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(v))) //nolint:gosec // checked by appendValue
	return append(buf, v...)
}

// appendValue encodes an element: its length, and its bytes. The length of NULL is -1.
func appendValue(buf []byte, kind string, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return binary.BigEndian.AppendUint32(buf, math.MaxUint32), nil
	case clock.ID:
		if kind == "uuid" {
			return appendBytes(buf, v[:]), nil
		}
	case string:
		if kind == "text" && len(v) < math.MaxInt32 {
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(v))) //nolint:gosec // just checked
			return append(buf, v...), nil
		}
	case []byte:
		if v == nil {
			return appendValue(buf, kind, nil)
		}
		if kind == "bytes" && len(v) < math.MaxInt32 {
			return appendBytes(buf, v), nil
		}
	case bool:
		if kind == "boolean" {
			b := byte(0)
			if v {
				b = 1
			}
			return appendBytes(buf, []byte{b}), nil
		}
	default:
		if number, ok := bigint(value); ok && kind == "bigint" {
			return appendBigint(buf, number), nil
		}
	}
	return nil, fmt.Errorf("%T is no %s", value, kind)
}

func bigint(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case time.Time:
		return toMicros(v), true
	}
	return 0, false
}
