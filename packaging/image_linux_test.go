package packaging_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// TestImage builds the container image and starts nullspfd from it.
func TestImage(t *testing.T) {
	peers.Require(t, "make", "buildah")
	peers.RequireRoot(t, "building an image without user namespaces")
	dir := t.TempDir()
	// Neither needs a kernel that lets containers mount and join namespaces.
	builder := []string{"buildah", "--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "vfs"}
	t.Setenv("BUILDAH_ISOLATION", "chroot")
	run(t, "make", "image", "DIST="+dir, "BUILDER="+strings.Join(builder, " "))

	site := filepath.Join(dir, "site")
	if err := os.Mkdir(site, 0o755); err != nil {
		t.Fatal(err)
	}
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	corefile := fmt.Sprintf("_spf.example.net:%d {\n    bind 127.0.0.1\n    spftrack {\n        nameservers ns1.example.net\n    }\n}\n", at.Port())
	if err := os.WriteFile(filepath.Join(site, "Corefile"), []byte(corefile), 0o644); err != nil {
		t.Fatal(err)
	}
	container := strings.TrimSpace(run(t, append(builder, "from", "nullspfd")...))
	daemon := exec.Command(builder[0], append(builder[1:], "run", "--network", "host", "-v", site+":/etc/nullspf:ro", container, "--", "/nullspfd", "-conf", "/etc/nullspf/Corefile")...)
	var log strings.Builder
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- daemon.Wait() }()
	defer func() { // buildah hands signals on
		_ = daemon.Process.Signal(os.Interrupt)
		<-exited
		if t.Failed() {
			t.Logf("log:\n%s", &log)
		}
	}()
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if r, err := ask(conn, "_spf.example.net.", dns.TypeNS); err == nil && len(r.Answer) == 1 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%v, %v", r, err)
		}
	}
}
