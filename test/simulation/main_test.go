package simulation

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/pgtest"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run the history of this seed only; 0: new ones for as long as there is time")
	modeFlag = flag.String("mode", "", "run histories of this mode only: sequential or concurrent")
	minutes  = flag.Int("minutes", 0, "how long to run new histories; 0: a few seconds for each engine")
)

// budget is how long new histories are begun for one engine when nobody says for how long.
const budget = 18 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(pgtest.Main(m).Run())
}

// mode is how a history is made.
type mode string

const (
	sequential mode = "sequential" // one player; the seed repeats everything
	concurrent mode = "concurrent" // several players at the same time
)

var modes = []mode{sequential, concurrent}

// TestSimulation runs new histories on both engines until time is up or one of them violates something.
func TestSimulation(t *testing.T) {
	t.Parallel()
	var violated atomic.Bool
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			total := newSummary(engine)
			defer func() { t.Log(total) }()
			if *seedFlag != 0 {
				simulate(t, total, engine, mode(*modeFlag), *seedFlag)
				return
			}
			limit := budget
			if *minutes > 0 {
				limit = time.Duration(*minutes) * time.Minute
			}
			for start, n := time.Now(), 0; !violated.Load() && (n < len(modes) || time.Since(start) < limit); n++ {
				m := modes[n%len(modes)]
				if *modeFlag != "" {
					m = mode(*modeFlag)
				}
				if !simulate(t, total, engine, m, rand.Uint64()) {
					violated.Store(true)
				}
			}
		})
	}
}

// simulate runs one history, and tells whether nothing was violated.
func simulate(t *testing.T, total *summary, engine db.Engine, m mode, seed uint64) bool {
	t.Helper()
	return t.Run(fmt.Sprintf("%s-%d", m, seed), func(t *testing.T) {
		target := dbtest.Target(t, engine)
		var w *world
		start := time.Now()
		defer func() { total.add(w, time.Since(start)) }()
		synctest.Test(t, func(t *testing.T) {
			w = newWorld(t, engine, target, seed)
			defer w.close()
			w.setUp()
			if m == concurrent {
				w.runConcurrently()
			} else {
				w.runSequentially()
			}
			w.tell(m)
		})
	})
}
