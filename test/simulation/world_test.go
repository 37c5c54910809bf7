package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/httpapi"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// bankDelay is how long a payment in takes. Small steps of time do not reach it: it is booked at a quiet point.
const bankDelay = time.Hour

// world is the program on a database, and everything around it.
type world struct {
	*testing.T
	engine   db.Engine
	seed     uint64
	target   string
	clock    *shifted
	faults   *faults
	receiver *receiver
	journal  *journal
	players  []*player
	shared   *contention // nil in a sequential history

	app     *app.App
	handler http.Handler
	master  byte // the master key consists of it
	stop    func()
}

// shifted is a business clock that goes with the machine's, at a distance that can be changed to both sides: as
// an operator's clock that is set.
type shifted struct {
	mu       sync.Mutex
	distance time.Duration
}

// Now tells the business time.
func (s *shifted) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clock.FromMicros(clock.Micros(time.Now().Add(s.distance)))
}

func (s *shifted) jump(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.distance += d
}

func newWorld(t *testing.T, engine db.Engine, target string, seed uint64) *world {
	w := &world{
		T: t, engine: engine, seed: seed, target: target, clock: &shifted{}, faults: newFaults(seed), receiver: newReceiver(seed),
		journal: &journal{}, master: 1,
	}
	w.journal.unread = w.receiver.miss
	return w
}

func masterKey(b byte) []byte { return bytes.Repeat([]byte{b}, vault.KeySize) }

// open starts the program. The context's plan decides what fails meanwhile.
func (w *world) open(ctx context.Context) error {
	a, err := app.Open(ctx, app.Config{
		Database: w.target, MasterKey: masterKey(w.master), Environment: partner.Staging, Bank: sepa.SandboxBank,
		SandboxDelay: bankDelay, Clock: w.clock, Log: slog.New(slog.NewTextHandler(w.journal, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Injector: w.faults, Webhooks: w.receiver,
	})
	if err != nil {
		return err
	}
	w.app, w.handler = a, httpapi.NewHandler(a.API)
	serving, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- a.Serve(serving, nil, app.Roles{Worker: true}) }()
	w.stop = func() {
		cancel()
		if err := <-served; err != nil {
			w.Errorf("the workers ended with: %v", err)
		}
		if err := a.Close(); err != nil {
			w.Errorf("close: %v", err)
		}
		w.app, w.stop = nil, nil
	}
	return nil
}

func (w *world) close() {
	if w.stop != nil {
		w.stop()
	}
}

// setUp opens the program for the first time, and the partners of the players.
func (w *world) setUp() {
	w.Helper()
	if err := w.open(calm()); err != nil {
		w.Fatal(err)
	}
}

// firstKeys are the API keys that each partner has at the beginning.
const firstKeys = 2

// newParty opens a partner with API keys and webhooks.
func (w *world) newParty() (*party, error) {
	made, err := w.app.Partners.Create(calm(), map[string]string{
		"legalName": "Test Partner", "rateLimit": "0", "retention.days": "0", "locks.perMinute": "10000",
		"sandbox.rate.btc": bitcoinPrice,
	})
	if err != nil {
		return nil, err
	}
	q := &party{id: made.ID, level: fmt.Sprint(1 + made.ID%2)}
	base := "http://127.0.0.1:9/" + receiverPath(q.id)
	if _, err := w.app.Partners.Set(calm(), q.id, map[string]string{"webhook.baseUrl": base, "sepaLevel": q.level}); err != nil {
		return nil, err
	}
	credentials, err := w.app.Partners.WebhookCredentials(calm(), q.id)
	if err != nil {
		return nil, err
	}
	if err := w.receiver.expect(q.id, credentials); err != nil {
		return nil, err
	}
	for range firstKeys {
		var k apiKey
		if k.id, k.text, err = w.app.Partners.IssueKey(calm(), q.id); err != nil {
			return nil, err
		}
		q.keys = append(q.keys, k)
	}
	info := w.call(calm(), &request{party: q, method: http.MethodGet, path: "/v1/partner/sepa-deposit/info"})
	if q.iban = info.text("iban"); q.iban == "" {
		return nil, fmt.Errorf("the partner's IBAN: %s", info)
	}
	return q, nil
}

// party is a partner as its own programs know it.
type party struct {
	id      int64
	iban    string
	level   string       // of SEPA
	keys    []apiKey     // those in force; the last is used
	users   int          // that were invented
	revoked []revocation // keys
	guesses int          // requests with a wrong key
}

type apiKey struct{ id, text string }

func (q *party) owner(name string) owner { return owner{q.id, name} }

// request is one that a partner's program makes, perhaps several times.
type request struct {
	party        *party
	method, path string
	key          string // Idempotency-Key; empty: none
	body         []byte
	apiKey       string // empty: the party's
	address      string // where it comes from; empty: always the same
	lasting      bool   // what it makes has moved money
}

func (r *request) String() string {
	return fmt.Sprintf("partner %d: %s %s %s %s", r.party.id, r.method, r.path, r.body, r.key)
}

// answer is what the program said. code is empty for success.
type answer struct {
	status   int
	code     string
	replayed bool
	retry    string
	body     string
}

func (a answer) String() string {
	mark := ""
	if a.replayed {
		mark = " replayed"
	}
	return fmt.Sprintf("%d%s %s", a.status, mark, a.body)
}

// text is a member of the answer that is a text, or nothing.
func (a answer) text(name string) string {
	var members map[string]any
	if json.Unmarshal([]byte(a.body), &members) != nil {
		return ""
	}
	text, _ := members[name].(string)
	return text
}

// call makes a request once, without a network in between.
func (w *world) call(ctx context.Context, r *request) answer {
	sent := httptest.NewRequest(r.method, r.path, bytes.NewReader(r.body)).WithContext(ctx)
	key := r.apiKey
	if key == "" {
		key = r.party.keys[len(r.party.keys)-1].text
	}
	sent.Header.Set("x-api-key", key)
	if r.body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		sent.Header.Set("Idempotency-Key", r.key)
	}
	if r.address != "" {
		sent.RemoteAddr = r.address
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, sent)
	h := recorder.Header()
	a := answer{
		status: recorder.Code, body: recorder.Body.String(), replayed: h.Get("Idempotent-Replayed") == "true", retry: h.Get("Retry-After"),
	}
	if a.status/100 != 2 {
		if a.code = a.text("errorCode"); a.code == "" {
			a.code = "none"
		}
	}
	return a
}

var euro = money.Currency{Code: "eur", Scale: 2}

// euros writes cents as the API does where amounts are strings.
func euros(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// pass lets the machine's time go on. Only one goroutine may call it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the simulation's own values always marshal
	}
	return text
}
