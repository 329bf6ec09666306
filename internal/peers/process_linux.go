package peers

import "syscall"

// processAttributes gives a server a process group of its own, and lets it end
// with the process that started it.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
