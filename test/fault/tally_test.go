//go:build linux

package fault

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tally is what a test did and met, over all its rounds.
type tally struct {
	faults       int // kills, outages and the like
	acknowledged int // operations
	refused      int // operations, for want of funds
	doubtful     int // operations with a request whose outcome was unknown at first
	happened     int // of these, the ones that had happened already when they were repeated
	violations   int
	recoveries   []time.Duration // from the end of a fault to a transfer that succeeded
}

// ledger of all tests.
type allTallies struct {
	mu sync.Mutex
	of map[string]*tally // by test, without the number of the round
}

var tallies = allTallies{of: map[string]*tally{}}

// change changes the tally of a test.
func (a *allTallies) change(test string, f func(*tally)) {
	parts := strings.Split(test, "/")
	if n := len(parts) - 1; n > 0 && strings.Trim(parts[n], "0123456789") == "" {
		parts = parts[:n]
	}
	name := strings.Join(parts, "/")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[name] == nil {
		a.of[name] = &tally{}
	}
	f(a.of[name])
}

// print writes the summary of a long run.
func (a *allTallies) print(out io.Writer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var sum tally
	fmt.Fprintf(out, "\nSummary after %s:\n", time.Since(started).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(a.of)) {
		t := a.of[name]
		fmt.Fprintf(out, "%s: %s\n", name, t)
		sum.faults += t.faults
		sum.acknowledged += t.acknowledged
		sum.refused += t.refused
		sum.doubtful += t.doubtful
		sum.happened += t.happened
		sum.violations += t.violations
		sum.recoveries = append(sum.recoveries, t.recoveries...)
	}
	fmt.Fprintf(out, "all: %s\n", &sum)
}

func (t *tally) String() string {
	text := fmt.Sprintf("%d faults, %d operations acknowledged, %d refused, %d doubtful of which %d had happened, %d violations",
		t.faults, t.acknowledged, t.refused, t.doubtful, t.happened, t.violations)
	if n := len(t.recoveries); n > 0 {
		slices.Sort(t.recoveries)
		text += fmt.Sprintf("; back after %s (median), %s (slowest of %d)",
			t.recoveries[n/2].Round(time.Millisecond), t.recoveries[n-1].Round(time.Millisecond), n)
	}
	return text
}
