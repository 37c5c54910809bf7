package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kontor/internal/adjustment"
	"kontor/internal/app"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/httpapi"
	"kontor/internal/metrics"
	"kontor/internal/money"
	"kontor/internal/trace"
)

// open opens an App that the test closes.
func open(t *testing.T, cfg app.Config) *app.App {
	t.Helper()
	a, err := app.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// operations opens the operator's listener.
func operations(t *testing.T) (l net.Listener, url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, "http://" + l.Addr().String()
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// eventually asks until the answer is right.
func eventually(t *testing.T, what string, right func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !right() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("this does not come true: %s", what)
		}
	}
}

func TestReadinessNamesTheDatabase(t *testing.T) {
	t.Parallel()
	a := open(t, config(dbtest.Target(t, db.Postgres)))
	url := serve(t, a, app.Roles{API: true})
	if status, body := get(t, url+"/readyz"); status != http.StatusOK || body != `{"status":"ready"}` {
		t.Errorf("a node without workers answers %d %s", status, body)
	}
	if err := a.DB.Close(); err != nil { // it is away
		t.Fatal(err)
	}
	want := `{"status":"unavailable","notReady":["database"]}`
	if status, body := get(t, url+"/readyz"); status != http.StatusServiceUnavailable || body != want {
		t.Errorf("answered %d %s, want %s", status, body, want)
	}
	if status, _ := get(t, url+"/healthz"); status != http.StatusOK {
		t.Errorf("the process lives, and answers %d", status)
	}
}

func TestReadinessNamesTheWorkers(t *testing.T) {
	t.Parallel()
	cfg := config(dbtest.Target(t, db.Postgres))
	cfg.Metrics = metrics.New()
	a := open(t, cfg)
	if err := a.DB.Close(); err != nil { // so that no poll ever succeeds
		t.Fatal(err)
	}
	listener, url := operations(t)
	serve(t, a, app.Roles{Worker: true, Operations: listener})
	want := `{"status":"unavailable","notReady":["database","webhooks","jobs"]}`
	if status, body := get(t, url+"/readyz"); status != http.StatusServiceUnavailable || body != want {
		t.Errorf("answered %d %s, want %s", status, body, want)
	}
	if status, body := get(t, url+"/metrics"); status != http.StatusOK || !strings.Contains(body, "kontor_backlog_readable 0") {
		t.Errorf("without a database the metrics answer %d %s", status, body)
	}
}

func TestWorkerWithoutAPIShowsItsHealth(t *testing.T) {
	t.Parallel()
	cfg := config(dbtest.Target(t, db.SQLite))
	cfg.Metrics = metrics.New()
	a := open(t, cfg)
	listener, url := operations(t)
	serve(t, a, app.Roles{Worker: true, Operations: listener})
	eventually(t, "the worker is ready", func() bool {
		status, body := get(t, url+"/readyz")
		return status == http.StatusOK && body == `{"status":"ready"}`
	})
	if status, _ := get(t, url+"/v1/partner/balances"); status != http.StatusNotFound {
		t.Errorf("the operator's listener answers the API with %d", status)
	}
}

func TestMetricsShowWhatHappened(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			cfg := config(load(t, kind))
			cfg.Metrics = metrics.New()
			a := open(t, cfg)
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(receiver.Close)
			if _, err := a.Partners.Set(t.Context(), 1, map[string]string{"webhook.baseUrl": receiver.URL}); err != nil {
				t.Fatal(err)
			}
			idle, idleURL := operations(t)
			scrape := a.API.Metrics.Handler()
			figures := func() []string {
				recorder := httptest.NewRecorder()
				scrape.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
				return strings.Split(recorder.Body.String(), "\n")
			}
			if got := figures(); !slices.Contains(got, "kontor_events_pending 5") || !slices.Contains(got, "kontor_events_unnumbered 1") {
				t.Errorf("before the workers run the backlog is not that of the fixture and the notice to its old URL:\n%s", strings.Join(got, "\n"))
			}
			if !positive(figures(), "kontor_event_oldest_pending_seconds") || !positive(figures(), "kontor_job_oldest_due_seconds") {
				t.Error("what waits has no age")
			}

			p := partnerOf{t, serve(t, a, app.Roles{API: true, Worker: true, Operations: idle})}
			order := `{"sourceExternalUserId":"fixture-user","amount":"1.00","currency":"eur"}`
			p.call("POST", "/v1/transfer", order, "Idempotency-Key", "new")
			p.call("POST", "/v1/transfer", order, "Idempotency-Key", "new")
			p.call("POST", "/v1/transfer", strings.Replace(order, "1.00", "100000.00", 1))
			p.call("GET", "/v1/secret-path/fixture-user", "")
			owe(t, a)
			want := []string{
				`kontor_ledger_receivables 1`,
				`kontor_http_request_duration_seconds_count{code="201",method="POST",route="/v1/transfer"} 2`,
				`kontor_http_request_duration_seconds_count{code="400",method="POST",route="/v1/transfer"} 1`,
				`kontor_http_request_duration_seconds_count{code="404",method="GET",route="none"} 1`,
				`kontor_http_errors_total{code="P433"} 1`,
				`kontor_idempotency_replays_total 1`,
				`kontor_webhook_attempts_total{outcome="delivered"} 7`,
				`kontor_job_runs_total{kind="sepa-deposit-book",outcome="done"} 1`,
				`kontor_events_pending 1`, // the notice: nobody listens at the old URL
				`kontor_events_unnumbered 0`,
				`kontor_job_oldest_due_seconds 0`,
				`kontor_backlog_readable 1`,
			}
			eventually(t, "all figures are there", func() bool {
				got := figures()
				return !slices.ContainsFunc(want, func(line string) bool { return !slices.Contains(got, line) })
			})
			got := figures()
			if !positive(got, "kontor_db_group_size_count") || !positive(got, "kontor_db_apply_duration_seconds_count") {
				t.Error("the commits of the engine are not shown")
			}
			if text := strings.Join(got, "\n"); strings.Contains(text, "fixture-user") || strings.Contains(text, "secret-path") {
				t.Error("the metrics hold a path")
			}
			if status, body := get(t, idleURL+"/metrics"); status != http.StatusOK || !strings.Contains(body, "go_goroutines") || !strings.Contains(body, "kontor_build_info{") {
				t.Errorf("the listener answers %d", status)
			}
		})
	}
}

// owe takes more from the fixture's user than there is.
func owe(t *testing.T, a *app.App) {
	t.Helper()
	euro, _ := a.Catalog.Currency("eur")
	p, err := a.Adjustments.Propose(t.Context(), adjustment.Proposal{
		Partner: 1, User: "fixture-user", Amount: money.New(-1_000_000, euro), Reason: "test", By: "a",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Adjustments.Approve(t.Context(), p.ID, "b"); err != nil {
		t.Fatal(err)
	}
}

// positive tells whether a figure is above zero.
func positive(figures []string, name string) bool {
	form := regexp.MustCompile("^" + name + ` [0-9.e+]*[1-9]`)
	return slices.ContainsFunc(figures, form.MatchString)
}

func TestLogLinesOfARequestBearItsID(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	cfg := config(load(t, db.SQLite))
	cfg.Log = slog.New(trace.LogHandler(slog.NewJSONHandler(&lines, nil)))
	a := open(t, cfg)
	if err := a.DB.Close(); err != nil {
		t.Fatal(err)
	}
	// The key cannot be looked up, which is logged beside the line that every request has.
	request := httptest.NewRequest(http.MethodGet, "/v1/user/balances/fixture-user", nil)
	request.Header.Set("x-api-key", "upgrade-fixture-api-key")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	answer := httptest.NewRecorder()
	httpapi.NewHandler(a.API).ServeHTTP(answer, request.WithContext(ctx))

	id, messages := answer.Header().Get("X-Request-Id"), []string{}
	for text := range strings.Lines(lines.String()) {
		var line struct {
			Msg       string
			Route     string
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, line.Msg)
		if line.RequestID != id || id == "" || strings.Contains(text, "fixture-user") {
			t.Errorf("the answer's id is %q, and a line is %s", id, text)
		}
		if line.Msg == "request" && line.Route != "/v1/user/balances/{externalUserId}" {
			t.Errorf("the route is %q", line.Route)
		}
	}
	if !slices.Equal(messages, []string{"request failed", "request"}) {
		t.Errorf("the lines are %q", messages)
	}
}
