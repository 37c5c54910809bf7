package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Database counts and times transactions.
type Database struct {
	transactions *series[ending]
	retries      *prometheus.CounterVec
	applied      prometheus.Histogram
	groups       prometheus.Histogram
}

func newDatabase(r prometheus.Registerer) *Database {
	transactions := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kontor_db_transaction_duration_seconds", Buckets: latencies,
		Help: "Time of transactions with all their attempts, by kind (update, view, snapshot) and outcome (ok, refused, unavailable).",
	}, []string{"kind", "outcome"})
	d := &Database{
		transactions: newSeries(transactions, ending.labels),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kontor_db_retries_total",
			Help: "Further attempts of updates, by cause: the constraint that collided, or serialization.",
		}, []string{"cause"}),
		applied: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kontor_db_apply_duration_seconds", Buckets: latencies,
			Help: "Time from handing over what an update wrote until it is durable or refused, with the wait in line.",
		}),
		groups: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kontor_db_group_size", Buckets: []float64{1, 2, 4, 8, 16, 32, 64},
			Help: "Updates that one commit held.",
		}),
	}
	r.MustRegister(transactions, d.retries, d.applied, d.groups)
	return d
}

// Transaction counts a transaction that has ended.
func (d *Database) Transaction(kind, outcome string, took time.Duration) {
	d.transactions.of(ending{kind, outcome}).Observe(took.Seconds())
}

// ending is what transactions are told apart by.
type ending struct{ kind, outcome string }

func (e ending) labels() []string { return []string{e.kind, e.outcome} }

// Retried counts a further attempt.
func (d *Database) Retried(cause string) { d.retries.WithLabelValues(cause).Inc() }

// Applied times the commit of what an update wrote.
func (d *Database) Applied(took time.Duration) { d.applied.Observe(took.Seconds()) }

// Grouped counts a commit that held several updates.
func (d *Database) Grouped(members int) { d.groups.Observe(float64(members)) }
