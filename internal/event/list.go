package event

import (
	"errors"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/page"
)

// Entry is an event as the log lists it.
type Entry struct {
	ID        clock.ID
	Type      Type
	Object    clock.ID
	Sequence  int64 // 0: it has none yet
	Status    string
	CreatedAt time.Time
	Attempts  int64
}

// Position is the event's place in lists.
func (e Entry) Position() page.Position { return page.Position{At: e.CreatedAt, ID: e.ID} }

// Detail is an event with its body, secret members masked, and what came of its attempts, oldest first.
type Detail struct {
	Entry
	Body  []byte
	Tries []Try
}

// Try is one attempt to deliver an event.
type Try struct {
	At      time.Time
	Outcome string // "HTTP 200", or the class of what went wrong
	Took    time.Duration
	Answer  string // the first 1,024 bytes of the answer's body; valid UTF-8
}

// Filter asks for events; an empty member asks for all.
type Filter struct {
	Type   Type
	Status string
	Object clock.ID
	page.Range
}

const entryColumns = "id, type, object_id, COALESCE(sequence, 0) AS sequence, status, created_at, attempts"

// The list is ordered by creation, as all lists are, and not by the sequence, so that an event which gets its number
// between two pages keeps its place. A page reads a stretch of event_list, or of the indexes of a type and of what
// failed, and what has no number yet. Of the delivered the log is full, so they are found on the way. The pending
// are either few, or the newest of all: see pending.
var (
	lists = map[string]struct{ any, ofType *db.Query }{
		"":        {listQuery(true, ""), listQuery(true, " AND type = $6")},
		Delivered: {listQuery(false, " AND status = 'DELIVERED'"), listQuery(false, " AND status = 'DELIVERED' AND type = $6")},
		Failed:    {listQuery(false, " AND status = 'FAILED'"), listQuery(false, " AND status = 'FAILED' AND type = $6")},
		Pending: {
			listQuery(true, " AND COALESCE(status, '') = 'PENDING'"),
			listQuery(true, " AND COALESCE(status, '') = 'PENDING' AND type = $6"),
		},
	}
	selectPendingOnes = db.NewQuery(`SELECT ` + entryColumns + ` FROM event WHERE partner_id = $1 AND status = 'PENDING' LIMIT $2`)
	selectOfObject    = db.NewQuery(`
		SELECT ` + entryColumns + ` FROM event
		WHERE partner_id = $1 AND object_id = $6 AND ($7 = '' OR status = $7) AND ($8 = '' OR type = $8)
		AND ` + page.Window("id", 2))
	selectEntry = db.NewQuery(`
		SELECT ` + entryColumns + `, body FROM event WHERE partner_id = $1 AND id = $2 AND sequence IS NOT NULL
		UNION ALL
		SELECT ` + entryColumns + `, body FROM event
		WHERE partner_id = $1 AND id = $2 AND status = 'PENDING' AND sequence IS NULL`)
	selectTries = db.NewQuery(`
		SELECT id, at, outcome, duration_ms, answer FROM event_attempt
		WHERE partner_id = $1 AND event_id = $2 ORDER BY id`)
	selectAfter = db.NewQuery(`
		SELECT ` + entryColumns + `, body FROM event
		WHERE partner_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`)
	selectFollowing = db.NewQuery(`
		SELECT ` + entryColumns + ` FROM event WHERE partner_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`)
	selectLast = db.NewQuery(`SELECT sequence FROM event_lane WHERE partner_id = $1`)
)

// fewPending is how many pending events are sorted for a page; of more, the list itself is searched.
const fewPending = 1000

// listQuery reads a page of the events that have a number, and, if asked for, of those without.
func listQuery(unnumbered bool, condition string) *db.Query {
	text := `SELECT ` + entryColumns + ` FROM event WHERE partner_id = $1 AND sequence IS NOT NULL` + condition +
		" AND " + page.Window("id", 2)
	if unnumbered {
		text = `SELECT * FROM (` + text + `) AS numbered UNION ALL SELECT * FROM (
			SELECT ` + entryColumns + ` FROM event
			WHERE partner_id = $1 AND status = 'PENDING' AND sequence IS NULL` + condition + " AND " + page.Window("id", 2) + `
			) AS unnumbered ORDER BY created_at DESC, id DESC LIMIT $5`
	}
	return db.NewQuery(text)
}

// List reads events, newest first: as many as the filter's limit says, if there are.
func List(r db.Reader, partner int64, f Filter) ([]Entry, error) {
	args := append([]any{partner}, f.Args()...)
	if !f.Object.IsZero() {
		return listed(r, f, selectOfObject, append(args, f.Object, f.Status, string(f.Type))...)
	}
	if f.Status == Pending {
		if found, few, err := pending(r, partner, f); few || err != nil {
			return found, err
		}
	}
	if f.Type != "" {
		return listed(r, f, lists[f.Status].ofType, append(args, string(f.Type))...)
	}
	return listed(r, f, lists[f.Status].any, args...)
}

// pending lists pending events when there are few of them.
func pending(r db.Reader, partner int64, f Filter) (found []Entry, few bool, err error) {
	every := Filter{Range: page.Range{Limit: fewPending + 1}}
	all, err := listed(r, every, selectPendingOnes, partner, every.Limit)
	if err != nil || len(all) > fewPending {
		return nil, false, err
	}
	slices.SortFunc(all, func(a, b Entry) int { return a.Position().Compare(b.Position()) })
	for _, e := range all {
		if (f.Type == "" || f.Type == e.Type) && f.Contains(e.Position()) && len(found) < f.Limit {
			found = append(found, e)
		}
	}
	return found, true, nil
}

// listed reads what a statement answers, as far as it is in the filter's range.
func listed(r db.Reader, f Filter, query *db.Query, args ...any) (all []Entry, err error) {
	rows := r.Rows(query, args...)
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		if f.Contains(e.Position()) && len(all) < f.Limit {
			all = append(all, e)
		}
	}
	return all, rows.Err()
}

func scanEntry(row db.Scanner, more ...any) (e Entry, err error) {
	var kind string
	err = row.Scan(append([]any{&e.ID, &kind, &e.Object, &e.Sequence, &e.Status, &e.CreatedAt, &e.Attempts}, more...)...)
	e.Type = Type(kind)
	return e, err
}

// find reads an event; P465 when the partner has no such event.
func find(r db.Reader, partner int64, id clock.ID, more ...any) (Entry, error) {
	var sealed []byte
	if len(more) == 0 {
		more = []any{&sealed}
	}
	e, err := scanEntry(r.Row(selectEntry, partner, id), more...)
	if errors.Is(err, db.ErrNoRows) {
		err = fault.New(fault.EventNotFound)
	}
	return e, err
}

// Find reads an event with its body and its attempts; P465 when the partner has no such event. In a snapshot its
// state and its attempts are of one moment.
func (l *Log) Find(r db.Reader, partner int64, id clock.ID) (d Detail, err error) {
	var sealed []byte
	if d.Entry, err = find(r, partner, id, &sealed); err != nil {
		return d, err
	}
	if d.Body, err = l.open(d.Entry, sealed); err != nil {
		return d, err
	}
	if d.Body, err = mask(d.Type, d.Body); err != nil {
		return d, err
	}
	rows := r.Rows(selectTries, partner, id)
	defer rows.Close()
	for rows.Next() {
		var try clock.ID
		var t Try
		var ms int64
		if err := rows.Scan(&try, &t.At, &t.Outcome, &ms, &sealed); err != nil {
			return d, err
		}
		answer, err := l.vault.Open(answerPlace(try), sealed)
		if err != nil {
			return d, err
		}
		t.Took, t.Answer = time.Duration(ms)*time.Millisecond, string(answer)
		d.Tries = append(d.Tries, t)
	}
	return d, rows.Err()
}

func (l *Log) open(e Entry, sealed []byte) ([]byte, error) {
	return l.vault.Open(bodyPlace(e.ID), sealed)
}

// After reads events with their bodies as a receiver would get them, in the order of their sequence: those behind
// one, at most limit. It is for the sandbox, where a developer's own machine receives them.
func (l *Log) After(r db.Reader, partner, sequence int64, limit int) ([]Detail, error) {
	rows := r.Rows(selectAfter, partner, sequence, limit)
	defer rows.Close()
	var all []Detail
	for rows.Next() {
		var sealed []byte
		e, err := scanEntry(rows, &sealed)
		if err != nil {
			return nil, err
		}
		body, err := l.open(e, sealed)
		if err != nil {
			return nil, err
		}
		if body, err = withoutMasked(e.Type, body); err != nil {
			return nil, err
		}
		all = append(all, Detail{Entry: e, Body: body})
	}
	return all, rows.Err()
}

// Following reads events in the order of their sequence: those behind one, at most limit.
func Following(r db.Reader, partner, sequence int64, limit int) (all []Entry, err error) {
	rows := r.Rows(selectFollowing, partner, sequence, limit)
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// Last answers the highest sequence that a partner's events have had; 0 before the first.
func Last(r db.Reader, partner int64) (sequence int64, err error) {
	err = r.Row(selectLast, partner).Scan(&sequence)
	if errors.Is(err, db.ErrNoRows) {
		err = nil
	}
	return sequence, err
}
