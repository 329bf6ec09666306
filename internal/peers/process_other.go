//go:build unix && !linux

package peers

import "syscall"

// processAttributes gives a server a process group of its own.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
