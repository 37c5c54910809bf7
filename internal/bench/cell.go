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
	Partners int    `json:"partners,omitempty"`
	Dead     int    `json:"dead,omitempty"`    // how many of the partners' receivers are dead
	Backlog  int    `json:"backlog,omitempty"` // events that waited at the start
	Lines    int    `json:"lines,omitempty"`   // of the statement
	Of       string `json:"of,omitempty"`      // what the lines are

	PerSecond float64 `json:"perSecond"` // successful operations; deliveries to live receivers in webhooks
	P50Ms     float64 `json:"p50Ms"`
	P99Ms     float64 `json:"p99Ms"`
	P999Ms    float64 `json:"p999Ms"`

	FloorPerSecond *float64 `json:"floorPerSecond,omitempty"` // of the engine itself under the same load
	Ratio          *float64 `json:"ratio,omitempty"`          // perSecond / floorPerSecond

	TransfersPerSecond *float64 `json:"transfersPerSecond,omitempty"` // that made the events
	Waiting            *int64   `json:"waiting,omitempty"`            // events for live receivers that had not arrived at the end
	StartMs            *float64 `json:"startMs,omitempty"`            // from the start of the process to the first 200 of /readyz

	RSSMb        float64 `json:"rssMb"`        // the most that the server had in memory, in MiB
	LoadCores    float64 `json:"loadCores"`    // processors that the load generator kept busy
	ServerCores  float64 `json:"serverCores"`  // … and the server, without PostgreSQL
	MachineCores float64 `json:"machineCores"` // … and everything on the machine
	LoadShare    float64 `json:"loadShare"`    // loadCores of loadCores and serverCores

	ServerMicros   float64 `json:"serverMicros,omitempty"`   // processor time of the server for each operation, in microseconds
	DatabaseMicros float64 `json:"databaseMicros,omitempty"` // … and of PostgreSQL, if it was started for this

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
	c.times(s.took)
	if c.FloorPerSecond != nil && *c.FloorPerSecond > 0 {
		ratio := round(c.PerSecond / *c.FloorPerSecond, 2)
		c.Ratio = &ratio
	}
	c.count(s.problems)
	c.use(s.from, s.to)
	c.each(s.from, s.to, len(s.took))
	return c.peak(srv)
}

// each notes the processor time of each operation, of some between two moments.
func (c *Cell) each(from, to usage, operations int) {
	if n := float64(operations); n > 0 {
		c.ServerMicros = round(float64((to.server-from.server).Microseconds())/n, 0)
		c.DatabaseMicros = round(float64((to.engine-from.engine).Microseconds())/n, 0)
	}
}

// times notes the quantiles of times in ascending order.
func (c *Cell) times(took []time.Duration) {
	c.P50Ms, c.P99Ms, c.P999Ms = ms(quantile(took, 0.5)), ms(quantile(took, 0.99)), ms(quantile(took, 0.999))
}

// count adds problems to those that the cell has.
func (c *Cell) count(problems map[string]int64) {
	for kind, n := range problems {
		if n == 0 {
			continue
		}
		if c.Problems == nil {
			c.Problems = map[string]int64{}
		}
		c.Problems[kind] += n
		c.Errors += n
	}
}

// peak notes the most that the server has had in memory so far.
func (c *Cell) peak(srv *server) error {
	peak, err := peakMemory(srv.pid())
	c.RSSMb = round(peak, 1)
	return err
}

// use notes what was used of the processors between two moments.
func (c *Cell) use(from, to usage) {
	span := to.at.Sub(from.at)
	c.LoadCores = round(cores(to.load-from.load, span), 3)
	c.ServerCores = round(cores(to.server-from.server, span), 3)
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

const rowForm = "%-9s %-8s %-12s %7s %8s %10s %9s %9s %9s %7s %6s %6s %6s %6s %6s %6s %6s  %s\n"

// columns prints the names of the columns of print.
func (s *session) columns() error {
	_, err := fmt.Fprintf(s.Out, rowForm, "bench", "engine", "scenario", "clients", "receiver", "perSecond", "p50Ms", "p99Ms", "p999Ms",
		"floor", "ratio", "load", "server", "all", "share", "rssMb", "errors", "more")
	return err
}

// print tells a cell as soon as it was measured.
func (s *session) print(c Cell) error {
	if s.JSON {
		return json.NewEncoder(s.Out).Encode(c)
	}
	receiver := "-"
	if c.Receiver != nil {
		receiver = map[bool]string{true: "yes", false: "no"}[*c.Receiver]
	}
	_, err := fmt.Fprintf(s.Out, rowForm, c.Bench, c.Engine, c.Scenario, fmt.Sprint(c.Clients), receiver,
		number(&c.PerSecond, 0), number(&c.P50Ms, 2), number(&c.P99Ms, 2), number(&c.P999Ms, 2),
		number(c.FloorPerSecond, 0), number(c.Ratio, 2), number(&c.LoadCores, 3), number(&c.ServerCores, 3), number(&c.MachineCores, 2),
		fmt.Sprintf("%.0f%%", 100*c.LoadShare), number(&c.RSSMb, 0), fmt.Sprint(c.Errors), c.more())
	return err
}

func number(x *float64, digits int) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, *x)
}

// more is what only some benchmarks tell, and what went wrong.
func (c Cell) more() string {
	var parts []string
	if c.Partners > 0 {
		parts = append(parts, fmt.Sprintf("%d partners, %d of them dead", c.Partners, c.Dead))
	}
	if c.Backlog > 0 {
		parts = append(parts, fmt.Sprintf("backlog of %d", c.Backlog))
	}
	if c.Lines > 0 {
		parts = append(parts, fmt.Sprintf("%d lines, %s", c.Lines, c.Of))
	}
	if c.TransfersPerSecond != nil {
		parts = append(parts, fmt.Sprintf("%.0f transfers/s", *c.TransfersPerSecond))
	}
	if c.Waiting != nil {
		parts = append(parts, fmt.Sprintf("%d waiting", *c.Waiting))
	}
	if c.StartMs != nil {
		parts = append(parts, fmt.Sprintf("ready after %.0f ms", *c.StartMs))
	}
	if c.ServerMicros > 0 {
		each := fmt.Sprintf("%.0f µs of the server", c.ServerMicros)
		if c.DatabaseMicros > 0 {
			each += fmt.Sprintf(" and %.0f µs of PostgreSQL", c.DatabaseMicros)
		}
		parts = append(parts, each+" for each")
	}
	for _, kind := range slices.Sorted(maps.Keys(c.Problems)) {
		parts = append(parts, fmt.Sprintf("%d × %s", c.Problems[kind], kind))
	}
	return strings.Join(parts, ", ")
}
