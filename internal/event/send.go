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
	"unicode/utf8"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

const (
	maxAttempts  = 5
	firstRetry   = 8 * time.Second // doubled after each further failure
	jitterShare  = 10              // a tenth of the delay, up or down
	outcomeLimit = 200             // bytes
	answerKept   = 1 << 10         // bytes of an answer's body that the log keeps
)

const unreadable = "the body could not be decrypted"

// exchange is one attempt and what came of it.
type exchange struct {
	id        clock.ID // zero: there was none
	at        time.Time
	took      time.Duration
	outcome   string // a status or the class of an error, never text of the receiver's
	delivered bool
	answer    []byte // the beginning of the answer's body, sealed
	remainder []byte // what is kept of the event's body from now on, sealed; nil: all of it
}

// send makes one attempt and decides what follows from it. It answers false when the lease ended meanwhile:
// then the attempt counts for nothing, because the next holder of the lane makes it again.
func (d *Deliverer) send(ctx context.Context, target Target, address string, e *delivery) (result, bool) {
	x := d.exchange(ctx, target, address, e)
	if !x.delivered && ctx.Err() != nil {
		return result{}, false
	}
	if e.tried != nil {
		return result{delivery: e, status: statusOf(x), exchange: x}, true
	}
	e.attempts++
	r := result{delivery: e, status: Pending, exchange: x}
	switch {
	case x.delivered:
		r.status = Delivered
	case e.attempts >= maxAttempts:
		r.status = Failed
	default:
		e.due = d.cfg.Clock.Now().Add(retryDelay(e.attempts))
	}
	d.cfg.Log.Debug("webhook attempt", "partner", e.partner, "event", e.id.String(), "type", string(e.kind),
		"attempt", e.attempts, "status", r.status, "outcome", x.outcome)
	return r, true
}

// refused is the one attempt of an event that cannot be sent anywhere.
func (d *Deliverer) refused(e *delivery, why string) result {
	e.attempts++
	return result{delivery: e, status: Failed, exchange: d.refusal(why)}
}

func (d *Deliverer) refusal(why string) exchange {
	return exchange{id: clock.NewID(), at: d.cfg.Clock.Now(), outcome: why}
}

// retryDelay is the pause after a number of failures: about 8, 16, 32, 64 seconds, in whole microseconds, so
// that a time is the same in memory and in the database.
func retryDelay(failures int) time.Duration {
	delay := firstRetry << (failures - 1)
	jitter := delay / jitterShare
	return (delay - jitter + rand.N(2*jitter+1)).Truncate(time.Microsecond)
}

// exchange makes one attempt, without a decision.
func (d *Deliverer) exchange(ctx context.Context, target Target, address string, e *delivery) exchange {
	x := exchange{id: clock.NewID(), at: d.cfg.Clock.Now()}
	body, stored, err := d.body(ctx, e)
	if err != nil {
		d.cfg.Log.Error("webhooks: cannot read an event", "event", e.id.String(), "error", err)
		x.outcome = unreadable
		return x
	}
	began := time.Now()
	outcome, answer, delivered := d.post(ctx, target, address, e, body)
	x.took, x.delivered, x.outcome = time.Since(began), delivered, outcome[:min(len(outcome), outcomeLimit)]
	if x.answer, err = d.cfg.Vault.Seal(answerPlace(x.id), readable(answer)); err == nil && delivered {
		x.remainder, err = d.remainder(e, stored)
	}
	if err != nil {
		d.cfg.Log.Error("webhooks: cannot seal what came of an attempt", "event", e.id.String(), "error", err)
	}
	return x
}

func answerPlace(attempt clock.ID) vault.Place {
	return vault.Place{Table: "event_attempt", Column: "answer", Row: attempt.String()}
}

// readable is the beginning of an answer as text that JSON can hold and people can read: valid UTF-8 that was
// not cut within a character, without NUL.
func readable(answer []byte) []byte {
	text := bytes.ToValidUTF8(answer, []byte("\uFFFD"))
	return bytes.ReplaceAll(text, []byte{0}, []byte("\uFFFD"))
}

var selectBody = db.NewQuery(`SELECT body FROM event WHERE partner_id = $1 AND object_id = $2 AND version = $3`)

// body is what the receiver gets, and what it is made from. One with secrets is read anew each time: they may have
// been removed since the event came into memory.
func (d *Deliverer) body(ctx context.Context, e *delivery) (sent, stored []byte, err error) {
	if e.body != nil {
		return e.body, e.body, nil
	}
	if !e.kind.hasSecrets() {
		e.body, err = d.cfg.Vault.Open(bodyPlace(e.id), e.sealed)
		e.sealed = nil
		return e.body, e.body, err
	}
	var sealed []byte
	err = d.limited(func() error {
		return d.cfg.DB.View(ctx, func(r db.Reader) error {
			return r.Row(selectBody, e.partner, e.object, e.version).Scan(&sealed)
		})
	})
	if err != nil {
		return nil, nil, err
	}
	if stored, err = d.cfg.Vault.Open(bodyPlace(e.id), sealed); err != nil {
		return nil, nil, err
	}
	sent, err = withoutMasked(e.kind, stored)
	return sent, stored, err
}

// remainder is what is kept of a body after its delivery, sealed; nil when it stays as it is.
func (d *Deliverer) remainder(e *delivery, stored []byte) ([]byte, error) {
	rest, err := mask(e.kind, stored)
	if err != nil || bytes.Equal(rest, stored) {
		return nil, err
	}
	return d.cfg.Vault.Seal(bodyPlace(e.id), rest)
}

// post makes the request. The outcome is a status or the class of an error, never text of the receiver's.
func (d *Deliverer) post(ctx context.Context, target Target, address string, e *delivery, body []byte) (outcome string, answer []byte, delivered bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "the webhook URL is not valid", nil, false
	}
	if d.cfg.Production && !strings.EqualFold(request.URL.Scheme, "https") {
		return "the webhook URL must be https", nil, false
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("x-kontor-event", string(e.kind))
	request.Header.Set("x-kontor-sequence", strconv.FormatInt(e.sequence, 10))
	if err := target.authenticate(request.Header, e.id, body, time.Now()); err != nil {
		return "the webhook could not be signed", nil, false
	}
	response, err := d.client.Do(request)
	if err != nil {
		return classify(err), nil, false
	}
	defer response.Body.Close()
	// The status has decided. What follows is for the log, and spares the next attempt a new connection.
	limit := time.AfterFunc(drainTimeout, cancel)
	defer limit.Stop()
	answer, err = io.ReadAll(io.LimitReader(response.Body, answerKept))
	if err == nil {
		_, _ = io.CopyN(io.Discard, response.Body, drainLimit)
	}
	return fmt.Sprintf("HTTP %d", response.StatusCode), whole(answer), response.StatusCode/100 == 2
}

// whole leaves out the character in which a text was cut, if it was.
func whole(text []byte) []byte {
	for cut := 1; cut < utf8.UTFMax && cut <= len(text) && len(text) == answerKept; cut++ {
		if end := text[len(text)-cut:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				return text[:len(text)-cut]
			}
			break
		}
	}
	return text
}
