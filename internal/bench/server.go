//go:build linux

package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second // until a server must be ready
	stopLimit  = 30 * time.Second // until it must have ended after it was told to
	logTail    = 2000             // bytes of its log that are shown when it fails
)

// server is the program in a process of its own.
type server struct {
	cmd     *exec.Cmd
	address string
	log     string
	ready   time.Duration // from the start of the process to the first 200 of /readyz
	ended   chan struct{} // closed when the process has ended
	err     error         // how; to be read after ended
}

// serve starts a server on the data and waits until it is ready.
func (p place) serve(ctx context.Context) (*server, error) {
	return p.launch(ctx, "serve", "--master-key", "", "--master-key-file", filepath.Join(p.folder, "master.key"))
}

// launch starts a command that serves, on the data and on a port of its own.
func (p place) launch(ctx context.Context, command string, args ...string) (*server, error) {
	args = append([]string{command, "--data", p.folder, "--database", p.database, "--listen", "127.0.0.1:0"}, args...)
	s := &server{cmd: exec.Command(p.s.Program, args...), log: filepath.Join(p.folder, "server.log"), ended: make(chan struct{})}
	s.cmd.Env = surroundings()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.spawn(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	told := make(chan string, 1)
	go listen(bufio.NewScanner(out), told)
	if err := s.await(limited, told); err != nil {
		s.stop()
		return nil, fmt.Errorf("the server does not start: %w\n%s", err, s.tail())
	}
	s.ready = time.Since(began)
	return s, nil
}

// surroundings are the environment without the settings of another deployment.
func surroundings() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KONTOR_") && !strings.HasPrefix(v, "OTEL_") {
			env = append(env, v)
		}
	}
	return env
}

// listen reads what the program prints, to its end, and tells the address on which it serves.
func listen(lines *bufio.Scanner, told chan<- string) {
	for known := false; lines.Scan(); {
		_, rest, ok := strings.Cut(lines.Text(), "http://127.0.0.1:")
		if port, _, _ := strings.Cut(rest, " "); ok && !known {
			known = true
			told <- "127.0.0.1:" + port
		}
	}
}

// spawn starts the process so that it dies with this one, however that one dies. Linux sends the signal
// for that when the thread ends that made the child, so this thread lives as long as the child.
func (s *server) spawn() error {
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.err = s.cmd.Wait()
		}
		close(s.ended)
	}()
	return <-started
}

func (s *server) await(ctx context.Context, told <-chan string) error {
	select {
	case s.address = <-told:
	case <-s.ended:
		return fmt.Errorf("it ended: %w", s.err)
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended: %w", s.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop ends the server in order and waits until it is gone.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended already
	select {
	case <-s.ended:
	case <-time.After(stopLimit):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// tail is the end of the server's log without the lines of requests.
func (s *server) tail() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	var kept strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "msg=request ") {
			kept.WriteString(line)
		}
	}
	return kept.String()[max(0, kept.Len()-logTail):]
}
