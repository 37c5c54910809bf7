//go:build linux

package fault

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// mood is how a receiver treats deliveries.
type mood int32

const (
	well    mood = iota // takes them at once
	slow                // takes every second one only after a while
	failing             // refuses every third one the first time
)

func (m mood) String() string { return [...]string{"well", "slow", "failing"}[m] }

// slowest is how long a slow receiver takes at most. It is well below the time-out of an attempt.
const slowest = 200 * time.Millisecond

// receiver is a partner's receiver of webhooks. It lives in the test and so survives whatever is killed.
type receiver struct {
	url    string
	mood   atomic.Int32
	token  string
	signed *standardwebhooks.Webhook // nil: the test does not know the secret

	watch
	clock    int               // counts what happens here, so that it has an order
	events   map[string]*event // by webhook-id
	problems []string
}

// event is what arrived about one event, in one or more deliveries.
type event struct {
	kind     string
	sequence int
	body     string
	object   string // what it is about
	first    int    // when a delivery first arrived, by the receiver's clock
	last     int    // and when the last one did
	accepted int    // when one was first accepted; 0: not yet
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{events: map[string]*event{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// expect tells the receiver how deliveries authenticate themselves.
func (r *receiver) expect(t *testing.T, c credentials) {
	t.Helper()
	signed, err := standardwebhooks.NewWebhook(c.WebhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	r.change(func() { r.token, r.signed = c.WebhookToken, signed })
}

// ServeHTTP takes one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet {
		return // asks how the receiver is
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender was killed in mid-sentence
	}
	id := req.Header.Get("webhook-id")
	var again bool
	r.change(func() { again = r.note(id, req.Header, body) })
	draw := fnv.New32a()
	_, _ = io.WriteString(draw, id)
	switch mood(r.mood.Load()) {
	case slow:
		if draw.Sum32()%2 == 0 && !pause(req.Context(), time.Duration(draw.Sum32())%slowest) {
			return // the sender was killed before it had an answer, so nothing was taken
		}
	case failing:
		if draw.Sum32()%3 == 0 && !again {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	r.change(func() {
		r.clock++
		if e := r.events[id]; e.accepted == 0 {
			e.accepted = r.clock
		}
	})
}

// note keeps a delivery and tells whether one of the same event came before.
func (r *receiver) note(id string, h http.Header, body []byte) (again bool) {
	r.clock++
	if r.signed != nil {
		if err := r.signed.Verify(body, h); err != nil || h.Get("Authorization") != r.token {
			r.complain("a delivery does not authenticate itself: %v", err)
		}
	}
	sequence, err := strconv.Atoi(h.Get("x-kontor-sequence"))
	if err != nil || id == "" {
		r.complain("a delivery has the id %q and the sequence %q", id, h.Get("x-kontor-sequence"))
	}
	e, again := r.events[id]
	if !again {
		e = &event{kind: h.Get("x-kontor-event"), sequence: sequence, body: string(body), first: r.clock, object: subject(body)}
		r.events[id] = e
	}
	e.last = r.clock
	if e.kind != h.Get("x-kontor-event") || e.sequence != sequence || e.body != string(body) {
		r.complain("event %s came as %d %s %s, and then as %d %s %s", id, e.sequence, e.kind, e.body,
			sequence, h.Get("x-kontor-event"), body)
	}
	return again
}

func (r *receiver) complain(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// ofChecks is what the events of deposits' checks are about here: their bodies do not name the deposit.
const ofChecks = "checks"

// subject is the object that a body tells of: a transfer or a deposit by its id, a user by the partner's.
func subject(body []byte) string {
	var b struct{ ID, ExternalUserID, IBAN string }
	if err := json.Unmarshal(body, &b); err != nil {
		return "no JSON: " + err.Error()
	}
	switch {
	case b.ID != "":
		return b.ID
	case b.IBAN != "":
		return ofChecks
	}
	return b.ExternalUserID
}

// about counts what was accepted about an object.
func (r *receiver) about() map[string][]*event {
	found := map[string][]*event{}
	for _, e := range r.events {
		if e.accepted > 0 {
			found[e.object] = append(found[e.object], e)
		}
	}
	return found
}
