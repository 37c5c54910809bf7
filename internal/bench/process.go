//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the kernel's unit of processor time in /proc, on every architecture that Go runs on (USER_HZ).
const tick = time.Second / 100

// usage is processor time that was used up to a moment.
type usage struct {
	at      time.Time
	load    time.Duration // by this process
	server  time.Duration
	engine  time.Duration // by the PostgreSQL server that was started for this, with all its processes
	machine time.Duration // by all processes of the machine
}

// measure reads what was used up to now; pid is the server's.
func measure(pid int) (u usage, err error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return u, err
	}
	u.at = time.Now()
	u.load = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	if u.server, err = processorTime(pid); err != nil {
		return u, err
	}
	if u.engine, err = postgresTime(os.Getpid()); err != nil {
		return u, err
	}
	u.machine, err = machineTime()
	return u, err
}

// postgresTime adds up the times of the PostgreSQL servers that a process has started: of each server, of the
// processes that it has, and of those that have ended.
func postgresTime(parent int) (total time.Duration, err error) {
	const utime, stime, cutime, cstime, ppid = 11, 12, 13, 14, 1
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	processes := map[string][]string{} // by their ids
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil { // it has ended meanwhile
			continue
		}
		if head, rest, _ := strings.Cut(string(text), ") "); strings.HasSuffix(head, "(postgres") {
			id, _, _ := strings.Cut(head, " ")
			processes[id] = strings.Fields(rest)
		}
	}
	starter := strconv.Itoa(parent)
	for _, fields := range processes {
		which := []int{utime, stime}
		if fields[ppid] == starter { // a server, which waits for its processes
			which = append(which, cutime, cstime)
		} else if server, ok := processes[fields[ppid]]; !ok || server[ppid] != starter {
			continue
		}
		used, err := sum(fields, which...)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// processorTime reads the time of a process from /proc/<pid>/stat; see proc_pid_stat(5).
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in brackets, may hold anything; utime and stime are the 12th and 13th after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	return sum(strings.Fields(rest), 11, 12)
}

// machineTime reads the time in which the machine's processors were not idle; see proc_stat(5).
func machineTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return sum(strings.Fields(line), 1, 2, 3, 6, 7) // user, nice, system, irq, softirq
}

func sum(fields []string, which ...int) (time.Duration, error) {
	var total time.Duration
	for _, i := range which {
		if i >= len(fields) {
			return 0, fmt.Errorf("/proc has only %d fields", len(fields))
		}
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(n) * tick
	}
	return total, nil
}

// peakMemory reads what a process had in memory at most, in megabytes of 2^20 bytes; see proc_pid_status(5).
func peakMemory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "\nVmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscanf(rest, "%g kB", &kilobytes); err != nil {
		return 0, fmt.Errorf("VmHWM: %w", err)
	}
	return kilobytes / 1024, nil
}

// cores is how many processors were kept busy between two moments.
func cores(used, in time.Duration) float64 { return used.Seconds() / in.Seconds() }
