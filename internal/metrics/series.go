package metrics

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// series finds the series of a vector by their labels, without a lock and without hashing texts: a request
// needs four. New ones are rare, since labels have few values.
type series[K comparable] struct {
	labels func(K) []string
	vector *prometheus.HistogramVec

	mu    sync.Mutex
	known atomic.Pointer[map[K]prometheus.Observer] // never changed, only replaced
}

func newSeries[K comparable](v *prometheus.HistogramVec, labels func(K) []string) *series[K] {
	s := &series[K]{labels: labels, vector: v}
	s.known.Store(&map[K]prometheus.Observer{})
	return s
}

func (s *series[K]) of(key K) prometheus.Observer {
	if found, ok := (*s.known.Load())[key]; ok {
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	more := maps.Clone(*s.known.Load())
	more[key] = s.vector.WithLabelValues(s.labels(key)...)
	s.known.Store(&more)
	return more[key]
}
