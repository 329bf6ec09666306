package nameserver

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/nolisting"
	"nullspf/spftrack"
)

// say holds a conversation, each command after the answer to the one before, and
// returns the codes of the answers.
func say(t *testing.T, at netip.AddrPort, commands ...string) string {
	t.Helper()
	return sayFrom(t, netip.MustParseAddr("127.0.0.1"), at, commands...)
}

// sayFrom is say from an address.
func sayFrom(t *testing.T, from netip.Addr, at netip.AddrPort, commands ...string) string {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}).Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(conn)
	var codes []string
	for _, c := range append([]string{""}, commands...) {
		if c != "" {
			_, _ = conn.Write([]byte(c))
		}
		for more := true; more; {
			line, err := in.ReadString('\n')
			if err != nil {
				return strings.Join(append(codes, "end"), " ")
			}
			if more = strings.HasPrefix(line[3:], "-"); !more {
				codes = append(codes, line[:3])
			}
		}
	}
	return strings.Join(codes, " ")
}

var smtpCommands = []string{"EHLO a\r\n", "MAIL FROM:<b@c>\r\n", "RCPT TO:<d@brand.example>\r\n", "QUIT\r\n"}

func withSMTP(at netip.AddrPort) func(*Config) {
	return func(c *Config) {
		c.SMTP = DefaultSMTP()
		c.SMTP.Position, c.SMTP.Listen = "Corefile:9", []netip.AddrPort{at}
	}
}

func (s *testServer) smtpAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if list := s.smtp.Addresses(); len(list) > 0 {
			return list[0]
		}
	}
	t.Fatalf("the SMTP listener does not listen: %v", s.smtp.Problems())
	return netip.AddrPort{}
}

// TestSMTP: a session is one event, which counts like others; settings follow a reload.
func TestSMTP(t *testing.T) {
	s := startServer(t, testConfig(withSMTP(netip.MustParseAddrPort("127.0.0.1:0"))), Options{})
	at := s.smtpAddress(t)
	if got := say(t, at, smtpCommands...); got != "220 250 250 451 221" {
		t.Errorf("answers %s", got)
	}
	var events []event
	for end := time.Now().Add(5 * time.Second); len(events) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		events = s.recorder.take()
	}
	want := journal.Session{HELO: "a", SenderLocal: "b", SenderDomain: "c", Session: spftrack.Session{Recipients: 1, RecipientDomain: "brand.example"}}
	if len(events) != 1 || !events[0].Session || !events[0].Verified || events[0].Resolver.Addr() != at.Addr() ||
		!strings.HasSuffix(string(events[0].Name), string(want.Packet(new(journal.SessionBuffer)).Name[2:])) {
		t.Errorf("events %+v", events)
	}
	if n := s.Counts(); n.Tracked != 1 {
		t.Errorf("%d events", n.Tracked)
	}
	if err := s.Reload(func() (*Config, error) {
		return testConfig(withSMTP(netip.MustParseAddrPort("127.0.0.1:0")), func(c *Config) { c.SMTP.Mode = nolisting.Refuse }), nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := say(t, at, smtpCommands...); got != "220 250 250 554 221" {
		t.Errorf("after a reload, answers %s", got)
	}
	if err := s.Reload(func() (*Config, error) { return testConfig(), nil }); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", at.String()); err == nil {
		_ = conn.Close()
		t.Error("it listens, though the configuration has no listener")
	}
}

// TestSMTPTrouble: a listener that cannot listen disturbs nothing else, and says so.
func TestSMTPTrouble(t *testing.T) {
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	at := netip.MustParseAddrPort(other.Addr().String())
	s := startServer(t, testConfig(withSMTP(at)), Options{})
	if !askOver(t, dialTCP(t, s)) {
		t.Error("DNS is not answered")
	}
	var h Health
	for end := time.Now().Add(5 * time.Second); h.Status != "degraded" && time.Now().Before(end); time.Sleep(time.Millisecond) {
		h = s.Health()
	}
	if len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "SMTP listener: listen tcp4 "+at.String()) {
		t.Errorf("%+v", h)
	}
}

// TestSMTPCheck: what cannot be served is refused with its place.
func TestSMTPCheck(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"Corefile:9: smtp: 127.0.0.1:5353 is used for something else": func(c *Config) {
			c.Metrics = netip.MustParseAddrPort("127.0.0.1:5353")
		},
		"Corefile:9: smtp: tls: certificate /nowhere/cert with the key /nowhere/key: open /nowhere/cert": func(c *Config) {
			c.SMTP.Cert, c.SMTP.Key = "/nowhere/cert", "/nowhere/key"
		},
	} {
		err := Check(testConfig(withSMTP(netip.MustParseAddrPort("127.0.0.1:5353")), change))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestSMTPProxy: behind a proxy, events have the client's address; without a header
// nothing is answered.
func TestSMTPProxy(t *testing.T) {
	s := startServer(t, testConfig(withSMTP(netip.MustParseAddrPort("127.0.0.1:0")), func(c *Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}), Options{})
	at := s.smtpAddress(t)
	client := netip.MustParseAddrPort("192.0.2.7:4711")
	for header, want := range map[string]netip.AddrPort{
		string(peers.ProxyHeader(false, client)):                 client,
		"PROXY TCP4 192.0.2.7 198.51.100.25 4711 25\r\n":         client,
		string(peers.ProxyHeader(false, netip.AddrPort{})):       {},
		"PROXY UNKNOWN\r\n":                                      {},
		"EHLO a\r\nMAIL FROM:<b@c>\r\nRCPT TO:<d@brand.example>": {},
	} {
		conn, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(conn, "%sQUIT\r\n", header)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if known := !strings.HasPrefix(header, "EHLO"); known != strings.HasPrefix(line, "220") {
			t.Errorf("%q: %q, %v", header, line, err)
		}
		_ = conn.Close()
		var events []event
		for end := time.Now().Add(time.Second); s.smtp.Stats().Connections.Open > 0 || len(events) == 0 && want.IsValid() && time.Now().Before(end); time.Sleep(time.Millisecond) {
			events = append(events, s.recorder.take()...)
		}
		if events = append(events, s.recorder.take()...); want.IsValid() != (len(events) == 1) || want.IsValid() && events[0].Resolver != want {
			t.Errorf("%q: events %+v", header, events)
		}
	}
	if n := s.smtp.Stats(); n.Proxy != 1 || n.Sessions != 2 {
		t.Errorf("%+v", n)
	}
}
