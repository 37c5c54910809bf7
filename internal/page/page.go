// Package page divides lists into pages. A list is ordered by creation, newest first, and a page continues
// behind a position in that order, so what is inserted meanwhile moves nothing: no row comes twice, and none
// that was there is left out. A position travels to the client and back as a cursor (cursor.go).
package page

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"kontor/internal/clock"
)

// Position is a row's place in a list. The id decides among rows of one moment, and Part among the rows that
// one object has.
type Position struct {
	At   time.Time
	ID   clock.ID
	Part string
}

// Compare orders positions as lists have them: the later in time, the greater in id and part comes first.
func (p Position) Compare(other Position) int {
	return cmp.Or(
		other.At.Compare(p.At),
		bytes.Compare(other.ID[:], p.ID[:]),
		strings.Compare(other.Part, p.Part),
	)
}

// Range is the part of a list that is asked for.
type Range struct {
	From, To time.Time // from ≤ t < to; zero: open
	After    *Position // only what comes behind it
	Limit    int       // rows
}

// Contains tells whether a position is in the range.
func (r Range) Contains(p Position) bool {
	return !p.At.Before(r.From) &&
		(r.To.IsZero() || p.At.Before(r.To)) &&
		(r.After == nil || r.After.Compare(p) < 0)
}

// beyond is how many rows the statements below may answer that the range does not contain: those of the
// object at which the page before ended.
const beyond = 2

// Args are the four arguments of the window of a statement; see Window. The statement may answer rows of
// the object of After once more, which Contains tells.
func (r Range) Args() []any {
	until, last := clock.FromMicros(math.MaxInt64), clock.ID(bytes.Repeat([]byte{0xff}, len(clock.ID{})))
	if !r.To.IsZero() {
		until = r.To.Add(-time.Microsecond)
	}
	if r.After != nil && !r.After.At.After(until) {
		until, last = r.After.At, r.After.ID
	}
	return []any{r.From, until, last, r.Limit + beyond}
}

// Window spells the condition, the order and the limit of a statement that reads a range. The columns
// created_at and id (which has another name in some tables) decide; the arguments are those of Args, from
// $first on.
func Window(id string, first int) string {
	return fmt.Sprintf("%s ORDER BY created_at DESC, %s DESC LIMIT $%d", condition(id, first), id, first+3)
}

func condition(id string, first int) string {
	return fmt.Sprintf("created_at >= $%[2]d AND created_at <= $%[3]d AND (created_at < $%[3]d OR %[1]s <= $%[4]d)",
		id, first, first+1, first+2)
}

// Merged spells a statement that reads a range from several stretches of an index, each found by a key, and
// merges them: an index (key, created_at, id) then answers lists of one key and of all keys alike, and never
// reads much more than the page. Each branch is a SELECT up to its WHERE, in which KEY stands for the key;
// the window's arguments begin at $2, and the keys follow at $6. A key that finds nothing fills up the rest.
func Merged(id string, keys int, branches ...string) string {
	var parts []string
	for _, branch := range branches {
		parts = append(parts, branch+" AND "+Window(id, 2))
	}
	return merged(id, keys, parts)
}

// Branch is a SELECT in two parts: what it selects, and FROM and WHERE.
type Branch struct{ Columns, Rows string }

// MergedTies is Merged for an index (key, created_at). Each branch first looks up the moment at which its
// page ends, in the order of the index, and then reads up to and with that moment: sorting by the id as well
// would, with the plans that PostgreSQL keeps, sort everything behind the key.
func MergedTies(id string, keys int, branches ...Branch) string {
	var parts []string
	for _, b := range branches {
		rows := b.Rows + " AND " + condition(id, 2)
		parts = append(parts, fmt.Sprintf(
			"%s %s AND created_at >= COALESCE((SELECT created_at %s ORDER BY created_at DESC LIMIT 1 OFFSET $5 - 1), $2)",
			b.Columns, rows, rows))
	}
	return merged(id, keys, parts)
}

func merged(id string, keys int, branches []string) string {
	var parts []string
	for k := range keys {
		for _, branch := range branches {
			branch = strings.ReplaceAll(branch, "KEY", fmt.Sprintf("$%d", 6+k))
			parts = append(parts, fmt.Sprintf("SELECT * FROM (%s) AS r%d", branch, len(parts)))
		}
	}
	return "SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ") AS merged ORDER BY created_at DESC, " + id + " DESC LIMIT $5"
}
