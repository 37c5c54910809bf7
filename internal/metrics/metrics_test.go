package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"kontor/internal/metrics"
)

// scrape reads all figures.
func scrape(t *testing.T, m *metrics.Metrics) []string {
	t.Helper()
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if recorder.Code != http.StatusOK {
		t.Fatalf("answered %d: %s", recorder.Code, recorder.Body)
	}
	return strings.Split(recorder.Body.String(), "\n")
}

func expect(t *testing.T, m *metrics.Metrics, lines ...string) {
	t.Helper()
	got := scrape(t, m)
	for _, line := range lines {
		if !slices.Contains(got, line) {
			t.Errorf("%q is not among\n%s", line, strings.Join(got, "\n"))
		}
	}
}

func TestCallersCannotMakeUpLabels(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Request("/v1/transfer", "POST", 201, time.Millisecond)
	m.Request("", "SPAM-1", 404, time.Millisecond)
	m.Request("/*", "SPAM-2", 404, time.Millisecond)
	m.RateLimited(metrics.LimitKey)
	m.RateLimited(metrics.LimitAddress)
	expect(t, m,
		`kontor_http_request_duration_seconds_count{code="201",method="POST",route="/v1/transfer"} 1`,
		`kontor_http_request_duration_seconds_count{code="404",method="other",route="none"} 2`,
		`kontor_rate_limited_total{limit="key"} 1`, `kontor_rate_limited_total{limit="address"} 1`)
}

func TestBacklogThatCannotBeReadIsAGap(t *testing.T) {
	t.Parallel()
	m, err := metrics.New(), error(nil)
	m.Watch(func(context.Context) (metrics.Backlog, error) {
		return metrics.Backlog{
			Events: 3, Unnumbered: 2, OldestEvent: 90 * time.Second, Failing: 5, OldestJob: time.Minute,
			Debts: 4, OldestDebt: time.Hour, Cases: 6, OldestCase: 2 * time.Hour, Suspense: 7, OldestItem: 3 * time.Hour, Unanswered: 9,
			Bank: []metrics.BankAccount{{IBAN: "LT12", Difference: -1250, Age: 26 * time.Hour}},
		}, err
	})
	expect(t, m, "kontor_backlog_readable 1", "kontor_events_pending 3", "kontor_events_unnumbered 2",
		"kontor_event_oldest_pending_seconds 90", "kontor_webhook_partners_failing 5", "kontor_job_oldest_due_seconds 60",
		"kontor_ledger_receivables 4", "kontor_ledger_oldest_receivable_seconds 3600",
		"kontor_compliance_cases_open 6", "kontor_compliance_oldest_case_seconds 7200",
		"kontor_sepa_suspense_items 7", "kontor_sepa_suspense_oldest_seconds 10800", "kontor_sepa_returns_unanswered 9",
		`kontor_bank_difference_cents{account="LT12"} -1250`, `kontor_bank_statement_age_seconds{account="LT12"} 93600`)
	err = errors.New("the database is away")
	expect(t, m, "kontor_backlog_readable 0")
	if slices.ContainsFunc(scrape(t, m), func(line string) bool { return strings.HasPrefix(line, "kontor_events_pending ") }) {
		t.Error("an old figure is told")
	}
}

func TestTargetsAreToldByTheStateOfTheirBreakers(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.WatchTargets(func() (closed, open int) { return 7, 2 })
	expect(t, m, `kontor_webhook_targets{state="closed"} 7`, `kontor_webhook_targets{state="open"} 2`)
}

func TestNoMetricsCountNothing(t *testing.T) {
	t.Parallel()
	var off *metrics.Metrics
	off.Request("/", "GET", 200, time.Second)
	off.Error("P403")
	off.Replayed()
	off.RateLimited(metrics.LimitKey)
	off.Delivery("delivered")
	off.Job("kind", "done")
}

// BenchmarkRequest is what a request pays: its own figures, those of two transactions, and of a commit.
func BenchmarkRequest(b *testing.B) {
	m := metrics.New()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Request("/v1/transfer", http.MethodPost, 201, time.Millisecond)
			m.Database.Transaction("view", "ok", time.Millisecond)
			m.Database.Transaction("update", "ok", time.Millisecond)
			m.Database.Applied(time.Millisecond)
		}
	})
}

func TestListsInUseAreTold(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	expect(t, m) // without a list there is no figure, and no failure
	m.WatchLists(func() []metrics.Watchlist {
		return []metrics.Watchlist{{Source: "eu", Date: "2026-03-01", Age: time.Hour, Persons: 7}}
	})
	expect(t, m, `kontor_screening_list_age_seconds{date="2026-03-01",list="eu"} 3600`,
		`kontor_screening_list_persons{date="2026-03-01",list="eu"} 7`)
}
