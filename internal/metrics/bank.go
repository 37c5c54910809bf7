package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Folder is what waits in a folder of the exchange with the bank.
type Folder struct {
	Files  int
	Oldest time.Duration // age of the oldest; 0: there is none
}

// WatchBank tells with every scrape what waits in the folders, by their names. When they cannot be read their figures
// are absent, and kontor_bank_folders_readable is 0.
func (m *Metrics) WatchBank(read func() (map[string]Folder, error)) {
	m.registry.MustRegister(&folders{
		read:     read,
		readable: prometheus.NewDesc("kontor_bank_folders_readable", "Whether the folders shared with the bank could be read: 1 or 0.", nil, nil),
		files:    prometheus.NewDesc("kontor_bank_folder_files", "Files that wait in a folder shared with the bank.", []string{"folder"}, nil),
		oldest: prometheus.NewDesc("kontor_bank_folder_oldest_seconds",
			"Age of the oldest file that waits in a folder shared with the bank; 0: there is none.", []string{"folder"}, nil),
	})
}

// folders is a prometheus.Collector.
type folders struct {
	read                    func() (map[string]Folder, error)
	readable, files, oldest *prometheus.Desc
}

// Describe names the figures.
func (f *folders) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.readable, f.files, f.oldest} {
		descriptions <- d
	}
}

// Collect reads the figures.
func (f *folders) Collect(figures chan<- prometheus.Metric) {
	now, err := f.read()
	if err != nil {
		figures <- prometheus.MustNewConstMetric(f.readable, prometheus.GaugeValue, 0)
		return
	}
	figures <- prometheus.MustNewConstMetric(f.readable, prometheus.GaugeValue, 1)
	for name, of := range now {
		figures <- prometheus.MustNewConstMetric(f.files, prometheus.GaugeValue, float64(of.Files), name)
		figures <- prometheus.MustNewConstMetric(f.oldest, prometheus.GaugeValue, of.Oldest.Seconds(), name)
	}
}
