package webhook_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/sdk/go/webhook"
)

const (
	token  = "test-token"
	secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
)

// A receiver that credits deposits, and takes each event once.
func ExampleVerifier_Handler() {
	verifier, err := webhook.New(token, secret)
	if err != nil {
		log.Fatal(err)
	}
	taken := map[string]bool{} // in your database, written with what the event changes there
	handler := verifier.Handler(func(_ *http.Request, e webhook.Event) error {
		if taken[e.ID] {
			return nil
		}
		if e.Name == "sepa-deposit" {
			var deposit struct{ ID, Amount, Currency string }
			if err := json.Unmarshal(e.Body, &deposit); err != nil {
				return err
			}
			fmt.Println(e.Sequence, deposit.ID, deposit.Amount, deposit.Currency)
		}
		taken[e.ID] = true
		return nil
	})
	server := httptest.NewServer(handler) // yours: http.ListenAndServe behind TLS
	defer server.Close()

	for range 2 { // deliveries come at least once
		resp, err := http.DefaultClient.Do(delivery(server.URL, `{"id":"d-1","amount":"100.00","currency":"eur"}`, time.Now()))
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 7 d-1 100.00 eur
	// 200 OK
	// 200 OK
}

// delivery is a request as Kontor makes it, signed by the library of Standard Webhooks.
func delivery(url, body string, at time.Time) *http.Request {
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := signer.Sign("e-1", at, []byte(body))
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": token, "webhook-id": "e-1", "webhook-timestamp": fmt.Sprint(at.Unix()),
		"webhook-signature": signature, "x-kontor-event": "sepa-deposit", "x-kontor-sequence": "7",
	} {
		req.Header.Set(name, value)
	}
	return req
}
