package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// lines hands a command's output on, line by line.
type lines struct {
	partial bytes.Buffer
	got     chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.partial.Write(p)
	for {
		text, err := l.partial.ReadString('\n')
		if err != nil {
			l.partial.WriteString(text)
			return len(p), nil
		}
		l.got <- text
	}
}

// sandbox starts a sandbox in this process and waits until it serves.
func sandbox(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := &lines{got: make(chan string, 100)}, make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"sandbox", "--listen", "127.0.0.1:0"}, args...), out, io.Discard)
	}()
	timeout := time.After(time.Minute)
	for served := false; !served; {
		select {
		case text := <-out.got:
			served = strings.Contains(text, "kontor demo")
		case status := <-done:
			t.Fatalf("the sandbox ended with %d", status)
		case <-timeout:
			t.Fatal("the sandbox does not start")
		}
	}
	return func() {
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("the sandbox ended with %d", status)
		}
	}
}

func TestDemoWalksThroughASandbox(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			store := []string{"--data", data}
			if engine == db.Postgres {
				store = append(store, "--database", dbtest.Empty(t, engine))
			}
			stop := sandbox(t, store...)
			var out bytes.Buffer
			if status := run(t.Context(), []string{"demo", "--data", data}, &out, &out); status != 0 {
				t.Errorf("the demonstration ended with %d:\n%s", status, out.String())
			}
			if !strings.Contains(out.String(), "All as expected: 10 events received") {
				t.Errorf("the demonstration says:\n%s", out.String())
			}
			for _, command := range [][]string{{"reconcile", "statement"}, {"reconcile", "bank"}} { // beside the sandbox
				out.Reset()
				if status := run(t.Context(), append(command, store...), &out, &out); status != 0 {
					t.Errorf("%v ended with %d: %s", command, status, out.String())
				}
			}
			if words := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(words, " 1 0.00 100.00 100.00 0.00") {
				t.Errorf("the deposit is not in the bank's statement: %s", words)
			}
			stop()
			out.Reset()
			if status := run(t.Context(), append([]string{"verify"}, store...), &out, &out); status != 0 {
				t.Errorf("verify ended with %d: %s", status, out.String())
			}
		})
	}
}

func TestSandboxKeepsItsCredentials(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	path := filepath.Join(data, "sandbox.json")
	read := func() (c credentials) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	sandbox(t, "--data", data)()
	first := read()
	sandbox(t, "--data", data)()
	second := read()
	if first.APIKey != second.APIKey || first.WebhookToken != second.WebhookToken || first.WebhookSecret != second.WebhookSecret {
		t.Error("a restart changed the credentials")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	sandbox(t, "--data", data)()
	if third := read(); third.APIKey == first.APIKey || third.APIKey == "" || third.WebhookToken != first.WebhookToken {
		t.Error("without the file a new key should be issued, and the token kept")
	}
	sandbox(t, "--data", data, "--api-key", "a-key-of-my-own")()
	if got := read(); got.APIKey != "a-key-of-my-own" {
		t.Errorf("the key is %q", got.APIKey)
	}
	must(t, data, "partner", "close", "1")
	sandbox(t, "--data", data)()
	if got := read(); got.APIKey == "a-key-of-my-own" || got.WebhookToken == first.WebhookToken {
		t.Error("a closed demo partner is still the sandbox's")
	}
}

func TestBadFlagsAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown setting":         {[]string{"sandbox", "--listen", "127.0.0.1:0", "--set", "colour=red"}, "colour is not a setting"},
		"bad value":               {[]string{"sandbox", "--listen", "127.0.0.1:0", "--set", "sepaLevel=3"}, "sepaLevel must be one of"},
		"sandbox in production":   {[]string{"sandbox", "--environment", "production"}, "a sandbox is staging"},
		"production without key":  {[]string{"serve", "--environment", "production", "--bank-country", "LT", "--bank-code", "99999", "--bank-digits", "11", "--bank-bic", "TESTLT20"}, "no master key"},
		"production without bank": {[]string{"serve", "--environment", "production"}, "production needs the bank"},
		"no data":                 {[]string{"partner", "list"}, "no master key"},
		"demo without sandbox":    {[]string{"demo"}, "kontor sandbox"},
		"bank without folder":     {[]string{"sandbox-bank"}, "--folder: name the folder"},
		"bank of another account": {[]string{"sandbox-bank", "--folder", "nowhere", "--account", "LT00"}, "--account: iban:"},
		"deposit without bank":    {[]string{"sandbox-bank", "deposit", "--amount", "1", "--sender-name", "Test"}, "there is no sandbox bank in"},
		"deposit of what":         {[]string{"sandbox-bank", "deposit", "--amount", "1,5", "--sender-name", "Test"}, "is not an amount in euros"},
		"no role":                 {[]string{"serve", "--roles="}, "--roles (KONTOR_ROLES) names no role"},
		"files of no bank":        {[]string{"sandbox", "--bank-holder", "Test"}, "--bank-folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			status := run(t.Context(), append(c.args, "--data", t.TempDir()), io.Discard, &out)
			if status != 1 || !strings.Contains(out.String(), c.want) {
				t.Errorf("status %d, %q; want 1 and %q", status, out.String(), c.want)
			}
		})
	}
}
