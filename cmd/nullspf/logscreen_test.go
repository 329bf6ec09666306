package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// screenJournal is a journal of three days, with long names.
func screenJournal(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	for i, at := range []string{"2026-11-19T22:59:58Z", "2026-11-20T12:00:00Z", "2026-11-20T12:30:00Z"} {
		client := fmt.Sprintf("203.0.113.%d.in-addr.CL.brand.example", 7+i)
		if i == 2 {
			client = "2.0.0.1.0.d.b.8.0.0.0.6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.ip6.CL.shop.example"
		}
		fmt.Fprintf(&b, "%s 198.51.100.53 A %s.FD.1\n", at, client)
		fmt.Fprintf(&b, "%s 198.51.100.53 TXT mail-%d.long.name.of.a.server.example.org.HE.no-reply-to-the-message-%d.LP.%s.FD.2\n", at, i, i, client)
	}
	writeText(t, filepath.Join(dir, "events"), b.String(), 0o644)
	if out, err := exec.Command("logfixture", filepath.Join(dir, "var"), filepath.Join(dir, "events")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "var")
}

// onTerminal runs nullspf on a terminal, interrupts it after a while if that is
// not 0, and returns the lines that the person sees.
func onTerminal(t *testing.T, interrupt time.Duration, args ...string) []string {
	t.Helper()
	program, person := peers.Terminal(t)
	cmd := exec.Command("nullspf", args...)
	cmd.Env = append(os.Environ(), "TZ=Europe/Berlin", "LC_ALL=C.UTF-8")
	cmd.Stdout = program
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	if interrupt > 0 {
		timer := time.AfterFunc(interrupt, func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer timer.Stop()
	}
	text, err := io.ReadAll(person)
	if err != nil && !errors.Is(err, unix.EIO) { // EIO is the end
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	t.Logf("%v\n%s", args, strings.Join(lines, "\n"))
	return lines
}

// TestEventsOnTerminal: tables fit a terminal of 80 columns, with local times.
func TestEventsOnTerminal(t *testing.T) {
	dir := screenJournal(t)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{
			"2026 CET, kind exists+exp, server ns1.example.net, without resolver (--wide)",
			"TIME            CLIENT           DOMAIN         SENDER           HELO",
			"11-19 23:59:58  203.0.113.7      brand.example  no-repl…sage-0@  mail-0.…ple.org",
			"11-20 13:00:00  203.0.113.8      brand.example  no-repl…sage-1@  mail-1.…ple.org",
			"11-20 13:30:00  2001:db…4:3:2:1  shop.example   no-repl…sage-2@  mail-2.…ple.org",
		}},
		{[]string{"--utc", "--domain", "=brand.example", "--ip", "203.0.113.8"}, []string{
			"2026-11-20 UTC, kind exists+exp, client 203.0.113.8, domain brand.example,",
			"server ns1.example.net",
			"TIME      SENDER                      HELO                         RESOLVER",
			"12:00:00  no-reply-to-the-message-1@  mail-1.long.n…r.example.org  198.51.100.53",
		}},
	} {
		lines := onTerminal(t, 0, append([]string{"log", "events", "--journal", dir}, c.args...)...)
		if got, want := strings.Join(lines, "\n"), strings.Join(c.want, "\n"); got != want {
			t.Errorf("%v: got\n%s\nwant\n%s", c.args, got, want)
		}
	}
	for _, args := range [][]string{{"--packets"}, {"--packets", "--utc"}, {"--domain", "brand"}, {"--since", "2026-11-20", "--ip", "203.0.113.8"}} {
		for _, line := range onTerminal(t, 0, append([]string{"log", "events", "--journal", dir}, args...)...) {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%v: %d columns: %s", args, n, line)
			}
		}
	}
	wide := strings.Join(onTerminal(t, 0, "log", "events", "--journal", dir, "--wide"), "\n")
	if !strings.Contains(wide, "2026-11-20T13:30:00.000+01:00  exists+exp  2001:db8:6:5:4:3:2:1 ") || !strings.Contains(wide, "no-reply-to-the-message-2@shop.example") {
		t.Error(wide)
	}
}

// TestTailOnTerminal: the columns of log tail -f keep their places, whatever comes.
func TestTailOnTerminal(t *testing.T) {
	dir := screenJournal(t)
	more := filepath.Join(t.TempDir(), "more")
	writeText(t, more, "0h 198.51.100.53 A 192.0.2.9.in-addr.CL.a.example.FD.1\n"+
		"0h 2001:db8:53:53:53:53:53:53 TXT x.HE.y.LP.203.0.113.77.in-addr.CL.shop.example.FD.2\n", 0o644)
	done := make(chan error, 1)
	time.AfterFunc(500*time.Millisecond, func() { done <- exec.Command("logfixture", "-linger", "3s", dir, more).Run() })
	lines := onTerminal(t, 3*time.Second, "log", "tail", "-f", "--journal", dir)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	events, at := 0, -1
	for _, line := range lines {
		runes := []rune(line)
		if len(runes) > 80 {
			t.Errorf("%d columns: %s", len(runes), line)
		}
		if i := strings.Index(line, "CLIENT"); i >= 0 {
			if at >= 0 {
				t.Errorf("headings again: %s", line)
			}
			at = i
		}
		if strings.Contains(line, ":") {
			events++
			if client := string(runes[at:]); !strings.HasPrefix(client, "203.0.113.") && !strings.HasPrefix(client, "2001:db") && !strings.HasPrefix(client, "192.0.2.9 ") {
				t.Errorf("the client is not at %d: %s", at, line)
			}
		}
	}
	if events != 5 || !strings.HasPrefix(lines[0], "2026-11-19 CET, server ns1.example.net") {
		t.Errorf("%d events: %q", events, lines)
	}
}
