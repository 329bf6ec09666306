package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// runAsProgram makes the test binary be nullspfd.
const runAsProgram = "NULLSPFD_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsProgram) != "" {
		limitMemory()
		main()
	}
	os.Exit(m.Run())
}

// nullspfd returns a command that has not started, with its working directory.
func nullspfd(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), runAsProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

const corefileText = `
_spf.example.net:0 {
    bind 127.0.0.1
    spftrack {
        nameservers ns1.example.net ns2.example.net
        explain %q
    }
    journal var
    health %s
}
`

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	good := writeFile(t, filepath.Join(dir, "good"), fmt.Sprintf(corefileText, "forged", "127.0.0.1:0"))
	bad := writeFile(t, filepath.Join(dir, "bad"), "_spf.example.net {\n    spftrak\n}\n")
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"-version"}, 0, "nullspfd ", ""},
		{[]string{"-help"}, 0, "", "-conf FILE"},
		{[]string{"-conf", good, "-check"}, 0, good + ": ok\n", ""},
		{[]string{"-conf", bad, "-check"}, 1, "", bad + ":2: Unknown directive 'spftrak'; there are "},
		{[]string{"-conf", bad}, 1, "", bad + ":2: "},
		{[]string{"-conf", filepath.Join(dir, "none"), "-check"}, 1, "", "there is no such file; name another with -conf"},
		{[]string{"-colour"}, 2, "", "flag provided but not defined"},
		{[]string{"serve"}, 2, "", `unexpected argument \"serve\"; a configuration is named with -conf FILE`},
	} {
		cmd := nullspfd(t, dir, c.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		want := strings.ReplaceAll(c.stderr, `\"`, `"`)
		if cmd.ProcessState.ExitCode() != c.code || !strings.HasPrefix(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: exit code %d\n%s%s", c.args, cmd.ProcessState.ExitCode(), &stdout, &stderr)
		}
	}
	// A check opens nothing.
	if _, err := os.Stat(filepath.Join(dir, "var")); !os.IsNotExist(err) {
		t.Errorf("the journal was opened by -check: %v", err)
	}
}

// daemon is a running nullspfd with the lines of its log.
type daemon struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	lines  []map[string]any
	exited chan error
}

// Write takes the log.
func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for line := range bytes.Lines(p) {
		fields := make(map[string]any)
		if err := json.Unmarshal(line, &fields); err != nil {
			fields["message"] = string(line)
		}
		d.lines = append(d.lines, fields)
	}
	return len(p), nil
}

// wait returns the n-th line with a message, from 1.
func (d *daemon) wait(t *testing.T, message string, n int) map[string]any {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		d.mu.Lock()
		left := n
		for _, line := range d.lines {
			if m, _ := line["message"].(string); strings.HasPrefix(m, message) {
				if left--; left == 0 {
					d.mu.Unlock()
					return line
				}
			}
		}
		lines := fmt.Sprint(d.lines)
		d.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("no line %q, %d times, in the log:\n%s", message, n, lines)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func start(t *testing.T, dir string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: nullspfd(t, dir, args...), exited: make(chan error, 1)}
	d.cmd.Stderr = d
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.exited <- d.cmd.Wait() }()
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

func (d *daemon) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// explanation asks for the TXT record at an exp= name.
func explanation(t *testing.T, at string) string {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net.", dns.TypeTXT)
	r, _, err := (&dns.Client{}).Exchange(m, at)
	if err != nil || len(r.Answer) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	return r.Answer[0].(*dns.TXT).Txt[0]
}

// Signals reload and stop; what was asked is in the journal.
func TestSignals(t *testing.T) {
	dir := t.TempDir()
	health, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "Corefile")
	write := func(explain string) { writeFile(t, path, fmt.Sprintf(corefileText, explain, health)) }
	write("first")
	d := start(t, dir, "-conf", path)
	at := d.wait(t, "ready", 1)["listen"].([]any)[0].(string)
	if got := explanation(t, at); got != "first" {
		t.Errorf("explanation %q", got)
	}

	write("second")
	d.signal(t, syscall.SIGHUP)
	if got := d.wait(t, "reloaded", 1)["listen"].([]any)[0]; got != at {
		t.Errorf("the address moved from %v to %v", at, got)
	}
	if got := explanation(t, at); got != "second" {
		t.Errorf("explanation %q", got)
	}

	writeFile(t, path, "_spf.example.net {\n    nonsense\n}\n")
	d.signal(t, syscall.SIGUSR1)
	line := d.wait(t, "reload failed", 1)
	if reason, _ := line["error"].(string); line["level"] != "error" || !strings.Contains(reason, path+":2: ") {
		t.Errorf("line %v", line)
	}
	if got := explanation(t, at); got != "second" {
		t.Errorf("explanation %q", got)
	}
	if got := get(t, "http://"+health.String()+"/health"); !strings.Contains(got, `"status":"degraded","problems":["reload: `) {
		t.Errorf("health %s", got)
	}

	write("third")
	d.signal(t, syscall.SIGUSR1)
	d.wait(t, "reloaded", 2)
	if got := explanation(t, at); got != "third" {
		t.Errorf("explanation %q", got)
	}
	if got := get(t, "http://"+health.String()+"/health"); !strings.Contains(got, `"status":"ok"`) {
		t.Errorf("health %s", got)
	}

	d.signal(t, syscall.SIGTERM)
	if err := <-d.exited; err != nil {
		t.Errorf("exit: %v", err)
	}
	view, err := journal.Snapshot(filepath.Join(dir, "var"), journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	events := 0
	for _, s := range view.Manifest.Segments {
		events += int(s.Rows)
	}
	err = view.Tail(func(e *spftrack.Event) error {
		events++
		if e.Forged != "shop.example" || e.ClientIP != netip.MustParseAddr("192.0.2.7") || e.HELO != "mail.example.org" || e.SenderLocal != "user" {
			t.Errorf("event %+v", e)
		}
		return nil
	})
	if err != nil || events != 4 {
		t.Errorf("%d events in the journal, %v", events, err)
	}
}

// The order to stop is not lost among many reloads.
func TestStopAmongReloads(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "Corefile"), fmt.Sprintf(corefileText, "x", "127.0.0.1:0"))
	d := start(t, dir, "-conf", path)
	d.wait(t, "ready", 1)
	for range 200 {
		d.signal(t, syscall.SIGHUP)
		d.signal(t, syscall.SIGUSR1)
	}
	d.signal(t, syscall.SIGTERM)
	select {
	case err := <-d.exited:
		if err != nil {
			t.Errorf("exit: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("nullspfd does not stop")
	}
}

// The order to stop is followed while a reload reads, and pages are answered.
func TestStopWhileReloading(t *testing.T) {
	dir := t.TempDir()
	health, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, filepath.Join(dir, "Corefile"), fmt.Sprintf(corefileText, "x", health))
	d := start(t, dir, "-conf", path)
	at := d.wait(t, "ready", 1)["listen"].([]any)[0].(string)
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	d.signal(t, syscall.SIGHUP)
	// Who can open the other end knows that it is read.
	fifo, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	if got := get(t, "http://"+health.String()+"/health"); !strings.Contains(got, `"status":"ok"`) {
		t.Errorf("health %s", got)
	}
	if got := explanation(t, at); got != "x" {
		t.Errorf("explanation %q", got)
	}
	d.signal(t, syscall.SIGTERM)
	select {
	case err := <-d.exited:
		if err != nil {
			t.Errorf("exit: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("nullspfd does not stop")
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A Corefile that imports what is not published yet is waited for, through
// reloads that fail. From then on, a reload that would serve nothing is refused.
func TestWaitsForZones(t *testing.T) {
	dir := t.TempDir()
	published := filepath.Join(dir, "primary.Corefile")
	path := writeFile(t, filepath.Join(dir, "Corefile"), "# nothing else\nimport primary.Corefile*\n")
	out, err := nullspfd(t, dir, "-conf", path, "-check").CombinedOutput()
	if want := path + ": no server block in the files that it imports"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("-check: %v\n%s", err, out)
	}

	d := start(t, dir, "-conf", path)
	d.wait(t, "nothing to serve yet", 1)
	d.signal(t, syscall.SIGHUP)
	d.wait(t, "reload failed; there is still nothing to serve", 1)
	writeFile(t, published, "_spf.example.net {\n    nonsense\n}\n")
	d.signal(t, syscall.SIGHUP)
	line := d.wait(t, "reload failed; there is still nothing to serve", 2)
	if reason, _ := line["error"].(string); !strings.Contains(reason, published+":2: ") {
		t.Errorf("line %v", line)
	}
	writeFile(t, published, fmt.Sprintf(corefileText, "x", "127.0.0.1:0"))
	d.signal(t, syscall.SIGHUP)
	at := d.wait(t, "ready", 1)["listen"].([]any)[0].(string)
	if err := os.Remove(published); err != nil {
		t.Fatal(err)
	}
	d.signal(t, syscall.SIGHUP)
	d.wait(t, "reload failed; the configuration stays as it was", 1)
	if got := explanation(t, at); got != "x" {
		t.Errorf("explanation %q", got)
	}
	d.signal(t, syscall.SIGTERM)
	if err := <-d.exited; err != nil {
		t.Errorf("exit: %v", err)
	}

	writeFile(t, path, "import primary.Corefile*\n")
	d = start(t, dir, "-conf", path)
	d.wait(t, "nothing to serve yet", 1)
	d.signal(t, syscall.SIGTERM)
	if err := <-d.exited; err != nil {
		t.Errorf("exit while waiting: %v", err)
	}
}

// A second server on the same journal, or address, does not start, and says
// why.
func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "Corefile"), fmt.Sprintf(corefileText, "x", "127.0.0.1:0"))
	d := start(t, dir, "-conf", path)
	at := d.wait(t, "ready", 1)["listen"].([]any)[0].(string)
	_, port, _ := strings.Cut(at, ":")
	other := strings.Replace(fmt.Sprintf(corefileText, "x", "127.0.0.1:0"), "net:0", "net:"+port, 1)
	for want, text := range map[string]string{
		"another nullspfd writes to this directory": fmt.Sprintf(corefileText, "x", "127.0.0.1:0"),
		"address already in use":                    strings.Replace(other, "journal var", "journal var2", 1),
	} {
		second := start(t, dir, "-conf", writeFile(t, filepath.Join(dir, "Corefile2"), text))
		line := second.wait(t, "cannot start", 1)
		if reason, _ := line["error"].(string); !strings.Contains(reason, want) {
			t.Errorf("line %v, want %q", line, want)
		}
		if err := <-second.exited; err == nil || second.cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("exit: %v", err)
		}
	}
	d.signal(t, syscall.SIGINT)
	if err := <-d.exited; err != nil {
		t.Errorf("exit: %v", err)
	}
}
