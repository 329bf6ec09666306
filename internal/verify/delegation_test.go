package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/internal/peers"
	"nullspf/zones"
)

// hierarchy is a little internet on loopback, all at one port:
//
//	127.0.9.1  NSD: the root
//	127.0.9.2  Knot DNS: example
//	127.0.0.1  BIND, which listens at addresses of the machine only: ns1.nic.example, the zones
//	127.0.9.4  NSD: ns2.nic.example, the zones without lame.example
//	127.0.9.5  Knot DNS: ns3.nic.example, signed.example, and forged.example with another key
type hierarchy struct {
	port uint16
	root netip.AddrPort
}

const zoneHead = "$TTL 300\n@ IN SOA ns1.nic.example. hostmaster.nic.example. 1 7200 900 2419200 300\n"

func newHierarchy(t *testing.T, p *published) *hierarchy {
	t.Helper()
	for _, kind := range []peers.Kind{peers.BIND, peers.Knot, peers.NSD} {
		peers.Require(t, kind.Programs()...)
	}
	free, err := peers.FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	h := &hierarchy{port: free.Port(), root: netip.AddrPortFrom(netip.MustParseAddr("127.0.9.1"), free.Port())}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	server := func(address string, kind peers.Kind, conf string) {
		at := netip.AddrPortFrom(netip.MustParseAddr(address), h.port)
		peers.Run(t, peers.Config{Kind: kind, Address: at, Include: []string{file("conf."+address, conf)}})
	}
	conf := func(form string, paths map[string]string, except string) string {
		var b strings.Builder
		for name, path := range paths {
			if name != except {
				fmt.Fprintf(&b, form, name, path)
			}
		}
		return b.String()
	}
	const nsd, bind = "zone:\n\tname: %q\n\tzonefile: %q\n", "zone %q { type master; file %q; };\n"
	knot := func(names ...string) string {
		text := "policy:\n  - id: one\n    single-type-signing: on\nzone:\n"
		for _, name := range names {
			text += fmt.Sprintf("  - domain: %s\n    file: %q\n", name, filepath.Join(dir, name))
			if strings.HasSuffix(name, "ed.example") {
				text += "    dnssec-signing: on\n    dnssec-policy: one\n    journal-content: all\n    zonefile-load: difference-no-serial\n    zonefile-sync: -1\n"
			}
		}
		return text
	}
	paths := map[string]string{"nic.example": file("nic.example", zoneHead+"@ IN NS ns1\nns1 IN A 127.0.0.1\nns2 IN A 127.0.9.4\nns3 IN A 127.0.9.5\n")}
	for _, e := range p.set.Entries {
		paths[e.Name] = filepath.Join(p.dir, "zones", e.Name+".zone")
	}
	server("127.0.0.1", peers.BIND, conf(bind, paths, ""))
	server("127.0.9.4", peers.NSD, conf(nsd, paths, "lame.example"))
	for _, name := range []string{"signed.example", "forged.example"} {
		file(name, zoneHead+"@ IN NS ns3.nic.example.\n")
	}
	server("127.0.9.5", peers.Knot, knot("signed.example", "forged.example"))

	file("example", zoneHead+`@ IN NS a.nic.test.
nic IN NS ns1.nic
right-1 IN NS ns1.nic
right-1 IN NS NS2.nic
right-2 IN NS ns1.nic
right-2 IN NS ns2.nic
lame IN NS ns1.nic
lame IN NS ns2.nic
other IN NS ns1.nic
other IN NS ns3.nic
stale IN NS ns1.nic
stale IN NS old.nic
ds IN NS ns1.nic
ds IN NS ns2.nic
ds IN DS 4711 13 2 0000000000000000000000000000000000000000000000000000000000000000
nons IN TXT "registered, not delegated"
signed IN NS ns3.nic
signed IN DS `+dsOf(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.9.5"), h.port), "signed.example.")+`
forged IN NS ns3.nic
forged IN DS `+dsOf(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.9.5"), h.port), "signed.example.")+`
ns1.nic IN A 127.0.0.1
ns2.nic IN A 127.0.9.4
ns3.nic IN A 127.0.9.5
old.nic IN A 127.0.9.99
`)
	server("127.0.9.2", peers.Knot, knot("example"))
	root := file("root", zoneHead+"@ IN NS root.test.\nroot.test. IN A 127.0.9.1\nexample. IN NS a.nic.test.\na.nic.test. IN A 127.0.9.2\n")
	server("127.0.9.1", peers.NSD, fmt.Sprintf(nsd, ".", root))
	return h
}

// dsOf makes the DS record of the key of a signed zone.
func dsOf(t *testing.T, server netip.AddrPort, zone string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		m := new(dns.Msg).SetQuestion(zone, dns.TypeDNSKEY)
		in, _, err := new(dns.Client).ExchangeContext(t.Context(), m, server.String())
		if err != nil {
			continue
		}
		for _, rr := range in.Answer {
			if key, ok := rr.(*dns.DNSKEY); ok {
				ds := key.ToDS(dns.SHA256)
				return strings.TrimPrefix(ds.String(), ds.Hdr.String())
			}
		}
	}
	t.Fatalf("%s is not signed", zone)
	return ""
}

// ask runs over a set and returns the findings as lines.
func (h *hierarchy) ask(t *testing.T, set *zones.Set, change func(*DelegationSettings)) ([]string, []Finding, DelegationSummary) {
	t.Helper()
	s := DelegationSettings{Roots: []netip.AddrPort{h.root}, Port: h.port, Timeout: 5 * time.Second, Retries: 1, Rate: 5000}
	if change != nil {
		change(&s)
	}
	var findings []Finding
	sum, err := RunDelegation(t.Context(), s, set, func(f Finding) { findings = append(findings, f) })
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range sorted(findings) {
		lines = append(lines, strings.ReplaceAll(fmt.Sprintf("%s %s %s [%s]: %s", f.Zone, f.Server, f.Check, f.Have, f.Reason), fmt.Sprint(":", h.port), ""))
	}
	return lines, findings, sum
}

// nicGroup has the nameservers of the hierarchy.
func nicGroup(g *zones.Group) { g.Nameservers = []dnsname.Name{"ns1.nic.example", "ns2.nic.example"} }

// TestDelegation asks a root, a registry and nameservers: real ones.
func TestDelegation(t *testing.T) {
	t.Parallel()
	p := publish(t, nicGroup, "right-1.example,,,", "right-2.example,,,", "lame.example,,,", "other.example,,,", "stale.example,,,",
		"ds.example,,,", "nons.example,,,", "gone.example,,,", "gone.nowhere,,,")
	h := newHierarchy(t, p)
	done := 0
	lines, findings, sum := h.ask(t, p.set, func(s *DelegationSettings) {
		s.Concurrency = 1
		s.Progress = func(n, total int) { done = n }
		s.Registered = []string{"right-1.example", "spare.example", "xn--bcher-kva.example", "kept.example"}
		s.Known = func(name string) bool { return name == "kept.example" }
	})
	wantLines(t, lines, []string{
		"ds.example example ds [4711 13 2 0000000000000000000000000000000000000000000000000000000000000000]: the parent has DS records, and the zone is not signed: validating resolvers answer SERVFAIL",
		"gone.example example delegated []: the zone is not delegated: the name does not exist there",
		"gone.nowhere the root delegated []: the zone is not delegated: the name does not exist there",
		"lame.example 127.0.9.4 lame []: ns2.nic.example: the server answers REFUSED",
		"nons.example example delegated []: the zone is not delegated: the name is there without NS records",
		"other.example 127.0.9.5 lame []: ns3.nic.example: the server answers REFUSED",
		"other.example example ns [ns1.nic.example., ns3.nic.example.]: the parent refers to other nameservers",
		"spare.example  registered []: the domain is registered and on no list",
		"stale.example 127.0.9.99 lame []: old.nic.example: connection refused, tried 2 times",
		"stale.example example ns [ns1.nic.example., old.nic.example.]: the parent refers to other nameservers",
		"stale.example example glue [127.0.9.99]: the parent has an address of old.nic.example, and the zone of that name has none",
		"xn--bcher-kva.example  registered []: the domain is registered and on no list",
	})
	if sum.Zones != 9 || sum.Checked != 9 || sum.Unanswered != 0 || sum.Parents != 2 || sum.Registered != 4 || sum.Findings != len(findings) || done != 9 {
		t.Errorf("%+v, %d done", sum, done)
	}
	// The way to the registry is asked for once; each zone takes NS, DS and SOA at each
	// nameserver.
	if sum.Queries > 60 {
		t.Errorf("%d queries", sum.Queries)
	}
	var table, document bytes.Buffer
	if err := errors.Join(WriteTable(&table, findings, 10, false), WriteJSON(&document, sum, findings)); err != nil {
		t.Fatal(err)
	}
	if want := "spare.example\nxn--bcher-kva.example\n"; !strings.Contains(table.String(), want) {
		t.Errorf("equal deviations are not folded:\n%s", &table)
	}
	if !strings.Contains(document.String(), `"zones":9,"checked":9,"unanswered":0,"registered":4,"queries":`) {
		t.Error(document.String())
	}
}

// TestDelegationOfSignedZones has zones that their own server signs.
func TestDelegationOfSignedZones(t *testing.T) {
	t.Parallel()
	p := publish(t, nicGroup, "right-1.example,,,", "signed.example,,,", "forged.example,,,")
	h := newHierarchy(t, p)
	lines, _, _ := h.ask(t, p.set, func(s *DelegationSettings) { s.Signed = true })
	var ds []string
	for _, l := range lines {
		if strings.Contains(l, " ds ") {
			ds = append(ds, l[:strings.Index(l, "[")]+l[strings.Index(l, "]"):])
		}
	}
	wantLines(t, ds, []string{
		"forged.example example ds ]: no key of the zone fits a DS record of the parent: validating resolvers answer SERVFAIL",
		"right-1.example example ds ]: the zone is signed, and the parent has no DS record: nobody validates it",
	})
}

// TestStaleGlue has the parent's addresses of a nameserver differ from its own.
func TestStaleGlue(t *testing.T) {
	r := &delegationRun{yield: func(Finding) {}}
	var got []Finding
	r.yield = func(f Finding) { got = append(got, f) }
	c := &delegationCheck{delegationRun: r, delegation: &delegation{}, name: "a.example", zone: "a.example.", parent: "example"}
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::2")
	c.compareGlue("ns1.example.", []netip.Addr{one}, []netip.Addr{one, two}) // not all, but right
	c.compareGlue("ns1.example.", nil, []netip.Addr{one})
	if len(got) > 0 {
		t.Errorf("%+v", got)
	}
	c.compareGlue("ns1.example.", []netip.Addr{one, two}, []netip.Addr{one})
	if len(got) != 1 || got[0].Have != "192.0.2.1, 2001:db8::2" || got[0].Want != "192.0.2.1" || got[0].Check != CheckGlue {
		t.Errorf("%+v", got)
	}
}

// TestDelegationBounds has servers that refer in circles, or to each other, or to too
// much, or that are silent: the number of queries stays small.
func TestDelegationBounds(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.b.c.d.example,,,", "b.example,,,")
	for _, c := range []struct {
		what   string
		answer func(q *dns.Msg, m *dns.Msg)
		most   uint64
		reason string
	}{
		{"upwards", func(q, m *dns.Msg) { refer(m, ".", 1) }, 20, "does not refer to it"},
		{"aside", func(q, m *dns.Msg) { refer(m, "other.", 1) }, 20, "does not refer to it"},
		{"to itself without glue", func(q, m *dns.Msg) { refer(m, lastLabels(q, 1), 1) }, 250, "cannot be found"},
		{"to a thousand without glue", func(q, m *dns.Msg) { refer(m, lastLabels(q, 1), 1000) }, 250, "cannot be found"},
		{"refused", func(q, m *dns.Msg) { m.Rcode = dns.RcodeRefused }, 20, "REFUSED"},
		{"no authority", func(q, m *dns.Msg) {}, 20, "without authority"},
		{"aliases", func(q, m *dns.Msg) {
			m.Authoritative = true
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: q.Question[0].Name})
		}, 20, "without NS records"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			f := serveFake(t, func(q *dns.Msg) [][]byte {
				m := new(dns.Msg).SetReply(q)
				c.answer(q, m)
				m.Truncate(4000)
				packet, err := m.Pack()
				if err != nil {
					return nil
				}
				packet[2] &^= 2 // as if all of it were there
				return [][]byte{packet}
			}, nil)
			h := &hierarchy{root: f.address, port: f.address.Port()}
			_, findings, sum := h.ask(t, p.set, func(s *DelegationSettings) { s.Timeout = 200 * time.Millisecond; s.Rate = 100_000 })
			if sum.Queries > c.most || len(findings) < 2 {
				t.Errorf("%d queries, %+v", sum.Queries, findings)
			}
			for _, found := range findings {
				if !strings.Contains(found.Reason, c.reason) {
					t.Errorf("%+v", found)
				}
			}
		})
	}
}

func lastLabels(q *dns.Msg, n int) string {
	labels := dns.SplitDomainName(q.Question[0].Name)
	return dns.Fqdn(strings.Join(labels[max(0, len(labels)-n):], "."))
}

func refer(m *dns.Msg, owner string, n int) {
	for i := range n {
		m.Ns = append(m.Ns, &dns.NS{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: fmt.Sprintf("ns%d.elsewhere.invalid.", i)})
	}
}

// TestDelegationTime ends a run whose time is over, and one that is interrupted.
func TestDelegationTime(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.example,,,", "b.example,,,")
	silent := serveFake(t, func(*dns.Msg) [][]byte { return nil }, nil)
	h := &hierarchy{root: silent.address, port: silent.address.Port()}
	start := time.Now()
	_, findings, sum := h.ask(t, p.set, func(s *DelegationSettings) { s.Timeout, s.MaxTime = time.Minute, 200*time.Millisecond })
	if sum.Unanswered != 2 || len(findings) > 0 || time.Since(start) > 20*time.Second {
		t.Errorf("%+v, %+v after %v", sum, findings, time.Since(start))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := RunDelegation(ctx, DelegationSettings{Roots: []netip.AddrPort{silent.address}}, p.set, func(Finding) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRate sends no more queries in a second than allowed.
func TestRate(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("d%d.example,,,", i))
	}
	p := publish(t, nil, names...)
	f := serveFake(t, func(q *dns.Msg) [][]byte {
		m := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
		m.Authoritative = true
		packet, _ := m.Pack()
		return [][]byte{packet}
	}, nil)
	h := &hierarchy{root: f.address, port: f.address.Port()}
	start := time.Now()
	_, _, sum := h.ask(t, p.set, func(s *DelegationSettings) { s.Rate = 50 })
	// 40 queries, the first of them at once.
	if took := time.Since(start); sum.Queries < 40 || took < 39*time.Second/50 {
		t.Errorf("%d queries took %v", sum.Queries, took)
	}
}

func TestDelegationSettings(t *testing.T) {
	p := publish(t, nil, "a.example,,,")
	for what, s := range map[string]DelegationSettings{
		"rate": {Rate: -1}, "rates": {Rate: maxRate + 1}, "time": {MaxTime: -1}, "retries": {Retries: -1}, "concurrency": {Concurrency: -1},
		"address": {Roots: []netip.AddrPort{{}}},
	} {
		if _, err := RunDelegation(t.Context(), s, p.set, func(Finding) {}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if s := (DelegationSettings{}); s.complete() != nil || len(s.Roots) != 26 || s.Port != 53 || s.Rate != DefaultRate {
		t.Errorf("%+v", s)
	}
}
