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
		SELECT e.object_id, e.version, e.id, e.type, COALESCE((
			SELECT p.version FROM event p
			WHERE p.partner_id = e.partner_id AND p.object_id = e.object_id AND p.version = e.version - 1
			AND p.sequence IS NULL), 0)
		FROM event e WHERE e.partner_id = $1 AND e.status = 'PENDING' AND e.sequence IS NULL
		ORDER BY e.sequence, e.created_at LIMIT $2`)
	selectEarlier = db.NewQuery(`
		SELECT version, id, type FROM event
		WHERE partner_id = $1 AND object_id = $2 AND version < $3 AND sequence IS NULL ORDER BY version`)
	setSequence = db.NewUpdate("event", eventKey, "sequence bigint", "")
	setRefused  = db.NewUpdate("event", eventKey, "sequence bigint, status text, attempts bigint, outcome text", "")
)

const eventKey = "partner_id bigint, object_id uuid, version bigint"

// key is an event within its partner.
type key struct {
	object  clock.ID
	version int64
}

// unnumberedEvent is one that gets its number.
type unnumberedEvent struct {
	key
	id   clock.ID
	kind Type
}

// numbered is how many events got a number, and how many of them ended with it, because they go nowhere.
type numbered struct{ all, refused int }

// take takes the lane's lease until the given time, and gives numbers to events that have none. It answers how
// many, and errHeld when the lane is another node's.
func take(ctx context.Context, d *db.DB, partner int64, node string, until time.Time) (n numbered, err error) {
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
		if n, err = number(tx, partner, sequence, nil); err != nil {
			return err
		}
		tx.Write(updateLane, partner, sequence+int64(n.all), node, until)
		return nil
	})
	return n, err
}

// numberMore gives numbers to events that have none, for the lane's holder; errHeld when it is not this node's any
// more. It does not lock the lane, so its commit shares the way of all others. Should another node take the lane at
// this moment, event_sequence_key lets one of the two win.
func numberMore(ctx context.Context, d *db.DB, partner int64, node string, refuse refusal) (n numbered, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		var sequence int64
		var holder string
		if err := tx.Row(selectLane, partner).Scan(&sequence, &holder); err != nil {
			return err
		}
		if holder != node {
			return errHeld
		}
		if n, err = number(tx, partner, sequence, refuse); err != nil || n.all == 0 {
			return err
		}
		tx.Write(countLane, partner, sequence+int64(n.all))
		return nil
	})
	return n, err
}

// refusal answers the attempt that stands for all of an event that goes nowhere; none for one that is to be sent.
type refusal func(Type) (exchange, bool)

// number writes the numbers behind a sequence. Numbers have no gaps, because the counter commits with them. An
// event that goes nowhere fails at once: to load it and to store that would cost as much again.
func number(tx *db.Tx, partner, sequence int64, refuse refusal) (n numbered, err error) {
	events, err := unnumbered(tx, partner)
	var refused []result
	for _, e := range events {
		n.all++
		if refuse != nil {
			if x, no := refuse(e.kind); no {
				d := &delivery{partner: partner, object: e.object, version: e.version, id: e.id, sequence: sequence + int64(n.all)}
				refused = append(refused, result{delivery: d, exchange: x})
				continue
			}
		}
		tx.Write(setSequence, partner, e.object, e.version, sequence+int64(n.all))
	}
	n.refused = len(refused)
	for _, r := range refused {
		tx.Write(setRefused, partner, r.object, r.version, r.sequence, Failed, 1, r.outcome)
	}
	writeAttempts(tx, refused)
	return n, err
}

// unnumbered reads the oldest events without a number, in the order in which they get theirs.
func unnumbered(tx *db.Tx, partner int64) ([]unnumberedEvent, error) {
	var batch, open []unnumberedEvent // open: those whose predecessor has no number either
	known := map[key]bool{}
	rows := tx.Rows(selectUnnumbered, partner, numberBatch)
	defer rows.Close()
	for rows.Next() {
		var e unnumberedEvent
		var kind string
		var predecessor int64
		if err := rows.Scan(&e.object, &e.version, &e.id, &kind, &predecessor); err != nil {
			return nil, err
		}
		e.kind = Type(kind)
		batch = append(batch, e)
		known[e.key] = true
		if predecessor > 0 {
			open = append(open, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	// The clocks of two nodes differ, so an object's earlier event may bear the later time and stand
	// beyond the batch. It is fetched.
	var missing []unnumberedEvent
	for _, e := range open {
		if known[key{e.object, e.version - 1}] {
			continue
		}
		found, err := earlier(tx, partner, e.key)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !known[f.key] {
				known[f.key] = true
				missing = append(missing, f)
			}
		}
	}
	return ordered(append(missing, batch...)), nil
}

func earlier(tx *db.Tx, partner int64, than key) ([]unnumberedEvent, error) {
	var found []unnumberedEvent
	rows := tx.Rows(selectEarlier, partner, than.object, than.version)
	defer rows.Close()
	for rows.Next() {
		e := unnumberedEvent{key: key{object: than.object}}
		var kind string
		if err := rows.Scan(&e.version, &e.id, &kind); err != nil {
			return nil, err
		}
		e.kind = Type(kind)
		found = append(found, e)
	}
	return found, rows.Err()
}

// ordered keeps the places that each object's events have among all, and puts the object's events into them
// in the order of their versions.
func ordered(events []unnumberedEvent) []unnumberedEvent {
	versions := map[clock.ID][]unnumberedEvent{}
	for _, e := range events {
		versions[e.object] = append(versions[e.object], e)
	}
	for _, of := range versions {
		slices.SortFunc(of, func(a, b unnumberedEvent) int { return cmp.Compare(a.version, b.version) })
	}
	for i, e := range events {
		events[i] = versions[e.object][0]
		versions[e.object] = versions[e.object][1:]
	}
	return events
}
