package peers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolatedVariable is set in the process that runs the tests in namespaces of
// its own.
const isolatedVariable = "NULLSPF_ISOLATED"

// Isolated is for TestMain: it runs the tests in a network and a mount
// namespace of their own, and returns the exit code.
//
//	func TestMain(m *testing.M) { os.Exit(peers.Isolated(m.Run)) }
//
// Nothing but loopback is there, port 53 is free, floods meet nobody else's
// sockets, and mounts go with the process however it ends. Where the system
// does not allow that, the tests run without; see [Namespaces].
func Isolated(run func() int) int {
	if os.Getenv(isolatedVariable) != "" {
		if err := prepareNamespaces(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot prepare the namespaces of the tests:", err)
			return 1
		}
		errNoNamespaces = nil
		return run()
	}
	// The death signal comes when the thread ends that started the process.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), isolatedVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		errNoNamespaces = fmt.Errorf("the system allows no namespaces: %w", err)
		return run()
	}
	err := cmd.Wait()
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() <= 0) {
		fmt.Fprintln(os.Stderr, "the process of the tests failed:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// prepareNamespaces brings loopback up and keeps mounts to this namespace.
func prepareNamespaces() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("cannot bring loopback up: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	return nil
}
