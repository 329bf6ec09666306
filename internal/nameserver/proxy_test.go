package nameserver

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/conns"
	"nullspf/internal/peers"
)

// From a proxy, the events have the address of its clients; without a header
// nothing is answered; from others a header is none.
func TestProxy(t *testing.T) {
	s := startServer(t, testConfig(func(c *Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	}), Options{TCP: conns.Limits{Connections: 20, PerClient: 2, Idle: 10 * time.Second}})
	at := s.address(t, false)
	exchangeFrom := func(network, local string, header []byte, odd bool) bool {
		t.Helper()
		var from net.Addr = &net.UDPAddr{IP: net.ParseIP(local)}
		if network == "tcp" {
			from = &net.TCPAddr{IP: net.ParseIP(local)}
		}
		conn, err := (&net.Dialer{LocalAddr: from}).Dial(network, at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		b := frame(t, 7, exampleName, dns.TypeA)
		if odd { // an unknown record makes the message odd
			b = append(b, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0)
			b[2+11]++
			binary.BigEndian.PutUint16(b, uint16(len(b)-2))
		}
		if network == "udp" {
			b = b[2:]
		}
		if err := conn.SetDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(append(header, b...)); err != nil {
			t.Fatal(err)
		}
		if network == "tcp" {
			got, err := readFrame(conn)
			return err == nil && got[1] == 7 && got[3]&15 == 0
		}
		got := make([]byte, 2000)
		n, err := conn.Read(got)
		return err == nil && n > headerSize && got[1] == 7 && got[3]&15 == 0
	}
	for _, network := range []string{"udp", "tcp"} {
		for _, odd := range []bool{false, true} {
			for _, client := range []string{"192.0.2.1:1234", "[2001:db8::1]:53"} {
				for transport := byte(1); transport <= 2; transport++ {
					want := netip.MustParseAddrPort(client)
					if !exchangeFrom(network, "127.0.0.2", peers.ProxyHeader(transport == 2, want), odd) {
						t.Fatalf("%s of %s: no answer", network, client)
					}
					events := s.recorder.take()
					if len(events) != 1 || events[0].Resolver != want || events[0].Verified != (network == "tcp" && transport == 1) {
						t.Errorf("%s of %s, transport %d: events %+v", network, client, transport, events)
					}
				}
			}
		}
		if !exchangeFrom(network, "127.0.0.2", peers.ProxyHeader(false, netip.AddrPort{}), false) {
			t.Errorf("%s: a proxy that speaks for itself gets no answer", network)
		}
		if events := s.recorder.take(); len(events) != 1 || events[0].Resolver.Addr().String() != "127.0.0.2" {
			t.Errorf("%s: events %+v", network, events)
		}
		if exchangeFrom(network, "127.0.0.2", nil, false) {
			t.Errorf("%s: a proxy without header gets an answer", network)
		}
		if exchangeFrom(network, "127.0.0.1", peers.ProxyHeader(false, testClient), false) {
			t.Errorf("%s: a header of a client is believed", network)
		}
		if events := s.recorder.take(); len(events) != 0 {
			t.Errorf("%s: events %+v", network, events)
		}
	}
	if n := s.Counts().UDP.outcomes[dropProxy]; n != 1 {
		t.Errorf("%d messages without header, want 1", n)
	}
	// The limit of one client does not hold.
	for i := range 5 {
		client := netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:53", i))
		if !exchangeFrom("tcp", "127.0.0.2", peers.ProxyHeader(false, client), false) {
			t.Errorf("connection %d: no answer", i+1)
		}
	}
}

// A flood through a proxy takes the connections of its own networks: clients that
// come without the proxy, and the proxy's others, keep theirs.
func TestProxyFlood(t *testing.T) {
	s := startServer(t, testConfig(func(c *Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	}), Options{TCP: conns.Limits{Connections: 100, PerClient: 32, Idle: 10 * time.Second}})
	through := func(client string, transport byte) *net.TCPConn {
		t.Helper()
		conn := dialFrom(t, s, "127.0.0.2")
		if _, err := conn.Write(peers.ProxyHeader(transport == 2, netip.MustParseAddrPort(client))); err != nil {
			t.Fatal(err)
		}
		if !askOver(t, conn) {
			t.Errorf("%s is not served", client)
		}
		return conn
	}
	var kept []*net.TCPConn
	for i := range 14 {
		conn := dialFrom(t, s, fmt.Sprintf("127.0.%d.1", 10+i))
		if !askOver(t, conn) {
			t.Fatalf("direct client %d is not served", i+1)
		}
		kept = append(kept, conn, through(fmt.Sprintf("198.51.%d.1:53", i), 1))
	}
	for i := range 300 {
		through(fmt.Sprintf("203.0.113.%d:53", i%32), 1)
		// Over UDP, addresses may be forged.
		through(fmt.Sprintf("10.%d.%d.1:53", i/250, i%250), 2)
	}
	served := 0
	for _, conn := range kept {
		if askOver(t, conn) {
			served++
		}
	}
	if served != len(kept) {
		t.Errorf("%d of %d connections of other networks are left", served, len(kept))
	}
	sum := 0
	for _, n := range s.tcp.conns.Networks() {
		sum += n
	}
	if open := s.tcp.conns.Counts().Open; sum != open || sum > 100 {
		t.Errorf("%d connections count for networks, %d are open", sum, open)
	}
}
