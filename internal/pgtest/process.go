//go:build unix

package pgtest

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child that runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // how it ended; to be read after done
}

// spawn starts cmd.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// run starts the child and waits for it, on one thread that lives as long as the child: Linux sends a child
// its parent-death signal when the thread that made it ends, not when the process does.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// end sends the signal and waits until the child has ended; after the limit it orders PostgreSQL's
// immediate shutdown, which never takes longer than a few seconds.
func (p *process) end(signal syscall.Signal, limit time.Duration) {
	p.cmd.Process.Signal(signal) // an error means that it has ended already
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.done
	}
}
