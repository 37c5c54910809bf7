// Package metrics counts and times what the program does, for Prometheus. What it knows stands in one Metrics,
// which is handed to whoever has something to tell; there are no globals. A nil Metrics counts nothing.
//
// Labels have few values: routes are patterns, never paths; methods that HTTP does not define are "other".
// Nothing here holds amounts, ids or names of customers: the one amount is what the bank and the books differ by.
package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is everything that is counted. Its methods are safe for concurrent use.
type Metrics struct {
	// Database is told what the database's runner does.
	Database *Database

	registry   *prometheus.Registry
	requests   *series[answer]
	errors     *prometheus.CounterVec
	replays    prometheus.Counter
	limited    *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	jobs       *prometheus.CounterVec
	files      *prometheus.CounterVec
}

// latencies are the upper bounds of the buckets in seconds: from a read in memory to a request that timed out.
var latencies = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25}

// New makes a Metrics with a registry of its own.
func New() *Metrics {
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kontor_http_request_duration_seconds", Buckets: latencies,
		Help: "Time from the end of a request's header to the end of its answer.",
	}, []string{"route", "method", "code"})
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: newSeries(requests, answer.labels),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kontor_http_errors_total",
			Help: "Requests answered with an error, by its code: P500 and P501 are the platform's fault, whatever the status.",
		}, []string{"code"}),
		replays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kontor_idempotency_replays_total", Help: "Requests answered with the stored answer of an earlier one.",
		}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kontor_rate_limited_total", Help: "Requests refused with P429, by what was limited: key or address, and sign-ins to the console by name.",
		}, []string{"limit"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kontor_webhook_attempts_total",
			Help: "Attempts to deliver an event, by what became of it: delivered, retry (due again later) or failed (for good).",
		}, []string{"outcome"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kontor_job_runs_total",
			Help: "Runs of background jobs, by what became of them: done, failed (due again later) or released (to another node).",
		}, []string{"kind", "outcome"}),
	}
	m.files = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kontor_bank_files_total",
		Help: "Files exchanged with the bank by direction (in, out) and outcome: sent, taken, duplicate, quarantined, or failed (tried again later).",
	}, []string{"direction", "outcome"})
	m.registry.MustRegister(m.files, requests, m.errors, m.replays, m.limited, m.deliveries, m.jobs, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.Database = newDatabase(m.registry)
	return m
}

// buildInfo is always 1; its labels tell which program runs.
func buildInfo() prometheus.Collector {
	version, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "kontor_build_info", Help: "Which program this is; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "go": runtime.Version()},
	})
	g.Set(1)
	return g
}

// Handler answers scrapes, in the text format of Prometheus or in OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// unmatched is the route of requests that no route was found for.
const unmatched = "none"

// Request counts an answered request. The route is its pattern; empty: there was none. A code of 0 says that
// nothing was answered.
func (m *Metrics) Request(route, method string, code int, took time.Duration) {
	if m == nil {
		return
	}
	if route == "" || route == "/*" {
		route = unmatched
	}
	m.requests.of(answer{route, knownMethod(method), code}).Observe(took.Seconds())
}

// answer is what requests are told apart by.
type answer struct {
	route, method string
	code          int
}

func (a answer) labels() []string { return []string{a.route, a.method, strconv.Itoa(a.code)} }

// knownMethod keeps callers from making up labels.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
		return method
	}
	return "other"
}

// Error counts an error of the table that was answered.
func (m *Metrics) Error(code string) {
	if m != nil {
		m.errors.WithLabelValues(code).Inc()
	}
}

// Replayed counts an answer that was stored by an earlier request.
func (m *Metrics) Replayed() {
	if m != nil {
		m.replays.Inc()
	}
}

// The limits that RateLimited counts.
const (
	LimitKey     = "key"     // the rate of an API key
	LimitAddress = "address" // attempts with wrong keys or passwords from one address
	LimitName    = "name"    // failed sign-ins to the console under one name
)

// RateLimited counts a request that one of the limits refused.
func (m *Metrics) RateLimited(limit string) {
	if m != nil {
		m.limited.WithLabelValues(limit).Inc()
	}
}

// Delivery counts an attempt to deliver an event, or an event that could not be attempted.
func (m *Metrics) Delivery(outcome string) {
	if m != nil {
		m.deliveries.WithLabelValues(outcome).Inc()
	}
}

// Job counts a run of a job.
func (m *Metrics) Job(kind, outcome string) {
	if m != nil {
		m.jobs.WithLabelValues(kind, outcome).Inc()
	}
}

// BankFile counts a file that was exchanged with the bank.
func (m *Metrics) BankFile(direction, outcome string) {
	if m != nil {
		m.files.WithLabelValues(direction, outcome).Inc()
	}
}
