package event

import (
	"context"
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
)

var (
	selectVersionGaps = db.NewQuery(`
		SELECT partner_id, object_id, previous, version FROM (
			SELECT partner_id, object_id, version,
				LAG(version) OVER (PARTITION BY partner_id, object_id ORDER BY version) AS previous
			FROM event
		) g WHERE version <> previous + 1`)
	selectSequenceGaps = db.NewQuery(`
		SELECT partner_id, object_id, previous, sequence FROM (
			SELECT partner_id, object_id, sequence,
				LAG(sequence) OVER (PARTITION BY partner_id ORDER BY sequence) AS previous
			FROM event WHERE sequence IS NOT NULL
		) g WHERE sequence <> previous + 1`)
)

// Verify checks invariant I4 on the event log: the versions of each object's events have no gaps, nor have
// the sequences of each partner, counted from the lowest that is kept. Each violation is a sentence.
func Verify(ctx context.Context, r db.Reader) ([]string, error) {
	versions, err := gaps(ctx, r, selectVersionGaps, func(partner int64, object clock.ID, from, to int64) string {
		return fmt.Sprintf("Object %s of partner %d has an event of version %d and then one of version %d.", object, partner, from, to)
	})
	if err != nil {
		return nil, err
	}
	sequences, err := gaps(ctx, r, selectSequenceGaps, func(partner int64, object clock.ID, from, to int64) string {
		return fmt.Sprintf("Partner %d has an event of sequence %d and then one of sequence %d, about object %s.", partner, from, to, object)
	})
	return append(versions, sequences...), err
}

func gaps(ctx context.Context, r db.Reader, q *db.Query, tell func(partner int64, object clock.ID, from, to int64) string) ([]string, error) {
	var found []string
	rows := r.Rows(q)
	defer rows.Close()
	for rows.Next() && ctx.Err() == nil {
		var partner, from, to int64
		var object clock.ID
		if err := rows.Scan(&partner, &object, &from, &to); err != nil {
			return nil, err
		}
		found = append(found, tell(partner, object, from, to))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return found, rows.Err()
}
