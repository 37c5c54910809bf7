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
func (s *session) head(title string) error {
	if s.JSON {
		return nil
	}
	took, err := syncTime(s.folder)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s\n\n", title)
	fmt.Fprintf(s.Out, "machine   %s, %d cores, Linux %s, %s\n", processor(), runtime.NumCPU(), kernel(), runtime.Version())
	fmt.Fprintf(s.Out, "folder    %s, fsync of 4 KiB takes %.2f ms (median)\n", s.Folder, ms(took))
	fmt.Fprintf(s.Out, "measured  %s for each cell after a warm-up of %s, closed loop over HTTP on loopback\n", s.Measured, s.warmUp())
	fmt.Fprintf(s.Out, "server    kontor serve in a process of its own, environment staging, its log in a file, no metrics\n")
	if slices.Contains(s.Engines, db.SQLite) {
		fmt.Fprintf(s.Out, "sqlite    WAL, synchronous=FULL, one writer; floor: one transaction per operation through one connection\n")
	}
	if slices.Contains(s.Engines, db.Postgres) {
		fmt.Fprintf(s.Out, "postgres  %s, pool of %d; floor: one transaction per operation, in one round trip, same pool\n", s.origin(), poolSize)
	}
	fmt.Fprintln(s.Out)
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
