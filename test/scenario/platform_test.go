package scenario

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// sandboxDelay is how long the simulated bank takes: long enough to be asynchronous.
const sandboxDelay = 5 * time.Millisecond

// platform is the whole program, running on a database of its own, with a receiver of its webhooks.
type platform struct {
	app      *app.App
	document *document
	receiver *receiver
	client   *http.Client
	url      string

	mu       sync.Mutex
	requests map[string]bool // the X-Request-Id of every answer
}

// engines are the databases that everything runs on.
var engines = []db.Engine{db.SQLite, db.Postgres}

// start runs the program until the test ends, and then checks the invariants on its database.
func start(t *testing.T, engine db.Engine) *platform {
	t.Helper()
	return startWith(t, engine, app.Config{Clock: clock.System()})
}

// startWith is start with what is the operator's to choose.
func startWith(t *testing.T, engine db.Engine, chosen app.Config) *platform {
	t.Helper()
	document, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	master := make([]byte, vault.KeySize)
	if _, err := rand.Read(master); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	a, err := app.Open(ctx, app.Config{
		Database: dbtest.Target(t, engine), MasterKey: master, Environment: partner.Staging, Bank: sepa.SandboxBank,
		SandboxDelay: sandboxDelay, Documents: t.TempDir(), Clock: chosen.Clock, CheckEvents: true,
		CatalogDir: chosen.CatalogDir, ExchangeGuard: chosen.ExchangeGuard,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		stop()
		t.Fatal(err, a.Close())
	}
	p := &platform{
		app: a, document: document, receiver: newReceiver(t, a.API.Contract), url: "http://" + listener.Addr().String(),
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute},
		requests: map[string]bool{},
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, listener, app.Roles{API: true, Worker: true}) }()
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			t.Errorf("the program ended with: %v", err)
		}
		p.verify(t)
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// verify is kontor verify on what all scenarios left behind.
func (p *platform) verify(t *testing.T) {
	t.Helper()
	violations, err := app.Verify(context.WithoutCancel(t.Context()), p.app.DB)
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	for _, v := range violations {
		t.Errorf("verify: %s", v)
	}
}

// caller is a partner that was made for one scenario.
type caller struct {
	*platform
	id    int64
	key   string
	keyID string
	box   *mailbox
	url   string // of its webhooks
}

// newCaller makes a partner with a key, whose webhooks arrive in a mailbox of its own.
func (p *platform) newCaller(t *testing.T, settings map[string]string) *caller {
	t.Helper()
	box, url := p.receiver.open()
	all := map[string]string{"legalName": "Test Partner", "rateLimit": "0", "webhook.baseUrl": url}
	for name, value := range settings {
		all[name] = withWebhook(value, url)
	}
	made, err := p.app.Partners.Create(t.Context(), all)
	if err != nil {
		t.Fatalf("create partner: %v", err)
	}
	keyID, key, err := p.app.Partners.IssueKey(t.Context(), made.ID)
	if err != nil {
		t.Fatalf("issue key: %v", err)
	}
	credentials, err := p.app.Partners.WebhookCredentials(t.Context(), made.ID)
	if err != nil {
		t.Fatalf("webhook credentials: %v", err)
	}
	if err := box.expect(credentials); err != nil {
		t.Fatalf("webhook credentials: %v", err)
	}
	return &caller{platform: p, id: made.ID, key: key, keyID: keyID, box: box, url: url}
}

// call sends a request as the caller, with headers that win over the usual ones; a header without values is
// left out. It checks what holds for every answer.
func (c *caller) call(t *testing.T, method, path string, headers http.Header, body []byte) *answer {
	t.Helper()
	a, err := c.send(t.Context(), method, path, headers, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// send is call for goroutines that must not end the test.
func (c *caller) send(ctx context.Context, method, path string, headers http.Header, body []byte) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.platform.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body == nil {
		request.Body, request.ContentLength = nil, 0
	}
	sent := http.Header{"X-Api-Key": {c.key}}
	if body != nil {
		sent["Content-Type"] = []string{"application/json"}
	}
	for name, values := range headers {
		sent.Del(name)
		if len(values) > 0 {
			sent[name] = values // as it is written, in any case
		}
	}
	request.Header = sent
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: response.StatusCode, header: response.Header, body: text}
	a.json, _ = decode(text) // check tells when this failed
	operation := c.document.find(method, path)
	problems := append(c.checkHeaders(sent, a), c.document.check(operation, a)...)
	problems = append(problems, a.checkRate(operation)...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("answered %d %s:\n\t%s", a.status, a.body, strings.Join(problems, "\n\t"))
	}
	return a, nil
}

// checkHeaders looks at the headers that every answer has.
func (p *platform) checkHeaders(sent http.Header, a *answer) (problems []string) {
	kind := "application/json"
	if a.status >= 300 && strings.Contains(sent.Get("Accept"), "application/problem+json") {
		kind = "application/problem+json"
	}
	if got := a.header.Get("Content-Type"); got != kind && !a.isPage() {
		problems = append(problems, fmt.Sprintf("Content-Type is %q, want %s", got, kind))
	}
	id := a.header.Get("X-Request-Id")
	p.mu.Lock()
	defer p.mu.Unlock()
	if id == "" || p.requests[id] {
		problems = append(problems, fmt.Sprintf("X-Request-Id %q is not this answer's own", id))
	}
	p.requests[id] = true
	return problems
}

// checkRate looks at the headers of the rate limit: every answer to a known key has them, and no other.
func (a *answer) checkRate(o *operation) (problems []string) {
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
		_, err := strconv.ParseUint(a.header.Get(name), 10, 64)
		if known := o != nil && !o.page && a.status != http.StatusUnauthorized; known != (err == nil) {
			problems = append(problems, fmt.Sprintf("%s is %q", name, a.header.Get(name)))
		}
	}
	return problems
}

// withWebhook writes the base of webhook addresses into a setting.
func withWebhook(value, url string) string { return strings.ReplaceAll(value, "${webhook}", url) }
