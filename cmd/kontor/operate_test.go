package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/db"
	"kontor/internal/user"
)

// command runs a command on a data folder and answers its status and what it wrote.
func command(t *testing.T, data string, args ...string) (status int, out string) {
	t.Helper()
	var text bytes.Buffer
	status = run(t.Context(), append(args, "--data", data), &text, &text)
	return status, text.String()
}

// must runs a command that has to succeed.
func must(t *testing.T, data string, args ...string) string {
	t.Helper()
	status, out := command(t, data, args...)
	if status != 0 {
		t.Fatalf("%v ended with %d: %s", args, status, out)
	}
	return out
}

// refuse runs a command that has to fail, with a part of the reason.
func refuse(t *testing.T, data, want string, args ...string) {
	t.Helper()
	if status, out := command(t, data, args...); status != 1 || !strings.Contains(out, want) {
		t.Errorf("%v ended with %d, %q; want 1 and %q", args, status, out, want)
	}
}

func TestAdjustTakesTwoPersons(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	sandbox(t, "--data", data)()
	propose := func(amount string) string {
		t.Helper()
		var made struct{ ID string }
		out := must(t, data, "adjust", "propose", "--partner", "1", "--amount", amount, "--currency", "EUR", "--reason", "Test reason", "--as", "first", "--json")
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	given, taken, wrong := propose("20.00"), propose("-32.50"), propose("7")
	refuse(t, data, "another person must decide it", "adjust", "approve", given, "--as", "First")
	must(t, data, "adjust", "approve", given, "--as", "second")
	must(t, data, "adjust", "approve", taken, "--as", "second")
	must(t, data, "adjust", "reject", wrong, "--as", "second")
	refuse(t, data, "was decided already: REJECTED by second", "adjust", "approve", wrong, "--as", "third")
	refuse(t, data, "is not the id of a proposal", "adjust", "approve", "7")
	refuse(t, data, `"12,5" is not an amount in eur`, "adjust", "propose", "--partner", "1", "--amount", "12,5", "--currency", "eur", "--reason", "r")
	refuse(t, data, "is not a currency", "adjust", "propose", "--partner", "1", "--amount", "1", "--currency", "xxx", "--reason", "r")

	list := must(t, data, "adjust", "list")
	for _, want := range []string{`20\.00 +eur +APPROVED .* first .* second +Test reason`, `-32\.50 +eur +APPROVED`, `7\.00 +eur +REJECTED`} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("the list has no %s:\n%s", want, list)
		}
	}
	log := must(t, data, "audit", "list")
	for action, times := range map[string]int{"adjustment.propose": 3, "adjustment.approve": 2, "adjustment.reject": 1} {
		if got := strings.Count(log, action); got != times {
			t.Errorf("the audit log has %d of %s, want %d:\n%s", got, action, times, log)
		}
	}
	if out := must(t, data, "adjust", "list", "--pending", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("pending are %s", out)
	}
	if out := must(t, data, "receivables", "list"); !regexp.MustCompile(`\n1 +\(the partner\) +12\.50 +eur +\d{4}-`).MatchString(out) {
		t.Errorf("the receivables are\n%s", out)
	}
	if out := must(t, data, "receivables", "list", "--partner", "2", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("another partner's receivables are %s", out)
	}
	must(t, data, "verify")
}

func TestOnlyMigrateUpgrades(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	fixture, err := os.ReadFile(filepath.FromSlash("../../internal/app/testdata/schema10.sqlite.sql"))
	if err != nil {
		t.Fatal(err)
	}
	handle, err := sql.Open("sqlite", filepath.Join(data, "kontor.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handle.ExecContext(t.Context(), string(fixture)); err != nil {
		t.Fatal(err)
	}
	if err := handle.Close(); err != nil {
		t.Fatal(err)
	}
	key := []string{"--master-key", "dXBncmFkZS1maXh0dXJlLW1hc3Rlci1rZXktMDAwMTA="}
	const want = "schema has version 10, and this program needs version"
	refuse(t, data, want, "verify")
	for _, args := range [][]string{{"partner", "list"}, {"adjust", "list"}, {"receivables", "list"}, {"key", "issue", "1"}} {
		refuse(t, data, want, append(args, key...)...)
	}
	if out := must(t, data, "migrate"); !strings.Contains(out, "had version 10 and now has version") {
		t.Errorf("migrate says %q", out)
	}
	if out := must(t, data, "migrate"); !strings.Contains(out, "already") {
		t.Errorf("migrate says %q", out)
	}
	if out := must(t, data, "migrate", "--json"); !regexp.MustCompile(`^\{"from":(\d+),"to":\d+\}\n$`).MatchString(out) {
		t.Errorf("migrate says %q", out)
	}
	must(t, data, "verify")
	if out := must(t, data, append([]string{"partner", "list"}, key...)...); !strings.Contains(out, "Demo Partner") {
		t.Errorf("the partners are %s", out)
	}
	refuse(t, t.TempDir(), "there are no data in", "migrate")
}

func TestServeShowsMetricsToItsMachine(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	sandbox(t, "--data", data)()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := &lines{got: make(chan string, 100)}, make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "--data", data, "--roles", "worker", "--metrics-listen", "0"}, out, io.Discard)
	}()
	var url string
	select {
	case text := <-out.got:
		url = strings.TrimSpace(strings.TrimPrefix(text, "Metrics and health on "))
	case <-time.After(time.Minute):
		t.Fatal("it does not start")
	}
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("it listens on %s", url)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "kontor_build_info") {
		t.Errorf("it answers %d, %v", response.StatusCode, err)
	}
	cancel()
	if status := <-done; status != 0 {
		t.Errorf("it ended with %d", status)
	}
}

func TestMetricsStayOnThisMachineUnlessTold(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"9464": "127.0.0.1:9464", ":9464": "127.0.0.1:9464", "0.0.0.0:9464": "0.0.0.0:9464", "[::]:9464": "[::]:9464",
		"localhost:9464": "localhost:9464", "::1": "::1",
	} {
		if got := onThisMachine(given); got != want {
			t.Errorf("%s becomes %s, want %s", given, got, want)
		}
	}
}

func TestFreezeIsTheOperatorsOwn(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	sandbox(t, "--data", data)()
	const name = "user_1"
	var id string
	where := store{place: place{Data: data}, Environment: "staging"}
	err := where.with(t.Context(), slog.New(slog.DiscardHandler), func(a *app.App) error {
		return a.DB.Update(t.Context(), func(tx *db.Tx) error {
			u, _, err := a.API.Users.Create(tx, 1, user.New{ExternalID: name, Model: user.KYC, Person: user.Person{Country: "LT"}})
			id = u.ID.String()
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if list := must(t, data, "user", "list", "--partner", "1", "--json"); !strings.Contains(list, id) {
		t.Errorf("the user is not listed: %s", list)
	}
	refuse(t, data, "the reason must be between 1 and 500 characters", "user", "freeze", name, "--partner", "1", "--reason", " ")
	refuse(t, data, "User does not exist", "user", "freeze", "nobody", "--partner", "1", "--reason", "Why")
	refuse(t, data, "User does not exist", "user", "freeze", name, "--partner", "2", "--reason", "Why")
	must(t, data, "user", "freeze", name, "--partner", "1", "--reason", "Asked by the court", "--as", "first")
	must(t, data, "user", "freeze", name, "--partner", "1", "--reason", "Another reason", "--as", "second")
	for range 2 { // the repetition changes nothing
		must(t, data, "user", "freeze", name, "--partner", "1", "--reason", "A third reason", "--as", "third")
	}
	for _, want := range []string{`status +FROZEN`, `reason +A third reason`, `suspended +never`} {
		if shown := must(t, data, "user", "show", name, "--partner", "1"); !regexp.MustCompile(want).MatchString(shown) {
			t.Errorf("it is shown without %s:\n%s", want, shown)
		}
	}
	if frozen := must(t, data, "user", "list", "--partner", "1", "--status", "FROZEN"); !strings.Contains(frozen, name) {
		t.Errorf("it is not listed as frozen:\n%s", frozen)
	}
	must(t, data, "user", "unfreeze", name, "--partner", "1", "--reason", "The court says so", "--as", "second")
	if shown := must(t, data, "user", "show", name, "--partner", "1", "--json"); !strings.Contains(shown, `"frozenAt":null`) {
		t.Errorf("it is still frozen: %s", shown)
	}
	log := must(t, data, "audit", "list", "--json")
	for _, want := range []string{"user.freeze", "user.unfreeze", "Asked by the court", "Another reason", "The court says so", "operator:first", "operator:second", id} {
		if strings.Count(log, want) == 0 {
			t.Errorf("the audit log has no %s:\n%s", want, log)
		}
	}
	if strings.Count(log, "A third reason") != 1 {
		t.Errorf("freezing again for the same reason was noted as a change:\n%s", log)
	}
}
