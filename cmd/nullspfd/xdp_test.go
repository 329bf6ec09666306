package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// With the capabilities of examples/systemd/xdp.conf, and no others, an ordinary
// user answers beside the kernel; kill -9 leaves no program on the interface, and the
// next start finds it free.
func TestXDPPrivileges(t *testing.T) {
	t.Parallel()
	peers.RequireRoot(t, "network namespaces and XDP")
	w, err := peers.NewWire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	dir, err := os.MkdirTemp("/tmp", "xdp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, filepath.Join(dir, "Corefile"), `
_spf.example.net:53 {
    bind 192.0.2.1 2001:db8::1
    xdp eth0
    spftrack {
        nameservers ns1.example.net
        explain "x"
    }
    journal var
}
`)
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// The test binary may be in a directory that only root may enter.
	program := filepath.Join(dir, "nullspfd")
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(program, self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		d := &daemon{cmd: nullspfd(t, dir, "-conf", path), exited: make(chan error, 1)}
		d.cmd.Path, d.cmd.Stderr = program, d
		d.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		d.cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF}
		// The usual limit of locked memory, 8 MiB, is enough for one queue.
		err := w.Server.Do(d.cmd.Start)
		if err != nil {
			t.Fatal(err)
		}
		go func() { d.exited <- d.cmd.Wait() }()
		line := d.wait(t, "xdp: answering beside the kernel", 1)
		if line["interface"] != "eth0" || fmt.Sprint(line["addresses"]) != "[192.0.2.1:53 [2001:db8::1]:53]" {
			t.Errorf("%v", line)
		}
		d.wait(t, "ready", 1)
		for _, at := range []string{"192.0.2.1:53", "[2001:db8::1]:53"} {
			_ = w.Client.Do(func() error {
				if got := explanation(t, at); got != "x" {
					t.Errorf("explanation %q", got)
				}
				return nil
			})
		}
		if !attached(t, w) {
			t.Error("no program")
		}
		d.signal(t, []os.Signal{syscall.SIGKILL, syscall.SIGTERM}[round])
		<-d.exited
		if attached(t, w) {
			t.Error("the program is still there")
		}
	}
}

// attached reports whether there is a program on the server's interface.
func attached(t *testing.T, w *peers.Wire) bool {
	t.Helper()
	text, err := w.Server.Output("ip", "-d", "link", "show", "dev", "eth0")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(text, "prog/xdp")
}
