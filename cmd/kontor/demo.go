package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kontor/internal/clock"
)

// demoTimeout bounds the whole demonstration.
const demoTimeout = 30 * time.Second

// demoCommand drives a running sandbox as a partner's program would.
type demoCommand struct {
	Data string `help:"Folder of the sandbox's data, for its sandbox.json." default:"./kontor-data" env:"KONTOR_DATA" type:"path"`
}

// Run walks through the first money path and fails when an answer or an event is not as expected.
func (c demoCommand) Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	text, err := os.ReadFile(filepath.Join(c.Data, "sandbox.json"))
	if err != nil {
		return fmt.Errorf("no sandbox has written its credentials there; start one with kontor sandbox: %w", err)
	}
	d := &demo{client: &http.Client{Timeout: 10 * time.Second}, notes: notes{out: out, start: time.Now()}}
	if err := json.Unmarshal(text, &d.credentials); err != nil {
		return err
	}
	if d.receiver, err = startReceiver(d.credentials, &d.notes); err != nil {
		return err
	}
	defer d.receiver.stop()
	return d.walk(ctx)
}

// demo is one walk.
type demo struct {
	credentials
	notes
	client   *http.Client
	receiver *receiver
	err      error // the first failure; later calls do nothing
}

// object is any JSON object.
type object = map[string]any

// call makes a request, prints it with its answer, and fails the walk unless the status is as expected.
func (d *demo) call(ctx context.Context, want int, method, path string, body object, headers ...string) object {
	if d.err != nil {
		return nil
	}
	answer, err := d.request(ctx, want, method, path, body, headers)
	if err != nil {
		d.err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answer
}

func (d *demo) request(ctx context.Context, want int, method, path string, body object, headers []string) (object, error) {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, d.BaseURL+path, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("x-api-key", d.APIKey)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	d.line("→", "%s %s %s", method, path, sent)
	d.line("←", "%d %s", resp.StatusCode, shorten(got))
	if resp.StatusCode != want {
		return nil, fmt.Errorf("answered %d, expected %d", resp.StatusCode, want)
	}
	var answer object
	return answer, json.Unmarshal(got, &answer)
}

// walk is the path: two users, their activation, euros that arrive, transfers, balances, eight events.
func (d *demo) walk(ctx context.Context) error {
	run := clock.NewID().String()
	alpha, beta := "demo-a-"+run, "demo-b-"+run
	before := d.call(ctx, 200, "GET", "/v1/sandbox/webhook", nil)
	d.call(ctx, 200, "PUT", "/v1/sandbox/webhook", object{"baseUrl": d.receiver.url})

	d.section("Two users, one with each generation of the body")
	d.call(ctx, 201, "POST", "/v1/user/balances/crypto-and-fiat", newerUser(alpha))
	d.call(ctx, 201, "POST", "/v1/user/balances/crypto-and-fiat", olderUser(beta))

	d.section("The sandbox decides their identity checks; they become active")
	d.call(ctx, 200, "POST", "/v1/sandbox/user/"+alpha+"/activate", object{})
	d.call(ctx, 200, "POST", "/v1/sandbox/user/"+beta+"/activate", object{})

	d.section("100 euros arrive by bank transfer")
	info := d.call(ctx, 200, "GET", "/v1/sepa-deposit/info/"+alpha, nil)
	d.call(ctx, 201, "POST", "/v1/sandbox/sepa-deposit", object{
		"iban": info["iban"], "amount": "100.00", "senderName": "Test User", "senderIban": "DE89370400440532013000",
	})
	d.wait(ctx, "sepa-deposit", 1)

	d.section("Money moves between users and partner; a repeated key moves nothing twice")
	order := object{"sourceExternalUserId": alpha, "destinationExternalUserId": beta, "amount": "25.00", "currency": "eur"}
	made := d.call(ctx, 201, "POST", "/v1/transfer", order, "Idempotency-Key", run)
	again := d.call(ctx, 201, "POST", "/v1/transfer", order, "Idempotency-Key", run)
	if d.err == nil && made["transferId"] != again["transferId"] {
		d.err = errors.New("the repeated request made another transfer")
	}
	d.call(ctx, 201, "POST", "/v1/transfer", object{"sourceExternalUserId": beta, "amount": 5, "currency": "eur"})
	d.call(ctx, 200, "GET", fmt.Sprint("/v1/transfer/details/", made["transferId"]), nil)

	d.section("Balances")
	d.expect(d.call(ctx, 200, "GET", "/v1/user/balances/"+alpha, nil), "75.00")
	d.expect(d.call(ctx, 200, "GET", "/v1/user/balances/"+beta, nil), "20.00")
	d.call(ctx, 200, "GET", "/v1/partner/balances", nil)

	d.section("Events")
	for name, count := range map[string]int{
		"kyc-verification-status": 2, "user-balance-generation": 2, "sepa-deposit": 1, "iban-status": 2, "p2p-transfer": 2,
	} {
		d.wait(ctx, name, count)
	}
	took := time.Since(d.start)
	d.call(ctx, 200, "PUT", "/v1/sandbox/webhook", object{"baseUrl": before["baseUrl"]})
	d.wait(ctx, "webhook-url-changed", 1) // the old URL, which is the demonstration's, is told
	if d.err != nil {
		return d.err
	}
	d.print("\nAll as expected: %d events received, their tokens and signatures verified, in %d ms.\n",
		d.receiver.count(), took.Milliseconds())
	return nil
}

// wait waits until the receiver has got an event a number of times.
func (d *demo) wait(ctx context.Context, name string, count int) {
	if d.err == nil {
		d.err = d.receiver.wait(ctx, name, count)
	}
}

// expect fails the walk unless the first fiat balance of an answer is as given.
func (d *demo) expect(balances object, amount string) {
	if d.err != nil {
		return
	}
	if fiat, ok := balances["fiatBalances"].([]any); ok && len(fiat) > 0 {
		if first, ok := fiat[0].(object); ok && first["amount"] == amount {
			return
		}
	}
	d.err = fmt.Errorf("the euro balance is not %s", amount)
}

func newerUser(id string) object {
	return object{
		"externalUserId": id, "email": "test@example.com", "phone": "+37060000000", "firstName": "Test",
		"lastName": "User", "street": "Test Street", "number": "1", "city": "Vilnius", "postCode": "LT-01100",
		"country": "LT", "citizenship": "LT", "nationality": "LT", "birthCountry": "LT", "birthDate": "1990-01-31",
		"hasAcceptedP100Tc": true,
	}
}

func olderUser(id string) object {
	return object{
		"externalUserId": id, "email": "test@example.com", "phone": "37060000000", "firstName": "Test",
		"lastName": "User", "address": "Test Street 1", "city": "Vilnius", "postCode": "LT-01100", "country": "LT",
		"citizenship": "LT", "documentType": "PASSPORT", "documentNumber": "TEST123456",
	}
}

// notes are what the demonstration prints. The receiver writes them too.
type notes struct {
	out   io.Writer
	start time.Time
	mu    sync.Mutex
}

func (n *notes) section(title string) { n.print("\n%s\n", title) }

// line prints what happened, with the milliseconds since the start.
func (n *notes) line(arrow, format string, args ...any) {
	n.print("%6d ms %s %s\n", time.Since(n.start).Milliseconds(), arrow, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (n *notes) print(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, format, args...)
}

// shorten keeps an answer readable on a terminal.
func shorten(text []byte) string {
	const limit = 300
	if len(text) <= limit {
		return string(text)
	}
	return string(text[:limit]) + " …"
}
