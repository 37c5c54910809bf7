//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// cluster is a PostgreSQL data directory with its surroundings: one temporary folder that holds data/, the
// server's socket, postgres.log and the file lock. The lock is held by the program that made the folder
// for as long as it lives, so that others can tell an abandoned folder from one in use.
type cluster struct {
	dir   string
	bin   string              // where initdb and postgres are
	owner *syscall.Credential // whom the server runs as; nil: whoever we are
	lock  *os.File
}

const folderPrefix = "kontor-pg-"

// newCluster initialises a cluster below parent.
func newCluster(parent string) (*cluster, error) {
	c, err := prepareCluster(parent)
	if err != nil {
		return nil, err
	}
	err = c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
	if err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

// prepareCluster makes the folder of a cluster below parent, without its data.
func prepareCluster(parent string) (*cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	// Where PATH has links to the servers' programs only, the others are beside what the links lead to.
	if real, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres")); err == nil {
		bin = filepath.Dir(real)
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, folderPrefix)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, bin: bin, owner: owner}
	if err := c.own(); err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

// own takes the folder's lock, and gives the folder to whom the server runs as.
func (c *cluster) own() error {
	var err error
	if c.lock, err = tryLock(c.dir); err != nil {
		return err
	}
	if c.owner != nil {
		if err := os.Chown(c.dir, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// run runs one of PostgreSQL's programs to its end.
func (c *cluster) run(name string, args ...string) error {
	log, err := c.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := c.command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := spawn(cmd)
	if err != nil {
		return err
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("%s: %w:\n%s", name, p.err, c.logTail())
	}
	return nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// command prepares one of PostgreSQL's programs to run in the cluster's folder, as its owner, and to die
// with us.
func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	// English messages, and no search for the machine's time zone, which would take initdb longer than all the rest.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	// A session of its own: the terminal's Ctrl-C is for the tests, which then stop the server in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner, Setsid: true}
	dieWithParent(cmd.SysProcAttr)
	return cmd
}

func (c *cluster) logPath() string { return filepath.Join(c.dir, "postgres.log") }

// openLog empties the log, so that its tail speaks of the latest start.
func (c *cluster) openLog() (*os.File, error) { return os.Create(c.logPath()) }

func (c *cluster) logTail() string {
	const limit = 2000
	text, err := os.ReadFile(c.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-limit):])
}

func (c *cluster) remove() {
	os.RemoveAll(c.dir) // what cannot be removed now is swept later
	if c.lock != nil {
		c.lock.Close()
	}
}

// serverUser returns whom the server must run as: nil unless we are root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// freePort finds a TCP port of 127.0.0.1 that nobody listens on, below the range from which systems take
// the ports of outgoing connections.
func freePort() (int, error) {
	const lowest, ephemeral = 10000, 32768
	var err error
	for range 100 {
		port := lowest + rand.IntN(ephemeral-lowest)
		var l net.Listener
		if l, err = net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port: %w", err)
}

// sweep removes the folders that programs left below parent when they were killed. A folder younger than a
// minute is left alone: its maker may not have taken the lock yet.
func sweep(parent string, now time.Time) {
	folders, _ := filepath.Glob(filepath.Join(parent, folderPrefix+"*"))
	for _, folder := range folders {
		info, err := os.Lstat(folder)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < time.Minute {
			continue
		}
		if lock, err := tryLock(folder); err == nil {
			os.RemoveAll(folder)
			lock.Close()
		}
	}
}

// tryLock takes the folder's lock, or fails if somebody has it. Closing the file, and the death of its
// holder, give the lock back.
func tryLock(folder string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
