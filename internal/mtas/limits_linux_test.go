package mtas

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// unsure are options of Unbound by which it cannot tell the names of two clients: for
// one it answers SERVFAIL, for the other not at all.
const unsure = `local-zone: 11.100.51.198.in-addr.arpa. transparent
local-zone: 12.100.51.198.in-addr.arpa. deny
stub-zone:
	name: 11.100.51.198.in-addr.arpa.
	stub-addr: ` + nameserver + `@9
server:
`

// limits are what a host of examples/mail does to clients that ask for much.
type limits struct {
	// unsure is the reply to a client while the DNS cannot tell its name.
	unsure string
	// many is the reply to recipient 51 of a message; those before it are accepted.
	many string
	// slow: from recipient 4 on, which does not exist, each is answered after a second.
	slow bool
	// guesser is the reply to recipient 7 that does not exist, if the client is then
	// disconnected.
	guesser string
	// crowd is the greeting of connection 22 of one client, "" for 220.
	crowd string
}

// check tries a server.
func (l *limits) check(t *testing.T, n *Machine, s *Server) {
	t.Helper()
	for _, client := range []string{failing, silent} {
		if l.unsure == "" {
			continue // see docs/mail.md: it takes more than a minute
		}
		if got := unwelcome(t, n, client, s.At); !strings.HasPrefix(got, l.unsure) {
			t.Errorf("client %s, of whose name the DNS cannot tell: got %q, want %q", client, got, l.unsure)
		}
	}

	c := connect(t, n, goodClient, s.At)
	c.expect("EHLO good.sender.example.com", "250")
	c.expect("MAIL FROM:<a@sender.example.com>", "250")
	for i := range 50 {
		c.expect(fmt.Sprintf("RCPT TO:<postmaster+%d@alpha.example>", i), "250")
	}
	c.expect("RCPT TO:<postmaster@alpha.example>", l.many)
	c.expect("DATA", "354") // for the first 50
	_ = c.Close()

	c = connect(t, n, goodClient, s.At)
	c.expect("EHLO good.sender.example.com", "250")
	c.expect("MAIL FROM:<a@sender.example.com>", "250")
	for i := range 6 {
		began := time.Now()
		c.expect(fmt.Sprintf("RCPT TO:<nobody%d@alpha.example>", i), "554")
		if took := time.Since(began); (took > 900*time.Millisecond) != (l.slow && i >= 3) {
			t.Errorf("recipient %d that does not exist was answered after %v", i+1, took)
		}
		if l.guesser == "" && i == 3 {
			break
		}
	}
	if l.guesser != "" {
		c.expect("RCPT TO:<nobody7@alpha.example>", l.guesser)
		if _, err := c.ReadLine(); err == nil {
			t.Error("the client is not disconnected")
		}
	}
	_ = c.Close()

	var open []net.Conn
	greeting := ""
	for range 22 {
		conn, err := n.Dial(t.Context(), goodClient, s.At)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 512)
		k, err := conn.Read(buf)
		if err != nil {
			t.Errorf("connection %d: %v", len(open), err)
		}
		greeting = string(buf[:k])
	}
	for _, conn := range open {
		_ = conn.Close()
	}
	want := l.crowd
	if want == "" {
		want = "220 "
	}
	if !strings.HasPrefix(greeting, want) {
		t.Errorf("connection %d: got %q, want %q", len(open), greeting, want)
	}
}
