package simulation

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"kontor/internal/db"
)

// plan decides which of the database's calls of one request fail. One goroutine at a time uses it.
type plan struct {
	rng    *rand.Rand
	chance int      // of a query to fail, in thousandths; other calls fail more often, by their weights
	fired  []string // the faults that hit
	took   int      // transactions that took effect
}

type planKey struct{}

// under lets a plan decide about what is done with the context.
func (p *plan) under(ctx context.Context) context.Context {
	return context.WithValue(ctx, planKey{}, p)
}

// calm is a context in which nothing fails.
func calm() context.Context { return (&plan{}).under(context.Background()) }

// faults is the world's injector. Of what has no plan, the program's own work, a call fails or not by the seed, by
// what it asks for and by how often that was asked before: so that goroutines may come in any order.
type faults struct {
	seed uint64

	mu         sync.Mutex
	background int // chance of what has no plan, as a plan's
	asked      map[string]uint64
	hits       int                  // all faults so far
	instant    time.Time            // of the latest fault of what has no plan
	underWay   int                  // how many of these hit at that instant
	by         map[string]int       // hits by point and failure
	statements map[string]*exposure // by text
}

// exposure tells how often a statement was executed, and how often it was made to fail.
type exposure struct{ seen, hit int }

func newFaults(seed uint64) *faults {
	return &faults{seed: seed, asked: map[string]uint64{}, by: map[string]int{}, statements: map[string]*exposure{}}
}

// setBackground changes how often the program's own work fails.
func (f *faults) setBackground(chance int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.background = chance
}

// count answers how many faults have hit so far.
func (f *faults) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// hitUnplanned counts a fault of the program's own work by its instant.
func (f *faults) hitUnplanned() {
	if now := time.Now(); !now.Equal(f.instant) {
		f.instant, f.underWay = now, 0
	}
	f.underWay++
}

// past is count without the faults of the program's own work that may be under way still, and end what is committed
// together with them. Time does not go on in the bubble while a call of the database is under way, so these are at most
// those of this instant.
func (f *faults) past() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Equal(f.instant) {
		return f.hits - f.underWay
	}
	return f.hits
}

// Inject decides about a call.
func (f *faults) Inject(ctx context.Context, c db.Call) db.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, planned := ctx.Value(planKey{}).(*plan)
	if !planned {
		p = f.own(c)
	}
	for _, s := range c.Statements {
		f.exposure(s).seen++
	}
	if p.rng == nil || p.rng.IntN(1000) >= p.chance*weights[c.Point] {
		return db.Fault{}
	}
	fault := draw(p.rng, c)
	if !planned {
		f.hitUnplanned()
	}
	p.fired = append(p.fired, fmt.Sprintf("%s at %s %d", fault.Failure, c.Point, fault.At))
	f.hits++
	f.by[string(c.Point)+" "+string(fault.Failure)]++
	if n := len(c.Statements); n > 0 {
		f.exposure(c.Statements[min(fault.At, n-1)]).hit++
	}
	return fault
}

// own is the plan of one call of the program's own work.
func (f *faults) own(c db.Call) *plan {
	key := string(c.Point) + "\n" + strings.Join(c.Statements, "\n")
	f.asked[key]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%d\n%s", f.asked[key], key)
	return &plan{rng: rand.New(rand.NewPCG(f.seed, h.Sum64())), chance: f.background}
}

func (f *faults) exposure(statement string) *exposure {
	statement = strings.Join(strings.Fields(statement), " ")
	if f.statements[statement] == nil {
		f.statements[statement] = &exposure{}
	}
	return f.statements[statement]
}

// Committed counts a transaction that took effect.
func (f *faults) Committed(ctx context.Context) {
	if p, ok := ctx.Value(planKey{}).(*plan); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		p.took++
	}
}

// weights raise the chance of what is rarer than reading, and matters more.
var weights = map[db.Point]int{
	db.AtAcquire: 1, db.AtQuery: 1, db.AtQueue: 4, db.AtLock: 2, db.AtExec: 1, db.AtCommit: 3,
}

// failures are those that can hit at a point.
var failures = map[db.Point][]db.Failure{
	db.AtAcquire: {db.Refuse},
	db.AtQuery:   {db.Refuse, db.Cut},
	db.AtQueue:   {db.Refuse, db.Break, db.Break, db.Collide, db.Abort, db.Lose, db.Lose},
	db.AtLock:    {db.Refuse},
	db.AtExec:    {db.Refuse, db.Break, db.Collide, db.Abort, db.Lose},
	db.AtCommit:  {db.Refuse, db.Lose},
}

func draw(rng *rand.Rand, c db.Call) db.Fault {
	of := failures[c.Point]
	fault := db.Fault{Failure: of[rng.IntN(len(of))]}
	switch {
	case fault.Failure == db.Cut:
		fault.At = rng.IntN(3)
	case c.Point == db.AtQueue:
		fault.At = rng.IntN(len(c.Statements) + 1)
	}
	return fault
}
