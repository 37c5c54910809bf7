package policy

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers are the packages from the bottom to the top, by folder (with all that is below the folder). A package
// may import what is in the layers below its own; within a layer only what beside allows. Tests, and packages
// that support them (isSupport), are free: they put together what they need, and the compiler refuses cycles.
var layers = [][]string{
	{
		"api", "docs", "sdk", "internal/money", "internal/fault", "internal/clock", "internal/file", "internal/iban", "internal/catalog", "internal/contract",
		"internal/document", "internal/metrics", "internal/trace",
	},
	{"internal/db"},
	{"internal/vault"},
	{"internal/page", "internal/entry", "internal/web", "internal/blob"},
	{"internal/ledger", "internal/event", "internal/job", "internal/idempotency", "internal/audit", "internal/ratelimit"},
	features,
	{"internal/rail", "internal/httpapi", "internal/pages", "internal/console", "internal/sandbox"},
	{"internal/app", "internal/policy"},
	{"internal/bench"},
	{"cmd", "test"},
}

var features = []string{
	"internal/partner", "internal/user", "internal/identity", "internal/compliance", "internal/transfer", "internal/exchange",
	"internal/sepa", "internal/crypto", "internal/card", "internal/order", "internal/paylink", "internal/history",
	"internal/adjustment", "internal/namecheck",
}

// beside lists what a package may import from its own layer.
var beside = map[string][]string{
	"internal/catalog":    {"internal/money"},
	"internal/contract":   {"api", "internal/fault", "internal/money"},
	"internal/entry":      {"internal/page"},
	"internal/trace":      {"internal/fault"},
	"internal/identity":   {"internal/user", "internal/compliance"},
	"internal/adjustment": {"internal/user"},
	"internal/sepa":       {"internal/user", "internal/compliance", "internal/namecheck"},
	"internal/namecheck":  {"internal/compliance"},
	"internal/crypto":     {"internal/user", "internal/compliance"},
	"internal/card":       {"internal/user", "internal/exchange"},
	"internal/exchange":   {"internal/user"},
	"internal/transfer":   {"internal/user"},
	"internal/order":      {"internal/exchange", "internal/crypto"},
	"internal/paylink":    {"internal/order"},
	"internal/history":    features,          // it reads them all
	"internal/sandbox":    {"internal/rail"}, // it steers the simulated rails
}

// reserved are other people's packages that only some of ours may import: no store knows which engine it runs on.
var reserved = map[string][]string{
	"database/sql":             {"internal/db", "internal/bench"}, // a benchmark compares with the bare engine
	"modernc.org/sqlite":       {"internal/db"},
	"zombiezen.com/go/sqlite":  {"internal/db"},
	"github.com/jackc/pgx":     {"internal/db", "internal/bench", "test"},
	"github.com/pressly/goose": {"internal/db"},

	"github.com/prometheus":    {"internal/metrics"},
	"go.opentelemetry.io/otel": {"internal/trace"},
}

const tableHint = "the rules are in internal/policy/imports_test.go"

func checkImports(t *tree) []string {
	var found []string
	unknown := map[string]bool{}
	for _, f := range t.handwritten(false) {
		if isSupport(f.dir()) {
			continue
		}
		own, level := layerOf(f.dir())
		if level < 0 {
			if !unknown[f.dir()] {
				found = append(found, t.at(f, f.syntax.Package, "the folder %s has no place in the layers: give it one; %s", f.dir(), tableHint))
			}
			unknown[f.dir()] = true
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if problem := judgeImport(own, level, imported); problem != "" {
				found = append(found, t.at(f, spec.Pos(), "%s; %s", problem, tableHint))
			}
		}
	}
	return found
}

// judgeImport says what is wrong with an import by the package own of the layer level, and what to do.
func judgeImport(own string, level int, imported string) string {
	folder, ours := strings.CutPrefix(imported, module)
	if !ours {
		for library, allowed := range reserved {
			if within(imported, library) && !slices.Contains(allowed, own) {
				return own + " must not import " + imported + ": only " + strings.Join(allowed, ", ") + " may; a store uses internal/db"
			}
		}
		return ""
	}
	target, targetLevel := layerOf(folder)
	switch {
	case isSupport(folder) && level == len(layers)-1:
		return "" // a benchmark may start a database
	case isSupport(folder):
		return own + " must not import " + folder + " outside its _test.go files: it supports tests"
	case target == own && target != "", targetLevel >= 0 && targetLevel < level, slices.Contains(beside[own], target):
		return ""
	case targetLevel < 0:
		return "the imported folder " + folder + " has no place in the layers: give it one"
	case targetLevel == level:
		return own + " must not import its neighbour " + target + ": declare the interface it needs in " + own + ", and join the two in internal/app"
	default:
		return own + " must not import " + target + ", which is in a layer above: declare the interface it needs in " + own + ", and join the two in internal/app"
	}
}

// layerOf returns the folder of the table that the given one belongs to, with its layer; -1 if there is none.
func layerOf(dir string) (folder string, level int) {
	for level, folders := range layers {
		for _, folder := range folders {
			if within(dir, folder) {
				return folder, level
			}
		}
	}
	return "", -1
}

// isSupport tells whether the folder holds a package that supports tests: as in the standard library (httptest,
// iotest), its name ends with "test".
func isSupport(dir string) bool {
	return strings.HasPrefix(dir, "internal/") && strings.HasSuffix(path.Base(dir), "test")
}

// within tells whether the name is the folder or below it. A major version counts as below.
func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

func TestImportRule(t *testing.T) {
	t.Parallel()
	importing := func(file, imported string) map[string]string {
		return map[string]string{file: "package p\nimport _ \"" + imported + "\"\n"}
	}
	testRule(t, checkImports, []example{
		{"down", importing("internal/transfer/a.go", "kontor/internal/ledger"), nil},
		{"down to the base", importing("internal/db/a.go", "kontor/internal/clock"), nil},
		{"up", importing("internal/ledger/a.go", "kontor/internal/transfer"), []string{"internal/ledger must not import internal/transfer, which is in a layer above"}},
		{"allowed neighbour", importing("internal/order/a.go", "kontor/internal/crypto"), nil},
		{"forbidden neighbour", importing("internal/crypto/a.go", "kontor/internal/order"), []string{"a.go:2: internal/crypto must not import its neighbour internal/order"}},
		{"history reads all", importing("internal/history/a.go", "kontor/internal/paylink"), nil},
		{"nobody reads history", importing("internal/card/a.go", "kontor/internal/history"), []string{"must not import its neighbour"}},
		{"own sub-package", importing("internal/httpapi/a.go", "kontor/internal/httpapi/oas"), nil},
		{"sub-package of another", importing("internal/user/a.go", "kontor/internal/httpapi/oas"), []string{"layer above"}},
		{"similar name", importing("internal/cardx/a.go", "fmt"), []string{"internal/cardx has no place in the layers"}},
		{"unknown target", importing("internal/user/a.go", "kontor/internal/secret"), []string{"imported folder internal/secret has no place"}},
		{"app by cmd", importing("cmd/kontor/a.go", "kontor/internal/app"), nil},
		{"app by others", importing("internal/httpapi/a.go", "kontor/internal/app"), []string{"layer above"}},
		{"test server in the product", importing("internal/httpapi/a.go", "kontor/internal/pgtest"), []string{"it supports tests"}},
		{"test server in a benchmark", importing("test/bench/a.go", "kontor/internal/pgtest"), nil},
		{"test support is free", importing("internal/db/dbtest/a.go", "kontor/internal/pgtest"), nil},
		{"a test is free", importing("internal/ledger/a_test.go", "kontor/internal/app"), nil},
		{"engine in a store", importing("internal/ledger/store.go", "github.com/jackc/pgx/v5"), []string{"only internal/db"}},
		{"engine in db", importing("internal/db/a.go", "github.com/jackc/pgx/v5/pgxpool"), nil},
	})
}
