package webhook_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kontor/sdk/go/webhook"
)

func TestOnlyGenuineDeliveriesAreTaken(t *testing.T) {
	t.Parallel()
	const body = `{"id":"d-1"}`
	const other = "whsec_bm1sa2ppaGdmZWRjYmE5ODc2NTQzMjEw"
	change := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		age    time.Duration
		alter  func(*http.Request)
		body   string
		secret string
		want   error
	}{
		"genuine":           {},
		"a while ago":       {age: 4 * time.Minute},
		"replayed":          {age: 6 * time.Minute, want: webhook.ErrTime},
		"from the future":   {age: -6 * time.Minute, want: webhook.ErrTime},
		"other token":       {alter: change("Authorization", "test-token2"), want: webhook.ErrToken},
		"no token":          {alter: change("Authorization", ""), want: webhook.ErrToken},
		"other body":        {body: body + " ", want: webhook.ErrSignature},
		"other id":          {alter: change("webhook-id", "e-2"), want: webhook.ErrSignature},
		"other secret":      {secret: other, want: webhook.ErrSignature},
		"no signature":      {alter: change("webhook-signature", ""), want: webhook.ErrSignature},
		"unknown scheme":    {alter: change("webhook-signature", "v2,AAAA"), want: webhook.ErrSignature},
		"time is no number": {alter: change("webhook-timestamp", "now"), want: webhook.ErrForm},
		"no sequence":       {alter: change("x-kontor-sequence", ""), want: webhook.ErrForm},
		"rotation, two keys": {alter: func(r *http.Request) {
			r.Header["Webhook-Signature"][0] = "v1,AAAA " + r.Header.Get("webhook-signature")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := delivery("http://receiver.example/sepa-deposit-webhook", body, time.Now().Add(-c.age))
			if c.alter != nil {
				c.alter(req)
			}
			secrets := []string{secret}
			if c.secret != "" {
				secrets = []string{c.secret}
			}
			v, err := webhook.New(token, secrets...)
			if err != nil {
				t.Fatal(err)
			}
			sent := body
			if c.body != "" {
				sent = c.body
			}
			got, err := v.Verify(req.Header, []byte(sent))
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil && (got.ID != "e-1" || got.Name != "sepa-deposit" || got.Sequence != 7 || string(got.Body) != body) {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	v, err := webhook.New(token, secret)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("the database is away")
	for name, c := range map[string]struct {
		request *http.Request
		result  error
		want    int
	}{
		"taken":     {delivery("/", "{}", time.Now()), nil, 200},
		"not taken": {delivery("/", "{}", time.Now()), refused, 500},
		"forged":    {httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")), nil, 401},
		"too large": {delivery("/", strings.Repeat("x", 1<<20+1), time.Now()), nil, 413},
		"health":    {httptest.NewRequest(http.MethodGet, "/hooks/webhook/health", nil), nil, 200},
		"other":     {httptest.NewRequest(http.MethodGet, "/", nil), nil, 405},
	} {
		answer := httptest.NewRecorder()
		v.Handler(func(*http.Request, webhook.Event) error { return c.result }).ServeHTTP(answer, c.request)
		if answer.Code != c.want {
			t.Errorf("%s: answered %d, want %d", name, answer.Code, c.want)
		}
	}
}

func TestCredentialsAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{{"", secret}, {token}, {token, "whsec_%"}, {token, "whsec_c2hvcnQ="}} {
		if _, err := webhook.New(c[0], c[1:]...); err == nil {
			t.Errorf("%q are taken", c)
		}
	}
}
