package db

import (
	"fmt"
	"strings"
)

// Query is a registered statement that answers rows. Its text is portable: $1…$n, no engine's own
// functions. A closing FOR UPDATE (for use after Tx.Locked) is dropped on SQLite, whose writer is alone.
type Query struct {
	text string // PostgreSQL
	lite string // SQLite
}

// NewQuery registers a statement that reads.
func NewQuery(text string) *Query {
	return &Query{text: text, lite: withoutLocks(text)}
}

// Command is a registered statement that changes rows and answers nothing.
type Command struct {
	text    string
	lite    string
	set     string   // PostgreSQL: the same INSERT for many rows, with an array per column; empty for other commands
	columns []column // of an INSERT
}

type column struct{ name, kind string }

// NewCommand registers a statement that writes. How many rows it changes is never a signal: guards are
// constraints that raise.
func NewCommand(text string) *Command {
	return &Command{text: text, lite: withoutLocks(text)}
}

// NewInsert registers an INSERT of one row. columns are names with their portable types, separated by
// commas, in the order of the arguments: "partner_id bigint, id uuid, label text".
// Types are bigint, text, boolean, uuid, bytes.
func NewInsert(table, columns string) *Command {
	defs := strings.Split(columns, ",")
	names := make([]string, len(defs))
	marks := make([]string, len(defs))
	arrays := make([]string, len(defs))
	described := make([]column, len(defs))
	for i, def := range defs {
		name, kind, ok := strings.Cut(strings.TrimSpace(def), " ")
		if !ok || portable[kind] == "" {
			panic(fmt.Sprintf("db: insert into %s: column %q needs a portable type", table, def))
		}
		described[i] = column{name, kind}
		names[i], marks[i] = name, fmt.Sprintf("$%d", i+1)
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, portable[kind])
	}
	into := fmt.Sprintf("INSERT INTO %s (%s) ", table, strings.Join(names, ", "))
	text := into + "VALUES (" + strings.Join(marks, ", ") + ")"
	set := into + "SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ")"
	return &Command{text: text, lite: text, set: set, columns: described}
}

// portable are the types of columns, and what PostgreSQL calls them.
var portable = map[string]string{"bigint": "bigint", "text": "text", "boolean": "boolean", "uuid": "uuid", "bytes": "bytea"}

func withoutLocks(text string) string {
	text = strings.TrimSpace(text)
	text = strings.TrimSuffix(text, " SKIP LOCKED")
	return strings.TrimSuffix(text, " FOR UPDATE")
}
