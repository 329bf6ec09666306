//go:build !race

// The race detector takes memory of its own.

package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/internal/torture"
	"nullspf/spftrack"
)

// harmless are the positive answers that are none to a recipient or a message. A
// greeting may be cut short by the end.
var harmless = regexp.MustCompile(`^(220[ -].*|221 .*|252 .*|250-.*|250 SIZE|250 2\.0\.0 (Hello .*|Roger, .*|Session reset|I have successfully done nothing)|3(34|54) .*)$`)

// mailers are SMTP clients of all sorts.
type mailers struct {
	t    *testing.T
	at   netip.AddrPort
	data bool // the listener asks for messages
	// from numbers the clients, each of which has an address of its own.
	from atomic.Uint32
	// held counts connections that did nothing.
	mu     sync.Mutex
	dialed map[netip.AddrPort]bool
	held   []net.Conn
	// refused and answers count recipients that were refused, and all answers.
	refused, answers atomic.Int64
}

// dial connects from an address that nobody else has.
func (m *mailers) dial() (net.Conn, error) {
	n := m.from.Add(1)
	from := binary.BigEndian.AppendUint32(nil, 127<<24|1<<20+(n%4000)<<8+n/4000+1) // neighbours are in other networks
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}).Dial("tcp4", m.at.String())
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dialed[localAddress(conn)] = true
	return conn, conn.SetDeadline(time.Now().Add(20 * time.Second))
}

// reply reads an answer, and fails the test for one that accepts something.
func (m *mailers) reply(in *bufio.Reader) (code string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		m.answers.Add(1)
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 4 || (line[0] == '2' || line[0] == '3') && !harmless.MatchString(line) {
			m.t.Errorf("answer %q", line)
		}
		if len(line) > 3 && line[3] != '-' {
			return line[:3], nil
		}
	}
}

// words are what commands are made of.
var words = []string{
	"EHLO", "HELO", "MAIL FROM:", "RCPT TO:", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "EXPN", "AUTH", "STARTTLS", "QUIT", " ", "<", ">", "@", ":",
	"<a@b.example>", "<postmaster>", "\"", "\\", "\x00", "\xff", "\r", "\n", "\t", "SIZE=1", "BODY=8BITMIME", "LAST", "10", "4294967295", ".", "..", "\r\n", "\r\n.\r\n", "\n.\n",
}

// garbage is something like SMTP.
func garbage(random *rand.Rand, size int) []byte {
	var b []byte
	for len(b) < size {
		switch random.IntN(8) {
		case 0:
			b = append(b, byte(random.UintN(256)))
		case 1:
			b = append(b, bytes.Repeat([]byte{byte(random.UintN(256))}, random.IntN(3000))...)
		case 2, 3:
			b = append(b, "\r\n"...)
		default:
			b = append(b, words[random.IntN(len(words))]...)
		}
	}
	return b
}

// talk holds a conversation of well-formed commands, at once or one by one, with any
// ends of lines; no answer to RCPT or DATA is positive.
func (m *mailers) talk(random *rand.Rand, conn net.Conn) error {
	in := bufio.NewReader(conn)
	if _, err := m.reply(in); err != nil {
		return err
	}
	end := "\r\n"
	if random.IntN(3) == 0 {
		end = "\n"
	}
	commands := []string{"EHLO client.example"}
	for range 1 + random.IntN(6) {
		commands = append(commands, []string{"MAIL FROM:<>", "MAIL FROM:<info@shop.example>", "RSET", "NOOP", "RCPT TO:<user@brand.example>",
			"RCPT TO:<postmaster@brand.example>", "RCPT TO:<Postmaster>", "RCPT TO:<@a,@b:c@d>", "RCPT TO:c@d", "HELO x"}[random.IntN(10)])
	}
	commands = append(commands, "MAIL FROM:<a@shop.example>", "RCPT TO:<b@brand.example>", "DATA")
	pipelined := random.IntN(2) == 0
	if pipelined {
		if _, err := io.WriteString(conn, strings.Join(commands, end)+end); err != nil {
			return err
		}
	}
	for _, command := range commands {
		if !pipelined {
			if _, err := io.WriteString(conn, command+end); err != nil {
				return err
			}
		}
		code, err := m.reply(in)
		if err != nil {
			return err
		}
		verb, _, _ := strings.Cut(command, " ")
		if (verb == "RCPT" || verb == "DATA") && code[0] != '4' && code[0] != '5' && code != "354" || verb == "DATA" && code == "354" && !m.data {
			m.t.Errorf("%s is answered with %s", command, code)
		}
		if verb == "RCPT" {
			m.refused.Add(1)
		}
		if code == "354" {
			message := append(bytes.ReplaceAll(garbage(random, random.IntN(100_000)), []byte("\r\n."), nil), "\r\n.\r\n"...)
			if _, err := conn.Write(message); err != nil {
				return err
			}
			if code, err = m.reply(in); err != nil || code != "451" {
				return errors.Join(err, fmt.Errorf("a message is answered with %q", code))
			}
		}
	}
	_, err := io.WriteString(conn, "QUIT"+end)
	for err == nil {
		_, err = m.reply(in)
	}
	return err
}

// drain reads answers until the end.
func (m *mailers) drain(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		if _, err := m.reply(in); err != nil {
			return
		}
	}
}

// session is one of any sort; its name is for counts.
func (m *mailers) session(random *rand.Rand) (kind string, err error) {
	conn, err := m.dial()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	write := func(b []byte) { _, _ = conn.Write(b) } // the other end may have gone
	writeAll := func(b []byte) {
		write(b)
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	switch n := random.IntN(100); {
	case n < 50:
		err := m.talk(random, conn)
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			err = nil // it has made room, or was deferred at once
		}
		return "conversations", err
	case n < 80:
		go writeAll(garbage(random, random.IntN(10_000)))
		m.drain(conn)
		return "garbage", nil
	case n < 82:
		go writeAll(append(bytes.Repeat([]byte("x"), 10<<20), "\r\n"...))
		m.drain(conn)
		return "lines of 10 MB", nil
	case n < 90:
		write(garbage(random, random.IntN(100)))
		if random.IntN(2) == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset
		}
		return "half-open", nil
	case n < 95:
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		in := bufio.NewReader(conn)
		write([]byte("EHLO a\r\nSTARTTLS\r\n"))
		for range 3 {
			if _, err := m.reply(in); err != nil {
				return "TLS", nil
			}
		}
		if random.IntN(2) == 0 {
			writeAll(garbage(random, 1000))
			m.drain(conn)
		} else if secure.Handshake() == nil {
			write := func(b []byte) { _, _ = secure.Write(b) }
			go write([]byte("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\nQUIT\r\n"))
			m.drain(secure)
		}
		return "TLS", nil
	default:
		// Commands whose answers are never read.
		write(bytes.Repeat([]byte("EHLO "+strings.Repeat("a", 1000)+"\r\n"), 200))
		return "deaf", nil
	}
}

// hold opens connections and leaves them alone.
func (m *mailers) hold(t *testing.T, n int) {
	for range n {
		conn, err := m.dial()
		if err != nil {
			t.Fatal(err)
		}
		m.held = append(m.held, conn)
	}
}

// TestSMTPSessions holds random and hostile SMTP sessions, while 1,000 others are
// idle and DNS is asked: no answer to RCPT or DATA is positive, memory is bounded, each
// query is answered, and each session is in the journal once.
func TestSMTPSessions(t *testing.T) {
	peers.RequireNamespaces(t)
	r := torture.Start(t, 0)
	s := newSite(t)
	at, err := peers.FreePort(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	if err != nil {
		t.Fatal(err)
	}
	cert, key := peers.Certificate(t, s.dir, "mx.example.net")
	configure := func(line string) {
		s.options = fmt.Sprintf("smtp %s {\n\t\t%s\n\t\ttls %s %s\n\t}", at, line, cert, key)
	}
	modes := []string{"at rcpt", "at data", "mode refuse", "at connect"}
	configure(modes[0])
	// The heap, and room for the address space that the runtime claims.
	s.memory = 512 << 20
	d := s.start(t)
	book := new(ledger)
	l := newLoad(t)
	rate := 500
	l.udp(s.at, rate, book.add(t, 20*rate+int(r.Left().Seconds()+60)*2*rate, shape{}))
	m := &mailers{t: t, at: at, dialed: make(map[netip.AddrPort]bool)}
	waitFor(t, 10*time.Second, func() bool { return strings.Contains(d.logged(), "the SMTP listener listens") }, d.logged)
	m.hold(t, 1000)
	var reloads, number uint64
	for round := 0; r.More(len(modes)); round++ {
		mode := modes[round%len(modes)]
		if round > 0 {
			configure(mode)
			d.reload(t, s.corefile(), syscall.SIGHUP, "done", &reloads)
		}
		m.data = mode == "at data"
		var working sync.WaitGroup
		for range 16 {
			number++
			random := r.Fork(number)
			working.Go(func() {
				for range longer(15, 160) {
					kind, err := m.session(random)
					if err != nil {
						t.Errorf("%s: %s: %v", mode, kind, err)
						return
					}
					r.Count(kind, 1)
				}
			})
		}
		working.Wait()
	}
	for _, conn := range m.held {
		_ = conn.Close()
	}
	waitFor(t, 30*time.Second, func() bool {
		return d.metrics(t).sum("nullspfd_smtp_sessions_total") == uint64(len(m.dialed))
	}, func() string {
		return fmt.Sprintf("%d sessions were held, but\n%s", len(m.dialed), d.metrics(t).text())
	})
	_, peak := d.memory(t)
	r.Figure("most memory", "%d MiB", peak)
	if bound := 150; peak > bound {
		t.Errorf("%d MiB, more than %d", peak, bound)
	}
	drops := l.end()
	figures := d.settled(t)
	asked, answered := book.totals(spftrack.TransportUDP)
	r.Count("DNS queries meanwhile", int(asked))
	if answered+drops+figures.socketDrops() != asked || answered < asked*99/100 {
		t.Errorf("%d queries, %d answered, %d and %d dropped by the kernel", asked, answered, drops, figures.socketDrops())
	}
	if figures.lost("") != 0 || figures.sum("nullspfd_panics_total") != 0 || m.refused.Load() == 0 {
		t.Errorf("%d recipients were refused\n%s", m.refused.Load(), figures.text())
	}
	d.stop(t)
	checkDir(t, s.journal)
	m.compare(t, s.journal, asked-figures.socketDrops())
}

// compare looks for each session in the journal, once.
func (m *mailers) compare(t *testing.T, dir string, queries uint64) {
	t.Helper()
	found := make(map[netip.AddrPort]int)
	others := uint64(0)
	err := forgerylog.Open([]string{dir}, journal.ReadOptions{}).Events(context.Background(), forgerylog.Query{Packets: true}, 0, func(r *eventrow.Row) error {
		if r.Kind != spftrack.KindSMTP.String() {
			others++
			return nil
		}
		client, err := netip.ParseAddr(r.ClientIP)
		if err != nil || r.Resolver != r.ClientIP || !r.SourceVerified || r.Duration <= 0 || r.Attempt {
			t.Errorf("%+v, %v", *r, err)
		}
		found[netip.AddrPortFrom(client, uint16(r.ResolverPort))]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for client := range m.dialed {
		if found[client] != 1 {
			t.Errorf("the session of %s is in the journal %d times", client, found[client])
		}
	}
	if len(found) != len(m.dialed) || others != queries {
		t.Errorf("%d sessions, want %d; %d queries, want %d", len(found), len(m.dialed), others, queries)
	}
}
