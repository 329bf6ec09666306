package packaging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// dist is the directory of the packages that tests build.
var dist = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "nullspf-dist") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := dist(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// deb builds the package with a version and returns its path.
func deb(t *testing.T, version string) string {
	t.Helper()
	dir, err := dist()
	if err != nil {
		t.Fatal(err)
	}
	run(t, "make", "deb", "DIST="+dir, "DEBVERSION="+version)
	return filepath.Join(dir, "nullspf_"+version+"_"+runtime.GOARCH+".deb")
}

// TestDeb builds the package, twice to the same bytes, and goes through its life
// in a minimal Debian system: installation, first zones, upgrade under load, removal,
// purge that keeps the journal, purge that does not.
func TestDeb(t *testing.T) {
	peers.Require(t, "make", "dpkg-deb", "tar", "lintian")
	peers.RequireRoot(t, "installing a package in a system of its own")
	old, present := deb(t, "0.0.1"), deb(t, "0.0.2")
	first, err := os.ReadFile(present)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(deb(t, "0.0.2")); err != nil || !bytes.Equal(first, again) {
		t.Errorf("two builds of one commit differ (%v)", err)
	}
	lintian := make(chan string)
	go func() { // it takes a while
		out, err := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", present).CombinedOutput()
		if err == nil {
			out = nil
		}
		lintian <- string(out)
	}()
	defer func() {
		if complaint := <-lintian; complaint != "" {
			t.Errorf("lintian:\n%s", complaint)
		}
	}()

	s := debian(t)
	for _, path := range []string{old, present} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, "/root/"+filepath.Base(path), string(text))
	}
	install := func(t *testing.T, path string) { s.run(t, "dpkg -i /root/"+filepath.Base(path)) }

	// Each step needs those before it.
	for _, step := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"install", func(t *testing.T) {
			install(t, old)
			s.checkInstalled(t)
		}},
		{"first zones", s.checkFirstZones},
		{"upgrade", func(t *testing.T) { s.checkUpgrade(t, func() { install(t, present) }) }},
		{"broken configuration", func(t *testing.T) {
			s.run(t, "cp -p /etc/nullspf/Corefile /root; echo nonsense >> /etc/nullspf/Corefile")
			before := s.pid(t)
			install(t, present)
			if s.pid(t) != before {
				t.Error("nullspfd was stopped though it does not start with its configuration")
			}
			s.run(t, "cp -p /root/Corefile /etc/nullspf")
		}},
		{"remove", func(t *testing.T) {
			s.run(t, "dpkg -r nullspf")
			if s.exists("/usr/sbin/nullspfd") || !s.exists("/etc/nullspf/generic.txt") || !s.exists("/var/lib/nullspf/var/MANIFEST") {
				t.Error("the programs are to go, configuration and journal to stay")
			}
			if _, err := s.try("systemctl is-active nullspfd"); err == nil {
				t.Error("nullspfd is still running")
			}
		}},
		{"purge", func(t *testing.T) {
			out := s.run(t, "dpkg -P nullspf")
			if !strings.Contains(out, "the journal in /var/lib/nullspf/var was kept") {
				t.Errorf("purge says nothing of the journal:\n%s", out)
			}
			if s.exists("/etc/nullspf") || s.exists("/var/lib/nullspf/build") || !s.exists("/var/lib/nullspf/var/MANIFEST") {
				t.Errorf("of configuration, output and journal only the last is to stay:\n%s", s.run(t, "ls -lR /etc/nullspf /var/lib/nullspf || :"))
			}
		}},
		{"purge with the journal", func(t *testing.T) {
			install(t, present)
			s.run(t, "echo nullspf nullspf/remove-journal boolean true | debconf-set-selections; dpkg -P nullspf")
			if s.exists("/var/lib/nullspf") || s.exists("/etc/nullspf") {
				t.Errorf("something was left behind:\n%s", s.run(t, "ls -lR /etc/nullspf /var/lib/nullspf || :"))
			}
		}},
	} {
		if !t.Run(step.name, step.run) {
			t.FailNow()
		}
	}
}

// debian unpacks the system that debian-root has made.
func debian(t *testing.T) *system {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(cache, "nullspf/debian-root.tar")
	if _, err := os.Stat(archive); err != nil {
		peers.Lack(t, "run packaging/debian-root: %v", err)
	}
	root := t.TempDir()
	run(t, "tar", "-C", root, "-xf", archive)
	s := boot(t, root)
	s.write(t, "/usr/local/bin/systemctl", readFile(t, "testdata/systemctl"))
	s.run(t, "chmod +x /usr/local/bin/systemctl; mkdir -p /run/systemd/system")
	return s
}

// pid returns the process id of nullspfd.
func (s *system) pid(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(s.run(t, "cat /run/nullspfd.pid"))
}

func (s *system) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.root, path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// waitLog waits for a text in the log of nullspfd.
func (s *system) waitLog(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		log, _ := os.ReadFile(filepath.Join(s.root, "run/nullspfd.log"))
		if strings.Contains(string(log), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log of nullspfd has no %q:\n%s", text, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// checkInstalled: nullspfd runs and waits, everything has its owner.
func (s *system) checkInstalled(t *testing.T) {
	s.waitLog(t, "nothing to serve yet")
	for path, want := range map[string]string{
		"/etc/nullspf/tsig.key":     "600 root root",
		"/var/lib/nullspf":          "755 root root",
		"/var/lib/nullspf/build":    "2755 root nullspf",
		"/var/lib/nullspf/var":      "750 nullspf nullspf",
		"/var/lib/nullspf/zones":    "750 nullspf nullspf",
		"/usr/sbin/nullspfd":        "755 root root",
		"/etc/nullspf/Corefile":     "644 root root",
		"/etc/nullspf/Makefile":     "644 root root",
		"/etc/nullspf/nullspf.yaml": "644 root root",
	} {
		if got := strings.TrimSpace(s.run(t, "stat -c '%a %U %G' "+path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if user := strings.TrimSpace(s.run(t, "stat -c %U /proc/"+s.pid(t))); user != "nullspf" {
		t.Errorf("nullspfd runs as %s", user)
	}
}

const siteYAML = `
output: /var/lib/nullspf/build
nameservers: [ns1.example.net, ns2.example.net]
soa: {rname: hostmaster.example.net}
track: {zone: _spf.example.net, nameservers: [ns1.example.net, ns2.example.net], listen: ["127.0.0.1:53"]}
groups:
  generic: {list: generic.txt, spf: {layout: track}}
primary: {addresses: [192.0.2.1], allow_transfer: [192.0.2.2], also_notify: [192.0.2.2]}
tsig: {name: xfr.example.net, algorithm: hmac-sha256, secret_file: tsig.key}
servers: [nullspfd]
nullspfd: {control: /run/nullspf/control.sock}
journals: [/var/lib/nullspf/var]
`

// checkFirstZones: what operators type publishes, and nullspfd serves it.
func (s *system) checkFirstZones(t *testing.T) {
	s.write(t, "/etc/nullspf/nullspf.yaml", siteYAML)
	s.run(t, "make -C /etc/nullspf && make -C /etc/nullspf check")
	s.write(t, "/etc/nullspf/generic.txt", "mine.example\n")
	s.run(t, "make -C /etc/nullspf plan && make -C /etc/nullspf apply FLAGS='--allow-removals 3'")
	s.waitLog(t, `"message":"ready"`)
	conn, err := s.dial("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := ask(conn, "mine.example.", dns.TypeMX)
	if err != nil || len(answer.Answer) != 1 {
		t.Errorf("%v, %v", answer, err)
	}
	// The second time, the socket is there.
	s.write(t, "/etc/nullspf/generic.txt", "mine.example\nsecond.example\n")
	if out := s.run(t, "make -C /etc/nullspf apply"); !strings.Contains(out, "nullspf server reload") {
		t.Errorf("apply says\n%s", out)
	}
	if answer, err := ask(conn, "second.example.", dns.TypeMX); err != nil || len(answer.Answer) != 1 {
		t.Errorf("%v, %v", answer, err)
	}
}

// ask asks once; the answer may be missing.
func ask(conn io.ReadWriter, name string, qtype uint16) (*dns.Msg, error) {
	c, ok := conn.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return nil, errors.New("no deadline can be set")
	}
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	q := new(dns.Msg).SetQuestion(name, qtype)
	packed, err := q.Pack()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, err
		}
		r := new(dns.Msg)
		if err := r.Unpack(buffer[:n]); err == nil && r.Id == q.Id {
			return r, nil
		}
	}
}

// checkUpgrade: nullspfd is restarted, what was changed by hand stays, and every
// query that was answered meanwhile is in the journal.
func (s *system) checkUpgrade(t *testing.T, upgrade func()) {
	before := s.pid(t)
	stop, done := make(chan bool), make(chan []string)
	go func() {
		var answered []string
		defer func() { done <- answered }()
		conn, err := s.dial("udp", "127.0.0.1:53")
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			domain := fmt.Sprintf("d%d.example", i)
			name := "192.0.2.1.in-addr.cl." + domain + ".fd.1._spf.example.net"
			// Nobody answers for a moment: the kernel says so, or nothing comes.
			if r, err := ask(conn, name+".", dns.TypeA); err == nil && r.Rcode == dns.RcodeSuccess {
				answered = append(answered, domain)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	upgrade()
	s.waitLog(t, `"message":"stopping"`)
	time.Sleep(300 * time.Millisecond) // some answers of the new one
	close(stop)
	answered := <-done
	if s.pid(t) == before {
		t.Error("nullspfd was not restarted")
	}
	if text := readFile(t, s.root, "etc/nullspf/generic.txt"); text != "mine.example\nsecond.example\n" {
		t.Errorf("the list has become %q", text)
	}
	time.Sleep(time.Second) // events are seen a second after their answer
	var stored []string
	for line := range strings.Lines(s.run(t, "cd /etc/nullspf && nullspf log events --packets --format json --limit 100000")) {
		var event struct {
			Domain string `json:"forged_domain"`
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		stored = append(stored, event.Domain)
	}
	slices.Sort(stored)
	missing := 0
	for _, domain := range answered {
		if _, found := slices.BinarySearch(stored, domain); !found {
			missing++
		}
	}
	t.Logf("%d queries answered during the upgrade, %d not stored", len(answered), missing)
	if missing > 0 || len(answered) < 100 {
		t.Errorf("%d of %d events are missing", missing, len(answered))
	}
}
