//go:build linux

package fault

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kontor/internal/db"
)

// limit sets a soft limit of the running process and answers the one it had.
func (n *node) limit(resource int, to uint64) (before uint64) {
	n.t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(n.pid(), resource, nil, &old); err != nil {
		n.t.Fatal(err)
	}
	if err := unix.Prlimit(n.pid(), resource, &unix.Rlimit{Cur: min(to, old.Max), Max: old.Max}, nil); err != nil {
		n.t.Fatal(err)
	}
	return old.Cur
}

// TestFileDescriptorsRunOut lets the program open hardly another file or connection while many clients connect. They
// wait or are turned away; nothing goes wrong, and the program goes on when it may open files again.
func TestFileDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	eachEngine(t, 20, func(t *testing.T, engine db.Engine) {
		l := startLoaded(t, 8, place(t, engine)...)
		for range 2 {
			l.progress(50 + l.rng.IntN(100))
			open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.s.pid()))
			if err != nil {
				t.Fatal(err)
			}
			before := l.s.limit(unix.RLIMIT_NOFILE, uint64(len(open)+l.rng.IntN(4)))
			release := crowd(t, l.s.url, 64)
			l.client.CloseIdleConnections() // the load has to connect anew
			l.s.logs("too many open files")
			pause(t.Context(), time.Second)
			l.s.limit(unix.RLIMIT_NOFILE, before)
			release()
			l.recovered("files could not be opened", time.Now(), l.s.node)
		}
		l.finish()
	})
}

// crowd connects so many clients that ask for nothing, until they are released.
func crowd(t *testing.T, base string, clients int) (release func()) {
	t.Helper()
	var all []net.Conn
	for range clients {
		conn, err := net.Dial("tcp4", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	return func() {
		for _, conn := range all {
			conn.Close()
		}
	}
}

// logs waits until the node's log has a text.
func (n *node) logs(text string) {
	n.t.Helper()
	err := eventually(n.t, settleLimit, func() error {
		log, err := os.ReadFile(n.logPath)
		if err == nil && !bytes.Contains(log, []byte(text)) {
			err = fmt.Errorf("the log does not have %q", text)
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// TestMemoryRunsOut runs the program with little memory. Bodies that are too large do not take it: the program reads no
// more of them than it would take. Then it has less than it needs even for that, so that it dies in the middle of its
// work, and comes back clean.
func TestMemoryRunsOut(t *testing.T) {
	t.Parallel()
	eachEngine(t, 20, func(t *testing.T, engine db.Engine) {
		l := startLoaded(t, 8, place(t, engine)...)
		l.s.kill()
		l.s.env = []string{"GOMEMLIMIT=32MiB"} // below what it uses, so that the collector runs all the time
		l.s.start()
		l.recovered("it was started with little memory", time.Now(), l.s.node)
		l.progress(50 + l.rng.IntN(100))
		l.s.limit(unix.RLIMIT_DATA, l.s.dataSize()+96<<20)
		l.flood()
		if err := eventually(t, backLimit, l.s.ready); err != nil {
			t.Fatalf("after bodies that are too large the program is gone: %v", err)
		}
		l.s.limit(unix.RLIMIT_DATA, l.s.dataSize()+4<<20)
		ctx, cancel := context.WithCancel(t.Context())
		stuffed := l.stuff(ctx)
		select {
		case <-l.s.process.done:
		case <-time.After(settleLimit):
			t.Error("the program lives on, although it had no memory left")
		}
		cancel()
		stuffed.Wait()
		l.s.kill() // what is left of it
		l.s.verifyHere("after its memory ran out")
		l.s.env = nil
		l.s.start()
		l.recovered("its memory ran out", time.Now(), l.s.node)
		l.finish()
	})
}

// dataSize is how much memory of its own the process has, in bytes, as RLIMIT_DATA counts it.
func (n *node) dataSize() uint64 {
	n.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.pid()))
	if err != nil {
		n.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if size, ok := strings.CutPrefix(line, "VmData:"); ok {
			kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(size), "kB")), 10, 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return kb << 10
		}
	}
	n.t.Fatal("no VmData")
	return 0
}

// flood sends bodies that are far too large, several at a time. Each is refused, or its connection is closed.
func (l *loaded) flood() {
	const senders, size = 8, 64 << 20
	body := encode(map[string]any{"reference": strings.Repeat("x", size)})
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			got, err := l.call(l.t.Context(), http.MethodPost, l.s.url+"/v1/transfer", "", body)
			if code := got.member("errorCode"); err == nil && code != "P406" {
				l.change(func() { l.complain("a body of %d bytes is answered %s", size, got) })
			}
		})
	}
	group.Wait()
}

// stuff sends the largest bodies that are taken, many at a time, until the context ends.
func (l *loaded) stuff(ctx context.Context) *sync.WaitGroup {
	const senders = 64
	body := encode(map[string]any{"reference": strings.Repeat("x", 1<<20-100)})
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for ctx.Err() == nil {
				// Answered P403 at best; what matters is what the operations of the load become.
				_, _ = l.call(ctx, http.MethodPost, l.s.url+"/v1/transfer", "", body)
				pause(ctx, retryPause)
			}
		})
	}
	return &group
}
