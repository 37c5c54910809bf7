package browser

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// program is the whole program on an SQLite file, with a partner and the webhooks that it got.
type program struct {
	app   *app.App
	clock *movable
	url   string
	key   string
	log   *journal
	users atomic.Int64 // made so far: each is another person, or they would be held for duplicates

	mu       sync.Mutex
	webhooks []webhook
	arrived  chan struct{} // a webhook did, at some time since it was last read
}

// movable is the machine's clock, moved forward.
type movable struct{ by atomic.Int64 }

func (m *movable) Now() time.Time { return clock.System().Now().Add(time.Duration(m.by.Load())) }

type webhook struct {
	path string
	body map[string]any
}

// start runs the program until the test ends.
func start(t *testing.T) *program {
	t.Helper()
	master := make([]byte, vault.KeySize)
	if _, err := rand.Read(master); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{url: "http://" + listener.Addr().String(), log: &journal{}, arrived: make(chan struct{}, 1), clock: &movable{}}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	p.app, err = app.Open(ctx, app.Config{
		Database: filepath.Join(t.TempDir(), "kontor.db"), MasterKey: master, Environment: partner.Staging, Bank: sepa.SandboxBank,
		SandboxDelay: time.Millisecond, Clock: p.clock, CheckEvents: true, PagesURL: p.url,
		Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.app.Serve(ctx, listener, app.Roles{API: true, Worker: true}) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("the program ended with: %v", err)
		}
		if err := p.app.Close(); err != nil {
			t.Error(err)
		}
	})
	p.join(t)
	return p
}

// journal is the program's log, which several goroutines write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(text)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// join makes a partner whose webhooks are kept.
func (p *program) join(t *testing.T) {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got := webhook{path: r.URL.Path}
		if err := json.NewDecoder(r.Body).Decode(&got.body); err != nil {
			return // a probe
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.webhooks = append(p.webhooks, got)
		select {
		case p.arrived <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(receiver.Close)
	made, err := p.app.Partners.Create(t.Context(), map[string]string{
		"legalName": "Demo Partner", "rateLimit": "0", "webhook.baseUrl": receiver.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, p.key, err = p.app.Partners.IssueKey(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
}

// call makes a call of the API and answers the body; the test fails unless it succeeds.
func (p *program) call(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-api-key", p.key)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %v %v", method, path, response.StatusCode, answer, err)
	}
	return answer
}

// newUser makes a user and answers the address of the hosted page.
func (p *program) newUser(t *testing.T, externalID, documentType string) string {
	t.Helper()
	p.call(t, http.MethodPost, "/v1/user/balances/crypto-and-fiat", fmt.Sprintf(`{"externalUserId": %q, "email": "test.user@example.com",
		"phone": "+37060000000", "firstName": "Test", "lastName": "User", "street": "Test Street", "number": "1A", "city": "Vilnius",
		"postCode": "LT-01100", "country": "LT", "citizenship": "LT", "nationality": "LT", "birthCountry": "LT", "birthDate": "19%d-01-31",
		"hasAcceptedP100Tc": true}`, externalID, 60+p.users.Add(1)))
	return p.newLink(t, externalID, documentType)
}

// newLink begins an identity check of a user and answers the address of the hosted page.
func (p *program) newLink(t *testing.T, externalID, documentType string) string {
	t.Helper()
	made := p.call(t, http.MethodPost, "/v1/kyc", fmt.Sprintf(`{"externalUserId": %q, "documentType": %q, "country": "LT", "incomeSource": "OTHER",
		"openAccountReason": "DAILY_USE", "additionalInfo": "Savings"}`, externalID, documentType))
	url, _ := made["url"].(string)
	return url
}

// await waits for a webhook with a member of a value, about a user, and answers its body.
func (p *program) await(t *testing.T, path, externalID, member, value string) map[string]any {
	t.Helper()
	late := time.After(patience)
	for {
		p.mu.Lock()
		for _, w := range p.webhooks {
			if w.path == path && w.body["externalUserId"] == externalID && w.body[member] == value {
				p.mu.Unlock()
				return w.body
			}
		}
		seen := fmt.Sprint(p.webhooks)
		p.mu.Unlock()
		select {
		case <-p.arrived:
		case <-late:
			t.Fatalf("no webhook %s of %s with %s %s; there came %s", path, externalID, member, value, seen)
		}
	}
}
