package audit

import (
	"context"
	"errors"
	"fmt"

	"kontor/internal/db"
)

var (
	selectHead  = db.NewQuery(`SELECT number, hash FROM audit_head WHERE id = 1`)
	selectChain = db.NewQuery(`SELECT ` + columns + ` FROM audit_entry ORDER BY number`)
)

// Verify follows the chain from the first entry to the head and names everything that breaks it: entries that
// are missing, do not follow from the one before, or do not have the content that was written. r should be a
// Snapshot.
func Verify(ctx context.Context, r db.Reader) ([]string, error) {
	c := chain{}
	rows := r.Rows(selectChain)
	defer rows.Close()
	for rows.Next() && ctx.Err() == nil {
		e, err := scanOne(rows)
		if err != nil {
			return nil, err
		}
		c.follow(e)
	}
	if err := errors.Join(ctx.Err(), rows.Err()); err != nil {
		return nil, err
	}
	var end Recorded
	err := r.Row(selectHead).Scan(&end.Number, &end.Hash)
	if errors.Is(err, db.ErrNoRows) {
		return append(c.violations, "I3: the audit log has lost its head, which tells where it ends"), nil
	}
	if err != nil {
		return nil, err
	}
	c.finish(end)
	return c.violations, nil
}

// chain is the part of the log that was followed so far.
type chain struct {
	number     int64
	hash       string
	violations []string
}

func (c *chain) report(format string, args ...any) {
	c.violations = append(c.violations, "I3: the audit log: "+fmt.Sprintf(format, args...))
}

func (c *chain) follow(e Recorded) {
	gap := e.Number != c.number+1
	switch {
	case e.Number < 1:
		c.report("entry %d cannot be: the first has the number 1", e.Number)
	case gap:
		c.missing(e.Number - 1)
	}
	if !gap && e.Previous != c.hash {
		c.report("entry %d does not follow from the entry before it", e.Number)
	}
	if hash, err := e.digest(); err != nil || hash != e.Hash {
		c.report("entry %d has not the content that was written", e.Number)
	}
	c.number, c.hash = e.Number, e.Hash
}

func (c *chain) missing(last int64) {
	if first := c.number + 1; first == last {
		c.report("entry %d is missing", first)
	} else {
		c.report("entries %d to %d are missing", first, last)
	}
}

// finish compares the last entry with the head.
func (c *chain) finish(end Recorded) {
	switch {
	case c.number < end.Number:
		c.missing(end.Number)
	case c.number > end.Number:
		c.report("entry %d stands behind the log's end, which is %d", c.number, end.Number)
	case c.hash != end.Hash:
		c.report("entry %d is not the one that the log ends with", c.number)
	}
}
