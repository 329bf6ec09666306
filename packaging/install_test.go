// Package packaging_test installs nullspf as operators and packages do, and
// looks whether it works there.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// run runs a command in the checkout and returns what it says.
func run(t *testing.T, argv ...string) string {
	t.Helper()
	program, err := peers.Program(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, argv[1:]...)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnit installs below a prefix and has systemd look at the unit that stands
// there. systemd counts the exposure from 0 to 10, the threshold is in tenths.
func TestUnit(t *testing.T) {
	peers.Require(t, "make", "systemd-analyze")
	dir := t.TempDir()
	run(t, "make", "install", "PREFIX="+dir, "SYSCONFDIR="+dir+"/etc")
	unit := dir + "/lib/systemd/system/nullspfd.service"
	run(t, "systemd-analyze", "verify", "--man=no", unit)
	run(t, "systemd-analyze", "security", "--offline=true", "--threshold=16", unit)
	if start := "\nExecStart=" + dir + "/sbin/nullspfd -conf " + dir + "/etc/nullspf/Corefile\n"; !strings.Contains(readFile(t, unit), start) {
		t.Errorf("the unit has no line %s", start)
	}
	// That of the pages is an example, for which the program stands elsewhere.
	pages := filepath.Join(t.TempDir(), "nullspf-web.service")
	text := strings.ReplaceAll(readFile(t, "../examples/systemd/nullspf-web.service"), "/usr/local/bin", dir+"/bin")
	if err := os.WriteFile(pages, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "systemd-analyze", "verify", "--man=no", pages)
	run(t, "systemd-analyze", "security", "--offline=true", "--threshold=12", pages)
}

// The drop-in for xdp adds to the unit what it says, and no more.
func TestXDPDropIn(t *testing.T) {
	peers.Require(t, "systemd-analyze")
	dir := t.TempDir()
	unit := filepath.Join(dir, "nullspfd.service")
	text := strings.ReplaceAll(readFile(t, "..", "examples/systemd/nullspfd.service"), "/usr/local/sbin/nullspfd", "/bin/true")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(unit, text)
	write(unit+".d/xdp.conf", readFile(t, "..", "examples/systemd/xdp.conf"))
	run(t, "systemd-analyze", "verify", "--man=no", unit)
	out := run(t, "systemd-analyze", "security", "--offline=true", "--threshold=22", "--no-pager", unit)
	for _, want := range []string{"✗ CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)", "✗ CapabilityBoundingSet=~CAP_NET_ADMIN", "✗ RestrictAddressFamilies=~AF_NETLINK", "✓ CapabilityBoundingSet=~CAP_SYS_ADMIN"} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
}

// TestInstallKeepsTheSite checks that an installation over another one changes no
// file of the site.
func TestInstallKeepsTheSite(t *testing.T) {
	peers.Require(t, "make")
	dir := t.TempDir()
	run(t, "make", "install", "DESTDIR="+dir)
	list := filepath.Join(dir, "etc/nullspf/generic.txt")
	if err := os.WriteFile(list, []byte("mine.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "make", "install", "DESTDIR="+dir); !strings.Contains(out, list+" exists; it stays as it is") {
		t.Errorf("a second installation says:\n%s", out)
	}
	if text := readFile(t, list); text != "mine.example\n" {
		t.Errorf("the list has become %q", text)
	}
}
