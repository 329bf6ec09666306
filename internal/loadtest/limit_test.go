package loadtest

import (
	"net/netip"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// TestRateLimit asks more than the limit from addresses that are not loopback:
// what exceeds it is not an event, and is accounted for too.
func TestRateLimit(t *testing.T) {
	peers.RequireNamespaces(t)
	peers.Require(t, "ip")
	// 198.18.0.0/15 is for tests of networks (RFC 2544).
	run(t, "ip", "route", "replace", "local", "198.18.0.0/15", "dev", "lo")
	s := newSite(t)
	s.bind = "198.18.0.1"
	s.options = "rrl {\n\t\trate 100\n\t\texempt 198.18.3.0/24\n\t}"
	d := s.start(t)
	to := netip.AddrPortFrom(netip.MustParseAddr(s.bind), s.at.Port())
	book := new(ledger)
	l := newLoad(t)
	rate := slower(5000)
	for _, from := range []string{"198.18.1.1", "198.18.2.1", "198.18.3.1"} {
		l.udpFrom(netip.MustParseAddr(from), to, rate, book.add(t, 20*rate, shape{}))
	}
	began := time.Now()
	time.Sleep(1500 * time.Millisecond)
	drops := l.end()
	seconds := time.Since(began).Seconds()
	m := d.settled(t)
	var sent, events, truncated int64
	for i, st := range book.streams {
		sent += st.sent.Load()
		events += st.answered.Load()
		truncated += st.truncated.Load()
		t.Logf("from %s: %d asked, %d answered, %d sent to TCP", st.local.Addr(), st.sent.Load(), st.answered.Load(), st.truncated.Load())
		if exempt := i == 2; exempt && st.truncated.Load() > 0 {
			t.Error("an exempt network is limited")
		} else if !exempt && (st.truncated.Load() == 0 || float64(st.answered.Load()) > 150*(seconds+1)) {
			t.Error("a network is not limited")
		}
	}
	if drops+m.socketDrops() != 0 || m.received(udp) != uint64(sent) || m.answered(`"zone"`) != uint64(events) ||
		m.answered(`"limited"`) != uint64(truncated) || m.stored() != uint64(events) {
		t.Errorf("%d asked, %d answered, %d sent to TCP, but\n%s", sent, events, truncated, m.text())
	}
	d.stop(t)
	if has := book.read(t, s.journal); has.events != uint64(events) {
		t.Errorf("the journal holds %d events", has.events)
	}
}
