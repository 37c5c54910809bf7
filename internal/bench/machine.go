//go:build linux

package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"kontor/internal/db"
)

// head tells on what, and with what settings, is measured.
func (s *session) head(about subject) error {
	if s.JSON {
		return nil
	}
	took, err := syncTime(s.folder)
	if err != nil {
		return err
	}
	lines := [][2]string{
		{"machine", fmt.Sprintf("%s, %d cores, Linux %s, %s", processor(), runtime.NumCPU(), kernel(), runtime.Version())},
		{"folder", fmt.Sprintf("%s, fsync of 4 KiB takes %.2f ms (median)", s.Folder, ms(took))},
		{"load", about.load},
		{"measured", fmt.Sprintf("%s for each cell, after a warm-up of %s", s.Measured, s.warmUp())},
		{"server", fmt.Sprintf("kontor %s in a process of its own, environment staging, log in a file, no metrics", about.server)},
	}
	if slices.Contains(s.Engines, db.SQLite) {
		lines = append(lines, [2]string{"sqlite", "WAL, synchronous=FULL, one writer"})
	}
	if slices.Contains(s.Engines, db.Postgres) {
		lines = append(lines, [2]string{"postgres", fmt.Sprintf("%s, pool of %d", s.origin(), poolSize)})
	}
	if about.floor != "" {
		lines = append(lines, [2]string{"floor", about.floor})
	}
	var text strings.Builder
	text.WriteString(about.title + "\n\n")
	for _, l := range lines {
		fmt.Fprintf(&text, "%-9s %s\n", l[0], l[1])
	}
	if _, err := fmt.Fprintln(s.Out, text.String()); err != nil {
		return err
	}
	return s.columns()
}

func (s *session) origin() string {
	if s.Database == "" {
		return "started for this, fsync=on, synchronous_commit=on"
	}
	return "as named by --database"
}

// syncTime is how long it takes until a written page is on the disk.
func syncTime(folder string) (median time.Duration, err error) {
	const times, page = 100, 4096
	f, err := os.CreateTemp(folder, "fsync-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var took []time.Duration
	for range times {
		start := time.Now()
		if _, err := f.Write(make([]byte, page)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return quantile(took, 0.5), nil
}

// processor is the model, as the kernel calls it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
