package packaging_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// system is a directory that is the root of a system, with network, processes and
// mounts of its own, which end with the test.
type system struct {
	root   string
	holder *exec.Cmd
}

// boot makes a system of a directory.
func boot(t *testing.T, root string) *system {
	t.Helper()
	peers.Require(t, "bash", "nsenter", "chroot", "ip", "mount")
	// The first process of the system reaps those that others leave, and ends with
	// the test, whose end of the pipe closes.
	s := &system{root, exec.Command("bash", "-c", "while read -r -t 1 || [ $? -gt 128 ]; do :; done")}
	s.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	end, err := s.holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = end.Close()
		_ = s.holder.Wait()
	})
	for _, command := range []string{
		"mount --make-rprivate /", "mount -t proc proc " + root + "/proc", "ip link set lo up",
	} {
		if out, err := s.enter(strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	return s
}

// enter returns a command that runs with the network, processes and mounts of the
// system, and the files of this one.
func (s *system) enter(argv ...string) *exec.Cmd {
	target := strconv.Itoa(s.holder.Process.Pid)
	return exec.Command("nsenter", append([]string{"-t", target, "-n", "-p", "-m", "--"}, argv...)...)
}

// try runs a shell command in the system.
func (s *system) try(command string) (string, error) {
	cmd := s.enter("chroot", s.root, "/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a shell command in the system, which must succeed.
func (s *system) run(t *testing.T, command string) string {
	t.Helper()
	out, err := s.try(command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// dial connects to an address in the system. A socket stays in the network in
// which it was made.
func (s *system) dial(network, address string) (net.Conn, error) {
	type result struct {
		net.Conn
		error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.holder.Process.Pid))
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- result{nil, err}
			return
		}
		conn, err := net.Dial(network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.Conn, r.error
}

func (s *system) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(s.root, path))
	return err == nil
}
