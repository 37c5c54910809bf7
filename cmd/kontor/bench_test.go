//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// TestBench runs each benchmark for a moment: not for its figures, but so that it stays alive.
func TestBench(t *testing.T) {
	t.Parallel()
	all := []string{"bench", "engine", "scenario", "clients", "perSecond", "p50Ms", "p99Ms", "p999Ms", "rssMb", "loadCores", "serverCores", "machineCores", "loadShare", "errors"}
	for _, c := range []struct {
		name      string
		args      []string
		cells     int
		more      []string // members beyond those of all
		positive  []string // members that cannot be zero
		receivers int      // cells with a receiver
	}{
		{
			"transfer",
			[]string{"--clients", "2", "--accounts", "20", "--scenario", "hot,overdrawn"},
			4,
			[]string{"receiver", "floorPerSecond", "ratio"},
			[]string{"perSecond", "p50Ms", "p99Ms", "p999Ms", "floorPerSecond", "ratio", "rssMb"},
			2,
		},
		{"exchange", []string{"--clients", "2", "--accounts", "20"}, 1, nil, []string{"perSecond", "p50Ms", "p99Ms", "p999Ms", "rssMb"}, 0},
		{
			"sepa",
			[]string{"--clients", "2", "--accounts", "20", "--lines", "60", "--of", "mixed"},
			3, nil,
			[]string{"perSecond", "rssMb"},
			0,
		},
		{"read", []string{"--clients", "2", "--accounts", "20", "--scenario", "mixed"}, 1, nil, []string{"perSecond", "p50Ms", "p99Ms", "p999Ms", "rssMb"}, 0},
		{
			"webhooks",
			[]string{"--backlog", "200", "--partners", "1,10", "--scenario", "backlog,idle"},
			4,
			[]string{"partners", "waiting"},
			[]string{"partners", "perSecond", "rssMb"},
			0,
		},
		{"idle", nil, 1, []string{"startMs"}, []string{"startMs", "rssMb"}, 0},
	} {
		for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
			t.Run(c.name+"/"+string(engine), func(t *testing.T) {
				t.Parallel()
				args := append([]string{"bench", c.name, "--json", "--seconds", "0.2", "--engine", string(engine)}, c.args...)
				if engine == db.Postgres {
					args = append(args, "--database", dbtest.Empty(t, engine))
				}
				cells := benchCells(t, args...)
				if len(cells) != c.cells {
					t.Fatalf("%d cells were measured, want %d", len(cells), c.cells)
				}
				receivers := 0
				for _, cell := range cells {
					for _, name := range append(c.more, all...) {
						if _, ok := cell[name]; !ok {
							t.Errorf("there is no %s in %v", name, cell)
						}
					}
					for _, name := range c.positive {
						if x, _ := cell[name].(float64); x <= 0 {
							t.Errorf("%s is %v in %v", name, cell[name], cell)
						}
					}
					if cell["bench"] != c.name || cell["engine"] != string(engine) || cell["errors"] != 0.0 || cell["problems"] != nil {
						t.Errorf("a cell is %v", cell)
					}
					if cell["receiver"] == true {
						receivers++
					}
				}
				if receivers != c.receivers {
					t.Errorf("%d cells have a receiver, want %d", receivers, c.receivers)
				}
			})
		}
	}
}

// benchCells runs a benchmark as a program, since it starts itself as its server, and answers what it printed.
func benchCells(t *testing.T, args ...string) (cells []map[string]any) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+t.TempDir())
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kontor %s: %v\n%s%s", args, err, out, problems.String())
	}
	for line := range strings.Lines(string(out)) {
		var cell map[string]any
		if err := json.Unmarshal([]byte(line), &cell); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		cells = append(cells, cell)
	}
	return cells
}
