package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Watchlist is a list that this node screens users against.
type Watchlist struct {
	Source  string // whose list
	Date    string // when the source made it, YYYY-MM-DD
	Age     time.Duration
	Persons int64
}

// WatchLists tells with every scrape which lists this node screens users against.
func (m *Metrics) WatchLists(read func() []Watchlist) {
	labels := []string{"list", "date"}
	m.registry.MustRegister(&watchlists{
		read:    read,
		age:     prometheus.NewDesc("kontor_screening_list_age_seconds", "Time since the source made the list that this node screens against.", labels, nil),
		persons: prometheus.NewDesc("kontor_screening_list_persons", "Persons on the list that this node screens against.", labels, nil),
	})
}

// watchlists is a prometheus.Collector.
type watchlists struct {
	read         func() []Watchlist
	age, persons *prometheus.Desc
}

// Describe names the figures.
func (w *watchlists) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- w.age
	descriptions <- w.persons
}

// Collect reads the figures.
func (w *watchlists) Collect(figures chan<- prometheus.Metric) {
	for _, l := range w.read() {
		figures <- prometheus.MustNewConstMetric(w.age, prometheus.GaugeValue, l.Age.Seconds(), l.Source, l.Date)
		figures <- prometheus.MustNewConstMetric(w.persons, prometheus.GaugeValue, float64(l.Persons), l.Source, l.Date)
	}
}
