package interop

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// startRelay passes queries on to that server of the site which has the
// zone, and its answers back, unchanged: without a resolver, software that
// knows one address only could not ask both.
func startRelay(t *testing.T, s *site, at netip.AddrPort) {
	t.Helper()
	client, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	go func() {
		buf := make([]byte, dns.MaxMsgSize)
		for {
			n, from, err := client.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			query := append([]byte(nil), buf[:n]...)
			go func() {
				if answer := s.ask(at.Addr(), query); answer != nil {
					_, _ = client.WriteToUDPAddrPort(answer, from)
				}
			}()
		}
	}()
}

// ask sends a query from an address to the server that has the zone. It
// returns nil when no answer comes.
func (s *site) ask(from netip.Addr, query []byte) []byte {
	server := s.forged.Address
	if s.tracks(query) {
		server = s.track.Address
	}
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil
	}
	if _, err := conn.Write(query); err != nil {
		return nil
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := conn.Read(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// tracks reports whether a query is about a name of a tracking zone.
func (s *site) tracks(query []byte) bool {
	var m dns.Msg
	if err := m.Unpack(query); err != nil || len(m.Question) != 1 {
		return false
	}
	name := strings.ToLower(m.Question[0].Name)
	for _, p := range tracking {
		if dns.IsSubDomain(p.zone+".", name) {
			return true
		}
	}
	return false
}
