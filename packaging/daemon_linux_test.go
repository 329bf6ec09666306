package packaging_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// TestInstalledDaemon installs into an empty directory and makes it the root of a
// system, in which nothing else is: nullspfd starts with the installed Corefile,
// waits, and serves the starter's domains at port 53 once they are published.
func TestInstalledDaemon(t *testing.T) {
	peers.Require(t, "make", "systemd-sysusers", "systemd-tmpfiles")
	peers.RequireRoot(t, "a system of its own")
	root := t.TempDir()
	run(t, "make", "install", "DESTDIR="+root)
	for _, dir := range []string{"proc", "run/nullspf"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "systemd-sysusers", "--root="+root, "nullspf.conf")
	run(t, "systemd-tmpfiles", "--root="+root, "--create", "nullspf.conf")
	s := boot(t, root)

	daemon := s.enter("chroot", root, "/usr/local/sbin/nullspfd", "-conf", "/etc/nullspf/Corefile")
	log, err := os.Create(filepath.Join(root, "run/nullspfd.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	daemon.Stderr = log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- daemon.Wait() }()
	s.waitLog(t, "nothing to serve yet")

	run(t, "make", "-C", root+"/etc/nullspf", "tsig.key")
	zones := s.enter("chroot", root, "/usr/local/bin/nullspf", "zones", "-c", "/etc/nullspf/nullspf.yaml")
	if out, err := zones.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.signal(t, "HUP")
	s.waitLog(t, `"message":"ready"`)
	conn, err := s.dial("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r, err := ask(conn, "brand.example.", dns.TypeMX); err != nil || len(r.Answer) != 1 {
		t.Errorf("%v, %v", r, err)
	}
	s.signal(t, "TERM")
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("exit: %v\n%s", err, readFile(t, root, "run/nullspfd.log"))
		}
	case <-time.After(20 * time.Second):
		t.Error("nullspfd does not stop")
	}
}

// signal sends a signal to the nullspfd of the system.
func (s *system) signal(t *testing.T, name string) {
	t.Helper()
	const script = `for p in "$0"/proc/[0-9]*; do [ "$(cat "$p/comm")" != nullspfd ] || kill -s "$1" "${p##*/}"; done`
	if out, err := s.enter("sh", "-c", script, s.root, name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
