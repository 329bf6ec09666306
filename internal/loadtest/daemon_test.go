package loadtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/nameserver"
	"nullspf/internal/peers"
)

// trackingZone is the zone that all daemons serve.
const trackingZone = "_spf.example.net"

// site is where a daemon runs, one after the other.
type site struct {
	dir, journal string
	// at is where it answers, on IPv4 and IPv6 loopback.
	at  netip.AddrPort
	web netip.AddrPort
	// journalOptions and options are lines for the Corefile.
	journalOptions, options string
	// layouts are those of the zone.
	layouts string
	// procs is the number of processors it is to see, 0 for all.
	procs int
	// memory is what it may have for its data, in bytes, 0 for any.
	memory int
	// bind are further addresses, v6 that of IPv6 if it is not loopback.
	bind string
	v6   netip.Addr
	// clients is the network namespace in which load is made, nil for that of the test.
	clients *peers.Netns
	// explain is the text at exp= names.
	explain string
}

// newSite makes a site with a journal in a directory of its own.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{dir: dir, journal: filepath.Join(dir, "var"), layouts: "track classic", explain: "forged"}
	for _, at := range []*netip.AddrPort{&s.at, &s.web} {
		var err error
		if *at, err = peers.FreePort(netip.AddrFrom4([4]byte{127, 0, 0, 1})); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// at6 is the address on IPv6, the zero AddrPort without IPv6.
func (s *site) at6() netip.AddrPort {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		return netip.AddrPort{}
	}
	if s.v6.IsValid() {
		return netip.AddrPortFrom(s.v6, s.at.Port())
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), s.at.Port())
}

func (s *site) corefile() string {
	bind := s.at.Addr().String() + " " + s.bind
	if s.at6().IsValid() {
		bind += " " + s.at6().Addr().String()
	}
	return fmt.Sprintf(`%s:%d {
	bind %s
	spftrack {
		nameservers ns1.example.net ns2.example.net
		layouts %s
		explain %q
	}
	journal %s {
		server ns1.example.net
		%s
	}
	metrics %s
	health %s
	%s
}
`, trackingZone, s.at.Port(), bind, s.layouts, s.explain, s.journal, s.journalOptions, s.web, s.web, s.options)
}

// configure replaces the Corefile.
func (s *site) configure(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(s.dir, "Corefile")
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// daemon is a running nullspfd.
type daemon struct {
	*site
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	err    error // of the process, once it has exited
}

// command is the daemon's.
func (s *site) command(args ...string) *exec.Cmd {
	argv := append([]string{program, "-conf", filepath.Join(s.dir, "Corefile")}, args...)
	if s.memory > 0 {
		argv = append([]string{"prlimit", fmt.Sprintf("--data=%d", s.memory)}, argv...)
	}
	return peers.Command(argv...)
}

// start starts the daemon and waits until it answers.
func (s *site) start(t *testing.T) *daemon {
	t.Helper()
	s.configure(t, s.corefile())
	log, err := os.CreateTemp(s.dir, "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d := &daemon{site: s, log: log.Name(), exited: make(chan struct{})}
	d.cmd = s.command()
	d.cmd.Stderr = log
	if s.procs > 0 {
		d.cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", s.procs))
	}
	// The mount namespace, and with it the file system, goes with the tests;
	// so must the daemon.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The death signal comes when the thread ends that started it.
		runtime.LockOSThread()
		err := d.cmd.Start()
		started <- err
		if err == nil {
			d.err = d.cmd.Wait()
			close(d.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.exited
		if strings.Contains(d.logged(), "DATA RACE") {
			t.Error("the daemon has a data race")
		}
		if t.Failed() {
			t.Logf("log of the daemon:\n%s", tail(d.logged(), 8192))
		}
	})
	waitFor(t, 20*time.Second, func() bool {
		select {
		case <-d.exited:
			t.Fatalf("the daemon ended at its start: %v\n%s", d.err, d.logged())
		default:
		}
		return strings.Contains(d.logged(), `"message":"ready"`)
	}, func() string { return "the daemon does not start:\n" + d.logged() })
	return d
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (d *daemon) logged() string {
	b, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (d *daemon) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// kill ends the daemon without warning, and returns when that began.
func (d *daemon) kill(t *testing.T) (at time.Time) {
	t.Helper()
	at = time.Now()
	d.signal(t, syscall.SIGKILL)
	<-d.exited
	return at
}

// stop ends the daemon in order and returns how long that took.
func (d *daemon) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	d.signal(t, syscall.SIGTERM)
	d.waitExit(t, 15*time.Second)
	return time.Since(began)
}

// waitExit waits until the daemon has ended, with code 0.
func (d *daemon) waitExit(t *testing.T, timeout time.Duration) {
	t.Helper()
	select {
	case <-d.exited:
		if d.err != nil {
			t.Errorf("the daemon ended with %v", d.err)
		}
	case <-time.After(timeout):
		t.Fatalf("the daemon has not ended after %s", timeout)
	}
}

// get fetches a page.
func (d *daemon) get(t *testing.T, path string) []byte {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get("http://" + d.web.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", path, r.Status, err, b)
	}
	return b
}

func (d *daemon) health(t *testing.T) (h nameserver.Health) {
	t.Helper()
	b := d.get(t, "/health")
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		t.Fatalf("health: %v\n%s", err, b)
	}
	return h
}
