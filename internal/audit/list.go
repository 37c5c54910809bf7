package audit

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"kontor/internal/db"
)

// Filter chooses entries. The zero value chooses all.
type Filter struct {
	Partner *int64 // only what concerns this partner
	Actor   string // only what this actor did; empty: all
	Action  string // only this action; empty: all
	Object  string // only what was done with this object; empty: all
}

const columns = `number, at, actor, action, partner_id, object, details, previous, hash`

// filters are the conditions that a filter can have, in the order of conditions. Each combination is a statement
// of its own, so that each finds its index.
var filters = []string{"partner_id", "actor", "action", "object"}

var selects = listQueries()

// listQueries makes the statement of each combination of filters; the bits of its place are those that are set.
func listQueries() []*db.Query {
	all := make([]*db.Query, 1<<len(filters))
	for set := range all {
		var where strings.Builder
		next := 3
		for i, column := range filters {
			if set&(1<<i) != 0 {
				where.WriteString(" AND " + column + " = $" + strconv.Itoa(next))
				next++
			}
		}
		all[set] = db.NewQuery(`SELECT ` + columns + ` FROM audit_entry WHERE number < $1` + where.String() + ` ORDER BY number DESC LIMIT $2`)
	}
	return all
}

// conditions answers which of the filters are set, as bits, and their values.
func (f Filter) conditions() (set int, values []any) {
	add := func(i int, isSet bool, value any) {
		if isSet {
			set |= 1 << i
			values = append(values, value)
		}
	}
	if f.Partner != nil {
		add(0, true, *f.Partner)
	}
	add(1, f.Actor != "", f.Actor)
	add(2, f.Action != "", f.Action)
	add(3, f.Object != "", f.Object)
	return set, values
}

var selectAbout = db.NewQuery(`SELECT ` + columns + ` FROM audit_entry
	WHERE partner_id = $1 AND number < $2 AND object IN (` + db.List(4) + `) ORDER BY number DESC LIMIT $3`)

// About reads entries of a partner about any of some objects, as List does.
func About(r db.Reader, partner int64, objects []string, limit int, before int64) ([]Recorded, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	var all []Recorded
	for _, args := range db.Lists(objects, any(partner), before, limit) {
		found, err := scan(r.Rows(selectAbout, args...))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Recorded) int { return cmp.Compare(b.Number, a.Number) })
	return all[:min(len(all), limit)], nil
}

// List reads entries, the newest first: at most limit of them, of those with numbers below before; 0 begins
// with the newest.
func List(r db.Reader, f Filter, limit int, before int64) ([]Recorded, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	set, values := f.conditions()
	return scan(r.Rows(selects[set], append([]any{before, limit}, values...)...))
}

func scan(rows *db.Rows) ([]Recorded, error) {
	defer rows.Close()
	var all []Recorded
	for rows.Next() {
		e, err := scanOne(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

func scanOne(rows *db.Rows) (e Recorded, err error) {
	err = rows.Scan(&e.Number, &e.At, &e.Actor, &e.Action, &e.Partner, &e.Object, &e.Details, &e.Previous, &e.Hash)
	return e, err
}
