package interop

import (
	"os/exec"
	"path/filepath"
	"syscall"
)

// withResolvConf makes a command run with a file in the place of
// /etc/resolv.conf, in a mount namespace of its own.
func withResolvConf(file string, argv ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, file}, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.Dir = filepath.Dir(file)
	return cmd
}
