//go:build linux

package fault

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"kontor/internal/db"
	"kontor/internal/pgtest"
)

var (
	long    = flag.Bool("long", false, "break things more often, and under more load")
	minutes = flag.Int("minutes", 0, "how long the long version goes on; 0: until all is done that it wants to do")
	seed    = flag.Uint64("seed", 0, "seed of the random choices; 0 draws one for each test")
)

var (
	scratch string // a folder for all tests
	started = time.Now()
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "64"); err != nil { // slots limit them
		panic(err)
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy's
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "kontor-fault-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	code := pgtest.Main(m).Run()
	if *long {
		tallies.print(os.Stdout)
	}
	return code
}

// program builds the program under test, once, and answers its path.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "kontor")
	if out, err := exec.Command("go", "build", "-o", path, "kontor/cmd/kontor").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// slots are for the rounds that run at a time. They wait much, but their programs and databases share the machine.
var slots = make(chan struct{}, 2*runtime.GOMAXPROCS(0))

// repeatedly runs rounds of a test, each of which begins anew: one, and in the long version so many, or as many as
// begin within the minutes that were asked for.
func repeatedly(t *testing.T, many int, round func(t *testing.T)) {
	t.Helper()
	wait := func(t *testing.T) {
		slots <- struct{}{}
		defer func() { <-slots }()
		round(t)
	}
	if !*long {
		wait(t)
		return
	}
	end := started.Add(time.Duration(*minutes) * time.Minute)
	for i := 1; i == 1 || *minutes > 0 && time.Now().Before(end) || *minutes == 0 && i <= many; i++ {
		if !t.Run(strconv.Itoa(i), wait) {
			return
		}
	}
}

// random makes the choices of a test, and prints what repeats them.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// eachEngine runs a test on both engines, in parallel, and in the long version repeatedly.
func eachEngine(t *testing.T, many int, f func(t *testing.T, engine db.Engine)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			repeatedly(t, many, func(t *testing.T) { f(t, engine) })
		})
	}
}
