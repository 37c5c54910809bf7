// Package webhook receives Kontor's webhooks: it checks that a delivery is genuine and recent, and hands its
// event to a function of yours. It uses the standard library only.
//
// A delivery authenticates itself twice. Its Authorization header is the webhook token, without a scheme; its
// signature is that of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): HMAC-SHA256 over id, time
// and body. While a secret is being rotated a delivery bears two signatures; one that fits is enough.
//
// Deliveries come at least once: keep the ids of the events that you have taken, in the transaction that does
// what they ask for. Events about one object come in order; events that are sent again may come late. Answer
// within 10 seconds with 2xx; anything else is tried again, five times in all.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	tolerance = 5 * time.Minute // between the signature's time and now, either way
	bodyLimit = 1 << 20         // bytes
	minSecret = 24              // bytes of a secret, as Standard Webhooks wants
)

// Why a delivery is refused.
var (
	ErrToken     = errors.New("webhook: the token is wrong")
	ErrSignature = errors.New("webhook: no signature fits")
	ErrTime      = errors.New("webhook: the delivery is too old, or from the future")
	ErrForm      = errors.New("webhook: a header or the body is missing or not well-formed")
)

// Event is what a delivery tells.
type Event struct {
	ID       string    // the same in every delivery of the event
	Name     string    // such as sepa-deposit
	Sequence int64     // of all events of the partner, without gaps, from 1
	Time     time.Time // when this delivery was signed
	Body     []byte    // JSON, as it came
}

// Verifier checks deliveries. It is safe for concurrent use.
type Verifier struct {
	token   []byte
	secrets [][]byte
	now     func() time.Time
}

// New makes a Verifier from the webhook token and the signing secret (whsec_…), as kontor webhook rotate and
// sandbox.json show them. While you move to a new secret, name both. The token can be one only: before a
// rotation, make a second Verifier with the new one and accept what either accepts.
func New(token string, secrets ...string) (*Verifier, error) {
	v := &Verifier{token: []byte(token), now: time.Now}
	if token == "" || len(secrets) == 0 {
		return nil, errors.New("webhook: a token and a secret must be given")
	}
	for _, s := range secrets {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil || len(secret) < minSecret {
			return nil, fmt.Errorf("webhook: a secret is whsec_ and at least %d bytes in base64", minSecret)
		}
		v.secrets = append(v.secrets, secret)
	}
	return v, nil
}

// Verify checks a delivery by its headers and its body, which must be the bytes that came. Errors wrap one of
// this package's.
func (v *Verifier) Verify(h http.Header, body []byte) (Event, error) {
	if subtle.ConstantTimeCompare([]byte(h.Get("Authorization")), v.token) != 1 {
		return Event{}, ErrToken
	}
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" {
		return Event{}, fmt.Errorf("%w: webhook-id %q, webhook-timestamp %q", ErrForm, id, stamp)
	}
	signed := time.Unix(seconds, 0).UTC()
	if age := v.now().Sub(signed); age > tolerance || age < -tolerance {
		return Event{}, ErrTime
	}
	if !v.isSigned(id+"."+stamp+".", body, h.Get("webhook-signature")) {
		return Event{}, ErrSignature
	}
	sequence, err := strconv.ParseInt(h.Get("x-kontor-sequence"), 10, 64)
	if err != nil {
		return Event{}, fmt.Errorf("%w: x-kontor-sequence %q", ErrForm, h.Get("x-kontor-sequence"))
	}
	return Event{id, h.Get("x-kontor-event"), sequence, signed, body}, nil
}

// isSigned tells whether one of the signatures, which stand between spaces, is one of the secrets'.
func (v *Verifier) isSigned(prefix string, body []byte, signatures string) bool {
	fits := false
	for _, secret := range v.secrets {
		mac := hmac.New(sha256.New, secret)
		_, _ = io.WriteString(mac, prefix) // a hash never fails
		_, _ = mac.Write(body)
		want := mac.Sum(nil)
		for text := range strings.FieldsSeq(signatures) {
			encoded, isV1 := strings.CutPrefix(text, "v1,")
			got, err := base64.StdEncoding.DecodeString(encoded)
			if isV1 && err == nil && hmac.Equal(got, want) {
				fits = true
			}
		}
	}
	return fits
}

// Handler takes deliveries: it verifies each and calls take with its event. It answers 200 when take returned
// nil, 500 when it did not, so that the event is sent again, 401 when the delivery is not genuine, and 413 when
// its body is larger than 1 MB. GET requests for a path that ends with /webhook/health are answered 200:
// Kontor asks there, once a minute, while deliveries fail.
func (v *Verifier) Handler(take func(*http.Request, Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/webhook/health") {
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "a webhook is a POST", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
			return
		} else if err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		event, err := v.Verify(r.Header, body)
		if err != nil {
			http.Error(w, "the delivery is not genuine", http.StatusUnauthorized)
			return
		}
		if err := take(r, event); err != nil {
			http.Error(w, "the event was not taken", http.StatusInternalServerError)
		}
	})
}
