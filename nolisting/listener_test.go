package nolisting

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/conns"
)

// recorded collects the sessions of a listener.
type recorded struct {
	mu       sync.Mutex
	sessions []Session
}

func (r *recorded) record(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions = append(r.sessions, *s)
}

// take returns n sessions, which it waits for, and forgets them.
func (r *recorded) take(t *testing.T, n int) []Session {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		if len(r.sessions) >= n || time.Now().After(end) {
			got := r.sessions
			r.sessions = nil
			r.mu.Unlock()
			if len(got) != n {
				t.Fatalf("%d sessions, want %d: %+v", len(got), n, got)
			}
			return got
		}
		r.mu.Unlock()
	}
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// testListener listens at a free port of 127.0.0.1 until the test ends.
func testListener(t *testing.T, s ListenerSettings, limits listenerLimits) (*Listener, *recorded, netip.AddrPort) {
	t.Helper()
	r := new(recorded)
	log := zerolog.New(zerolog.NewTestWriter(t))
	l := NewListener(ListenerOptions{Hostname: "mx.example.net", Logger: log, Record: r.record, limits: limits})
	if s.Addresses == nil {
		s.Addresses = []netip.AddrPort{loopback}
	}
	if s.Mode == "" {
		s.Mode = Defer
	}
	if s.At == "" {
		s.At = AtRecipient
	}
	if s.Connections == 0 {
		s.Connections = DefaultConnections
	}
	l.Configure(&s)
	t.Cleanup(func() { l.Close(time.Second) })
	for end := time.Now().Add(5 * time.Second); len(l.Addresses()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not listen: %v", l.Problems())
		}
	}
	return l, r, l.Addresses()[0]
}

// client is an SMTP client that writes what it is told.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func dial(t *testing.T, at netip.AddrPort) *client {
	t.Helper()
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{conn, t, bufio.NewReader(conn)}
}

// reply reads an answer, whose lines it joins; "" is the end of the connection.
func (c *client) reply() string {
	var lines []string
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return strings.Join(lines, "|")
		}
		lines = append(lines, strings.TrimRight(line, "\r\n"))
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "|")
		}
	}
}

// talk sends each line after the answer to the one before, and returns the answers,
// that of the greeting first.
func (c *client) talk(lines ...string) []string {
	c.t.Helper()
	replies := []string{c.reply()}
	for _, line := range lines {
		if _, err := fmt.Fprintf(c, "%s\r\n", line); err != nil {
			c.t.Logf("%q: %v", line, err)
		}
		replies = append(replies, c.reply())
	}
	return replies
}

func prefixes(replies []string, n int) string {
	for i, r := range replies {
		replies[i] = r[:min(n, len(r))]
	}
	return strings.Join(replies, " ")
}

var conversation = []string{
	"EHLO Mail.Example.ORG", "MAIL FROM:<Info@Shop.example.> SIZE=1000 BODY=8BITMIME SMTPUTF8",
	"RCPT TO:<User@Brand.example>", "RCPT TO:<postmaster@other.example>", "RCPT TO:<Postmaster>", "RCPT TO:<\"post master\"@brand.example> NOTIFY=NEVER",
	"DATA", "RSET", "NOOP", "VRFY user", "QUIT",
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		name string
		ListenerSettings
		want string
	}{
		{"defer", ListenerSettings{}, "220 250 250 451 451 451 451 451 250 250 252 221"},
		{"refuse", ListenerSettings{Mode: Refuse}, "220 250 250 554 451 451 554 502 250 250 252 221"},
		{"data", ListenerSettings{At: AtData}, "220 250 250 451 451 451 451 354"},
		{"connect", ListenerSettings{At: AtConnect}, "421"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, r, at := testListener(t, c.ListenerSettings, listenerLimits{})
			lines := conversation
			if c.At == AtData {
				lines = lines[:7]
			} else if c.At == AtConnect {
				lines = nil
			}
			conn := dial(t, at)
			replies := conn.talk(lines...)
			if c.At == AtRecipient || c.At == "" {
				if want := "250-Hello Mail.Example.ORG|250-PIPELINING|250-8BITMIME|250-ENHANCEDSTATUSCODES|250-SMTPUTF8|250-DSN|250 SIZE"; replies[1] != want {
					t.Errorf("%s\nwant %s", replies[1], want)
				}
			}
			if got := prefixes(replies, 3); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			if c.At == AtData {
				// Neither a bare LF nor a dot elsewhere ends it.
				fmt.Fprintf(conn, "Subject: x\r\n\r\n..\r\n.\n.\r.\nx\n.\n\r\n.\r\nQUIT\r\n")
				if got := conn.reply()[:3] + " " + conn.reply(); got != "451 221 2.0.0 Bye" {
					t.Errorf("after the message: %s", got)
				}
			}
			if rest := conn.reply(); rest != "" {
				t.Errorf("%q follows", rest)
			}
			s := r.take(t, 1)[0]
			if s.Duration <= 0 || time.Since(s.Start) > time.Minute || s.Client != netip.MustParseAddrPort(conn.LocalAddr().String()) {
				t.Errorf("%+v", s)
			}
			want := Session{Start: s.Start, Duration: s.Duration, Client: s.Client}
			if c.At != AtConnect {
				want.HELO, want.SenderLocal, want.SenderDomain = "mail.example.org", "info", "shop.example"
				want.Recipients, want.RecipientDomain = 4, "brand.example"
			}
			if s != want {
				t.Errorf("%+v\nwant %+v", s, want)
			}
		})
	}
}

// TestPipelining: answers come in order, to commands that came at once, in pieces, and
// with bare line ends.
func TestPipelining(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(net.Conn, string){
		"at once": func(c net.Conn, text string) { _, _ = c.Write([]byte(text)) },
		"in pieces": func(c net.Conn, text string) {
			for i := range len(text) {
				_, _ = c.Write([]byte(text[i : i+1]))
			}
		},
		"bare LF": func(c net.Conn, text string) { _, _ = c.Write([]byte(strings.ReplaceAll(text, "\r\n", "\n"))) },
	} {
		for _, at := range []Stage{AtRecipient, AtData} {
			_, r, address := testListener(t, ListenerSettings{At: at}, listenerLimits{})
			conn := dial(t, address)
			send(conn, "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@brand.example>\r\nDATA\r\n")
			want := []string{"220", "250", "250", "451", "451"}
			if at == AtData {
				// RFC 2920 section 3.1: a dot follows where DATA was taken.
				want[4] = "354"
				_, _ = conn.Write([]byte(".\r\n"))
				want = append(want, "451")
			}
			send(conn, "MAIL FROM:<b@c>\r\nRCPT TO:<y@z>\r\nQUIT\r\nMAIL FROM:<after@quit>\r\n")
			for i, code := range append(want, "250", "451", "221", "") {
				if got := conn.reply(); !strings.HasPrefix(got, code) || code == "" && got != "" {
					t.Errorf("%s, at %s: answer %d is %q, want %s", name, at, i, got, code)
				}
			}
			if s := r.take(t, 1)[0]; s.Recipients != 2 || s.SenderDomain != "" || s.RecipientDomain != "brand.example" {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestHostileInput: whatever comes, it ends within the limits.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	l, r, at := testListener(t, ListenerSettings{At: AtData}, listenerLimits{})
	hello := "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
	greeted := "220 250 250 451"
	for _, c := range []struct{ name, send, want string }{
		{"long line", hello + strings.Repeat("x", 10<<20) + "\r\n", greeted + " 500"},
		{"long message", hello + "DATA\r\n" + strings.Repeat("x", 10<<20) + "\r\n.\r\n", greeted + " 354 451"},
		{"too many commands", "EHLO a\r\n" + strings.Repeat("NOOP\r\n", maxCommands), "220" + strings.Repeat(" 250", maxCommands) + " 421"},
		{"wrong commands", hello + strings.Repeat("XYZZY\r\n", 100), greeted + strings.Repeat(" 501", 4) + " 500"},
		{"NUL", "EHLO a\x00b\r\nEHLO a\rb\r\n" + hello + "MAIL FROM:<\x00@b>\r\n", "220 500 500 250 250 451 500"},
		{"chunks", hello + "BDAT 5 LAST\r\nabc\r\nNOOP\r\nQUIT\r\n", greeted + " 451 250 221"},
		{"TLS that is not there", "EHLO a\r\nSTARTTLS\r\nSTARTTLSx\r\nQUIT\r\n", "220 250 502 502 221"},
		{"AUTH", "EHLO a\r\nAUTH PLAIN AGEAYg==\r\nQUIT\r\n", "220 250 523 221"},
		{"no order", "RCPT TO:<a@b>\r\nDATA\r\nMAIL FROM:<a@b>\r\nHELO\r\nQUIT\r\n", "220 502 502 502 501 221"},
		{"nothing", "", "220"},
	} {
		conn := dial(t, at)
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for reply := conn.reply(); reply != ""; reply = conn.reply() {
				got = append(got, reply)
			}
		}()
		_, _ = conn.Write([]byte(c.send))
		_ = conn.Conn.(*net.TCPConn).CloseWrite()
		<-done
		// A connection that is closed before all was read loses answers.
		if text := prefixes(got, 3); text != c.want && (len(c.send) < 1<<20 || !strings.HasPrefix(c.want, text)) {
			t.Errorf("%s: %s\nwant %s", c.name, text, c.want)
		}
		r.take(t, 1)
	}
	if n := l.Stats(); n.Panics != 0 || n.Connections.Open != 0 {
		t.Errorf("%+v", n)
	}
}

// TestListenerLimits: a client and a network have no more than they may, and when all
// connections are used, the idlest of the network with the most goes.
func TestListenerLimits(t *testing.T) {
	t.Parallel()
	limits := listenerLimits{conns: conns.Limits{PerClient: 3, PerNetwork: 4, Idle: time.Minute}, session: time.Minute, retry: time.Second}
	l, r, at := testListener(t, ListenerSettings{Connections: 5}, limits)
	from := func(local, want string) *client {
		t.Helper()
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}).Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		c := &client{conn, t, bufio.NewReader(conn)}
		if got := c.reply(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s", local, got, want)
		}
		return c
	}
	first := from("127.0.0.1", "220")
	second := from("127.0.0.1", "220")
	from("127.0.0.1", "220")
	from("127.0.0.1", "421 4.7.0 Too many connections")
	from("127.0.0.2", "220")
	from("127.0.0.3", "421 4.7.0 Too many connections")
	from("127.0.1.1", "220")
	fmt.Fprint(first, "NOOP\r\n")
	if got := first.reply(); !strings.HasPrefix(got, "250") {
		t.Errorf("%q", got)
	}
	from("127.0.2.1", "220")
	if got := second.reply(); got != "" {
		t.Errorf("the idlest is answered: %q", got)
	}
	want := conns.Counts{Open: 5, Evicted: 1, Client: 1, Network: 1}
	if got := l.Stats().Connections; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.take(t, 3)
	l.Close(time.Second)
	if n := len(r.take(t, 5)); n != 5 {
		t.Errorf("%d sessions", n)
	}
	if n := l.Stats(); n.Sessions != 8 {
		t.Errorf("%+v", n)
	}
}

// TestSessionTime: neither silence nor diligence nor a tarpit goes on for ever.
func TestSessionTime(t *testing.T) {
	t.Parallel()
	limits := listenerLimits{conns: conns.Limits{Idle: 300 * time.Millisecond}, session: time.Second, retry: time.Second}
	_, r, at := testListener(t, ListenerSettings{Tarpit: 200 * time.Millisecond}, limits)
	began := time.Now()
	silent := dial(t, at)
	if got := prefixes([]string{silent.reply(), silent.reply(), silent.reply()}, 9); got != "220 mx.ex 421 4.4.2 " {
		t.Errorf("silent: %s", got)
	}
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("silence takes %s", took)
	}
	diligent := dial(t, at)
	diligent.talk("EHLO a", "MAIL FROM:<>")
	began = time.Now()
	n := 0
	for ; n < 20; n++ {
		fmt.Fprint(diligent, "RCPT TO:<a@b>\r\n")
		if !strings.HasPrefix(diligent.reply(), "451") {
			break
		}
	}
	if took := time.Since(began); took < 600*time.Millisecond || took > 3*time.Second || n < 2 || n > 6 {
		t.Errorf("%d recipients in %s", n, took)
	}
	r.take(t, 2)
}

// TestTarpitStops: what is held back does not hold up the end, nor a client that needs
// the connection.
func TestTarpitStops(t *testing.T) {
	t.Parallel()
	l, r, at := testListener(t, ListenerSettings{Tarpit: MaxTarpit, Connections: 2}, listenerLimits{})
	var held []*client
	for range 3 {
		c := dial(t, at)
		c.talk("EHLO a", "MAIL FROM:<>")
		fmt.Fprint(c, "RCPT TO:<a@b>\r\n")
		held = append(held, c)
	}
	if got := held[0].reply(); got != "" {
		t.Errorf("the first is answered: %q", got)
	}
	r.take(t, 1)
	for end := time.Now().Add(5 * time.Second); l.Stats().Recipients < 3 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	l.Close(time.Second)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the end takes %s", took)
	}
	if s := r.take(t, 2); s[0].Recipients != 1 || s[1].Recipients != 1 {
		t.Errorf("%+v", s)
	}
}

// TestListenerTrouble: a port in use is told, and taken as soon as it is free.
func TestListenerTrouble(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(other.Addr().String())
	l := NewListener(ListenerOptions{Hostname: "mx", Logger: zerolog.Nop(), Record: func(*Session) {},
		limits: listenerLimits{conns: conns.Limits{Idle: time.Second}, session: time.Second, retry: 20 * time.Millisecond}})
	defer l.Close(time.Second)
	s := &ListenerSettings{Addresses: []netip.AddrPort{at}, Mode: Defer, At: AtRecipient, Connections: 10}
	l.Configure(s)
	wait := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %v, %+v", what, l.Problems(), l.Stats())
			}
		}
	}
	wait("a port in use", func() bool { return l.Stats().Listen > 1 && len(l.Problems()) == 1 })
	if p := l.Problems()[0]; !strings.Contains(p, "SMTP listener") || !strings.Contains(p, "in use") {
		t.Errorf("%q", p)
	}
	_ = other.Close()
	wait("a free port", func() bool { return len(l.Problems()) == 0 && len(l.Addresses()) == 1 })
	if got := dial(t, at).reply(); !strings.HasPrefix(got, "220 mx ESMTP") {
		t.Errorf("%q", got)
	}
	l.Configure(nil)
	if conn, err := net.Dial("tcp", at.String()); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

// TestClosedAtOnce: a listener that is closed before anything of it has run ends.
func TestClosedAtOnce(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for range 500 {
			NewListener(ListenerOptions{Hostname: "mx.example.net", Logger: zerolog.Nop(), Record: func(*Session) {}}).Close(0)
		}
	}()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("Close does not return")
	}
}
