package secondary

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// oddPrimary is a primary that does, for each of its zones, one thing that
// primaries in the field have been seen to do.
type oddPrimary struct {
	// second: the zones have their second version.
	second atomic.Bool
	zones  map[string]oddZone
}

// oddZone is what a primary does for a zone.
type oddZone struct {
	// The serial numbers of two versions.
	first, second uint32
	// What is sent for AXFR and for IXFR; nil is the same.
	axfr func(q *oddQuery)
	ixfr func(q *oddQuery)
	// recover are the servers, beside ours, that serve the second version in the
	// end.
	recover []peers.Kind
}

// oddQuery is a request for a transfer.
type oddQuery struct {
	w      dns.ResponseWriter
	r      *dns.Msg
	zone   string
	serial uint32
}

func (q *oddQuery) records(lines ...string) (rrs []dns.RR) {
	for _, l := range lines {
		rr, err := dns.NewRR("$ORIGIN " + q.zone + "\n$TTL 1\n" + l)
		if err != nil {
			panic(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

func (q *oddQuery) send(lines ...string) {
	m := new(dns.Msg).SetReply(q.r)
	m.Authoritative = true
	m.Answer = q.records(lines...)
	_ = q.w.WriteMsg(m)
}

// soa has short times, so that a test sees the end of a zone.
func (q *oddQuery) soa() string { return fmt.Sprintf("@ SOA ns h %d 2 2 5 1", q.serial) }

func (q *oddQuery) whole() { q.send(q.soa(), "@ NS ns", "ns A 192.0.2.1", q.soa()) }

func (q *oddQuery) close() { _ = q.w.Close() }

// ServeDNS implements [dns.Handler].
func (p *oddPrimary) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	zone := strings.TrimSuffix(r.Question[0].Name, ".")
	z, ok := p.zones[zone]
	if !ok {
		m := new(dns.Msg).SetRcode(r, dns.RcodeNotAuth)
		_ = w.WriteMsg(m)
		return
	}
	q := &oddQuery{w: w, r: r, zone: r.Question[0].Name, serial: z.first}
	if p.second.Load() {
		q.serial = z.second
	}
	udp := w.RemoteAddr().Network() == "udp"
	switch {
	case r.Question[0].Qtype == dns.TypeSOA || udp:
		q.send(q.soa())
	case r.Question[0].Qtype == dns.TypeIXFR && z.ixfr != nil:
		z.ixfr(q)
	default:
		z.axfr(q)
	}
}

func startOddPrimary(t *testing.T, zones map[string]oddZone) (*oddPrimary, netip.AddrPort) {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	p := &oddPrimary{zones: zones}
	pc, err := net.ListenPacket("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: p}, {Listener: l, Handler: p}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return p, at
}

// runPeerSecondary starts a real server as secondary of zones; only BIND is given
// more primaries than the first.
func runPeerSecondary(t *testing.T, kind peers.Kind, primaries []netip.AddrPort, zones map[string]oddZone) netip.AddrPort {
	t.Helper()
	dir := t.TempDir()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	var b, list strings.Builder
	for _, p := range primaries {
		fmt.Fprintf(&list, " %s port %d;", p.Addr(), p.Port())
	}
	primary := primaries[0]
	if kind == peers.Knot {
		fmt.Fprintf(&b, "remote:\n  - id: primary\n    address: %s@%d\nzone:\n", primary.Addr(), primary.Port())
	}
	for zone := range zones {
		file := filepath.Join(dir, zone)
		switch kind {
		case peers.BIND:
			fmt.Fprintf(&b, "zone %q { type secondary; primaries {%s }; file %q; max-refresh-time 1; min-refresh-time 1; max-retry-time 1; min-retry-time 1; notify no; };\n",
				zone, list.String(), file)
		case peers.NSD:
			fmt.Fprintf(&b, "zone:\n  name: %s\n  zonefile: %s\n  request-xfr: %s@%d NOKEY\n  min-refresh-time: 1\n  min-retry-time: 1\n  min-expire-time: 5\n", zone, file, primary.Addr(), primary.Port())
		case peers.Knot:
			fmt.Fprintf(&b, "  - domain: %s\n    file: %s\n    master: primary\n    refresh-min-interval: 2\n    retry-min-interval: 2\n    expire-min-interval: 3\n", zone, file)
		}
	}
	include := filepath.Join(dir, "include")
	if err := os.WriteFile(include, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	peers.Run(t, peers.Config{Kind: kind, Address: at, Include: []string{include}})
	return at
}

// TestOddPrimaries goes through what primaries do that is not as it should be.
// Ours recovers from all of it, as BIND and Knot DNS do.
func TestOddPrimaries(t *testing.T) {
	all := []peers.Kind{peers.BIND, peers.NSD, peers.Knot}
	for _, k := range all {
		peers.Require(t, k.Programs()...)
	}
	whole := (*oddQuery).whole
	// After IXFR has failed, NSD asks for nothing else.
	both := []peers.Kind{peers.BIND, peers.Knot}
	zones := map[string]oddZone{
		"back.test":   {9, 3, whole, whole, both},
		"closes.test": {1, 2, whole, (*oddQuery).close, both},
		"half.test": {1, 2, whole, func(q *oddQuery) {
			q.send(q.soa(), "@ SOA ns h 1 2 2 5 1")
			q.close()
		}, both},
		"refuses.test": {1, 2, whole, func(q *oddQuery) {
			_ = q.w.WriteMsg(new(dns.Msg).SetRcode(q.r, dns.RcodeRefused))
		}, both},
		"outside.test": {1, 2, func(q *oddQuery) {
			q.send(q.soa(), "@ NS ns", "ns A 192.0.2.1", "www.elsewhere.test. A 192.0.2.1", q.soa())
		}, nil, all},
		"case.test": {1, 2, func(q *oddQuery) {
			q.send(q.soa(), "@ NS ns", "ns A 192.0.2.1", strings.Replace(q.soa(), "ns h", "NS H", 1))
		}, nil, all},
		"single.test": {1, 2, func(q *oddQuery) {
			q.send(q.soa())
			q.send("@ NS ns", "ns A 192.0.2.1", q.soa())
		}, nil, all},
	}
	p, at := startOddPrimary(t, zones)
	servers := make(map[peers.Kind]netip.AddrPort)
	for _, k := range all {
		servers[k] = runPeerSecondary(t, k, []netip.AddrPort{at}, zones)
	}
	var names []wire.Name
	for zone := range zones {
		names = append(names, mustName(t, zone))
	}
	s := New(Options{Bounds: short})
	defer stop(t, s)
	configure(t, s, Group{Zones: names, Primaries: []xfr.Primary{{Addr: at}}, Store: t.TempDir()})

	serial := func(k peers.Kind, zone string) uint32 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, _ := peers.Serial(ctx, servers[k], zone)
		return n
	}
	for zone, z := range zones {
		await(t, zone+" for the first time", func() bool { return served(t, s, zone) == z.first })
		for _, k := range all {
			await(t, fmt.Sprintf("%s at %s for the first time", zone, k), func() bool { return serial(k, zone) == z.first })
		}
	}
	p.second.Store(true)
	for zone, z := range zones {
		await(t, zone, func() bool { return served(t, s, zone) == z.second })
		for _, k := range z.recover {
			await(t, fmt.Sprintf("%s at %s", zone, k), func() bool { return serial(k, zone) == z.second })
		}
	}
	if n := s.Status().Outside; n < 2 {
		t.Errorf("%d records outside of their zone are counted", n)
	}
}

// TestStalePrimaryFirst: of two primaries, of which the first is stale, BIND and
// ours serve the newer version.
func TestStalePrimaryFirst(t *testing.T) {
	peers.Require(t, peers.BIND.Programs()...)
	zones := func(first, second uint32) map[string]oddZone {
		return map[string]oddZone{"pair.test": {first: first, second: second, axfr: (*oddQuery).whole}}
	}
	stale, staleAt := startOddPrimary(t, zones(3, 6))
	newer, newerAt := startOddPrimary(t, zones(5, 8))
	bind := runPeerSecondary(t, peers.BIND, []netip.AddrPort{staleAt, newerAt}, stale.zones)
	s := New(Options{Bounds: short})
	defer stop(t, s)
	configure(t, s, Group{Zones: []wire.Name{mustName(t, "pair.test")}, Primaries: []xfr.Primary{{Addr: staleAt}, {Addr: newerAt}}, Store: t.TempDir()})
	both := func(want uint32) {
		t.Helper()
		await(t, fmt.Sprintf("serial %d", want), func() bool { return served(t, s, "pair.test") == want })
		await(t, fmt.Sprintf("serial %d at BIND", want), func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			n, _ := peers.Serial(ctx, bind, "pair.test")
			return n == want
		})
	}
	both(5)
	stale.second.Store(true)
	newer.second.Store(true)
	both(8)
}
