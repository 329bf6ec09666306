package peers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// FreePort hands out portCount ports from firstPort on. They lie below those that
// the system gives to outgoing connections, so that none of these takes a port
// before a server does.
const firstPort, portCount = 10000, 20000

// lastPort counts the ports that were handed out, from a random start, so that
// no port is handed out twice and other processes get others.
var lastPort atomic.Uint32

func init() { lastPort.Store(rand.Uint32N(portCount)) }

// FreePort returns the address with a port that is free for UDP and TCP, each
// time another.
func FreePort(a netip.Addr) (netip.AddrPort, error) {
	for range portCount {
		address := netip.AddrPortFrom(a, uint16(firstPort+lastPort.Add(1)%portCount))
		if free(address) {
			return address, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("peers: no free port was found at %v", a)
}

func free(a netip.AddrPort) bool {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
	if err != nil {
		return false
	}
	return udp.Close() == nil
}

// Key is a TSIG key.
type Key struct {
	Name      string // without final dot
	Algorithm string // hmac-sha256 or another
	Secret    string // base64
}

func (k *Key) secrets() map[string]string { return map[string]string{dns.Fqdn(k.Name): k.Secret} }

// sign prepares a query for a signature; a nil key leaves it unsigned.
func (k *Key) sign(m *dns.Msg) map[string]string {
	if k == nil {
		return nil
	}
	m.SetTsig(dns.Fqdn(k.Name), dns.Fqdn(k.Algorithm), 300, time.Now().Unix())
	return k.secrets()
}

// Query asks a server over UDP, and over TCP when the answer is truncated.
// key may be nil.
func Query(ctx context.Context, server netip.AddrPort, name string, qtype uint16, key *Key) (*dns.Msg, error) {
	for _, network := range []string{"udp", "tcp"} {
		m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
		m.RecursionDesired = false
		m.SetEdns0(1232, true)
		client := dns.Client{Net: network, Timeout: 2 * time.Second, TsigSecret: key.sign(m)}
		answer, _, err := client.ExchangeContext(ctx, m, server.String())
		if err != nil {
			return nil, fmt.Errorf("peers: %s %s at %v: %w", name, dns.TypeToString[qtype], server, err)
		}
		if !answer.Truncated {
			return answer, nil
		}
	}
	return nil, fmt.Errorf("peers: %s %s at %v: the answer over TCP is truncated", name, dns.TypeToString[qtype], server)
}

// answers reports whether anything comes back from a server: over HTTP that it is
// ready, and from a nameserver whatever it says.
func (s *Server) answers(ctx context.Context) bool {
	switch s.Kind {
	case ClickHouse:
		return ready(ctx, s.Address, "/ping")
	case Prometheus:
		return ready(ctx, s.Address, "/-/ready")
	}
	return answers(ctx, s.Address)
}

func ready(ctx context.Context, server netip.AddrPort, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.String()+path, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// answers asks a nameserver for the root zone, because BIND limits the rate of the
// usual version.bind.
func answers(ctx context.Context, server netip.AddrPort) bool {
	m := new(dns.Msg).SetQuestion(".", dns.TypeSOA)
	m.RecursionDesired = false
	client := dns.Client{Timeout: 200 * time.Millisecond}
	_, _, err := client.ExchangeContext(ctx, m, server.String())
	return err == nil
}

// Serial returns the serial number that a server has of a zone, and false when
// it does not serve the zone.
func Serial(ctx context.Context, server netip.AddrPort, zone string) (uint32, bool) {
	answer, err := Query(ctx, server, zone, dns.TypeSOA, nil)
	if err != nil || answer.Rcode != dns.RcodeSuccess || !answer.Authoritative {
		return 0, false
	}
	for _, rr := range answer.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial, true
		}
	}
	return 0, false
}

// Transfer fetches a zone (AXFR) from a local address, which may be invalid
// for any. key may be nil.
func Transfer(ctx context.Context, server netip.AddrPort, from netip.Addr, zone string, key *Key) ([]dns.RR, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	m := new(dns.Msg).SetAxfr(dns.Fqdn(zone))
	t := &dns.Transfer{Conn: &dns.Conn{Conn: conn}, ReadTimeout: 5 * time.Second, TsigSecret: key.sign(m)}
	defer t.Close()
	envelopes, err := t.In(m, server.String())
	if err != nil {
		return nil, fmt.Errorf("peers: transfer of %s: %w", zone, err)
	}
	var rrs []dns.RR
	for e := range envelopes {
		if e.Error != nil {
			return nil, fmt.Errorf("peers: transfer of %s: %w", zone, e.Error)
		}
		rrs = append(rrs, e.RR...)
	}
	return rrs, nil
}
