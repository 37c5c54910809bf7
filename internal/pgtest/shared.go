//go:build unix

package pgtest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// The cluster that all tests of one test binary share, started by the first that needs it.
var shared struct {
	mu     sync.Mutex
	server *Server
	err    error
}

// databases counts the databases made in the shared cluster; it gives each its name.
var databases atomic.Int64

func sharedServer() (*Server, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Start(Options{})
	}
	return shared.server, shared.err
}

// NewDatabase makes an empty database in the cluster that the test binary shares, and returns its URL. The
// database is dropped at the end of the test, with the sessions still open in it. The first call starts the
// cluster, which takes about a second; without PostgreSQL on the machine the test fails and says what to
// install.
func NewDatabase(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template0")
}

// Template is a database that is prepared once per test binary and then copied for each test, in a fraction
// of the time that preparing it takes. Declare it beside the tests:
//
//	var migrated = pgtest.Template{Prepare: func(url string) error { … }}
//
//	func TestStore(t *testing.T) { url := migrated.NewDatabase(t) … }
type Template struct {
	// Prepare fills the empty database at the URL, and closes its connections: PostgreSQL refuses to
	// copy a database that is in use.
	Prepare func(url string) error

	once sync.Once
	name string
	err  error
}

// NewDatabase is like the function of that name, but the database is a copy of the template.
func (tpl *Template) NewDatabase(t testing.TB) string {
	t.Helper()
	tpl.once.Do(func() { tpl.err = tpl.prepare() })
	if tpl.err != nil {
		t.Fatal(tpl.err)
	}
	return newDatabase(t, tpl.name)
}

func (tpl *Template) prepare() error {
	server, err := sharedServer()
	if err != nil {
		return err
	}
	tpl.name = nextName("template")
	if err := server.CreateDatabase(tpl.name); err != nil {
		return err
	}
	if err := tpl.Prepare(server.URL(tpl.name)); err != nil {
		return fmt.Errorf("pgtest: prepare the template: %w", err)
	}
	return nil
}

func newDatabase(t testing.TB, template string) string {
	t.Helper()
	server, err := sharedServer()
	if err != nil {
		t.Fatal(err)
	}
	name := nextName("test")
	if err := server.copyDatabase(name, template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.dropDatabase(name); err != nil {
			t.Error(err)
		}
	})
	return server.URL(name)
}

func nextName(kind string) string {
	return fmt.Sprintf("%s_%d", kind, databases.Add(1))
}

// Runner runs a package's tests; see Main.
type Runner struct{ tests interface{ Run() int } }

// Main wraps a package's tests so that the shared cluster, if one was started, is stopped and removed after
// them. It is optional (the cluster dies with the test binary, and its folder is swept by a later
// run), and it is what a check for leaked goroutines needs, since a running cluster has one:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }
func Main(m *testing.M) Runner { return Runner{tests: m} }

// Run runs the tests, stops the shared cluster and returns the exit code.
func (r Runner) Run() int {
	code := r.tests.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		shared.server.Stop()
	}
	return code
}
