package main

import (
	"os"
	"strconv"
	"syscall"
)

// yieldToServers lowers the priority of the process, so that what viewers ask takes the time
// that nameservers on the machine leave. On Linux, priorities are those of threads; new ones
// have that of the thread that makes them. Where the kernel groups sessions (sched(7),
// autogroup), they count within a session only, which has a priority of its own: a service is a
// session, and a command in a terminal leaves that of the terminal as it is.
func yieldToServers() {
	const niceness = 10
	if session, _, err := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0); err == 0 && int(session) == os.Getpid() {
		// Without such groups, there is no such file.
		_ = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(niceness)), 0)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, niceness)
		}
	}
}
