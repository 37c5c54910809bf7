package policy

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sharedTables are the tables whose statements need not name the partner, each with its reason.
var sharedTables = map[string]string{
	"deployment":     "it tells what the whole deployment is",
	"screening_list": "lists of sanctions are the same for all partners",
	"screening_part": "lists of sanctions are the same for all partners",
	"screening_run":  "all users are screened again, whoever's they are",
	"directory":      "it answers whose an IBAN, an address or a link is",
	"job":            "workers take what is due, whoever's it is",
	"event_lane":     "the delivery queue: nodes look for lanes that nobody serves",
	"keyset":         "the platform's own keys",
	"audit_head":     "the audit log is one chain, whomever its entries concern",
	"market_price":   "what the market says is everyone's",
	"treasury_hedge": "what the operator hedges is the sum of all books",
	"rate_node":      "API nodes find each other",
	"rate_clock":     "the database's time",

	"console_account": "officers work for the operator, whoever's users they look after",
	"console_session": "officers work for the operator, whoever's users they look after",
	"console_guess":   "sign-ins are no partner's",

	"floor_account": "a benchmark's own, in a database without partners",
	"floor_entry":   "a benchmark's own, in a database without partners",
}

// checkPartnerInSQL wants partner_id in every statement that touches a table of the partners, so that
// isolation can be seen in each query, and the schema can be distributed by partner.
func checkPartnerInSQL(t *tree) []string {
	var found []string
	for _, f := range t.handwritten(false) {
		if !strings.HasPrefix(f.path, "internal/") || within(f.dir(), "internal/db") || isSupport(f.dir()) {
			continue
		}
		named := t.namedTexts(f.dir())
		for _, s := range statements(f.syntax, named) {
			if tables := unguarded(s.text); len(tables) > 0 {
				found = append(found, t.at(f, s.pos, "a statement on %s does not name partner_id: add it to the WHERE clause, the join or the columns; a table that all partners share on purpose belongs in sharedTables of internal/policy/sql_test.go, with the reason", strings.Join(tables, ", ")))
			}
		}
	}
	return found
}

type statement struct {
	pos  token.Pos
	text string
}

// namedTexts collects the package's constants and variables that are texts, so that a statement put together
// from them is read whole.
func (t *tree) namedTexts(dir string) map[string]ast.Expr {
	named := map[string]ast.Expr{}
	for _, f := range t.handwritten(false) {
		if f.dir() != dir {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, name := range spec.Names {
					named[name.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	return named
}

// statements finds the file's SQL: texts that look like a statement, and calls of db.NewInsert.
func statements(file *ast.File, named map[string]ast.Expr) []statement {
	var found []statement
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "NewInsert" && len(n.Args) == 2 {
				text := "INSERT INTO " + fold(n.Args[0], named, 0) + " (" + fold(n.Args[1], named, 0) + ")"
				found = append(found, statement{n.Pos(), text})
				return false
			}
		case *ast.BinaryExpr:
			if n.Op == token.ADD {
				if text := fold(n, named, 0); looksLikeSQL.MatchString(text) {
					found = append(found, statement{n.Pos(), text})
					return false
				}
			}
		case *ast.BasicLit:
			if text := fold(n, named, 0); looksLikeSQL.MatchString(text) {
				found = append(found, statement{n.Pos(), text})
			}
		}
		return true
	})
	return found
}

// fold joins the parts of a text that the source shows; what it cannot see becomes a space.
func fold(e ast.Expr, named map[string]ast.Expr, depth int) string {
	const deepest = 20 // a name may be defined by itself, in another scope
	if depth > deepest {
		return " "
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return fold(e.X, named, depth+1) + fold(e.Y, named, depth+1)
	case *ast.ParenExpr:
		return fold(e.X, named, depth+1)
	case *ast.Ident:
		if value, ok := named[e.Name]; ok {
			return fold(value, named, depth+1)
		}
	}
	return " "
}

var (
	looksLikeSQL = regexp.MustCompile(`(?is)^\s*(SELECT\b.*\bFROM\b|INSERT\s+INTO\b|UPDATE\s+\S+.*\bSET\b|DELETE\s+FROM\b|WITH\s+.*\bAS\b.*\()`)
	sqlNoise     = regexp.MustCompile(`(?i)--[^\n]*|'[^']*'|\bIS\s+(NOT\s+)?DISTINCT\s+FROM\b|\bFOR\s+(NO\s+KEY\s+)?UPDATE\b|\bDO\s+UPDATE\b`)
	sqlTable     = regexp.MustCompile(`(?i)\b(?:(?:FROM|JOIN)\s+([a-z_]\w*)\b(\s*\()?|(?:INTO|UPDATE)\s+([a-z_]\w*))`)
	sqlCommon    = regexp.MustCompile(`(?i)(?:\bWITH(?:\s+RECURSIVE)?|,)\s*([a-z_]\w*)\s*(?:\([^)]*\))?\s*\bAS\s*(?:(?:NOT\s+)?MATERIALIZED\s*)?\(`)
	namesPartner = regexp.MustCompile(`(?i)\bpartner_id\b`)
)

// unguarded returns the partners' tables that a statement touches without naming the partner.
func unguarded(text string) []string {
	text = sqlNoise.ReplaceAllString(text, " ")
	if namesPartner.MatchString(text) {
		return nil
	}
	var own []string // names the statement gives to its own subqueries
	for _, match := range sqlCommon.FindAllStringSubmatch(text, -1) {
		own = append(own, strings.ToLower(match[1]))
	}
	var tables []string
	for _, match := range sqlTable.FindAllStringSubmatch(text, -1) {
		table := strings.ToLower(match[1] + match[3])
		isFunction := match[2] != "" // FROM unnest(…)
		if isFunction || sharedTables[table] != "" || slices.Contains(own, table) || slices.Contains(tables, table) || table == "lateral" {
			continue
		}
		tables = append(tables, table)
	}
	return tables
}

func TestPartnerInSQLRule(t *testing.T) {
	t.Parallel()
	in := func(code string) map[string]string {
		return map[string]string{"internal/user/store.go": "package user\n" + code}
	}
	text := func(sql string) map[string]string { return in("const q = `" + sql + "`") }
	users := []string{"internal/user/store.go:2: a statement on users does not name partner_id"}
	testRule(t, checkPartnerInSQL, []example{
		{"select", text("SELECT id FROM users WHERE id = $1"), users},
		{"select with the partner", text("SELECT id FROM users WHERE partner_id = $1 AND id = $2"), nil},
		{"lower case", text("\n\tselect id from users"), users},
		{"insert", text("INSERT INTO users (id) VALUES ($1)"), users},
		{"insert with the partner", text("INSERT INTO users (partner_id, id) VALUES ($1, $2)"), nil},
		{"update", text("UPDATE users SET label = $1"), users},
		{"delete", text("DELETE FROM users"), users},
		{"partner only in a comment", text("SELECT id FROM users -- of one partner_id"), users},
		{"partner only in a value", text("SELECT 'partner_id' FROM users"), users},
		{"other column", text("SELECT id FROM users WHERE old_partner_id = $1"), users},
		{"shared table", text("SELECT kind FROM job WHERE due <= $1 FOR UPDATE SKIP LOCKED"), nil},
		{"shared and partner's table", text("SELECT 1 FROM job JOIN users ON users.id = job.object_id"), users},
		{"no table", text("SELECT 1"), nil},
		{"function", text("SELECT x FROM unnest($1) x"), nil},
		{"own subquery", text("WITH due AS (SELECT kind FROM job) SELECT kind FROM due"), nil},
		{"subquery on a partner's table", text("WITH due AS (SELECT id FROM users) SELECT id FROM due"), users},
		{"upsert", text("INSERT INTO keyset (name) VALUES ($1) ON CONFLICT DO UPDATE SET name = excluded.name"), nil},
		{"distinct from", text("SELECT kind FROM job WHERE node IS DISTINCT FROM owner"), nil},
		{"prose", in(`var e = "SELECT the right label, please"`), nil},
		{"put together", in(`const where = " WHERE partner_id = $1"` + "\n" + `var q = "SELECT id FROM " + "users" + where`), nil},
		{"put together, without", in(`var q = "SELECT id" + cols + " FROM users"`), users},
		{"helper", in(`var q = db.NewInsert("users", "id uuid")`), users},
		{"helper with the partner", in(`var q = db.NewInsert("users", "partner_id bigint, id uuid")`), nil},
		{"the database layer itself", map[string]string{"internal/db/migrate.go": "package db\nconst q = `SELECT name FROM pg_tables`"}, nil},
		{"test support", map[string]string{"internal/db/dbtest/a.go": "package dbtest\nconst q = `SELECT id FROM account`"}, nil},
	})
}
