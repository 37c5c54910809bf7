package sepa

import (
	"context"
	"errors"
	"slices"
	"time"

	"kontor/internal/db"
	"kontor/internal/ledger"
)

// maxLines is how many lines of a statement one transaction keeps.
const maxLines = 500

var (
	insertLine = db.NewInsertOnce("bank_statement_line", `partner_id bigint, account text, reference text, part text, day bigint,
		statement_id text, amount bigint, batch bigint`, "partner_id, account, reference, part")
	insertStatement = db.NewInsert("bank_statement", `partner_id bigint, account text, day bigint, statement_id text,
		sequence bigint, opening bigint, closing bigint, lines bigint, booked bigint, made_at bigint, created_at bigint`)
	selectStatement = db.NewQuery(`SELECT opening, closing, lines FROM bank_statement
		WHERE partner_id = $1 AND account = $2 AND day = $3 AND statement_id = $4`)
	sumBooked = db.NewQuery(`
		SELECT CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) FROM bank_statement_line l
		JOIN bank_entry e ON e.partner_id = l.partner_id AND e.account = l.account AND e.reference = l.reference AND e.part = l.part
		WHERE l.partner_id = $1 AND l.account = $2 AND l.day = $3 AND l.statement_id = $4`)
)

// ErrContradiction says that the bank gave a statement of the same day and id before, with other figures.
var ErrContradiction = errors.New("sepa: the statement contradicts one of the same day and id")

// KeepStatement keeps a statement, whose lines were booked, for reconciliation. It can be told again, and in any order
// with others. ErrContradiction when it is another one than the first time.
func (s *Service) KeepStatement(ctx context.Context, st Statement) error {
	var known bool
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		known, err = knows(r, st)
		return err
	})
	if known || err != nil {
		return err
	}
	kept, err := s.apartLines(ctx, st)
	if err != nil {
		return err
	}
	for lines := range slices.Chunk(kept, maxLines) {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			for _, l := range lines {
				tx.Write(insertLine, ledger.Operator, string(st.Account), l.Reference, l.Part, st.Day, st.ID, l.Amount.Units(), l.Batch)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if known, err = knows(tx, st); known || err != nil {
			return err // another node was faster
		}
		var booked int64
		if err := tx.Row(sumBooked, ledger.Operator, string(st.Account), st.Day, st.ID).Scan(&booked); err != nil {
			return err
		}
		tx.Write(insertStatement, ledger.Operator, string(st.Account), st.Day, st.ID, st.Sequence, st.Opening.Units(), st.Closing.Units(),
			len(st.Lines), booked, st.MadeAt, s.clock.Now())
		return nil
	})
	if known || err != nil {
		return err
	}
	return s.closed(ctx, st)
}

// closed follows the keeping of a statement, which stays kept when it fails: the next one does its work too.
func (s *Service) closed(ctx context.Context, st Statement) error {
	if err := s.noteUnstated(ctx, st); err != nil {
		return err
	}
	var d Day
	err := s.db.Snapshot(ctx, func(r db.Reader) (err error) {
		d, err = compareOne(r, Place{st.Day, st.Sequence, st.MadeAt, st.ID})
		return err
	})
	if err != nil || d.Agrees() {
		return err
	}
	causes := make([]Cause, 0, len(d.Differences))
	for _, n := range d.Differences {
		if !slices.Contains(causes, n.Cause) {
			causes = append(causes, n.Cause)
		}
	}
	s.log.WarnContext(ctx, "the bank's statement and the books differ: see kontor reconcile bank", "day", st.Day.Format(time.DateOnly),
		"statement", st.ID, "bank", d.Closing.String(), "books", d.Books.String(), "difference", d.Difference.String(), "causes", causes)
	return nil
}

// knows tells whether a statement was kept before.
func knows(r db.Reader, st Statement) (bool, error) {
	var opening, closing, lines int64
	err := r.Row(selectStatement, ledger.Operator, string(st.Account), st.Day, st.ID).Scan(&opening, &closing, &lines)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case opening != st.Opening.Units() || closing != st.Closing.Units() || lines != int64(len(st.Lines)):
		return true, ErrContradiction
	}
	return true, nil
}
