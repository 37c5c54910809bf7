package event

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/clock"
)

// authenticate sets the headers that a receiver checks a delivery with: the partner's token and those of
// Standard Webhooks 1.0.0. The signature covers id, time and body.
func (t Target) authenticate(h http.Header, event clock.ID, body []byte, now time.Time) error {
	id := event.String()
	signatures := make([]string, 0, len(t.Secrets))
	for _, secret := range t.Secrets {
		signer, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return err
		}
		signature, err := signer.Sign(id, now, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if len(signatures) > 0 {
		h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	if t.Token != "" {
		h.Set("Authorization", t.Token)
	}
	return nil
}
