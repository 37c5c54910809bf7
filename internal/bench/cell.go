//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Cell is what was measured of one case. Members that do not apply to a benchmark are absent.
type Cell struct {
	Bench    string `json:"bench"`
	Engine   string `json:"engine"`
	Scenario string `json:"scenario"`
	Clients  int    `json:"clients"`
	Receiver *bool  `json:"receiver,omitempty"` // webhooks are delivered meanwhile

	PerSecond float64 `json:"perSecond"` // successful operations
	P50Ms     float64 `json:"p50Ms"`
	P99Ms     float64 `json:"p99Ms"`
	P999Ms    float64 `json:"p999Ms"`

	FloorPerSecond *float64 `json:"floorPerSecond,omitempty"` // of the engine itself under the same load
	Ratio          *float64 `json:"ratio,omitempty"`          // perSecond / floorPerSecond

	RSSMb        float64 `json:"rssMb"`        // the most that the server had in memory, in MiB
	LoadCores    float64 `json:"loadCores"`    // processors that the load generator kept busy
	ServerCores  float64 `json:"serverCores"`  // … and the server, without PostgreSQL
	MachineCores float64 `json:"machineCores"` // … and everything on the machine
	LoadShare    float64 `json:"loadShare"`    // loadCores of loadCores and serverCores

	Errors   int64            `json:"errors"` // everything else than the expected answer, in the warm-up too
	Problems map[string]int64 `json:"problems,omitempty"`
}

func (c *Cell) floor(perSecond float64) {
	perSecond = round(perSecond, 1)
	c.FloorPerSecond = &perSecond
}

// fill puts a sample into the cell, and the memory that the server has taken so far.
func (c *Cell) fill(s sample, srv *server) error {
	c.PerSecond = round(s.perSecond(), 1)
	c.P50Ms, c.P99Ms, c.P999Ms = ms(s.quantile(0.5)), ms(s.quantile(0.99)), ms(s.quantile(0.999))
	if c.FloorPerSecond != nil && *c.FloorPerSecond > 0 {
		ratio := round(c.PerSecond / *c.FloorPerSecond, 2)
		c.Ratio = &ratio
	}
	c.Problems = s.problems
	for _, n := range s.problems {
		c.Errors += n
	}
	c.use(s.from, s.to)
	_, peak, err := memory(srv.cmd.Process.Pid)
	c.RSSMb = round(peak, 1)
	return err
}

// use notes what was used of the processors between two moments.
func (c *Cell) use(from, to usage) {
	span := to.at.Sub(from.at)
	c.LoadCores = round(cores(to.load-from.load, span), 2)
	c.ServerCores = round(cores(to.server-from.server, span), 2)
	c.MachineCores = round(cores(to.machine-from.machine, span), 2)
	if both := to.load - from.load + to.server - from.server; both > 0 {
		c.LoadShare = round(float64(to.load-from.load)/float64(both), 2)
	}
}

func ms(d time.Duration) float64 { return round(float64(d)/float64(time.Millisecond), 3) }

func round(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}

const rowForm = "%-9s %-8s %-12s %7s %8s %10s %9s %9s %9s %9s %6s %6s %6s %6s %6s %8s %s\n"

// columns prints the names of the columns of print.
func (s *session) columns() error {
	_, err := fmt.Fprintf(s.Out, rowForm, "bench", "engine", "scenario", "clients", "receiver", "perSecond", "p50Ms", "p99Ms", "p999Ms",
		"floor", "ratio", "load", "server", "all", "share", "rssMb", "errors")
	return err
}

// print tells a cell as soon as it was measured.
func (s *session) print(c Cell) error {
	if s.JSON {
		return json.NewEncoder(s.Out).Encode(c)
	}
	receiver, floor, ratio := "-", "-", "-"
	if c.Receiver != nil {
		receiver = map[bool]string{true: "yes", false: "no"}[*c.Receiver]
	}
	if c.FloorPerSecond != nil {
		floor = fmt.Sprintf("%.0f", *c.FloorPerSecond)
	}
	if c.Ratio != nil {
		ratio = fmt.Sprintf("%.2f", *c.Ratio)
	}
	_, err := fmt.Fprintf(s.Out, rowForm, c.Bench, c.Engine, c.Scenario, fmt.Sprint(c.Clients), receiver,
		fmt.Sprintf("%.0f", c.PerSecond), fmt.Sprintf("%.2f", c.P50Ms), fmt.Sprintf("%.2f", c.P99Ms), fmt.Sprintf("%.2f", c.P999Ms),
		floor, ratio, fmt.Sprintf("%.2f", c.LoadCores), fmt.Sprintf("%.2f", c.ServerCores), fmt.Sprintf("%.2f", c.MachineCores),
		fmt.Sprintf("%.0f%%", 100*c.LoadShare), fmt.Sprintf("%.0f", c.RSSMb), problems(c))
	return err
}

// problems lists what went wrong, by kind.
func problems(c Cell) string {
	if c.Errors == 0 {
		return "0"
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(c.Problems)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", c.Problems[kind], kind))
	}
	return strings.Join(kinds, ", ")
}
