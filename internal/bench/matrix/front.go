package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

// front is what a program takes for its resolver: it answers for the forged
// domains, passes queries about tracking zones on to nullspfd, and notes them. It does not
// answer queries about silent zones, and keeps no cache.
type front struct {
	addr    netip.Addr
	track   netip.AddrPort
	servers []*dns.Server
	mu      sync.Mutex
	asked   []question
}

// question is a query about a name of a tracking zone.
type question struct {
	at    int64
	name  string // as it was asked, without final dot
	qtype uint16
}

// newFront starts a resolver at port 53 of an address.
func newFront(addr netip.Addr, track netip.AddrPort) (*front, error) {
	f := &front{addr: addr, track: track}
	at := netip.AddrPortFrom(addr, 53)
	pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: f}, {Listener: l, Handler: f}} {
		f.servers = append(f.servers, s)
		go func() { _ = s.ActivateAndServe() }()
	}
	return f, nil
}

func (f *front) stop() {
	for _, s := range f.servers {
		_ = s.Shutdown()
	}
}

// within reports whether a name is in a zone.
func within(name string, zone dnsname.Name) bool {
	return dns.IsSubDomain(dns.Fqdn(string(zone)), dns.Fqdn(name))
}

// since returns the questions about names of a zone from a time on.
func (f *front) since(at time.Time, zone dnsname.Name) (list []question) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.asked {
		if q.at >= at.UnixNano() && within(q.name, zone) {
			list = append(list, q)
		}
	}
	return inOrder(list)
}

// ServeDNS implements dns.Handler.
func (f *front) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	if len(query.Question) != 1 {
		return
	}
	q := query.Question[0]
	for _, l := range tracked {
		if within(q.Name, zoneOf(l)) {
			f.note(q)
			f.pass(w, query)
			return
		}
		if within(q.Name, silentZoneOf(l)) {
			f.note(q)
			return
		}
	}
	answer := new(dns.Msg).SetReply(query)
	answer.RecursionAvailable = true
	answer.Answer, answer.Rcode = forged(q)
	if len(answer.Answer) == 0 {
		soa, _ := dns.NewRR("example. 60 IN SOA ns.example. hostmaster.example. 1 3600 900 86400 60")
		answer.Ns = []dns.RR{soa}
	}
	if opt := query.IsEdns0(); opt != nil {
		answer.SetEdns0(1232, false)
	}
	_ = w.WriteMsg(answer)
}

func (f *front) note(q dns.Question) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, question{time.Now().UnixNano(), strings.TrimSuffix(q.Name, "."), q.Qtype})
}

// pass asks nullspfd, from the front's own address.
func (f *front) pass(w dns.ResponseWriter, query *dns.Msg) {
	client := &dns.Client{Timeout: 2 * time.Second, Dialer: &net.Dialer{LocalAddr: &net.UDPAddr{IP: f.addr.AsSlice()}}}
	answer, _, err := client.Exchange(query, f.track.String())
	if err != nil {
		answer = new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)
	}
	answer.RecursionAvailable = true
	_ = w.WriteMsg(answer)
}

// forged are the records of the forged domains.
func forged(q dns.Question) (rrs []dns.RR, rcode int) {
	name := strings.ToLower(strings.TrimSuffix(q.Name, "."))
	dmarc := strings.HasPrefix(name, "_dmarc.")
	m, ok := parseDomain(strings.TrimPrefix(name, "_dmarc."))
	if !ok {
		return nil, dns.RcodeNameError
	}
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 60}
	switch {
	case q.Qtype == dns.TypeTXT && dmarc:
		rrs = append(rrs, &dns.TXT{Hdr: head, Txt: []string{"v=DMARC1; p=reject"}})
	case dmarc:
	case q.Qtype == dns.TypeTXT:
		record, err := spftrack.Record(m.layout, spftrack.Settings{Zone: m.zone()})
		if err != nil {
			panic(fmt.Sprintf("%+v: %v", m, err))
		}
		txt := &dns.TXT{Hdr: head}
		for len(record) > 255 {
			txt.Txt, record = append(txt.Txt, record[:255]), record[255:]
		}
		txt.Txt = append(txt.Txt, record)
		rrs = append(rrs, txt)
	case q.Qtype == dns.TypeA:
		rrs = append(rrs, &dns.A{Hdr: head, A: net.IPv4(192, 0, 2, 80)})
	case q.Qtype == dns.TypeMX:
		rrs = append(rrs, &dns.MX{Hdr: head, Mx: "."})
	}
	return rrs, dns.RcodeSuccess
}
