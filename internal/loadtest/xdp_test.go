package loadtest

import (
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// Options of a site: with withXDP its queries are answered beside the kernel. No limit,
// because all come from one network.
const (
	withoutXDP = "rrl off"
	withXDP    = "xdp wire\n\t" + withoutXDP
)

// newXDPSite makes a site at an Ethernet interface, with clients at the other end.
func newXDPSite(t *testing.T) *site {
	t.Helper()
	clients, err := peers.NewNetns()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clients.Close)
	run(t, "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", strconv.Itoa(clients.Thread))
	t.Cleanup(func() { run(t, "ip", "link", "delete", "wire") })
	up := func(host string) []string {
		return []string{"link set lo up", "address add 192.0.2." + host + "/24 dev wire", "address add 2001:db8::" + host + "/64 dev wire nodad", "link set wire up"}
	}
	for _, command := range up("1") {
		run(t, append([]string{"ip"}, strings.Fields(command)...)...)
	}
	if err := clients.IP(up("2")...); err != nil {
		t.Fatal(err)
	}
	// Checksums as those of other machines.
	if err := clients.Do(func() error { return peers.Ethtool("wire", unix.ETHTOOL_STXCSUM, 0) }); err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.at = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), s.at.Port())
	s.v6, s.clients, s.options = netip.MustParseAddr("2001:db8::1"), clients, withXDP
	return s
}

// inFlight is how many queries may be on their way while an interface comes or goes.
const inFlight = 64

// TestXDPReload changes the configuration under load: as long as the interface stays in it
// nothing is lost, and what is on its way at most when it comes or goes.
func TestXDPReload(t *testing.T) {
	r := torture.Start(t, 0)
	s := newXDPSite(t)
	d := s.start(t)
	book := new(ledger)
	l := newLoad(t)
	l.from = s.clients
	rate := slower(8000)
	limit := 30*rate + int(r.Left().Seconds())*rate
	l.udp(s.at, rate/2, book.add(t, limit, shape{}))
	l.udp(s.at6(), rate/2, book.add(t, limit, shape{pattern: expPattern}))
	time.Sleep(100 * time.Millisecond)
	var done uint64
	// missing are the queries without an answer of a time in which the configuration became
	// others, one after the other.
	missing := func(options ...string) uint64 {
		begin := now()
		for _, o := range options {
			s.options = o
			d.reload(t, s.corefile(), syscall.SIGHUP, "done", &done)
			time.Sleep(100 * time.Millisecond)
		}
		end := now()
		time.Sleep(drainTime)
		m := measure(book.streams, begin, end)
		return uint64(m.sent - m.answered)
	}
	lost := uint64(0)
	for r.More(1) {
		if n := missing(withXDP, withXDP+"\n\tcookies off", withXDP); n > 0 {
			t.Errorf("%d queries are lost by reloads that keep the interface", n)
		}
		n := missing(withoutXDP, withXDP, withoutXDP, withXDP)
		if n > inFlight {
			t.Errorf("%d queries are lost when the interface comes and goes twice", n)
		}
		lost = max(lost, n)
		r.Count("reloads", 7)
	}
	drops := l.end()
	m := d.settled(t)
	r.Figure("lost when the interface comes and goes twice", "%d queries at most", lost)
	if drops > 0 || m.lost("") != 0 || m.sum("nullspfd_send_errors_total") != 0 || m.received() != m.answered()+m.dropped() {
		t.Errorf("queries or events were lost:\n%s", m.text())
	}
	d.stop(t)
	checkDir(t, s.journal)
}
