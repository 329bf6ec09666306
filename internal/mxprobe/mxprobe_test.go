package mxprobe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nullspf/nolisting"
)

const timeout = 500 * time.Millisecond

// host is a mail host that answers as it is told: greeting, then for each command
// the reply of the first prefix that fits.
type host struct {
	greeting string
	replies  map[string]string
}

// live is a host that does everything right.
func live() host {
	return host{"220 mx.example.net ESMTP", map[string]string{
		"EHLO": "250-mx.example.net\r\n250 PIPELINING", "MAIL": "250 2.1.0 Ok", "RSET": "250 2.0.0 Ok", "QUIT": "221 2.0.0 Bye",
		"RCPT TO:<postmaster@": "250 2.1.5 Ok", "RCPT": "554 5.7.1 This domain is not used for email",
	}}
}

func (h host) with(command, reply string) host {
	h.replies[command] = reply
	return h
}

// listen serves hosts at the same port of 127.0.0.1, 127.0.0.2 and so on, and
// returns the port. It records the commands.
func listen(t *testing.T, hosts ...host) (port uint16, commands func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	for i, h := range hosts {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.%d:%d", i+1, port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		port = uint16(l.Addr().(*net.TCPAddr).Port)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go h.serve(conn, func(line string) {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, line)
				})
			}
		}()
	}
	return port, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func (h host) serve(conn net.Conn, record func(string)) {
	defer conn.Close()
	if h.greeting == "" {
		return
	}
	if h.greeting != "silence" {
		fmt.Fprintf(conn, "%s\r\n", h.greeting)
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		record(lines.Text())
		reply, best := "502 5.5.2 Error", ""
		for prefix, r := range h.replies {
			if strings.HasPrefix(lines.Text(), prefix) && len(prefix) > len(best) {
				reply, best = r, prefix
			}
		}
		if reply == "endless" {
			for {
				if _, err := io.WriteString(conn, "250-more\r\n"); err != nil {
					return
				}
			}
		}
		if _, err := fmt.Fprintf(conn, "%s\r\n", reply); err != nil || best == "QUIT" {
			return
		}
	}
}

func run(t *testing.T, s Settings, targets ...Target) []Result {
	t.Helper()
	s.HELO, s.Rate = "probe.example.net", maxRate
	if s.Timeout == 0 {
		s.Timeout = timeout
	}
	results, err := Run(t.Context(), s, targets)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// findings are those of a level.
func findings(r Result, level Level) string {
	var list []string
	for _, f := range r.Findings {
		if f.Level == level {
			list = append(list, f.Reason)
		}
	}
	return strings.Join(list, "; ")
}

func TestRoles(t *testing.T) {
	address := netip.MustParseAddr("127.0.0.1")
	for _, tt := range []struct {
		name string
		role nolisting.Role
		host host
		// level and text of the finding; no error and no warning without level.
		level Level
		text  string
	}{
		{"live", nolisting.Live, live(), "", ""},
		{"backup", nolisting.Backup, live(), "", ""},
		{"unknown role", Unknown, live(), "", ""},
		{"no TLS", nolisting.Live, live(), Note, "no STARTTLS"},
		{"HELO only", nolisting.Live, live().with("EHLO", "502 5.5.1 no").with("HELO", "250 mx.example.net"), "", ""},
		{"postmaster refused", nolisting.Live, live().with("RCPT TO:<postmaster@", "550 5.1.1 no"), Error, "mail for postmaster is refused (550 5.1.1 no)"},
		{"postmaster deferred", nolisting.Live, live().with("RCPT TO:<postmaster@", "450 4.7.1 later"), Warning, "greylisting"},
		{"everybody accepted", nolisting.Live, live().with("RCPT TO:<nullspf-probe@brand.example", "250 2.1.5 Ok"), Error, "does not exist is accepted (<nullspf-probe@brand.example>"},
		{"nobody deferred", nolisting.Live, live().with("RCPT TO:<nullspf-probe@brand.example", "450 4.1.1 no"), Error, "comes again for days"},
		{"below deferred", nolisting.Live, live().with("RCPT TO:<nullspf-probe@nullspf-probe.", "454 4.7.1 Relay access denied"), Error, "names below the domain is deferred"},
		{"below accepted", nolisting.Live, live().with("RCPT TO:<nullspf-probe@nullspf-probe.", "250 2.1.5 Ok"), Error, "names below the domain is accepted"},
		{"open relay", nolisting.Live, live().with("RCPT TO:<nullspf-probe@example.com", "250 2.1.5 Ok"), Error, "open relay"},
		{"relay deferred", nolisting.Live, live().with("RCPT TO:<nullspf-probe@example.com", "454 4.7.1 no"), Note, "relaying is refused, but clients try again"},
		{"no null reverse-path", nolisting.Live, live().with("MAIL", "550 5.7.1 no"), Error, "mail for postmaster is refused (550 5.7.1 no)"},
		{"leaves", nolisting.Live, live().with("RCPT TO:<postmaster@", "421 4.3.2 too many"), Warning, "mail for postmaster is deferred (421"},
		{"greets with 554", nolisting.Live, host{greeting: "554 no"}, Error, "does not greet with 220: 554 no"},
		{"EHLO refused", nolisting.Live, host{greeting: "220 hello"}, Error, "EHLO and HELO are refused: 502"},
		{"STARTTLS refused", nolisting.Live, live().with("EHLO", "250-mx\r\n250 STARTTLS").with("STARTTLS", "454 4.7.0 no"), Warning, "STARTTLS fails (454 4.7.0 no)"},
		{"STARTTLS with a lie", nolisting.Live, live().with("EHLO", "250-mx\r\n250 STARTTLS").with("STARTTLS", "220 go\r\n250 more"), Warning, "STARTTLS fails"},
		{"endless reply", nolisting.Live, live().with("EHLO", "endless"), Error, "more than 65536 bytes of replies"},
		{"not SMTP", nolisting.Live, host{greeting: "HTTP/1.1 400 \x1b[31m"}, Error, "not an SMTP reply"},
		{"dead greets", nolisting.Dead, live(), Error, "a mail server answers"},
		{"dead greets with 421", nolisting.Dead, host{greeting: "421 later"}, Error, "greets with 421 later: this is a tempfail host"},
		{"dead greets with 554", nolisting.Dead, host{greeting: "554 no"}, Error, "dma bounces the mail at once"},
		{"dead closes", nolisting.Dead, host{}, Error, "without a greeting (the host closes the connection)"},
		{"dead is silent", nolisting.Dead, host{greeting: "silence"}, Error, "without a greeting (no reply in 500ms)"},
		{"tempfail", nolisting.TempFail, live().with("RCPT", "451 4.3.0 later").with("RCPT TO:<postmaster@", "451 4.3.0 later"), "", ""},
		{"tempfail at MAIL", nolisting.TempFail, live().with("MAIL", "451 4.3.0 later"), "", ""},
		{"tempfail at the greeting", nolisting.TempFail, host{greeting: "421 later"}, "", ""},
		{"tempfail accepts", nolisting.TempFail, live(), Error, "RCPT TO:<postmaster@brand.example> is accepted"},
		{"tempfail refuses", nolisting.TempFail, live().with("RCPT TO:<postmaster@", "550 no"), Error, "refused for good (550 no)"},
		{"tempfail greets with 554", nolisting.TempFail, host{greeting: "554 no"}, Error, "senders bounce mail"},
		{"tempfail closes", nolisting.TempFail, host{}, Error, "without a greeting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			port, _ := listen(t, tt.host)
			target := Target{Host: "mx.example.net", Preference: 10, Role: tt.role, Address: address, Domain: "brand.example", Below: true}
			r := run(t, Settings{Port: port}, target)[0]
			if tt.level == "" {
				if got := findings(r, Error) + findings(r, Warning); got != "" {
					t.Errorf("got %s", got)
				}
			} else if got := findings(r, tt.level); !strings.Contains(got, tt.text) {
				t.Errorf("got %s %q, want %q; %+v", tt.level, got, tt.text, r.Session)
			}
			var table bytes.Buffer
			report := Report{Results: []Result{r}}
			if err := report.WriteTable(&table); err != nil || strings.ContainsRune(table.String(), 0x1b) {
				t.Errorf("%v, table %q", err, table.String())
			}
		})
	}
}

func TestConnections(t *testing.T) {
	address := netip.MustParseAddr("127.0.0.1")
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := uint16(closed.Addr().(*net.TCPAddr).Port)
	closed.Close()
	for role, want := range map[nolisting.Role]struct {
		level Level
		text  string
	}{
		nolisting.Dead:     {"", ""},
		nolisting.Live:     {Error, "connections are refused"},
		nolisting.TempFail: {Warning, "connections are refused"},
		Unknown:            {Note, "connections are refused"},
	} {
		r := run(t, Settings{Port: refusing}, Target{Role: role, Address: address})[0]
		if want.level == "" && len(r.Findings) > 0 || want.level != "" && !strings.Contains(findings(r, want.level), want.text) {
			t.Errorf("%s, refused: %+v", role, r.Findings)
		}
	}

	dropping := dropped(t)
	for role, want := range map[nolisting.Role]Level{nolisting.Dead: Warning, nolisting.Live: Error, nolisting.TempFail: Warning, Unknown: Note} {
		r := run(t, Settings{Port: dropping}, Target{Role: role, Address: address})[0]
		if r.Session.Connect != Dropped || !strings.Contains(findings(r, want), "connections are dropped") {
			t.Errorf("%s, dropped: %+v", role, r)
		}
	}
	// The discard prefix of RFC 6666 has no route on loopback.
	r := run(t, Settings{Port: 25}, Target{Role: nolisting.Dead, Address: netip.MustParseAddr("100::1")})[0]
	if r.Session.Connect == Accepted || r.Session.Connect == Refused {
		t.Errorf("the discard prefix: %+v", r)
	}
}

// dropped returns a port whose queue of connections is full: the kernel then
// drops SYN packets.
func dropped(t *testing.T) uint16 {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*syscall.SockaddrInet4).Port
	for range 5 {
		conn, err := net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", port), 200*time.Millisecond)
		if err != nil {
			return uint16(port)
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue is never full")
	return 0
}

// TestNoMessage looks at all that is sent.
func TestNoMessage(t *testing.T) {
	port, commands := listen(t, live())
	run(t, Settings{Port: port}, Target{Role: nolisting.Live, Address: netip.MustParseAddr("127.0.0.1"), Domain: "brand.example", Below: true})
	want := []string{"EHLO probe.example.net",
		"MAIL FROM:<>", "RCPT TO:<postmaster@brand.example>", "RSET",
		"MAIL FROM:<>", "RCPT TO:<nullspf-probe@brand.example>", "RSET",
		"MAIL FROM:<>", "RCPT TO:<nullspf-probe@example.com>", "RSET",
		"MAIL FROM:<>", "RCPT TO:<nullspf-probe@nullspf-probe.brand.example>", "RSET", "QUIT"}
	if got := commands(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBounds(t *testing.T) {
	slow := host{greeting: "silence"}
	port, _ := listen(t, slow, slow)
	var targets []Target
	for _, a := range []string{"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2"} {
		targets = append(targets, Target{Role: nolisting.Dead, Address: netip.MustParseAddr(a)})
	}
	begin := time.Now()
	run(t, Settings{Port: port, Timeout: 200 * time.Millisecond}, targets...)
	if took := time.Since(begin); took < 400*time.Millisecond {
		t.Errorf("two probes of one address at a time: %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, Settings{Port: port, HELO: "x", Timeout: time.Minute}, targets); err == nil {
		t.Error("a cancelled run ends without an error")
	}
	for want, s := range map[string]Settings{
		"HELO is empty":         {},
		"concurrency is 100000": {HELO: "x", Concurrency: 100000},
		"rate is -1":            {HELO: "x", Rate: -1},
		"timeout is -1s":        {HELO: "x", Timeout: -time.Second},
	} {
		if _, err := Run(t.Context(), s, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
