package loadtest

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/torture"
	"nullspf/spftrack"
)

// mixedLoad asks all that a resolver may ask for in a tracking zone, over UDP
// and TCP, IPv4 and IPv6, rate queries a second together. No stream has more
// than limit.
func (l *load) mixedLoad(t *testing.T, s *site, book *ledger, rate, limit int) {
	t.Helper()
	edns := func(options ...dns.EDNS0) func(*dns.Msg) {
		return func(m *dns.Msg) {
			m.SetEdns0(1232, true)
			m.IsEdns0().Option = options
		}
	}
	udp := []shape{
		{},
		{pattern: expPattern, qtype: dns.TypeTXT, change: edns()},
		{pattern: longPattern, qtype: dns.TypeTXT},
		{qtype: dns.TypeANY},
		{pattern: expPattern, qtype: dns.TypeAAAA, change: edns(&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"})},
		{pattern: barePattern, qtype: dns.TypeNS, change: edns(&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("unknown")})},
		// These go the slow way, because of a further record.
		{change: func(m *dns.Msg) {
			edns()(m)
			m.Extra = append(m.Extra, &dns.A{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{192, 0, 2, 1}})
		}},
	}
	tcp := []shape{{pattern: expPattern, qtype: dns.TypeTXT}, {qtype: dns.TypeANY, change: edns()}}
	rate /= len(udp) + len(tcp)
	for i, shape := range udp {
		to := s.at
		if i%2 == 1 && s.at6().IsValid() {
			to = s.at6()
		}
		l.udp(to, rate, book.add(t, limit, shape))
	}
	for _, shape := range tcp {
		l.tcp(s.at, rate, book.add(t, limit, shape))
	}
}

// reconcile compares what clients know with the settled metrics: all that was
// sent, and all that came back, is accounted for exactly. drops are the
// kernel's at the sockets of clients.
func (m metrics) reconcile(t *testing.T, book *ledger, oddUDP, oddTCP *oddCounts, drops uint64) {
	t.Helper()
	equal := func(what string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	if !m.balanced() {
		t.Errorf("the metrics do not balance")
	}
	udpSent, udpAnswered := book.totals(spftrack.TransportUDP)
	tcpSent, tcpAnswered := book.totals(spftrack.TransportTCP)
	oddUDPSent, oddUDPAnswered := oddUDP.count("")
	oddTCPSent, oddTCPAnswered := oddTCP.count("")
	sendErrors := m.sum("nullspfd_send_errors_total")
	equal("received or dropped by the kernel, UDP", m.received(udp)+m.socketDrops(), udpSent+oddUDPSent)
	equal("received, TCP", m.received(tcp), tcpSent+oddTCPSent)
	equal("answers that came, UDP", udpAnswered+oddUDPAnswered, m.answered(udp)-sendErrors-drops)
	equal("answers that came, TCP", tcpAnswered+oddTCPAnswered, m.answered(tcp))
	missing := m.answered(udp, `"zone"`) - udpAnswered
	for _, o := range []string{"refused", "formerr", "notimp", "badvers"} {
		_, answered := oddUDP.count(o)
		missing += m.answered(udp, `"`+o+`"`) - answered
		if m.answered(udp, `"`+o+`"`) < answered {
			t.Errorf("%s, UDP: %d, but %d came", o, m.answered(udp, `"`+o+`"`), answered)
		}
		sent, answered := oddTCP.count(o)
		equal(o+", TCP", answered, sent)
		equal(o+", TCP", m.answered(tcp, `"`+o+`"`), answered)
	}
	for _, o := range []string{"response", "short"} {
		sent, _ := oddTCP.count(o)
		equal(o+", TCP", m.dropped(tcp, `"`+o+`"`), sent)
		if sent, _ = oddUDP.count(o); m.socketDrops() == 0 {
			equal(o+", UDP", m.dropped(udp, `"`+o+`"`), sent)
		}
	}
	equal("answers that did not come, UDP", missing, sendErrors+drops)
	equal("answered from the zone, TCP", m.answered(tcp, `"zone"`), tcpAnswered)
	if udpAnswered == 0 {
		t.Error("nothing was answered")
	}
}

// TestAccounting sends all sorts of messages and compares what clients,
// metrics and journal say. While that goes on, everything that was answered a
// second ago can be read.
func TestAccounting(t *testing.T) {
	r := torture.Start(t, 0)
	s := newSite(t)
	d := s.start(t)
	book := new(ledger)
	oddUDP, oddTCP := newOddCounts(t), newOddCounts(t)
	l := newLoad(t)
	rate := slower(12000)
	l.mixedLoad(t, s, book, rate, 20*rate+int(r.Left().Seconds())*rate/4)
	for range 2 {
		l.oddUDP(s.at, rate/8, oddUDP)
	}
	l.oddTCP(s.at, slower(500), oddTCP)
	for r.More(3) {
		time.Sleep(1200 * time.Millisecond)
		visible := now() - int64(time.Second)
		has := book.read(t, s.journal)
		if n, oldest := has.missing(book.streams, visible); n > 0 {
			t.Errorf("%d events that were answered up to %s ago cannot be read", n, time.Second+oldest)
		}
	}
	drops := l.end()
	m := d.settled(t)
	m.reconcile(t, book, oddUDP, oddTCP, drops)
	if h := d.health(t); h.Status != "ok" || h.Stored != m.stored() {
		t.Errorf("health %+v", h)
	}
	if m.lost("") != 0 {
		t.Errorf("events were lost:\n%s", m.text())
	}
	d.stop(t)
	has := book.read(t, s.journal)
	if has.events != m.stored() {
		t.Errorf("the journal holds %d events, %d were stored", has.events, m.stored())
	}
	if n, _ := has.missing(book.streams, now()); n > 0 {
		t.Errorf("%d answered queries are not stored", n)
	}
	checkDir(t, s.journal)
	r.Count("queries received", int(m.received()))
	r.Count("answered", int(m.answered()))
	r.Count("dropped", int(m.dropped()))
	r.Count("events stored", int(m.stored()))
	t.Logf("\n%s", m.text())
}
