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
	insertLane = db.NewInsert("event_lane", "partner_id bigint, sequence bigint, node text, leased_until bigint")
	updateLane = db.NewCommand(`
		UPDATE event_lane SET sequence = $2, node = $3, leased_until = $4 WHERE partner_id = $1`)
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

// number takes or keeps the lane's lease until the given time and gives numbers to events that have none.
// It answers how many, and errHeld when the lane is another node's: with held, when it is not this node's
// any more. Numbers have no gaps, because the lane's row is locked and the counter commits with the events.
func number(ctx context.Context, d *db.DB, partner int64, node string, until time.Time, held bool) (int, error) {
	count := 0
	err := d.Update(ctx, func(tx *db.Tx) error {
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
		if holder != node && (held || holder != "" && leased.After(time.Now())) {
			return errHeld
		}
		events, err := unnumbered(tx, partner)
		if err != nil {
			return err
		}
		for i, e := range events {
			tx.Write(setSequence, partner, e.object, e.version, sequence+int64(i)+1)
		}
		tx.Write(updateLane, partner, sequence+int64(len(events)), node, until)
		count = len(events)
		return nil
	})
	return count, err
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
