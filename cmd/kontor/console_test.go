package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestOfficersAreManagedWhileTheProgramRuns(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	sandbox(t, "--data", data)()
	command := func(want int, args ...string) string {
		t.Helper()
		var out, problems bytes.Buffer
		if got := run(t.Context(), append(append([]string{"console", "user"}, args...), "--data", data), &out, &problems); got != want {
			t.Fatalf("%v ended with %d: %s%s", args, got, &out, &problems)
		}
		return out.String() + problems.String()
	}
	link := regexp.MustCompile(`(?m)^http://127\.0\.0\.1:9999/console/setup/[A-Za-z0-9_-]{43}$`)
	if out := command(0, "add", "First", "--role", "admin", "--url", "http://127.0.0.1:9999/"); !link.MatchString(out) || !strings.Contains(out, "becomes first") {
		t.Errorf("add prints %s", out)
	}
	if out := command(1, "add", "first", "--role", "support"); !strings.Contains(out, `there is an account "first" already`) {
		t.Errorf("adding twice prints %s", out)
	}
	if out := command(0, "reset", "first", "--role", "compliance", "--url", "http://127.0.0.1:9999"); !link.MatchString(out) {
		t.Errorf("reset prints %s", out)
	}
	if out := command(0, "disable", "first"); out != "first is disabled\n" {
		t.Errorf("disable prints %s", out)
	}
	var listed []listedOfficer
	if err := json.Unmarshal([]byte(command(0, "list", "--json")), &listed); err != nil || len(listed) != 1 ||
		listed[0].Role != "compliance" || listed[0].State != "disabled" || listed[0].SignedInAt != nil {
		t.Errorf("list answers %+v, %v", listed, err)
	}
	if out := command(0, "list"); !strings.Contains(out, "first  compliance  disabled") {
		t.Errorf("list prints %s", out)
	}
}

func TestServeShowsTheConsoleOnAListenerOfItsOwn(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	sandbox(t, "--data", data)()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := &lines{got: make(chan string, 10)}, make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--console-listen", "0"}, out, io.Discard)
	}()
	t.Cleanup(func() { cancel(); <-done })
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	office, partners := address.FindString(<-out.got), address.FindString(<-out.got)
	for url, want := range map[string]int{
		office + "/console/sign-in": http.StatusOK, office + "/v1/partner/balances": http.StatusNotFound,
		partners + "/console/sign-in": http.StatusNotFound,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s answers %d, want %d", url, response.StatusCode, want)
		}
	}
}
