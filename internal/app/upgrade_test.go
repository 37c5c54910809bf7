package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kontor/internal/adjustment"
	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/pgtest"
	"kontor/internal/sepa"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

const patience = 30 * time.Second // with something that must happen

// afterFixture is later than everything in the fixtures; their jobs and webhooks are due.
var afterFixture = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// load fills a database with the fixture of its engine: a sandbox of schema version 10. Its head says what is
// in it.
func load(t *testing.T, kind db.Engine) (target string) {
	t.Helper()
	target = dbtest.Empty(t, kind)
	text, err := os.ReadFile(fmt.Sprintf("testdata/schema10.%s.sql", kind))
	if err != nil {
		t.Fatal(err)
	}
	if kind == db.SQLite {
		handle, err := sql.Open("sqlite", target)
		if err != nil {
			t.Fatal(err)
		}
		defer handle.Close()
		if _, err := handle.ExecContext(t.Context(), string(text)); err != nil {
			t.Fatal(err)
		}
		return target
	}
	conn, err := pgx.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.PgConn().Exec(t.Context(), string(text)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	return target
}

// config is that of the fixtures' sandbox.
func config(target string) app.Config {
	return app.Config{
		Database: target, MasterKey: []byte("upgrade-fixture-master-key-00010"), Environment: partner.Staging,
		Bank: sepa.SandboxBank, Clock: clock.NewManual(afterFixture), Log: slog.New(slog.DiscardHandler),
	}
}

// serve runs an App until the test ends, and answers its URL.
func serve(t *testing.T, a *app.App, roles app.Roles) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, listener, roles) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// partnerOf is the fixtures' partner, who calls the API.
type partnerOf struct {
	*testing.T
	url string
}

func (p partnerOf) call(method, route, body string, headers ...string) (status int, answer map[string]any) {
	p.Helper()
	request, err := http.NewRequestWithContext(p.Context(), method, p.url+route, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	request.Header.Set("x-api-key", "upgrade-fixture-api-key")
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		p.Fatalf("%s %s answered %d %s", method, route, response.StatusCode, text)
	}
	return response.StatusCode, answer
}

// euros is what the fixture's user has.
func (p partnerOf) euros() string {
	p.Helper()
	_, answer := p.call("GET", "/v1/user/balances/fixture-user", "")
	fiat, _ := answer["fiatBalances"].([]any)
	if len(fiat) == 0 {
		p.Fatalf("the balances are %v", answer)
	}
	return fmt.Sprint(fiat[0].(map[string]any)["amount"])
}

func TestUpgradeOfAPopulatedDatabase(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			target := load(t, kind)
			if d, err := db.Open(t.Context(), target, db.WithSchema(db.Keep)); err == nil || !strings.Contains(err.Error(), "schema has version 10") {
				t.Fatalf("before the upgrade: %v, %v", d, err)
			}
			a, err := app.Open(t.Context(), config(target))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			})
			sound(t, a)
			usable(t, a)
			sound(t, a)
		})
	}
}

func sound(t *testing.T, a *app.App) {
	t.Helper()
	violations, err := app.Verify(t.Context(), a.DB)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
}

// sealed expects that who paid in was sealed, and is still shown.
func sealed(t *testing.T, a *app.App, p partnerOf) {
	t.Helper()
	if err := a.API.SEPA.SealEarlier(t.Context()); err != nil { // at the latest now; the worker does so too
		t.Fatal(err)
	}
	var plain int64
	err := a.DB.View(t.Context(), func(r db.Reader) error {
		return r.Row(db.NewQuery(`SELECT COUNT(*) FROM sepa_deposit WHERE partner_id >= 0
			AND (NOT sealed OR sender_name <> '' OR sender_iban <> '' OR title <> '')`)).Scan(&plain)
	})
	if err != nil || plain != 0 {
		t.Errorf("%d deposits tell who paid them, %v", plain, err)
	}
	_, list := p.call("GET", "/v1/user/transactions/fixture-user?type=SEPA_DEPOSIT", "")
	if text := fmt.Sprint(list); !strings.Contains(text, "senderName:Test User") || !strings.Contains(text, "senderIban:DE89370400440532013000") {
		t.Errorf("the history shows %s", text)
	}
}

// usable goes on with the fixture: what was left undone is done, and new things can be.
func usable(t *testing.T, a *app.App) {
	t.Helper()
	arrived := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- path.Base(r.Header.Get("x-kontor-event"))
	}))
	t.Cleanup(receiver.Close)
	if _, err := a.Partners.Set(t.Context(), 1, map[string]string{"webhook.baseUrl": receiver.URL}); err != nil {
		t.Fatal(err)
	}
	p := partnerOf{t, serve(t, a, app.Roles{API: true, Worker: true})}

	// Four webhooks waited; the others are those of the deposit whose job waited.
	counts := map[string]int{}
	timeout := time.After(patience)
	for range 6 {
		select {
		case name := <-arrived:
			counts[name]++
		case <-timeout:
			t.Fatalf("only these events arrived: %v", counts)
		}
	}
	if counts["sepa-deposit"] != 2 || counts["iban-status"] != 1 || counts["p2p-transfer"] != 1 {
		t.Errorf("these events arrived: %v", counts)
	}
	if got := p.euros(); got != "26.50" {
		t.Errorf("the user has %s, want 26.50", got)
	}

	// The key of a transfer before the upgrade moves nothing again; a new one does.
	order := `{"sourceExternalUserId":"fixture-user","amount":"15.50","currency":"eur","reference":"fixture"}`
	if status, answer := p.call("POST", "/v1/transfer", order, "Idempotency-Key", "fixture-transfer"); status != 201 && status != 409 {
		t.Errorf("the old key answers %d %v", status, answer)
	}
	if got := p.euros(); got != "26.50" {
		t.Errorf("after the old key the user has %s, want 26.50", got)
	}
	if status, answer := p.call("POST", "/v1/transfer", order, "Idempotency-Key", "new"); status != 201 {
		t.Errorf("a transfer answers %d %v", status, answer)
	}

	sealed(t, a, p)

	// What came with later versions works for books that were opened before.
	euro, _ := a.Catalog.Currency("eur")
	given, err := a.Adjustments.Propose(t.Context(), adjustment.Proposal{
		Partner: 1, User: "fixture-user", Amount: money.New(100, euro), Reason: "test", By: "a",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Adjustments.Approve(t.Context(), given.ID, "b"); err != nil {
		t.Error(err)
	}
	_, list := p.call("GET", "/v1/user/transactions/fixture-user?type=ADJUSTMENT", "")
	if text := fmt.Sprint(list); !strings.Contains(text, "reason:test") || !strings.Contains(text, "direction:IN") || !strings.Contains(text, "amount:1.00") {
		t.Errorf("the history shows %s", text)
	}
	if got := p.euros(); got != "12.00" {
		t.Errorf("in the end the user has %s, want 12.00", got)
	}
}
