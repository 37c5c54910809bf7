package pgtest

import "syscall"

// dieWithParent makes the kernel stop the child when we die, however we die. SIGQUIT is PostgreSQL's
// immediate shutdown: unlike SIGKILL it lets the server take its children and its shared memory along.
func dieWithParent(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGQUIT
}
