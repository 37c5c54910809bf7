package scenario

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/contract"
	"kontor/internal/partner"
)

// patience is how long a scenario waits for webhooks before it fails. Once it was in vain the others wait
// less, so that a program that sends none fails soon.
const (
	patience     = 20 * time.Second
	lessPatience = time.Second
)

// receiver takes the webhooks of all scenarios. The first part of a delivery's path tells whose it is.
type receiver struct {
	server   *httptest.Server
	contract *contract.Contract
	vain     atomic.Bool // somebody waited in vain
	mu       sync.Mutex
	boxes    map[string]*mailbox
}

func newReceiver(t *testing.T, c *contract.Contract) *receiver {
	t.Helper()
	r := &receiver{contract: c, boxes: map[string]*mailbox{}}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// open makes a mailbox and answers the base of its addresses.
func (r *receiver) open() (*mailbox, string) {
	name := rand.Text()
	box := &mailbox{receiver: r, contract: r.contract, changed: make(chan struct{}), seen: map[string]delivery{}}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.boxes[name] = box
	return box, r.server.URL + "/" + name
}

// ServeHTTP takes one delivery. What is wrong with it is told by the scenario whose it is.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name, path, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	r.mu.Lock()
	box := r.boxes[name]
	r.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if box == nil || err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if req.Method != http.MethodGet { // GET is the question whether we are well
		w.WriteHeader(box.take(req, path, body))
	}
	_, _ = io.WriteString(w, "{}")
}

// delivery is a webhook that arrived.
type delivery struct {
	id, event, path string
	sequence        int
	text            string
	body            any
	used            bool // a step expected it
}

func (d delivery) String() string {
	return fmt.Sprintf("%d %s at %s: %s", d.sequence, d.event, d.path, d.text)
}

// object names the object that a delivery is about.
func (d delivery) object(c *contract.Contract) string {
	kind := c.Webhook(d.event).Object
	for _, member := range []string{"id", kind + "Id", "externalUserId"} {
		if id, ok := at(d.body, member).(string); ok && (kind == "user") == (member == "externalUserId") {
			return kind + " " + id
		}
	}
	return kind + " " + d.id
}

// mailbox holds the deliveries of one partner.
type mailbox struct {
	receiver *receiver
	contract *contract.Contract
	verifier *standardwebhooks.Webhook
	token    string

	mu       sync.Mutex
	arrived  []delivery
	seen     map[string]delivery // by id: a delivery may come again
	problems []string
	changed  chan struct{} // closed and made anew whenever something arrives
}

// expect tells how deliveries authenticate themselves. It is called before there are any.
func (m *mailbox) expect(c partner.Credentials) (err error) {
	m.token = c.Token
	m.verifier, err = standardwebhooks.NewWebhook(c.Secret)
	return err
}

// take checks and keeps a delivery, and answers the status to send.
func (m *mailbox) take(req *http.Request, path string, text []byte) int {
	d := delivery{id: req.Header.Get("webhook-id"), event: req.Header.Get("x-kontor-event"), path: path, text: string(text)}
	m.mu.Lock()
	defer m.mu.Unlock()
	problem := func(format string, args ...any) {
		m.problems = append(m.problems, fmt.Sprintf("%s: ", d)+fmt.Sprintf(format, args...))
	}
	var err error
	if d.sequence, err = strconv.Atoi(req.Header.Get("x-kontor-sequence")); err != nil || d.sequence < 1 {
		problem("x-kontor-sequence is %q", req.Header.Get("x-kontor-sequence"))
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
		problem("it came as %s of %q", req.Method, req.Header.Get("Content-Type"))
	}
	status := http.StatusOK
	if req.Header.Get("Authorization") != m.token {
		problem("the token is wrong")
		status = http.StatusUnauthorized
	}
	if err := m.verifier.Verify(text, req.Header); err != nil {
		problem("the signature is wrong: %v", err)
	}
	if d.body, err = decode(text); err != nil {
		problem("the body is no JSON: %v", err)
	}
	if known := m.known(d.event); known == nil {
		problem("the contract does not know the event")
	} else if err := known.Check(text); err != nil {
		problem("the body does not fit the contract: %v", err)
	}
	if before, again := m.seen[d.id]; again {
		if before.sequence != d.sequence || before.text != d.text {
			problem("it came before as %s", before)
		}
		return status
	}
	m.seen[d.id] = d
	m.arrived = append(m.arrived, d)
	close(m.changed)
	m.changed = make(chan struct{})
	return status
}

func (m *mailbox) known(event string) *contract.Webhook {
	for _, w := range m.contract.Webhooks() {
		if w.Event == event {
			return w
		}
	}
	return nil
}

// wait looks at all deliveries, again whenever one arrives, until done says that it has seen enough, or
// until patience ends or a delivery has something wrong. It tells whether there was enough.
func (m *mailbox) wait(t *testing.T, done func(arrived []delivery) bool) bool {
	t.Helper()
	limit := patience
	if m.receiver.vain.Load() {
		limit = lessPatience
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		m.mu.Lock()
		enough, problems, changed := done(m.arrived), m.problems, m.changed
		m.mu.Unlock()
		if enough {
			return true
		}
		if len(problems) > 0 {
			t.Errorf("webhook %s", strings.Join(problems, "\nwebhook "))
			return false
		}
		select {
		case <-changed:
		case <-timeout.C:
			m.receiver.vain.Store(true)
			return false
		}
	}
}
