package db

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"testing/fstest"
	"text/template"
)

// migrations are the steps of the schema. One set of files serves both engines: they are templates in which
// {{uuid}}, {{bytes}}, {{micros}} (now), {{immutable "table"}} and {{mutable "table"}} are spelt per engine.
//
//go:embed migrations/*.sql
var migrations embed.FS

// rendered spells the migrations for one engine. On SQLite they carry no transactions of their own: all of an
// upgrade is one, see liteLock.
func rendered(kind Engine) (fs.FS, error) {
	all, err := template.New("").Funcs(macros(kind)).ParseFS(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{}
	for _, t := range all.Templates() {
		var text bytes.Buffer
		if kind == SQLite {
			text.WriteString("-- +goose NO TRANSACTION\n")
		}
		if err := t.Execute(&text, nil); err != nil {
			return nil, err
		}
		out[t.Name()] = &fstest.MapFile{Data: text.Bytes()}
	}
	return out, nil
}

// macros spell what the engines spell differently. On SQLite a column declared UUID or BYTEA has numeric
// affinity and turns digits into numbers, so both become plain TEXT and BLOB there.
func macros(kind Engine) template.FuncMap {
	if kind == Postgres {
		return template.FuncMap{
			"uuid":      func() string { return "UUID" },
			"bytes":     func() string { return "BYTEA" },
			"immutable": immutablePostgres,
			"mutable":   mutablePostgres,
			"hot":       func() string { return " WITH (fillfactor = 70)" },
			"micros":    func() string { return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)" },
		}
	}
	return template.FuncMap{
		"uuid":      func() string { return "TEXT" },
		"bytes":     func() string { return "BLOB" },
		"immutable": immutableSQLite,
		"mutable":   mutableSQLite,
		"hot":       func() string { return "" },
		"micros":    func() string { return "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)" },
	}
}

// immutablePostgres refuses every change of a table's rows, for all users and tools.
func immutablePostgres(table string) string {
	return fmt.Sprintf(`
-- +goose StatementBegin
CREATE FUNCTION %[1]s_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%[1]s is immutable' USING ERRCODE = 'restrict_violation', CONSTRAINT = '%[1]s_immutable';
END $$;
-- +goose StatementEnd
CREATE TRIGGER %[1]s_immutable BEFORE UPDATE OR DELETE ON %[1]s
    FOR EACH ROW EXECUTE FUNCTION %[1]s_immutable();
CREATE TRIGGER %[1]s_immutable_truncate BEFORE TRUNCATE ON %[1]s
    FOR EACH STATEMENT EXECUTE FUNCTION %[1]s_immutable();
`, table)
}

func immutableSQLite(table string) string {
	text := ""
	for _, change := range []string{"UPDATE", "DELETE"} {
		text += fmt.Sprintf(`
-- +goose StatementBegin
CREATE TRIGGER %[1]s_immutable_%[2]s BEFORE %[2]s ON %[1]s
BEGIN
    SELECT RAISE(ABORT, '%[1]s_immutable');
END;
-- +goose StatementEnd
`, table, change)
	}
	return text
}

// mutablePostgres takes the protection away from a table that a migration makes anew.
func mutablePostgres(table string) string {
	return fmt.Sprintf("DROP FUNCTION %s_immutable() CASCADE;", table)
}

func mutableSQLite(table string) string {
	return fmt.Sprintf("DROP TRIGGER %[1]s_immutable_UPDATE;\nDROP TRIGGER %[1]s_immutable_DELETE;", table)
}
