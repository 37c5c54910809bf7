package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"kontor/internal/db"
)

// lastSteps is how many entries of the journal a failure prints.
const lastSteps = 60

// journal keeps what was done, and what the program logged meanwhile.
type journal struct {
	mu      sync.Mutex
	entries []string
	number  int
	kinds   map[string]int
	results map[string]int
	unread  func(event string) // told of an attempt for which the program could not read an event
}

// unreadEvent is how the program logs that.
var unreadEvent = regexp.MustCompile(`msg="webhooks: cannot read an event" event=([0-9a-f-]+)`)

// step writes an entry: what was done, how it ended in a word or a code, and the answer.
func (j *journal) step(who string, at time.Time, what, result, answer string, faults []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.number++
	text := fmt.Sprintf("%5d %s %s %s\n        → %s %s", j.number, at.Format("01-02 15:04:05.000000"), who, what, result, answer)
	if len(faults) > 0 {
		text += "\n        faults: " + strings.Join(faults, ", ")
	}
	j.add(text)
	if j.results == nil {
		j.results = map[string]int{}
	}
	j.results[result]++
}

func (j *journal) add(text string) {
	if len(j.entries) >= 2*lastSteps {
		j.entries = slices.Clone(j.entries[lastSteps:])
	}
	j.entries = append(j.entries, text)
}

// count counts a kind of step.
func (j *journal) count(kind string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.kinds == nil {
		j.kinds = map[string]int{}
	}
	j.kinds[kind]++
}

// Write takes a line of the program's log.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	const enough = 400
	text := strings.TrimSpace(string(line))
	if found := unreadEvent.FindStringSubmatch(text); found != nil {
		j.unread(found[1])
	}
	j.add("        log: " + text[:min(len(text), enough)])
	return len(line), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.entries[max(0, len(j.entries)-lastSteps):], "\n")
}

// summary counts what histories on one engine consisted of.
type summary struct {
	engine     db.Engine
	histories  int
	took       time.Duration
	kinds      map[string]int
	results    map[string]int
	faults     map[string]int
	receivers  map[string]int
	payments   map[string]int
	statements map[string]*exposure
	violations int
}

func newSummary(engine db.Engine) *summary {
	return &summary{
		engine: engine, kinds: map[string]int{}, results: map[string]int{}, faults: map[string]int{}, receivers: map[string]int{},
		payments:   map[string]int{},
		statements: map[string]*exposure{},
	}
}

// add adds a history that has ended.
func (s *summary) add(w *world, took time.Duration) {
	s.histories++
	s.took += took
	for _, pair := range []struct{ to, from map[string]int }{
		{s.kinds, w.journal.kinds}, {s.results, w.journal.results}, {s.faults, w.faults.by}, {s.receivers, w.receiver.did},
	} {
		for name, n := range pair.from {
			pair.to[name] += n
		}
	}
	for _, m := range w.models() {
		for end, n := range m.ends {
			s.payments[end] += n
		}
	}
	for text, e := range w.faults.statements {
		if s.statements[text] == nil {
			s.statements[text] = &exposure{}
		}
		s.statements[text].seen += e.seen
		s.statements[text].hit += e.hit
	}
	if w.Failed() {
		s.violations++
	}
}

func (s *summary) String() string {
	hit := 0
	for _, e := range s.statements {
		if e.hit > 0 {
			hit++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d histories in %s, %d violated something\n", s.engine, s.histories, s.took.Round(time.Millisecond), s.violations)
	for _, part := range []struct {
		title  string
		counts map[string]int
	}{{"steps", s.kinds}, {"outcomes", s.results}, {"faults of the database", s.faults}, {"receivers", s.receivers}, {"payments by SEPA", s.payments}} {
		fmt.Fprintf(&b, "  %s: %s\n", part.title, ranking(part.counts))
	}
	fmt.Fprintf(&b, "  statements: %d different ones were executed, %d of them made to fail", len(s.statements), hit)
	return b.String()
}

// ranking lists counts, the highest first.
func ranking(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	total, parts := 0, make([]string, 0, len(names))
	for _, name := range names {
		total += counts[name]
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(parts, ", "))
}

// violated ends the test with what somebody needs to go on.
func (w *world) violated(m mode, err error) {
	w.Helper()
	w.Fatalf("the last steps:\n%s\n\nVIOLATED in a %s history on %s, seed %d:\n%v\n\nrun it again:\n"+
		"go test ./test/simulation -count=1 -run TestSimulation/%s -args -mode %s -seed %d",
		w.journal, m, w.engine, w.seed, err, w.engine, m, w.seed)
}
