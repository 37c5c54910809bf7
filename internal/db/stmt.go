package db

import (
	"fmt"
	"regexp"
	"slices"
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
	insert  bool     // it inserts rows and does nothing else
	set     string   // PostgreSQL: the same for many rows, with an array per column; empty when there is no such form
	columns []column // of the set form
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
	c := newInsert(table, columns, "")
	c.insert = true
	return c
}

// NewInsertOnce registers an INSERT as NewInsert does, of a row that may be there already, under the same key,
// and is the same then. key are the names of the key's columns, separated by commas.
func NewInsertOnce(table, columns, key string) *Command {
	return newInsert(table, columns, " ON CONFLICT ("+key+") DO NOTHING")
}

// NewUpsert registers an INSERT as NewInsert does, of a row that may be there already under the same key: then the
// columns in changes, which are among the others, become the new ones. key and changes are names, separated by commas.
// Of those that one transaction writes one after another, no two may have the same key.
func NewUpsert(table, columns, key, changes string) *Command {
	var set []string
	for name := range strings.SplitSeq(changes, ",") {
		name = strings.TrimSpace(name)
		set = append(set, name+" = excluded."+name)
	}
	return newInsert(table, columns, " ON CONFLICT ("+key+") DO UPDATE SET "+strings.Join(set, ", "))
}

func newInsert(table, columns, end string) *Command {
	described := describe(table, columns)
	names := make([]string, len(described))
	marks := make([]string, len(described))
	for i, c := range described {
		names[i], marks[i] = c.name, fmt.Sprintf("$%d", i+1)
	}
	into := fmt.Sprintf("INSERT INTO %s (%s) ", table, strings.Join(names, ", "))
	text := into + "VALUES (" + strings.Join(marks, ", ") + ")" + end
	set := into + "SELECT * FROM " + arrays(described) + end
	return &Command{text: text, lite: text, set: set, columns: described}
}

// NewUpdate registers an UPDATE of one row by its key. key and changes are columns as those of NewInsert, and
// together the arguments. guard is a further condition, in which the row's columns are written table.column and
// the arguments new.column; empty for none. Of those that one transaction writes one after another, no two may
// have the same key.
func NewUpdate(table, key, changes, guard string) *Command {
	keys, changed := describe(table, key), describe(table, changes)
	c := &Command{columns: append(keys, changed...)}
	set, where := make([]string, len(changed)), make([]string, len(keys))
	for i, c := range changed {
		set[i] = c.name + " = new." + c.name
	}
	for i, c := range keys {
		where[i] = table + "." + c.name + " = new." + c.name
	}
	if guard != "" {
		// IS TRUE keeps PostgreSQL from taking the guard for a way to find rows: it would look through all that have a
		// status, of which it has heard that they are few, instead of using the key.
		where = append(where, "("+guard+") IS TRUE")
	}
	update, condition := "UPDATE "+table+" SET "+strings.Join(set, ", "), " WHERE "+strings.Join(where, " AND ")
	names := make([]string, len(c.columns))
	for i, column := range c.columns {
		names[i] = column.name
	}
	c.set = update + " FROM " + arrays(c.columns) + " AS new(" + strings.Join(names, ", ") + ")" + condition
	c.text = newColumn.ReplaceAllStringFunc(update+condition, func(name string) string {
		return fmt.Sprintf("$%d", slices.Index(names, strings.TrimPrefix(name, "new."))+1)
	})
	c.lite = c.text
	return c
}

// NewDelete registers a DELETE of one row by its key, whose columns are those of NewInsert.
func NewDelete(table, key string) *Command {
	keys := describe(table, key)
	names, one, many := make([]string, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i, c := range keys {
		names[i] = c.name
		one[i] = fmt.Sprintf("%s = $%d", c.name, i+1)
		many[i] = table + "." + c.name + " = old." + c.name
	}
	c := &Command{columns: keys, text: "DELETE FROM " + table + " WHERE " + strings.Join(one, " AND ")}
	c.lite = c.text
	c.set = "DELETE FROM " + table + " USING " + arrays(keys) + " AS old(" + strings.Join(names, ", ") + ") WHERE " + strings.Join(many, " AND ")
	return c
}

var newColumn = regexp.MustCompile(`\bnew\.\w+`)

// describe reads columns with their types.
func describe(table, columns string) []column {
	defs := strings.Split(columns, ",")
	described := make([]column, len(defs))
	for i, def := range defs {
		name, kind, ok := strings.Cut(strings.TrimSpace(def), " ")
		if !ok || portable[kind] == "" {
			panic(fmt.Sprintf("db: %s: column %q needs a portable type", table, def))
		}
		described[i] = column{name, kind}
	}
	return described
}

// arrays are PostgreSQL's rows out of an array for each column.
func arrays(columns []column) string {
	params := make([]string, len(columns))
	for i, c := range columns {
		params[i] = fmt.Sprintf("$%d::%s[]", i+1, portable[c.kind])
	}
	return "unnest(" + strings.Join(params, ", ") + ")"
}

// portable are the types of columns, and what PostgreSQL calls them.
var portable = map[string]string{"bigint": "bigint", "text": "text", "boolean": "boolean", "uuid": "uuid", "bytes": "bytea"}

func withoutLocks(text string) string {
	text = strings.TrimSpace(text)
	text = strings.TrimSuffix(text, " SKIP LOCKED")
	return strings.TrimSuffix(text, " FOR UPDATE")
}
