package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"kontor/internal/clock"
	"kontor/internal/fault"
	"kontor/internal/identity"
)

// retryAfter is in how many seconds a callback that could not be taken may be sent again.
const retryAfter = "10"

// Conclude records how a check ended; identity.Service has it. An answer that comes late or twice changes nothing.
type Conclude func(ctx context.Context, partner int64, attempt clock.ID, o identity.Outcome) error

// Callback takes the provider's callbacks: the JSON of an answer, signed by Standard Webhooks 1.0.0 within the last 5
// minutes. It answers 204 when the outcome is stored, was stored before, or is of no check that there is; 401 for
// what the provider has not signed; 400 and 413 for what is no answer; 503 when it should come again.
func (p *Provider) Callback(conclude Conclude) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := p.take(w, r, conclude)
		if err != nil {
			p.log.WarnContext(r.Context(), "a callback of the identity provider was not taken", "status", status, "error", err)
		}
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
	})
}

// take does what a callback asks for, and answers the status. Strangers' requests are no error to tell of.
func (p *Provider) take(w http.ResponseWriter, r *http.Request, conclude Conclude) (int, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, nil
	}
	if err != nil {
		return http.StatusBadRequest, nil
	}
	if p.signed.Verify(text, r.Header) != nil {
		return http.StatusUnauthorized, nil
	}
	a, err := parse(bytes.NewReader(text))
	if err != nil {
		return http.StatusBadRequest, err
	}
	outcome, err := a.outcome()
	if err != nil {
		return http.StatusBadRequest, err
	}
	partner, attempt, ok := parseID(a.ID)
	if !ok || outcome.Status == "" {
		return http.StatusNoContent, nil
	}
	err = conclude(r.Context(), partner, attempt, outcome)
	if err == nil {
		return http.StatusNoContent, nil
	}
	switch fault.From(err).Code {
	case fault.KycNotFound, fault.InvalidUser: // there is no such check, or its user was deleted
		return http.StatusNoContent, nil
	}
	return http.StatusServiceUnavailable, err
}
