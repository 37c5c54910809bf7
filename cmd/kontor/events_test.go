package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// readCredentials are those that a sandbox wrote.
func readCredentials(t *testing.T, data string) (c credentials) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// activateUser makes two events of a user: the check of the identity, and the activation.
func activateUser(t *testing.T, c credentials, user string) {
	t.Helper()
	post(t, c, "/v1/user/balances/crypto-and-fiat", newerUser(user))
	post(t, c, "/v1/sandbox/user/"+user+"/activate", object{})
}

func post(t *testing.T, c credentials, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.BaseURL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", c.APIKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		t.Fatalf("%s answers %d %s", path, resp.StatusCode, got)
	}
}

// listening is a running kontor events listen with its receiver.
type listening struct {
	arrived chan *http.Request
	bodies  chan string
	out     *lines
	stop    func()
}

func listen(t *testing.T, data string, args ...string) *listening {
	t.Helper()
	l := &listening{arrived: make(chan *http.Request, 100), bodies: make(chan string, 100), out: &lines{got: make(chan string, 1000)}}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "so far")
		l.arrived <- r
		l.bodies <- string(body)
	}))
	t.Cleanup(receiver.Close)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"events", "listen", "--data", data, "--forward-to", receiver.URL + "/hooks"}, args...), l.out, l.out)
	}()
	l.stop = func() {
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("listen ended with %d", status)
		}
	}
	return l
}

// next checks that the next delivery is as one of Kontor's own.
func (l *listening) next(t *testing.T, c credentials, path, sequence, user string) {
	t.Helper()
	select {
	case r := <-l.arrived:
		body := <-l.bodies
		verifier, err := standardwebhooks.NewWebhook(c.WebhookSecret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify([]byte(body), r.Header); err != nil {
			t.Errorf("the signature: %v", err)
		}
		if r.URL.Path != path || r.Header.Get("x-kontor-sequence") != sequence || r.Header.Get("Authorization") != c.WebhookToken ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("x-kontor-event") == "" || !strings.Contains(body, user) {
			t.Errorf("%s %s %s arrived, want %s %s of %s", r.URL.Path, r.Header, body, path, sequence, user)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was forwarded")
	}
}

// says waits for a line of the command's.
func (l *listening) says(t *testing.T, part string) {
	t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case line := <-l.out.got:
			if strings.Contains(line, part) {
				return
			}
		case <-late:
			t.Fatalf("listen does not say %q", part)
		}
	}
}

func TestListenForwardsWhatASandboxSends(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			store := []string{"--data", data}
			if engine == db.Postgres {
				store = append(store, "--database", dbtest.Empty(t, engine))
			}
			stop := sandbox(t, store...) // without an address for webhooks
			c := readCredentials(t, data)
			activateUser(t, c, "first")
			l := listen(t, data, "--after", "0")
			l.next(t, c, "/hooks/webhook/kyc-verification/status", "1", "first")
			l.next(t, c, "/hooks/webhook/user/status", "2", "first")
			l.says(t, `2  user-balance-generation  {"externalUserId":"first","status":"ACTIVE"}  → 418 in`)
			stop()
			l.says(t, "waiting for it")
			stop = sandbox(t, store...) // on another port
			activateUser(t, readCredentials(t, data), "second")
			l.next(t, c, "/hooks/webhook/kyc-verification/status", "3", "second")
			l.next(t, c, "/hooks/webhook/user/status", "4", "second")
			l.stop()

			l = listen(t, data) // from now on
			l.says(t, "Forwarding the events of")
			l.says(t, "from sequence 5 on")
			activateUser(t, readCredentials(t, data), "third")
			l.next(t, c, "/hooks/webhook/kyc-verification/status", "5", "third")
			l.stop()
			operate(t, store, readCredentials(t, data))
			stop()
		})
	}
}

// operate reads the log as the operator, and has events sent again.
func operate(t *testing.T, store []string, c credentials) {
	t.Helper()
	command := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if status := run(t.Context(), append(append([]string{"events"}, args...), store...), &out, &out); status != 0 {
			t.Errorf("kontor events %s ended with %d:\n%s", args, status, out.String())
		}
		return out.String()
	}
	var listed []listedEvent
	if err := json.Unmarshal([]byte(command("list", "--json", "--partner", "1", "--event", "user-balance-generation")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 3 || *listed[2].Sequence != 2 || listed[2].Status != "FAILED" {
		t.Fatalf("listed %+v", listed)
	}
	if text := command("list", "--partner", "1", "--limit", "2", "--status", "FAILED"); !strings.HasPrefix(text, "TIME") || strings.Count(text, "\n") != 3 {
		t.Errorf("list says\n%s", text)
	}
	if text := command("list", "--partner", "1", "--to", "2020-01-01"); text != "no events\n" {
		t.Errorf("list says\n%s", text)
	}
	id := listed[2].ID
	if text := command("resend", "--partner", "1", id); text != "1 events will be sent again\n" {
		t.Errorf("resend says\n%s", text)
	}
	if text := command("resend", "--json", "--partner", "1", "--from", "2020-01-01"); text != `{"events":6}`+"\n" {
		t.Errorf("resend of a range says\n%s", text)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(time.Minute); ; {
		text := command("show", "--partner", "1", id, "--json")
		if strings.Count(text, "no webhook URL is set") == 3 { // at first, alone, and in the range
			break
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("show says %s", text)
		}
	}
	if text := command("show", "--partner", "1", id); !strings.Contains(text, `{"externalUserId":"first","status":"ACTIVE"}`) {
		t.Errorf("show says\n%s", text)
	}
	var out bytes.Buffer
	for _, wrong := range [][]string{
		{"show", "--partner", "2", id},
		{"show", "--partner", "1", "x"},
		{"resend", "--partner", "1"},
		{"resend", "--partner", "1", id, "--from", "2020-01-01"},
		{"list", "--partner", "1", "--event", "nothing"},
		{"list", "--partner", "1", "--from", "soon"},
	} {
		if status := run(t.Context(), append(append([]string{"events"}, wrong...), store...), &out, &out); status != 1 {
			t.Errorf("kontor events %s ended with %d", wrong, status)
		}
	}
	tail(t, store, c)
}

// tail makes users until the command tells of an event, and then ends it.
func tail(t *testing.T, store []string, c credentials) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := &lines{got: make(chan string, 1000)}, make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"events", "tail", "--json", "--partner", "1"}, store...), out, io.Discard)
	}()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	var e listedEvent
	for i, late := 0, time.After(time.Minute); e.ID == ""; i++ {
		activateUser(t, c, fmt.Sprint("tailed-", i))
		select {
		case line := <-out.got:
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event != "kyc-verification-status" || *e.Sequence < 7 {
				t.Errorf("tail says %s; %v", line, err)
			}
		case <-again.C:
		case <-late:
			t.Fatal("tail says nothing")
		}
	}
	cancel()
	if status := <-done; status != 0 {
		t.Errorf("tail ended with %d", status)
	}
}
