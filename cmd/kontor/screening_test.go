package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
)

func TestOperatorsImportListsAndCompareNames(t *testing.T) {
	t.Parallel()
	o := newOperator(t, db.SQLite)
	file := filepath.Join(t.TempDir(), "targets.simple.csv")
	write := func(rows string) {
		t.Helper()
		text := "id,schema,name,aliases,birth_date,countries,sanctions,last_seen\n" + rows
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := o.do("screening", "status"); !strings.Contains(out, "No list was imported") {
		t.Errorf("without a list: %s", out)
	}
	write("t-1,Person,Muster Beispielová,,1970-01-01,cz,Invented,2026-03-01\nt-2,Company,Muster,,,,,2026-03-01\n")
	if out := o.do("screening", "import", "opensanctions", file); !strings.Contains(out, "opensanctions 2026-03-01 ") || !strings.Contains(out, "1 persons") {
		t.Errorf("imported: %s", out)
	}
	var lists []struct {
		Source   string `json:"source"`
		Entities int    `json:"entities"`
		Skipped  int    `json:"skipped"`
	}
	if o.json(&lists, "screening", "status"); len(lists) == 0 || lists[0].Source != "opensanctions" || lists[0].Entities != 1 || lists[0].Skipped != 1 {
		t.Errorf("in use: %+v", lists)
	}
	var found struct {
		Findings []struct {
			Kind  string `json:"kind"`
			Ref   string `json:"ref"`
			Score int    `json:"score"`
		} `json:"findings"`
	}
	o.json(&found, "screening", "check", "Бейспилова Мустер", "--birth-date", "1970-01-01")
	if len(found.Findings) != 1 || found.Findings[0].Ref != "opensanctions:t-1" || found.Findings[0].Kind != "SANCTION" {
		t.Errorf("found: %+v", found)
	}
	if out := o.do("screening", "check", "Somebody Else"); !strings.Contains(out, "nothing found") {
		t.Errorf("found: %s", out)
	}
	for want, args := range map[string][]string{
		"in use already":       {"screening", "import", "opensanctions", file},
		"no element export":    {"screening", "import", "eu", file},
		"is not a date":        {"screening", "check", "Muster", "--birth-date", "1.1.1970"},
		"kontor cases list":    {"cases", "show", "1"},
		"there is no such":     {"cases", "decide", "01a21452-ab07-7449-88ca-3225a4d54a4c", "OK", "--seen", "1", "--reason", "Why"},
		"no such file or dire": {"screening", "import", "un", file + ".xml"},
	} {
		if status, out := o.try(args...); status == 0 || !strings.Contains(out, want) {
			t.Errorf("kontor %s ended with %d: %s", strings.Join(args, " "), status, out)
		}
	}
	if out := o.do("cases", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("cases: %s", out)
	}
	if out := o.do("audit", "list"); !strings.Contains(out, "screening.import") {
		t.Errorf("logged: %s", out)
	}
}

func TestACaseIsShownAsJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	c := compliance.Case{
		Partner: 3, ID: clock.NewID(), User: clock.NewID(), State: compliance.Open, OpenedAt: at, Score: 96,
		Findings: []compliance.Screening{{
			Number: 1, Cause: compliance.Onboarding, ListVersion: "test 1", At: at, Names: []compliance.Name{{First: "Testa", Last: "Musterperson"}},
			Findings: []compliance.Finding{{Kind: compliance.Sanction, Ref: "test:T-1", Score: 96, Text: "A hit."}},
		}},
		Decisions: []compliance.Decided{{Verdict: compliance.OK, Officer: "os:one", Reason: "Another person.", At: at}},
	}
	var out bytes.Buffer
	if err := printJSON(&out, jsonCase(c)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"id":"` + c.ID.String() + `"`, `"partner":"3"`, `"state":"OPEN"`, `"score":96`, `"openedAt":"2026-11-02T09:00:00.000Z"`,
		`"closedAt":null`, `"first":"Testa","last":"Musterperson"`, `"ref":"test:T-1"`, `"verdict":"OK","final":false,"officer":"os:one"`,
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), ""), strings.Join(strings.Fields(want), "")) {
			t.Errorf("%s is missing in %s", want, out.String())
		}
	}
}
