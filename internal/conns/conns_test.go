package conns

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// quiet is a connection that knows whether it is closed.
type quiet struct {
	net.Conn
	closed bool
	until  time.Time
}

func (q *quiet) Close() error                      { q.closed = true; return nil }
func (q *quiet) SetDeadline(t time.Time) error     { q.until = t; return nil }
func (q *quiet) SetReadDeadline(t time.Time) error { q.until = t; return nil }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestLimits(t *testing.T) {
	s := New(Limits{Connections: 6, PerClient: 2, PerNetwork: 3, Idle: 10 * time.Second})
	admit := func(client string, exempt, want bool) (*Conn, *quiet) {
		t.Helper()
		q := new(quiet)
		c := s.Admit(q, addr(client), exempt)
		if (c != nil) != want {
			t.Fatalf("%s: admitted %v", client, !want)
		}
		return c, q
	}
	first, firstConn := admit("192.0.2.1", false, true)
	admit("192.0.2.1", false, true)
	admit("192.0.2.1", false, false) // too many of a client
	admit("192.0.2.2", false, true)
	admit("192.0.2.3", false, false) // too many of a network
	proxy, _ := admit("192.0.2.1", true, true)
	admit("2001:db8::1", false, true)
	admit("2001:db8::2", false, true) // of the same /64
	admit("2001:db8::3", false, false)
	if s.Identify(proxy, addr("192.0.2.9")) {
		t.Error("a proxy's client has more than its network may")
	}
	if !s.Identify(proxy, addr("198.51.100.1")) {
		t.Error("a proxy's client is refused")
	}
	if err := s.Extend(first, time.Time{}); err != nil {
		t.Error(err)
	}
	// More than three quarters are in use.
	if d := time.Until(firstConn.until); d > 2*time.Second || d < time.Second {
		t.Errorf("%s for the next step", d)
	}
	if err := s.Extend(first, time.Now()); err != nil || time.Until(firstConn.until) > 0 {
		t.Errorf("%v, until %v", err, firstConn.until)
	}
	// All are in use, and the network with the most loses its idlest, the second.
	admit("203.0.113.1", false, true)
	want := Counts{Open: 6, Evicted: 1, Client: 2, Network: 2}
	if got := s.Counts(); got != want || firstConn.closed {
		t.Errorf("%+v, want %+v; the first is closed: %v", got, want, firstConn.closed)
	}
	if n := s.Networks()[addr("192.0.2.0")]; n != 2 {
		t.Errorf("the network has %d connections", n)
	}
}

// TestCounts does anything in any order: what counts for clients and networks is what
// is open.
func TestCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := New(Limits{Connections: 30, PerClient: 3, PerNetwork: 6})
	type member struct {
		*Conn
		*quiet
	}
	var live []member
	any := func() netip.Addr {
		return addr(fmt.Sprintf("192.0.%d.%d", random.IntN(1+random.IntN(8)), random.IntN(4)))
	}
	for range 20_000 {
		switch n := random.IntN(6); {
		case n < 3:
			q := new(quiet)
			if c := s.Admit(q, any(), random.IntN(40) == 0); c != nil {
				live = append(live, member{c, q})
			}
		case len(live) == 0:
		case n == 3:
			i := random.IntN(len(live))
			s.Remove(live[i].Conn)
			live = append(live[:i], live[i+1:]...)
		case n == 4:
			if m := live[random.IntN(len(live))]; m.exempt {
				s.Attribute(m.Conn, any())
			} else if random.IntN(300) == 0 {
				s.Exempt(m.Conn)
			}
		case n == 5:
			if m := live[random.IntN(len(live))]; m.exempt && !m.network.IsValid() {
				s.Identify(m.Conn, any())
			}
		}
		clients, networks := make(map[netip.Addr]int), make(map[netip.Addr]int)
		for c := range s.open {
			if !c.exempt {
				clients[clientOf(c.client)]++
			}
			if c.network.IsValid() {
				networks[c.network]++
			}
		}
		if fmt.Sprint(clients, networks) != fmt.Sprint(s.clients, s.networks) || len(s.open) > 30 {
			t.Fatalf("clients %v, want %v; networks %v, want %v; %d open", s.clients, clients, s.networks, networks, len(s.open))
		}
	}
	for _, m := range live {
		s.Remove(m.Conn)
	}
	if n := s.Counts(); n.Open != 0 || n.Evicted == 0 || n.Client == 0 || n.Network == 0 || len(s.clients)+len(s.networks) != 0 {
		t.Errorf("%+v, clients %v, networks %v", n, s.clients, s.networks)
	}
}
