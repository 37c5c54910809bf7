package db

import (
	"context"
	"fmt"
	"regexp"
)

var immutableMacro = regexp.MustCompile(`\{\{immutable "(\w+)"\}\}`)

var (
	liteTriggers = NewQuery(`SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1 AND name LIKE $1 || '_immutable%'`)
	pgTriggers   = NewQuery(`
		SELECT COUNT(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relname = $1 AND t.tgname LIKE $1 || '_immutable%' AND t.tgenabled = 'O'`)
)

// VerifyGuards names the immutable tables (I3) whose protection by triggers was taken away.
func (d *DB) VerifyGuards(ctx context.Context) ([]string, error) {
	tables, err := immutableTables()
	if err != nil {
		return nil, err
	}
	query := liteTriggers
	if d.kind == Postgres {
		query = pgTriggers
	}
	var violations []string
	err = d.View(ctx, func(r Reader) error {
		for _, table := range tables {
			var triggers int
			if err := r.Row(query, table).Scan(&triggers); err != nil {
				return err
			}
			if triggers < 2 {
				violations = append(violations, fmt.Sprintf("I3: the table %s is not protected against changes", table))
			}
		}
		return nil
	})
	return violations, err
}

// immutableTables reads from the migrations which tables are immutable.
func immutableTables() ([]string, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var tables []string
	for _, f := range files {
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		for _, m := range immutableMacro.FindAllStringSubmatch(string(text), -1) {
			tables = append(tables, m[1])
		}
	}
	return tables, nil
}
