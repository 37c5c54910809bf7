package httpapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/httpapi"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// door is the whole API with a partner and its key.
type door struct {
	t       *testing.T
	app     *app.App
	handler http.Handler
	partner int64
	key     string
}

func openDoor(t *testing.T, env partner.Environment, settings map[string]string) *door {
	t.Helper()
	a, err := app.Open(t.Context(), app.Config{
		Database: dbtest.Target(t, db.SQLite), MasterKey: bytes.Repeat([]byte{1}, vault.KeySize), Environment: env,
		Bank: sepa.SandboxBank, Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	settings["legalName"] = "Test Partner"
	p, err := a.Partners.Create(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := a.Partners.IssueKey(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &door{t, a, httpapi.NewHandler(a.API), p.ID, key}
}

// knock calls from an address and answers the status with the error's code and message.
func (d *door) knock(peer, key string, forwarded ...string) string {
	d.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/partner/balances", nil)
	r.RemoteAddr = peer
	r.Header.Set("x-api-key", key)
	for _, line := range forwarded {
		r.Header.Add("X-Forwarded-For", line)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	var body struct{ ErrorCode, ErrorMessage string }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		d.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return strings.TrimSpace(http.StatusText(w.Code) + " " + strings.TrimSpace(body.ErrorCode+" "+body.ErrorMessage))
}

const (
	welcome = "OK"
	xo2     = "Unauthorized P401 Access Denied. xo2"
	xo3     = "Unauthorized P401 Access Denied. xo3"
	closed  = "Bad Request P418 The partner account is closed."
)

func TestTheAllowlistIsKeptInProduction(t *testing.T) {
	t.Parallel()
	d := openDoor(t, partner.Production, map[string]string{"ipAllowlist": "203.0.113.0/24,2001:db8::/32"})
	for _, c := range []struct {
		peer, key string
		forwarded []string
		want      string
	}{
		{"203.0.113.7:50000", d.key, nil, welcome},
		{"[::ffff:203.0.113.7]:50000", d.key, nil, welcome},
		{"[2001:db8::7]:50000", d.key, nil, welcome},
		{"198.51.100.1:50000", d.key, nil, xo3},
		{"[2001:db9::7]:50000", d.key, nil, xo3},
		{"198.51.100.1:50000", d.key, []string{"203.0.113.7"}, xo3}, // no proxy is trusted: the header says nothing
		{"203.0.113.7:50000", d.key, []string{"198.51.100.1"}, welcome},
		{"198.51.100.1:50000", d.key + "x", nil, xo2}, // strangers learn nothing of the list
		{"@", d.key, nil, xo3},
	} {
		if got := d.knock(c.peer, c.key, c.forwarded...); got != c.want {
			t.Errorf("from %s %s: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	if _, err := d.app.Partners.Set(t.Context(), d.partner, map[string]string{"trustedProxies": "10.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"10.0.0.1:1", []string{"203.0.113.7"}, welcome},
		{"10.0.0.1:1", []string{"198.51.100.1"}, xo3},
		{"10.0.0.1:1", []string{"203.0.113.7", "198.51.100.1, 10.0.0.2"}, xo3},
		{"10.0.0.1:1", []string{"203.0.113.7, unknown"}, xo3},
		{"10.0.0.1:1", nil, xo3},
		{"198.51.100.1:1", []string{"203.0.113.7"}, xo3},
		{"203.0.113.7:1", []string{"198.51.100.1"}, welcome},
	} {
		if got := d.knock(c.peer, d.key, c.forwarded...); got != c.want {
			t.Errorf("behind proxies, from %s %s: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	if _, err := d.app.Partners.Close(t.Context(), d.partner); err != nil {
		t.Fatal(err)
	}
	if got := d.knock("203.0.113.7:1", d.key); got != closed {
		t.Errorf("closed: %s", got)
	}
	if got := d.knock("198.51.100.1:1", d.key); got != xo3 {
		t.Errorf("closed, from elsewhere: %s; access is judged first", got)
	}
}

func TestTheAllowlistMeansNothingInStaging(t *testing.T) {
	t.Parallel()
	d := openDoor(t, partner.Staging, map[string]string{"ipAllowlist": "203.0.113.0/24"})
	if got := d.knock("198.51.100.1:50000", d.key); got != welcome {
		t.Error(got)
	}
}

func TestAStagingKeyIsWrongInProduction(t *testing.T) {
	t.Parallel()
	staging, production := openDoor(t, partner.Staging, map[string]string{}), openDoor(t, partner.Production, map[string]string{})
	const peer = "198.51.100.1:50000"
	for _, got := range []string{
		staging.knock(peer, production.key), production.knock(peer, staging.key),
		staging.knock(peer, "kp"+staging.key[2:]), production.knock(peer, "ks"+production.key[2:]),
	} {
		if got != xo2 {
			t.Errorf("%s, want %s", got, xo2)
		}
	}
	if got := production.knock(peer, production.key); got != welcome {
		t.Error(got)
	}
}

func TestChangesThroughTheAPIAreThePartnersOwn(t *testing.T) {
	t.Parallel()
	d := openDoor(t, partner.Staging, map[string]string{})
	r := httptest.NewRequest(http.MethodPut, "/v1/sandbox/webhook", strings.NewReader(`{"baseUrl":"https://example.com"}`))
	r.Header.Set("x-api-key", d.key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var newest []audit.Recorded
	err := d.app.DB.View(t.Context(), func(rd db.Reader) (err error) {
		newest, err = audit.List(rd, audit.Filter{}, 1, 0)
		return err
	})
	if err != nil || newest[0].Actor != audit.Partner(d.partner) || newest[0].Action != "partner.set" || newest[0].Partner != d.partner {
		t.Errorf("recorded %+v, %v", newest, err)
	}
}
