package match_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"kontor/internal/compliance/match"
	"kontor/internal/compliance/watchlist"
)

// table reads a file of fields that are divided by tabs.
func table(t *testing.T, name string, fields int) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); line == "" || line[0] == '#' {
			continue
		}
		row := strings.Split(line, "\t")
		if len(row) != fields {
			t.Fatalf("%s: %q has %d fields", name, line, len(row))
		}
		rows = append(rows, row)
	}
	return rows
}

func list(t *testing.T) *match.Index {
	t.Helper()
	var all []match.Listed
	for _, row := range table(t, "list.tsv", 4) {
		all = append(all, match.Listed{List: "test", Entity: watchlist.Entity{
			ID: row[0], Kind: watchlist.Sanction, Names: strings.Split(row[1], ";"), Births: strings.Split(row[2], ";"),
			Countries: strings.Split(row[3], ";"),
		}})
	}
	return match.Build(all)
}

// TestQualityOnLabelledNames holds the comparison to what docs/screening.md says of it. Run it with -v to see
// the figures, and every name that is judged wrongly.
func TestQualityOnLabelledNames(t *testing.T) {
	t.Parallel()
	const leastRecall, mostFalse = 96, 5 // per cent
	x := list(t)
	total, wrong := map[string]int{}, map[string]int{}
	var hits, found, others, accused int
	for _, row := range table(t, "labelled.tsv", 5) {
		sort, want := row[0], row[4]
		got := x.Search(match.Person{Names: []string{row[1]}, BirthDate: row[2], Countries: []string{row[3]}})
		total[sort]++
		right := slices.ContainsFunc(got, func(h match.Hit) bool { return h.ID == want })
		if want == "-" {
			others++
			if right = len(got) == 0; !right {
				accused++
			}
		} else {
			hits++
			if right {
				found++
			}
		}
		if !right {
			wrong[sort]++
			t.Logf("%s: %s %s, wanted %s, got %s", sort, row[1], row[2], want, shown(got))
		}
	}
	for _, sort := range []string{"same", "order", "script", "transliteration", "typo", "part", "near miss", "other"} {
		t.Logf("%-16s %3d, wrong %d", sort, total[sort], wrong[sort])
	}
	t.Logf("recall %d of %d, false positives %d of %d", found, hits, accused, others)
	if 100*found < leastRecall*hits || 100*accused > mostFalse*others {
		t.Errorf("recall %d of %d, false positives %d of %d", found, hits, accused, others)
	}
}

func shown(hits []match.Hit) string {
	var all []string
	for _, h := range hits {
		all = append(all, fmt.Sprintf("%s %s %d", h.ID, h.Matched, h.Score))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
