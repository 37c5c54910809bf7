package simulation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/partner"
)

// What a receiver does with a delivery.
const (
	takes      = "takes"
	slowly     = "takes slowly"
	refuses    = "refuses"
	hangsUp    = "hangs up"                 // without taking it
	losesIt    = "takes, and then hangs up" // the sender does not know that it was taken
	isTooSlow  = "takes, but too late"
	giveUpFrom = 5 // attempts, after which an event may be failed
)

var moods = []string{takes, takes, takes, takes, slowly, slowly, refuses, hangsUp, losesIt, isTooSlow}

// receiver stands in the place of the network, and takes the webhooks of all partners. What it does with an
// attempt depends on the seed, the event's number and the attempt's, so that the order of attempts is free.
type receiver struct {
	seed uint64

	mu       sync.Mutex
	well     bool // takes everything
	token    map[string]*standardwebhooks.Webhook
	events   map[string]*arrival // by partner and webhook-id
	byObject map[string][]*arrival
	unread   map[string]int // attempts that the program counts and could not make, by webhook-id
	problems []string
	did      map[string]int
}

// arrival is what came of one event.
type arrival struct {
	partner, id, kind, object, body string
	sequence                        int
	attempts                        int
	accepted                        bool // a 2xx was sent in time, and not lost
}

func newReceiver(seed uint64) *receiver {
	return &receiver{
		seed: seed, token: map[string]*standardwebhooks.Webhook{}, events: map[string]*arrival{},
		byObject: map[string][]*arrival{}, unread: map[string]int{}, did: map[string]int{},
	}
}

// expect tells how a partner's deliveries authenticate themselves.
func (r *receiver) expect(partner int64, c partner.Credentials) error {
	verifier, err := standardwebhooks.NewWebhook(c.Secret)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token[receiverPath(partner)+" "+c.Token] = verifier
	return err
}

// receiverPath is the first part of the paths to which a partner's webhooks go.
func receiverPath(partner int64) string { return fmt.Sprintf("partner-%d", partner) }

var errHungUp = errors.New("the receiver hung up")

// RoundTrip takes one delivery.
func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/webhook/health") {
		return reply(req, http.StatusOK), nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	a, mood := r.note(req, body)
	var wait time.Duration
	switch mood {
	case slowly:
		wait = 4 * time.Second
	case isTooSlow:
		wait = time.Minute
	}
	select {
	case <-time.After(wait):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	status := http.StatusOK
	switch mood {
	case hangsUp, losesIt:
		return nil, errHungUp
	case refuses:
		status = http.StatusServiceUnavailable
	default:
		r.mu.Lock()
		a.accepted = true
		r.mu.Unlock()
	}
	return reply(req, status), nil
}

func reply(req *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: req,
		Body: io.NopCloser(strings.NewReader("")),
	}
}

// note keeps a delivery, says what is wrong with it, and decides what to do.
func (r *receiver) note(req *http.Request, body []byte) (*arrival, string) {
	path, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	h := req.Header
	id := h.Get("webhook-id")
	sequence, _ := strconv.Atoi(h.Get("x-kontor-sequence"))
	r.mu.Lock()
	defer r.mu.Unlock()
	if verifier := r.token[path+" "+h.Get("Authorization")]; verifier == nil {
		r.complain("I7: a delivery to %s has a token that is not the partner's", path)
	} else if err := verifier.Verify(body, h); err != nil {
		r.complain("a delivery to %s is not signed: %v", path, err)
	}
	a := r.events[path+id]
	if a == nil {
		a = &arrival{partner: path, id: id, kind: h.Get("x-kontor-event"), object: path + " " + subject(id, body), body: string(body), sequence: sequence}
		r.first(a)
	}
	if a.body != string(body) || a.sequence != sequence || a.kind != h.Get("x-kontor-event") {
		r.complain("I4: event %s came as %d %s %s, and then as %d %s %s", id, a.sequence, a.kind, a.body, sequence, h.Get("x-kontor-event"), body)
	}
	a.attempts++
	mood := r.mood(a)
	r.did[mood]++
	return a, mood
}

// first keeps an event that arrives for the first time. Those of its object that came before it are done with.
func (r *receiver) first(a *arrival) {
	for _, other := range r.byObject[a.object] {
		if other.sequence > a.sequence {
			r.complain("I9: of %s event %d arrives after %d", a.object, a.sequence, other.sequence)
		}
		if other.sequence < a.sequence && !other.accepted && other.attempts+r.unread[other.id] < giveUpFrom {
			r.complain("I9: of %s event %d arrives while %d is neither delivered nor failed", a.object, a.sequence, other.sequence)
		}
	}
	r.events[a.partner+a.id] = a
	r.byObject[a.object] = append(r.byObject[a.object], a)
}

func (r *receiver) mood(a *arrival) string {
	if r.well {
		return takes
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d %d", a.partner, a.sequence, a.attempts)
	return moods[rand.New(rand.NewPCG(r.seed, h.Sum64())).IntN(len(moods))]
}

func (r *receiver) complain(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// setWell makes the receiver take everything from now on, or as its moods are.
func (r *receiver) setWell(well bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.well = well
}

// miss notes an attempt that does not come.
func (r *receiver) miss(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unread[id]++
}

// wrong answers what was wrong with deliveries.
func (r *receiver) wrong() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(r.problems, "\n"))
}

// find answers what came of an event, a copy; false when it never arrived. Attempts that could not be made count.
func (r *receiver) find(partner int64, id string) (arrival, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.events[receiverPath(partner)+id]; a != nil {
		found := *a
		found.attempts += r.unread[id]
		return found, true
	}
	return arrival{attempts: r.unread[id]}, false
}

// subject is the object that a body tells of: a transfer or a deposit by its id, a user by the partner's. That of a
// deposit's check names none: each stands for itself.
func subject(event string, body []byte) string {
	var b struct{ ID, ExchangeID, ExternalUserID, IBAN string }
	if err := json.Unmarshal(body, &b); err != nil {
		return "no JSON: " + err.Error()
	}
	if b.IBAN != "" {
		return event
	}
	return cmp.Or(b.ID, b.ExchangeID, b.ExternalUserID)
}
