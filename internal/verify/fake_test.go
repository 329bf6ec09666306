package verify

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// fake is a server on loopback that answers as a test wants it to.
type fake struct {
	address netip.AddrPort
	queries atomic.Int64
	// highest is the largest number of queries that waited at a time.
	waiting, highest atomic.Int64
}

// listen takes a port of UDP, and the same of TCP if both are wanted. Other processes take
// ports meanwhile.
func listen(t testing.TB, both bool) (conn *net.UDPConn, listener net.Listener) {
	t.Helper()
	for range 100 {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if !both {
			return conn, nil
		}
		if listener, err := net.Listen("tcp", conn.LocalAddr().String()); err == nil {
			return conn, listener
		}
		_ = conn.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// serveFake starts a fake. udp and tcp return the packets to send back; over
// TCP they are sent as they are, with the length in front that the test gives
// them. A nil tcp refuses connections.
func serveFake(t testing.TB, udp, tcp func(query *dns.Msg) [][]byte) *fake {
	t.Helper()
	conn, listener := listen(t, tcp != nil)
	f := &fake{address: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			packet := make([]byte, 1500)
			n, from, err := conn.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			f.queries.Add(1)
			f.highest.Store(max(f.highest.Load(), f.waiting.Add(1)))
			wg.Go(func() {
				for _, p := range udp(unpacked(t, packet[:n])) {
					f.waiting.Add(-1)
					_, _ = conn.WriteToUDPAddrPort(p, from)
				}
			})
		}
	})
	if tcp == nil {
		return f
	}
	t.Cleanup(func() { _ = listener.Close() })
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				var size [2]byte
				_, _ = io.ReadFull(conn, size[:])
				packet := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(conn, packet); err != nil {
					return
				}
				for _, p := range tcp(unpacked(t, packet)) {
					_, _ = conn.Write(p)
				}
			})
		}
	})
	return f
}

func unpacked(t testing.TB, packet []byte) *dns.Msg {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		t.Errorf("a query does not unpack: %v", err)
	}
	return m
}

// answer gives the answer that a right server gives.
func (p *published) answer(t testing.TB, query *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(query)
	m.Authoritative = true
	q := query.Question[0]
	zone := strings.TrimSuffix(q.Name, ".")
	for p.set.Find(zone) == nil {
		_, after, ok := strings.Cut(zone, ".")
		if !ok {
			m.Rcode, m.Authoritative = dns.RcodeRefused, false
			return m
		}
		zone = after
	}
	rrs, err := p.set.Template(p.set.Find(zone)).Records(zone, p.serials[zone])
	if err != nil {
		t.Error(err)
	}
	for _, rr := range rrs {
		if rr.Header().Name == q.Name && rr.Header().Rrtype == q.Qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

func pack(t testing.TB, m *dns.Msg) []byte {
	packet, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packet
}

// withSize puts the length in front that TCP needs.
func withSize(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}
