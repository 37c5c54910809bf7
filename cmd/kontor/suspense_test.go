package main

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/money"
	"kontor/internal/sepa"
)

func TestSuspenseIsDecidedByCommands(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	sandbox(t, "--data", data)()
	err := store{place: place{Data: data}, Environment: "staging"}.with(t.Context(), slog.New(slog.DiscardHandler), func(a *app.App) error {
		euro, _ := a.Catalog.Currency("eur")
		day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		return a.API.SEPA.Book(t.Context(), []sepa.Entry{
			{Account: "LT121000011101001000", Reference: "A1", Amount: money.New(12_50, euro), Debtor: sepa.Party{Name: "Test Sender"}, Title: "For nobody", Day: day},
			{Account: "LT121000011101001000", Reference: "A2", Amount: money.New(-3_00, euro), Creditor: sepa.Party{Name: "Test Bank"}, Day: day},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var items []struct{ ID, Kind, Amount, State string }
	if err := json.Unmarshal([]byte(must(t, data, "suspense", "list", "--json")), &items); err != nil || len(items) != 2 {
		t.Fatalf("listed are %v, %v", items, err)
	}
	credit, debit := items[0].ID, items[1].ID
	if items[0].Kind != "CREDIT" {
		credit, debit = debit, credit
	}
	if list := must(t, data, "suspense", "list"); !regexp.MustCompile(credit+` +CREDIT +- +- +12\.50 +eur +WAITING`).MatchString(list) || strings.Contains(list, "Sender") {
		t.Errorf("the list is\n%s", list)
	}
	if one := must(t, data, "suspense", "show", credit); !regexp.MustCompile(`name +Test Sender`).MatchString(one) {
		t.Errorf("the item is\n%s", one)
	}
	reason := []string{"--reason", "Test reason", "--as", "first"}
	refuse(t, data, "about this, decide one of", append([]string{"suspense", "release", credit}, reason...)...)
	refuse(t, data, "no user", append([]string{"suspense", "assign", credit, "--partner", "1", "--user", "nobody"}, reason...)...)
	refuse(t, data, "nothing on suspense", append([]string{"suspense", "return", clock.NewID().String()}, reason...)...)
	if list := must(t, data, "suspense", "unanswered", "--json"); strings.TrimSpace(list) != "[]" {
		t.Errorf("returns without an answer are %q", list)
	}
	refuse(t, data, "nothing on suspense", append([]string{"suspense", "reopen", clock.NewID().String()}, reason...)...)
	refuse(t, data, "is not the id of a return", append([]string{"suspense", "reopen", "7"}, reason...)...)
	refuse(t, data, "is not the id of an item", append([]string{"suspense", "return", "7"}, reason...)...)
	refuse(t, data, "a reason of", "suspense", "return", credit, "--reason", " ", "--as", "first")
	if out := must(t, data, append([]string{"suspense", "assign", credit, "--partner", "1"}, reason...)...); out != "ASSIGN\n" {
		t.Errorf("assigning says %q", out)
	}
	refuse(t, data, "was decided already: ASSIGN by first", append([]string{"suspense", "return", credit}, reason...)...)
	if out := must(t, data, append([]string{"suspense", "close", debit}, reason...)...); !strings.Contains(out, "another officer confirms") {
		t.Errorf("closing says %q", out)
	}
	refuse(t, data, "another officer must confirm", append([]string{"suspense", "close", debit}, reason...)...)
	if out := must(t, data, "suspense", "close", debit, "--reason", "So it is", "--as", "second", "--json"); !strings.Contains(out, `"CLOSE"`) {
		t.Errorf("closing says %q", out)
	}
	if out := must(t, data, "suspense", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("waiting are %s", out)
	}
	if out := must(t, data, "suspense", "list", "--decided"); strings.Count(out, "ASSIGN")+strings.Count(out, "CLOSE") != 2 {
		t.Errorf("decided are %s", out)
	}
	log := must(t, data, "audit", "list")
	for action, times := range map[string]int{"suspense.propose": 1, "suspense.decide": 2, "suspense.view": 1} {
		if got := strings.Count(log, action); got != times {
			t.Errorf("the audit log has %d of %s, want %d:\n%s", got, action, times, log)
		}
	}
	must(t, data, "verify")
}
