//go:build linux

package fault

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"kontor/internal/db"
	"kontor/internal/pgtest"
)

var (
	long = flag.Bool("long", false, "break things more often, and under more load")
	seed = flag.Uint64("seed", 0, "seed of the random choices; 0 draws one for each test")
)

// scratch is a folder for all tests.
var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil { // the tests mostly wait for leases to run out
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "kontor-fault-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return pgtest.Main(m).Run()
}

// program builds the program under test, once, and answers its path.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "kontor")
	if out, err := exec.Command("go", "build", "-o", path, "kontor/cmd/kontor").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// often is how often something is done: n times, and many times as often in the long version.
func often(n, many int) int {
	if *long {
		return n * many
	}
	return n
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

// eachEngine runs a test on both engines, in parallel.
func eachEngine(t *testing.T, f func(t *testing.T, engine db.Engine)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f(t, engine)
		})
	}
}
