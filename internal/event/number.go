package event

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

const numberBatch = 500 // events numbered in one transaction

// errHeld says that another node holds the lane.
var errHeld = errors.New("event: another node holds the lane")

// status = 'PENDING' is written out, here and in the other statements, so that the planners of both engines
// see that the partial index event_pending serves them. Ordering by the sequence first, although it is NULL
// in all rows, lets PostgreSQL read the index in order.
var (
	lockLane = db.NewQuery(`
		SELECT sequence, node, leased_until FROM event_lane WHERE partner_id = $1 FOR UPDATE`)
	selectLane = db.NewQuery(`SELECT sequence, node FROM event_lane WHERE partner_id = $1`)
	insertLane = db.NewInsert("event_lane", "partner_id bigint, sequence bigint, node text, leased_until bigint")
	updateLane = db.NewCommand(`
		UPDATE event_lane SET sequence = $2, node = $3, leased_until = $4 WHERE partner_id = $1`)
	// Two that number at once may write the same numbers for the same events, and then the counter is not to go
	// back; other numbers than the first one's violate event_sequence_key.
	countLane = db.NewCommand(`
		UPDATE event_lane SET sequence = CASE WHEN sequence < $2 THEN $2 ELSE sequence END WHERE partner_id = $1`)
	releaseLane = db.NewCommand(`
		UPDATE event_lane SET node = '', leased_until = 0 WHERE partner_id = $1 AND node = $2`)
	selectUnnumbered = db.NewQuery(`
		SELECT e.object_id, e.version, COALESCE((
			SELECT p.version FROM event p
			WHERE p.partner_id = e.partner_id AND p.object_id = e.object_id AND p.version = e.version - 1
			AND p.sequence IS NULL), 0)
		FROM event e WHERE e.partner_id = $1 AND e.status = 'PENDING' AND e.sequence IS NULL
		ORDER BY e.sequence, e.created_at LIMIT $2`)
	selectEarlier = db.NewQuery(`
		SELECT version FROM event
		WHERE partner_id = $1 AND object_id = $2 AND version < $3 AND sequence IS NULL ORDER BY version`)
	setSequence = db.NewCommand(`
		UPDATE event SET sequence = $4 WHERE partner_id = $1 AND object_id = $2 AND version = $3`)
)

// key is an event within its partner.
type key struct {
	object  clock.ID
	version int64
}

// take takes the lane's lease until the given time, and gives numbers to events that have none. It answers how
// many, and errHeld when the lane is another node's.
func take(ctx context.Context, d *db.DB, partner int64, node string, until time.Time) (count int, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		var sequence int64
		var holder string
		var leased time.Time
		err := tx.Row(lockLane, partner).Scan(&sequence, &holder, &leased)
		if errors.Is(err, db.ErrNoRows) {
			tx.Write(insertLane, partner, 0, "", time.Time{})
		} else if err != nil {
			return err
		}
		if holder != node && holder != "" && runs(leased) {
			return errHeld
		}
		if count, err = number(tx, partner, sequence); err != nil {
			return err
		}
		tx.Write(updateLane, partner, sequence+int64(count), node, until)
		return nil
	})
	return count, err
}

// numberMore gives numbers to events that have none, for the lane's holder, and answers how many; errHeld when
// it is not this node's any more. It does not lock the lane, so its commit shares the way of all others. Should
// another node take the lane at this moment, event_sequence_key lets one of the two win.
func numberMore(ctx context.Context, d *db.DB, partner int64, node string) (count int, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		var sequence int64
		var holder string
		if err := tx.Row(selectLane, partner).Scan(&sequence, &holder); err != nil {
			return err
		}
		if holder != node {
			return errHeld
		}
		if count, err = number(tx, partner, sequence); err != nil || count == 0 {
			return err
		}
		tx.Write(countLane, partner, sequence+int64(count))
		return nil
	})
	return count, err
}

// number writes the numbers behind a sequence. Numbers have no gaps, because the counter commits with them.
func number(tx *db.Tx, partner, sequence int64) (count int, err error) {
	events, err := unnumbered(tx, partner)
	for i, e := range events {
		tx.Write(setSequence, partner, e.object, e.version, sequence+int64(i)+1)
	}
	return len(events), err
}

// unnumbered reads the oldest events without a number, in the order in which they get theirs.
func unnumbered(tx *db.Tx, partner int64) ([]key, error) {
	var batch, open []key // open: those whose predecessor has no number either
	known := map[key]bool{}
	rows := tx.Rows(selectUnnumbered, partner, numberBatch)
	defer rows.Close()
	for rows.Next() {
		var k key
		var predecessor int64
		if err := rows.Scan(&k.object, &k.version, &predecessor); err != nil {
			return nil, err
		}
		batch = append(batch, k)
		known[k] = true
		if predecessor > 0 {
			open = append(open, k)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	// The clocks of two nodes differ, so an object's earlier event may bear the later time and stand
	// beyond the batch. It is fetched.
	var missing []key
	for _, k := range open {
		if known[key{k.object, k.version - 1}] {
			continue
		}
		found, err := earlier(tx, partner, k)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !known[f] {
				known[f] = true
				missing = append(missing, f)
			}
		}
	}
	return ordered(append(missing, batch...)), nil
}

func earlier(tx *db.Tx, partner int64, than key) ([]key, error) {
	var found []key
	rows := tx.Rows(selectEarlier, partner, than.object, than.version)
	defer rows.Close()
	for rows.Next() {
		k := key{object: than.object}
		if err := rows.Scan(&k.version); err != nil {
			return nil, err
		}
		found = append(found, k)
	}
	return found, rows.Err()
}

// ordered keeps the places that each object's events have among all, and puts the object's events into them
// in the order of their versions.
func ordered(events []key) []key {
	versions := map[clock.ID][]key{}
	for _, k := range events {
		versions[k.object] = append(versions[k.object], k)
	}
	for _, of := range versions {
		slices.SortFunc(of, func(a, b key) int { return cmp.Compare(a.version, b.version) })
	}
	for i, k := range events {
		events[i] = versions[k.object][0]
		versions[k.object] = versions[k.object][1:]
	}
	return events
}
