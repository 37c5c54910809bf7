package event

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxAttempts  = 5
	firstRetry   = 8 * time.Second // doubled after each further failure
	jitterShare  = 10              // a tenth of the delay, up or down
	outcomeLimit = 200             // bytes
)

// send makes one attempt and decides what follows from it. It answers false when the lease ended meanwhile:
// then the attempt counts for nothing, because the next holder of the lane makes it again.
func (d *Deliverer) send(ctx context.Context, target Target, address string, e *delivery) (result, bool) {
	outcome, delivered := d.attempt(ctx, target, address, e)
	if !delivered && ctx.Err() != nil {
		return result{}, false
	}
	e.attempts++
	r := result{delivery: e, status: Pending, outcome: outcome[:min(len(outcome), outcomeLimit)]}
	switch {
	case delivered:
		r.status = Delivered
	case e.attempts >= maxAttempts:
		r.status = Failed
	default:
		e.due = d.cfg.Clock.Now().Add(retryDelay(e.attempts))
	}
	d.cfg.Log.Debug("webhook attempt", "partner", e.partner, "event", e.id.String(), "type", string(e.kind),
		"attempt", e.attempts, "status", r.status, "outcome", outcome)
	return r, true
}

// retryDelay is the pause after a number of failures: about 8, 16, 32, 64 seconds, in whole microseconds, so
// that a time is the same in memory and in the database.
func retryDelay(failures int) time.Duration {
	delay := firstRetry << (failures - 1)
	jitter := delay / jitterShare
	return (delay - jitter + rand.N(2*jitter+1)).Truncate(time.Microsecond)
}

// attempt makes the request. The outcome is a status or the class of an error, never text of the receiver's.
func (d *Deliverer) attempt(ctx context.Context, target Target, address string, e *delivery) (outcome string, delivered bool) {
	if e.body == nil {
		body, err := d.cfg.Vault.Open(bodyPlace(e.id), e.sealed)
		if err != nil {
			d.cfg.Log.Error("webhooks: cannot decrypt an event", "event", e.id.String(), "error", err)
			return "the body could not be decrypted", false
		}
		e.body, e.sealed = body, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(e.body))
	if err != nil {
		return "the webhook URL is not valid", false
	}
	if d.cfg.Production && !strings.EqualFold(request.URL.Scheme, "https") {
		return "the webhook URL must be https", false
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("x-kontor-event", string(e.kind))
	request.Header.Set("x-kontor-sequence", strconv.FormatInt(e.sequence, 10))
	if err := target.authenticate(request.Header, e, time.Now()); err != nil {
		return "the webhook could not be signed", false
	}
	answer, err := d.client.Do(request)
	if err != nil {
		return classify(err), false
	}
	defer answer.Body.Close()
	// The status has decided. What follows only spares the next attempt a new connection.
	limit := time.AfterFunc(drainTimeout, cancel)
	defer limit.Stop()
	_, _ = io.CopyN(io.Discard, answer.Body, drainLimit)
	return fmt.Sprintf("HTTP %d", answer.StatusCode), answer.StatusCode/100 == 2
}
