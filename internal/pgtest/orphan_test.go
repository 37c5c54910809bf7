//go:build linux

package pgtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphanVariable makes the test binary play a program that is killed while its server runs.
const orphanVariable = "KONTOR_PGTEST_ORPHAN"

// orphan starts a server, tells its folder, and waits to be killed.
func orphan() {
	s, err := Start(Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("folder", s.cluster.dir)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func TestServerDiesWithKilledProgram(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), orphanVariable+"=1")
	stdin, err := cmd.StdinPipe() // held open, so that only the signal ends the program
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	folder, ok := strings.CutPrefix(strings.TrimSpace(line), "folder ")
	if !ok {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("the program said %q", line)
	}
	defer os.RemoveAll(folder)
	family := processesOf(t, folder)
	if len(family) < 2 {
		t.Fatalf("found only the processes %v of the server; the check below would prove nothing", family)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	waitUntilDead(t, family)
}

// processesOf returns the server in the folder and its children.
func processesOf(t *testing.T, folder string) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", first, first))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, field := range append(strings.Fields(string(children)), first) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func waitUntilDead(t *testing.T, pids []int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for _, pid := range pids {
		for alive(pid) {
			select {
			case <-deadline:
				t.Fatalf("process %d of the server outlived the program that started it", pid)
			case <-again.C:
			}
		}
	}
}

// alive tells whether the process runs. A zombie does not: some containers have no init that reaps orphans.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
