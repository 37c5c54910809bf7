package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/httpapi"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// server is the API of a whole program, called without a network, so that requests can come from anywhere.
type server struct {
	app     *app.App
	handler http.Handler
	close   func()
}

func serve(t *testing.T, target string) *server {
	t.Helper()
	a, err := app.Open(t.Context(), app.Config{
		Database: target, MasterKey: bytes.Repeat([]byte{1}, vault.KeySize), Environment: partner.Staging,
		Bank: sepa.SandboxBank, Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return &server{a, httpapi.NewHandler(a.API), end}
}

// partner makes a partner with settings, and answers its API key.
func (s *server) partner(t *testing.T, settings map[string]string) (id int64, key string) {
	t.Helper()
	settings["legalName"] = "Test Partner"
	p, err := s.app.Partners.Create(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err = s.app.Partners.IssueKey(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID, key
}

// call makes a request from an address, with further headers, and answers its status, error code and headers.
func (s *server) call(t *testing.T, from, key, method, path string, headers ...string) (status int, code string, h http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(`{}`))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("x-api-key", key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	var body struct{ ErrorCode string }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Errorf("%s %s answers %q", method, path, w.Body)
	}
	return w.Code, body.ErrorCode, w.Header()
}

const (
	here     = "203.0.113.7:1000"
	balances = "/v1/partner/balances"
)

func TestEveryAnswerTellsWhatIsLeftOfTheRate(t *testing.T) {
	t.Parallel()
	s := serve(t, dbtest.Target(t, db.SQLite))
	id, key := s.partner(t, map[string]string{"rateLimit": "1", "rateBurst": "3"})
	for i, c := range []struct {
		method, path, code string
		remaining, reset   string
	}{
		{"GET", balances, "", "2", "1"},
		{"POST", "/v1/transfer", "P403", "1", "2"},
		{"GET", "/v1/transfer/details/" + clock.NewID().String(), "P417", "0", "3"},
		{"GET", balances, "P429", "0", "3"},
		{"POST", "/v1/transfer", "P429", "0", "3"}, // before its body is looked at
	} {
		status, code, h := s.call(t, here, key, c.method, c.path)
		if code != c.code || h.Get("RateLimit-Limit") != "3" || h.Get("RateLimit-Remaining") != c.remaining || h.Get("RateLimit-Reset") != c.reset {
			t.Errorf("call %d answers %d %s with %v; want %s, %s left, full in %s", i+1, status, code, h, c.code, c.remaining, c.reset)
		}
		if limited := code == "P429"; limited != (status == http.StatusTooManyRequests) || limited != (h.Get("Retry-After") == "1") {
			t.Errorf("call %d answers %d %s, Retry-After %q", i+1, status, code, h.Get("Retry-After"))
		}
	}
	_, second, err := s.app.Partners.IssueKey(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, code, h := s.call(t, here, second, "GET", balances); code != "" || h.Get("RateLimit-Remaining") != "2" {
		t.Errorf("another key of the partner is answered %q with %v", code, h)
	}
	for _, wrong := range []string{"", "wrong"} { // P401 comes first, and tells nothing about a rate
		if _, code, h := s.call(t, here, wrong, "GET", balances); code != "P401" || h.Get("RateLimit-Limit") != "" {
			t.Errorf("the key %q is answered %s with %v", wrong, code, h)
		}
	}
	_, other := s.partner(t, map[string]string{"rateLimit": "0"})
	for range 3 {
		_, code, h := s.call(t, here, other, "GET", balances)
		if got := fmt.Sprint(code, h["Ratelimit-Limit"], h["Ratelimit-Remaining"], h["Ratelimit-Reset"]); got != "[1000000] [1000000] [0]" {
			t.Errorf("without a limit the answer says %s", got)
		}
	}
}

func TestAChangedRateCountsWithinASecond(t *testing.T) {
	t.Parallel()
	target := dbtest.Target(t, db.SQLite)
	s, tool := serve(t, target), serve(t, target)
	id, key := s.partner(t, map[string]string{"rateLimit": "1", "rateBurst": "1"})
	s.call(t, here, key, "GET", balances)
	if _, code, _ := s.call(t, here, key, "GET", balances); code != "P429" {
		t.Fatalf("answers %q past the limit", code)
	}
	if _, err := tool.app.Partners.Set(t.Context(), id, map[string]string{"rateLimit": "0"}); err != nil {
		t.Fatal(err)
	}
	changed := time.Now()
	for limit := ""; limit != "1000000"; {
		_, _, h := s.call(t, here, key, "GET", balances)
		if limit = h.Get("RateLimit-Limit"); time.Since(changed) > time.Second {
			t.Fatalf("a second after the change the limit is still %s", limit)
		}
	}
}

// elsewhere are other clients. One of them alone can fall, once in a thousand times, on the slot of the first.
var elsewhere = []string{"203.0.113.8:1000", "203.0.113.9:1000", "[2001:db8::1]:1000", "198.51.100.1:1000"}

func TestWhoGuessesKeysMustWaitAndLocksOutNobody(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := serve(t, dbtest.Target(t, kind))
			id, known := s.partner(t, map[string]string{"rateLimit": "0"})
			s.call(t, here, known, "GET", balances)
			guess := func(from string, i int) (string, http.Header) {
				_, code, h := s.call(t, from, fmt.Sprintf("ks_aaaaaaaaaaaa_%026d", i), "GET", balances)
				return code, h
			}
			for i := range 60 {
				if code, _ := guess(here, i); code != "P401" {
					t.Fatalf("guess %d is answered %s", i+1, code)
				}
			}
			if _, code, _ := s.call(t, here, "", "GET", balances); code != "P401" {
				t.Errorf("no key is answered %s", code)
			}
			limited := 0
			for i := range 50 {
				code, h := guess(here, i)
				if code == "P429" && h.Get("Retry-After") == "1" && h.Get("RateLimit-Limit") == "" {
					limited++
				}
			}
			if limited < 40 { // one a second may pass
				t.Errorf("%d of 50 further guesses were answered P429", limited)
			}
			_, fresh, err := s.app.Partners.IssueKey(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if _, code, _ := s.call(t, here, known, "GET", balances); code != "" {
				t.Errorf("a partner at the same address is answered %s", code)
			}
			asked := time.Now()
			for code := "P429"; code != ""; {
				if _, code, _ = s.call(t, here, fresh, "GET", balances); time.Since(asked) > 2*time.Second {
					t.Fatalf("a key that was not used before is answered %s from that address", code)
				}
			}
			if !slices.ContainsFunc(elsewhere, func(from string) bool {
				code, _ := guess(from, 1)
				return code == "P401"
			}) {
				t.Error("wrong keys from elsewhere are limited as well")
			}
			if kind == db.Postgres { // which says at once that it is away
				s.refusesWithoutTheDatabase(t, guess)
			}
		})
	}
}

// refusesWithoutTheDatabase shows that a limited address costs no look-ups, by taking the database away.
func (s *server) refusesWithoutTheDatabase(t *testing.T, guess func(from string, i int) (string, http.Header)) {
	t.Helper()
	for code := "P401"; code == "P401"; { // uses up what the last seconds have allowed again
		code, _ = guess(here, 1)
	}
	s.close()
	refused := 0
	for i := range 20 {
		switch code, _ := guess(here, i); code {
		case "P429":
			refused++
		case "P501": // one a second may be looked up
		default:
			t.Errorf("without the database a further guess is answered %s", code)
		}
	}
	if refused < 15 {
		t.Errorf("without the database %d of 20 further guesses were answered P429", refused)
	}
}

// TestAForgedHeaderGivesNoFurtherGuesses has a caller name another address with each guess. Whose key it would be
// is not known, so nobody's proxies are trusted.
func TestAForgedHeaderGivesNoFurtherGuesses(t *testing.T) {
	t.Parallel()
	s := serve(t, dbtest.Target(t, db.SQLite))
	s.partner(t, map[string]string{"trustedProxies": "203.0.113.0/24"})
	limited := 0
	for i := range 150 {
		if _, code, _ := s.call(t, here, fmt.Sprint("wrong-", i), "GET", balances, "X-Forwarded-For", fmt.Sprint("198.51.100.", i)); code == "P429" {
			limited++
		}
	}
	if limited < 60 { // one a second may pass
		t.Errorf("%d of 150 guesses under forged addresses were answered P429", limited)
	}
}
