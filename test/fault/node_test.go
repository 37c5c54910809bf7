//go:build linux

package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/db"
	"kontor/internal/pgtest"
)

const (
	startLimit = time.Minute // until a node that was started is ready
	logTail    = 30          // lines of a node's log that are shown when a test fails
)

// node is the program, as a process that can be killed and started again on the same address.
type node struct {
	t       *testing.T
	args    []string
	env     []string
	url     string
	logPath string
	process *process // nil while it does not run
}

// newNode prepares a node; the address is added to the arguments.
func newNode(t *testing.T, env []string, args ...string) *node {
	t.Helper()
	address := freeAddress(t)
	n := &node{
		t: t, args: append(args, "--listen", address), env: env, url: "http://" + address,
		logPath: filepath.Join(t.TempDir(), "node.log"),
	}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", n.url, n.complaints())
		}
	})
	return n
}

// freeAddress finds a port that nobody listens on, below those that systems give to outgoing connections:
// during a restart one of these could take it.
func freeAddress(t *testing.T) string {
	t.Helper()
	const lowest, ephemeral = 10000, 32768
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(ephemeral-lowest))
		var l net.Listener
		if l, err = net.Listen("tcp4", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port:", err)
	return ""
}

// complaints is the end of the node's log without the lines of requests.
func (n *node) complaints() string {
	text, err := os.ReadFile(n.logPath)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "level=INFO msg=request") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-logTail):], "")
}

// begin starts the process and does not wait for it.
func (n *node) begin() {
	n.t.Helper()
	log, err := os.OpenFile(n.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	cmd := command(n.t, n.env, n.args...)
	cmd.Stdout, cmd.Stderr = log, log
	if n.process, err = spawn(cmd); err != nil {
		n.t.Fatal(err)
	}
}

// awaitReady waits until the node that was begun answers that it can serve.
func (n *node) awaitReady() {
	n.t.Helper()
	err := eventually(n.t, startLimit, func() error {
		select {
		case <-n.process.done:
			n.t.Fatalf("the node ended while it started: %v\n%s", n.process.err, n.complaints())
		default:
		}
		return n.ready()
	})
	if err != nil {
		n.t.Fatalf("the node is not ready after %s: %v\n%s", startLimit, err, n.complaints())
	}
}

func (n *node) start() {
	n.t.Helper()
	n.begin()
	n.awaitReady()
}

// ready asks the node whether it can serve.
func (n *node) ready() error {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(n.url + "/readyz")
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %d", resp.StatusCode)
	}
	return nil
}

// kill ends the process as kill -9 does, and returns when it is gone.
func (n *node) kill() {
	if n.process == nil {
		return
	}
	_ = n.process.cmd.Process.Kill() // an error means that it has ended already
	<-n.process.done
	n.process = nil
}

func (n *node) pid() int { return n.process.cmd.Process.Pid }

// process is a child that runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // how; to be read after done
}

// spawn starts a child that dies with the test, however the test dies. Linux sends the signal for that when
// the thread ends that made the child, so this thread lives as long as the child.
func spawn(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// command prepares the program, without what the surroundings would set for it.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KONTOR_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// tool runs a command of the program to its end and answers what it printed.
func tool(t *testing.T, env []string, args ...string) ([]byte, error) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd := command(t, env, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("kontor %s: %w\n%s%s", args[0], err, out.Bytes(), complaints.Bytes())
	}
	return out.Bytes(), nil
}

// sandbox is one node with everything in it, and how to look at its data from outside.
type sandbox struct {
	*node
	place []string // the flags that say where the data are
	creds credentials
}

// credentials are what a sandbox writes for the partner's developer.
type credentials struct {
	APIKey        string `json:"apiKey"`
	WebhookToken  string `json:"webhookToken"`
	WebhookSecret string `json:"webhookSecret"`
}

// startSandbox starts a sandbox on fresh data of an engine.
func startSandbox(t *testing.T, engine db.Engine, webhookURL string) *sandbox {
	t.Helper()
	return startSandboxAt(t, webhookURL, place(t, engine)...)
}

// place is where a sandbox has fresh data of an engine.
func place(t *testing.T, engine db.Engine) []string {
	t.Helper()
	flags := []string{"--data", t.TempDir()}
	if engine == db.Postgres {
		flags = append(flags, "--database", pgtest.NewDatabase(t))
	}
	return flags
}

// target is the database, as db.Open names it.
func (s *sandbox) target() string {
	if len(s.place) > 2 {
		return s.place[3]
	}
	return filepath.Join(s.place[1], "kontor.db")
}

// verifyHere is verify without a process of its own, for tests that verify very often.
func (s *sandbox) verifyHere(when string) {
	s.t.Helper()
	d, err := db.Open(s.t.Context(), s.target(), db.WithSchema(db.Keep))
	if err != nil {
		s.t.Fatalf("%s: %v", when, err)
	}
	found, err := app.Verify(s.t.Context(), d)
	if err := errors.Join(err, d.Close()); err != nil {
		s.t.Errorf("%s: %v", when, err)
	}
	for _, violation := range found {
		s.t.Errorf("%s: %s", when, violation)
	}
}

// startSandboxAt starts a sandbox on the data that the flags name: --data DIR, and perhaps --database URL.
func startSandboxAt(t *testing.T, webhookURL string, place ...string) *sandbox {
	t.Helper()
	args := append([]string{"sandbox", "--console-listen", "127.0.0.1:0", "--webhook-url", webhookURL}, place...)
	s := &sandbox{node: newNode(t, nil, args...), place: place}
	s.start()
	text, err := os.ReadFile(filepath.Join(place[1], "sandbox.json"))
	if err := errors.Join(err, json.Unmarshal(text, &s.creds)); err != nil {
		t.Fatal(err)
	}
	return s
}

// verify fails the test unless kontor verify finds the data without fault.
func (s *sandbox) verify(when string) {
	s.t.Helper()
	if _, err := tool(s.t, nil, append([]string{"verify"}, s.place...)...); err != nil {
		s.t.Errorf("%s: %v", when, err)
	}
}
