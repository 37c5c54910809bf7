//go:build unix && !linux

package pgtest

import "syscall"

// dieWithParent does nothing where the kernel offers nothing. A server left by a killed program ends within a
// minute after the next Start has swept its folder away: PostgreSQL watches its lock file.
func dieWithParent(*syscall.SysProcAttr) {}
