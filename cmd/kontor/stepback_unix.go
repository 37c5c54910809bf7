//go:build unix

package main

import "syscall"

// stepBack lowers the priority of this process, so that it takes what others leave. It becomes a group of its own
// first: on Linux a priority is a thread's, and that of a group is the one way to set it for all threads there are.
// What fails leaves the priority as it is.
func stepBack() {
	const nice = 10
	if syscall.Setpgid(0, 0) == nil {
		_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, nice)
	}
}
