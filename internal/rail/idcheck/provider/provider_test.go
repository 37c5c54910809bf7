package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/clock"
	"kontor/internal/fault"
	"kontor/internal/identity"
)

var secret = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, minSecret))

func newProvider(t *testing.T, url string) *Provider {
	t.Helper()
	p, err := New(Config{URL: url, Key: "test-key", Secret: secret, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := Config{URL: "https://identity.example.com/v1", Key: "test-key", Secret: secret, Production: true}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"no address":          {func(c *Config) { c.URL = "" }, errURL},
		"http in production":  {func(c *Config) { c.URL = "http://identity.example.com" }, errURL},
		"another scheme":      {func(c *Config) { c.URL, c.Production = "ftp://identity.example.com", false }, errURL},
		"a password":          {func(c *Config) { c.URL = "https://a:b@identity.example.com" }, errURL},
		"a query":             {func(c *Config) { c.URL += "?a=b" }, errURL},
		"no key":              {func(c *Config) { c.Key = "" }, errKey},
		"a key of two lines":  {func(c *Config) { c.Key = "a\nb" }, errKey},
		"a secret not base64": {func(c *Config) { c.Secret = "whsec_!" }, errSec},
		"a short secret":      {func(c *Config) { c.Secret = "whsec_MDEyMzQ1Njc4OQ==" }, errSec},
	} {
		given := good
		c.change(&given)
		if _, err := New(given); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{}); !errors.Is(err, errURL) || !errors.Is(err, errKey) || !errors.Is(err, errSec) {
		t.Errorf("not all is told that is wrong: %v", err)
	}
}

// What a provider answers outside the protocol is an error, and so tried again: nobody is accepted by it.
func TestAnswersThatDecideNothing(t *testing.T) {
	t.Parallel()
	c := identity.Case{Partner: 3, Attempt: clock.NewID()}
	id := checkID(c.Partner, c.Attempt)
	var status int
	var body string
	elsewhere := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere++
			return
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	defer server.Close()
	p := newProvider(t, server.URL)
	for _, given := range []struct {
		status int
		body   string
	}{
		{http.StatusInternalServerError, `{"id":"` + id + `","status":"accepted"}`},
		{http.StatusUnauthorized, ""},
		{http.StatusTemporaryRedirect, ""},
		{http.StatusOK, ""},
		{http.StatusOK, `{"id":"` + id + `","status":"accepted"}{}`},
		{http.StatusOK, `{"id":"` + checkID(3, clock.NewID()) + `","status":"accepted"}`},
		{http.StatusOK, `{"status":"accepted"}`},
		{http.StatusOK, `{"id":"` + id + `","status":"approved"}`},
		{http.StatusOK, `{"id":"` + id + `","status":"refused"}`},
		{http.StatusOK, `{"id":"` + id + `","status":"refused","reason":"SHOES"}`},
		{http.StatusOK, `{"id":"` + id + `","status":"accepted","document":{"expiryDate":"27.3.2031"}}`},
		{http.StatusOK, `{"id":"` + id + `","status":"accepted","document":{"issueCountry":"Utopia"}}`},
		{http.StatusOK, `{"id":"` + id + `","status":"accepted"` + strings.Repeat(" ", maxAnswer) + `}`},
	} {
		status, body = given.status, given.body
		if got, err := p.Start(t.Context(), c, nil); err == nil || got != (identity.Outcome{}) {
			t.Errorf("%d %.60s: %+v, %v", status, body, got, err)
		}
	}
	if elsewhere > 0 {
		t.Error("the key went where a redirect led")
	}
	status, body = http.StatusOK, `{"id":"`+id+`","status":"accepted","review":true,"document":{"number":"TEST 1","issueCountry":"LT","expiryDate":"2031-03-27"}}`
	want := identity.Outcome{Status: identity.Successful, Review: true, Read: identity.Read{DocumentNumber: "TEST 1", IssueCountry: "LT", ExpiryDate: "2031-03-27"}}
	if got, err := p.Start(t.Context(), c, nil); err != nil || got != want {
		t.Errorf("accepted: %+v, %v", got, err)
	}
	p.slots.TryAcquire(atOnce)
	if _, err := p.Start(t.Context(), c, nil); !errors.Is(err, errBusy) {
		t.Errorf("with all hands full: %v", err)
	}
}

// A document that cannot be read fails the request. What was sent so far is no form.
func TestADocumentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	whole := make(chan bool, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, err := io.Copy(io.Discard, r.Body)
			whole <- err == nil
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	broken := errors.New("the disk is broken")
	c := identity.Case{Partner: 3, Attempt: clock.NewID(), Documents: []identity.Document{{MediaType: "image/png"}}}
	open := func(identity.Document) (io.ReadCloser, error) { return nil, broken }
	if _, err := newProvider(t, server.URL).Start(t.Context(), c, open); !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
	if <-whole {
		t.Error("the provider got a request that looks whole")
	}
}

func TestSidesOfFiles(t *testing.T) {
	t.Parallel()
	files := func(sides ...string) (all []identity.Document) {
		for _, side := range sides {
			all = append(all, identity.Document{Side: side})
		}
		return all
	}
	for _, c := range []struct {
		kind string
		have []identity.Document
		want []string
	}{
		{identity.Passport, files("", ""), []string{identity.Front, identity.Selfie}},
		{identity.IDCard, files("", "", "", ""), []string{identity.Front, identity.Back, identity.Selfie, ""}},
		{identity.IDCard, files(identity.Selfie, "", identity.Front), []string{identity.Selfie, identity.Back, identity.Front}},
	} {
		given := identity.Case{Claims: identity.Claims{DocumentType: c.kind}, Documents: c.have}
		if got := sides(given); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v", c.kind, c.have, got)
		}
	}
}

// callback makes a request that is signed at a time.
func callback(t *testing.T, secret, body string, at time.Time) *http.Request {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign("c-1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set(standardwebhooks.HeaderWebhookID, "c-1")
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return r
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "http://127.0.0.1")
	attempt := clock.NewID()
	about := func(rest string) string {
		return `{"id":"` + checkID(3, attempt) + `",` + rest + `}`
	}
	accepted := about(`"status":"accepted"`)
	now := time.Now()
	other := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, minSecret))
	changed := callback(t, secret, accepted, now)
	changed.Body = io.NopCloser(strings.NewReader(about(`"status":"refused","reason":"UNDERAGE"`)))
	unsigned := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(accepted))
	for name, c := range map[string]struct {
		given  *http.Request
		fails  error
		status int
		want   string // what is concluded
	}{
		"accepted":          {callback(t, secret, accepted, now), nil, http.StatusNoContent, "SUCCESSFUL "},
		"refused":           {callback(t, secret, about(`"status":"refused","reason":"UNDERAGE"`), now), nil, http.StatusNoContent, "REJECTED_BY_PROVIDER UNDERAGE"},
		"four minutes old":  {callback(t, secret, accepted, now.Add(-4*time.Minute)), nil, http.StatusNoContent, "SUCCESSFUL "},
		"pending":           {callback(t, secret, about(`"status":"pending"`), now), nil, http.StatusNoContent, ""},
		"of no attempt":     {callback(t, secret, accepted, now), fault.New(fault.KycNotFound), http.StatusNoContent, "SUCCESSFUL "},
		"of a deleted user": {callback(t, secret, accepted, now), fault.New(fault.InvalidUser), http.StatusNoContent, "SUCCESSFUL "},
		"of no id of ours":  {callback(t, secret, `{"id":"3-x","status":"accepted"}`, now), nil, http.StatusNoContent, ""},
		"an outage":         {callback(t, secret, accepted, now), fault.New(fault.ServiceUnavailable), http.StatusServiceUnavailable, "SUCCESSFUL "},
		"another secret":    {callback(t, other, accepted, now), nil, http.StatusUnauthorized, ""},
		"six minutes old":   {callback(t, secret, accepted, now.Add(-6*time.Minute)), nil, http.StatusUnauthorized, ""},
		"from the future":   {callback(t, secret, accepted, now.Add(6*time.Minute)), nil, http.StatusUnauthorized, ""},
		"changed":           {changed, nil, http.StatusUnauthorized, ""},
		"unsigned":          {unsigned, nil, http.StatusUnauthorized, ""},
		"no JSON":           {callback(t, secret, "accepted", now), nil, http.StatusBadRequest, ""},
		"no reason":         {callback(t, secret, about(`"status":"refused"`), now), nil, http.StatusBadRequest, ""},
		"too large":         {callback(t, secret, accepted+strings.Repeat(" ", maxAnswer), now), nil, http.StatusRequestEntityTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			concluded := ""
			w := httptest.NewRecorder()
			p.Callback(func(_ context.Context, partner int64, id clock.ID, o identity.Outcome) error {
				if partner != 3 || id != attempt {
					t.Errorf("it is about %d, %s", partner, id)
				}
				concluded += fmt.Sprint(o.Status, " ", o.Reason)
				return c.fails
			}).ServeHTTP(w, c.given)
			if w.Code != c.status || concluded != c.want {
				t.Errorf("answered %d, concluded %q; want %d, %q", w.Code, concluded, c.status, c.want)
			}
			if again := w.Header().Get("Retry-After") != ""; again != (c.status == http.StatusServiceUnavailable) {
				t.Errorf("it is to come again: %t", again)
			}
		})
	}
}
