package db

import (
	"fmt"
	"strings"
)

// NewTally registers the addition to a row that counts, or the INSERT of that row when there is none. The arguments
// are the row's key, what it starts from (kept by a row that is there), what is added, which is not below zero, and
// what replaces the column of before. All have portable types, as those of NewInsert have.
//
// Additions do not depend on their order, so that those of several transactions can be committed together, under a
// CHECK of the sum. What a row starts from is the largest, and what replaces is the smallest, of those that one
// commit brings.
func NewTally(table, key, start, added, replaced string) *Command {
	keys := describe(table, key)
	columns := append(keys, describe(table, start+", "+added+", "+replaced)...)
	names, marks := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], marks[i] = c.name, fmt.Sprintf("$%d", i+1)
	}
	by := strings.Join(names[:len(keys)], ", ")
	begins, adds, replaces := names[len(keys)], names[len(keys)+1], names[len(keys)+2]
	into := fmt.Sprintf("INSERT INTO %s (%s) ", table, strings.Join(names, ", "))
	end := fmt.Sprintf(" ON CONFLICT (%[2]s) DO UPDATE SET %[3]s = %[1]s.%[3]s + excluded.%[3]s, %[4]s = excluded.%[4]s",
		table, by, adds, replaces)
	text := into + "VALUES (" + strings.Join(marks, ", ") + ")" + end
	// The rows are locked in the order in which they come.
	set := into + fmt.Sprintf("SELECT %[1]s, MAX(%[2]s), CAST(SUM(%[3]s) AS BIGINT), MIN(%[4]s) FROM %[5]s AS new(%[6]s) GROUP BY %[1]s ORDER BY %[1]s",
		by, begins, adds, replaces, arrays(columns), strings.Join(names, ", ")) + end
	return &Command{text: text, lite: text, set: set, columns: columns, insert: true}
}
