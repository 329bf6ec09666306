package nameserver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/control"
	"nullspf/internal/dnsname"
	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/peers"
)

var listTime = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// writeList replaces a list in a file. Entries expire in an hour.
func writeList(t testing.TB, path string, prefixes ...string) {
	t.Helper()
	l := &blocklist.List{Tier: tier.Confirmed, At: listTime}
	for _, p := range prefixes {
		l.Entries = append(l.Entries, blocklist.Entry{
			Prefix: netip.MustParsePrefix(p), Tier: tier.Confirmed, First: listTime, Last: listTime, Expires: time.Now().Add(time.Hour),
			Domains: 2, Names: []string{"brand.example", "shop.example"},
		})
	}
	slices.SortFunc(l.Entries, func(a, b blocklist.Entry) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
	f, err := blocklist.ParseFormat("json")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Replace(path, l, len(prefixes), 0); err != nil {
		t.Fatal(err)
	}
}

// dnsblConfig serves a block list alone.
func dnsblConfig(file string) *Config {
	return &Config{Path: "Corefile", Blocks: []Block{{
		Position: "Corefile:1", Listen: listenAt("127.0.0.1"), Limit: RateLimit{},
		DNSBL: []DNSBL{{Position: "Corefile:2", Zone: "bl.example.net", File: file, Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.org"}, TTL: time.Minute}},
	}}}
}

// reversed is the name of an address below a block list.
func reversed(address string) string {
	name, err := dns.ReverseAddr(address)
	if err != nil {
		panic(err)
	}
	for _, suffix := range []string{".in-addr.arpa.", ".ip6.arpa."} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// TestDNSBL asks for what is listed, for what is beside and above it, and for what no list
// has.
func TestDNSBL(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "list.json")
	writeList(t, file, "203.0.113.7/32", "203.0.113.200/32", "0.0.0.5/32", "2001:db8:7::/64", "2001:db8:8:1::/64")
	s := startServer(t, dnsblConfig(file), Options{})
	at := s.serving.Load().listen[0]
	const text = `"forged brand.example, shop.example, last 2026-11-27"`
	in6 := func(address string) string { return dnsblNibbles(address) }
	for _, test := range []struct {
		name, want string
		qtype      uint16
	}{
		{reversed("203.0.113.7"), "A 127.0.0.2", dns.TypeA}, {reversed("203.0.113.7"), "TXT " + text, dns.TypeTXT}, {reversed("203.0.113.7"), "A 127.0.0.2", dns.TypeANY},
		{reversed("203.0.113.7"), "none", dns.TypeAAAA}, {reversed("203.0.113.7"), "none", dns.TypeMX},
		{reversed("203.0.113.8"), "NXDOMAIN", dns.TypeA}, {reversed("203.0.113.6"), "NXDOMAIN", dns.TypeTXT}, {reversed("203.0.113.200"), "A 127.0.0.2", dns.TypeA},
		{"113.0.203", "none", dns.TypeA}, {"0.203", "none", dns.TypeTXT}, {"203", "none", dns.TypeNS}, {"114.0.203", "NXDOMAIN", dns.TypeA}, {"204", "NXDOMAIN", dns.TypeA},
		{"x.7.113.0.203", "NXDOMAIN", dns.TypeA}, {"007.113.0.203", "NXDOMAIN", dns.TypeA}, {"7.113.0.459", "NXDOMAIN", dns.TypeA}, {"1e1.113.0.203", "NXDOMAIN", dns.TypeA},
		{reversed("0.0.0.5"), "A 127.0.0.2", dns.TypeA},
		// The entries that users of lists ask for, and that which no list has.
		{reversed("127.0.0.2"), "A 127.0.0.2", dns.TypeA}, {reversed("127.0.0.2"), `TXT "the test entry of every list"`, dns.TypeTXT},
		{reversed("127.0.0.1"), "NXDOMAIN", dns.TypeA}, {"127", "none", dns.TypeA},
		{in6("::ffff:7f00:2"), "A 127.0.0.2", dns.TypeA}, {in6("::ffff:7f00:2"), `TXT "the test entry of every list"`, dns.TypeTXT}, {in6("::ffff:7f00:1"), "NXDOMAIN", dns.TypeA},
		{in6("2001:db8:7::25"), "A 127.0.0.2", dns.TypeA}, {in6("2001:db8:7::25"), "TXT " + text, dns.TypeTXT},
		{strings.ToUpper(in6("2001:db8:7:0:ffff:ffff:ffff:ffff")), "A 127.0.0.2", dns.TypeA},
		{in6("2001:db8:7:1::25"), "NXDOMAIN", dns.TypeA}, {in6("2001:db8:6:ffff::"), "NXDOMAIN", dns.TypeA}, {in6("2001:db8:8:1::1"), "A 127.0.0.2", dns.TypeA},
		{in6("2001:db8:7::25")[2:], "none", dns.TypeA}, {in6("2001:db8:7::25")[32:], "none", dns.TypeA}, {in6("2001:db8:7::25")[34:], "none", dns.TypeA},
		{in6("2001:db8:7:1::25")[32:], "NXDOMAIN", dns.TypeA}, {"2", "none", dns.TypeA}, {"3", "NXDOMAIN", dns.TypeA},
		{"x." + in6("2001:db8:7::25"), "NXDOMAIN", dns.TypeA}, {"g" + in6("2001:db8:7::25")[1:], "NXDOMAIN", dns.TypeA}, {"www", "NXDOMAIN", dns.TypeA}, {`\000.113.0.203`, "NXDOMAIN", dns.TypeA},
	} {
		m, err := peers.Query(t.Context(), at, test.name+".bl.example.net.", test.qtype, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(m); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.name, dns.TypeToString[test.qtype], got, test.want)
		}
		if len(m.Answer) == 0 {
			soa, ok := m.Ns[0].(*dns.SOA)
			if !ok || !strings.EqualFold(soa.Hdr.Name, "bl.example.net.") || soa.Serial != uint32(listTime.Unix()) || soa.Minttl != 60 || !m.Authoritative {
				t.Errorf("%s: %s", test.name, m)
			}
		}
	}
	for qtype, want := range map[uint16]int{dns.TypeNS: 2, dns.TypeSOA: 1, dns.TypeA: 0, dns.TypeTXT: 0} {
		m, err := peers.Query(t.Context(), at, "BL.example.net.", qtype, nil)
		if err != nil || len(m.Answer) != want || m.Rcode != dns.RcodeSuccess {
			t.Errorf("the apex: %v, %v", m, err)
		}
	}
	if m, err := peers.Query(t.Context(), at, "example.net.", dns.TypeA, nil); err != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("above the zone: %v, %v", m, err)
	}
}

// dnsblNibbles is reversed for IPv6, IPv4-mapped ones too.
func dnsblNibbles(address string) string {
	a := netip.MustParseAddr(address).As16()
	var labels []string
	for i := 15; i >= 0; i-- {
		labels = append(labels, fmt.Sprintf("%x.%x", a[i]&15, a[i]>>4))
	}
	return strings.Join(labels, ".")
}

// summary is the answer, or what is said instead.
func summary(m *dns.Msg) string {
	switch {
	case m.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[m.Rcode]
	case len(m.Answer) == 0:
		return "none"
	case len(m.Answer) > 1 || m.Answer[0].Header().Ttl != 60:
		return m.String()
	}
	h := m.Answer[0].Header()
	return dns.TypeToString[h.Rrtype] + " " + strings.TrimPrefix(m.Answer[0].String(), h.String())
}

// TestDNSBLFile follows the file: none yet, a list, one that is cut, a new one, one whose
// entries expire.
func TestDNSBLFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "list.json")
	c := dnsblConfig(file)
	if err := Check(c); err != nil {
		t.Errorf("a check without the file: %v", err)
	}
	s := startServer(t, c, Options{})
	at := s.serving.Load().listen[0]
	ask := func(what, address, want string) {
		t.Helper()
		s.lists.look()
		m, err := peers.Query(t.Context(), at, reversed(address)+".bl.example.net.", dns.TypeA, nil)
		if err != nil || summary(m) != want {
			t.Errorf("%s: %v, %v; want %s", what, m, err, want)
		}
	}
	problems := func(want int) {
		t.Helper()
		if p := s.Health().Problems; len(p) != want {
			t.Errorf("problems %q, want %d", p, want)
		}
	}
	zone := func(want control.Zone) {
		t.Helper()
		z, err := daemon{s.Server}.Zone(t.Context(), "bl.example.net")
		if err != nil {
			t.Fatal(err)
		}
		if z.Error = strings.TrimSuffix(z.Error, ": no such file or directory"); z.Zone != want {
			t.Errorf("%+v, want %+v", z.Zone, want)
		}
	}
	ask("no list", "203.0.113.7", "SERVFAIL")
	problems(1)
	zone(control.Zone{Name: "bl.example.net", Kind: control.DNSBL, State: control.Waiting, Error: "stat " + file})
	writeList(t, file, "203.0.113.7/32")
	ask("a list", "203.0.113.7", "A 127.0.0.2")
	problems(0)
	zone(control.Zone{Name: "bl.example.net", Kind: control.DNSBL, State: control.Serving, Serial: uint32(listTime.Unix())})
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, whole[:len(whole)-4], 0o644); err != nil {
		t.Fatal(err)
	}
	ask("a cut one", "203.0.113.7", "A 127.0.0.2")
	problems(1)
	writeList(t, file, "203.0.113.8/32")
	ask("a new one", "203.0.113.7", "NXDOMAIN")
	ask("a new one", "203.0.113.8", "A 127.0.0.2")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	ask("none any more", "203.0.113.8", "A 127.0.0.2")
	problems(1)
	if err := s.Reload(func() (*Config, error) { return dnsblConfig(file), nil }); err != nil {
		t.Fatal(err)
	}
	at = s.serving.Load().listen[0]
	ask("a reload without it", "203.0.113.8", "A 127.0.0.2")
	f := s.lists.open(file)
	f.list.Entries[0].Expires = time.Now().Add(-time.Second)
	f.index.Store(blocklist.NewIndex(f.list, time.Now().Add(-time.Hour)))
	ask("expired", "203.0.113.8", "NXDOMAIN")
}

// bareQuery makes a query without a socket.
func bareQuery(q *query, name []byte, qtype uint16) bool {
	buf := make([]byte, messageSize)
	copy(buf, []byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	n := headerSize + copy(buf[headerSize:], name)
	n += copy(buf[n:], binary.BigEndian.AppendUint32(nil, uint32(qtype)<<16|dns.ClassINET))
	q.reset(buf, n)
	return q.parse() == plain
}

func bareZone(t testing.TB, prefixes ...string) *dnsblZone {
	t.Helper()
	file := filepath.Join(t.TempDir(), "list.json")
	writeList(t, file, prefixes...)
	f := unreadList(file)
	if err := f.look(time.Now()); err != nil {
		t.Fatal(err)
	}
	z, err := newDNSBLZone(&dnsblConfig(file).Blocks[0].DNSBL[0], f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func packed(t testing.TB, name string) []byte {
	t.Helper()
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// TestDNSBLAllocatesNothing answers listed and other names.
func TestDNSBLAllocatesNothing(t *testing.T) {
	z := bareZone(t, "203.0.113.7/32", "2001:db8:7::/64")
	for _, name := range []string{reversed("203.0.113.7"), reversed("203.0.113.8"), "113.0.203", reversed("2001:db8:7::1"), "www"} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeMX} {
			var q query
			if !bareQuery(&q, packed(t, name+".bl.example.net."), qtype) {
				t.Fatal(name)
			}
			size := q.size
			if n := testing.AllocsPerRun(100, func() {
				q.size = size
				if !z.Respond(&q) {
					t.Fatal(name)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	}
}

// TestDNSBLModel compares answers about random addresses with a map.
func TestDNSBLModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	four := func() string { return fmt.Sprintf("203.%d.%d.%d", random.IntN(2), random.IntN(3), random.IntN(40)) }
	six := func() string { return fmt.Sprintf("2001:db8:%x:%x", random.IntN(3), random.IntN(40)) }
	listed := make(map[string]bool)
	for range 40 {
		listed[four()+"/32"], listed[six()+"::/64"] = true, true
	}
	var prefixes []string
	for p := range listed {
		prefixes = append(prefixes, p)
	}
	z := bareZone(t, prefixes...)
	for range 2000 {
		a, s := four(), six()
		for name, want := range map[string]bool{reversed(a): listed[a+"/32"], dnsblNibbles(s + fmt.Sprintf("::%x", random.IntN(1<<16))): listed[s+"::/64"]} {
			var q query
			bareQuery(&q, packed(t, name+".bl.example.net."), dns.TypeA)
			z.Respond(&q)
			if rcode := q.buf[3] & 15; (rcode == dns.RcodeSuccess) != want || want && q.buf[7] != 1 {
				t.Fatalf("%s: rcode %d, %d answers, want listed %v", name, rcode, q.buf[7], want)
			}
		}
	}
}

// FuzzDNSBL: every name below the zone gets an answer that can be read, and none panics.
func FuzzDNSBL(f *testing.F) {
	z := bareZone(f, "203.0.113.7/32", "255.255.255.255/32", "0.0.0.0/32", "2001:db8:7::/64", "ffff:ffff:ffff:ffff::/64")
	for _, name := range []string{reversed("203.0.113.7"), "113.0.203", dnsblNibbles("2001:db8:7::1"), "255", "f", "x.\\000"} {
		f.Add(packed(f, name+".bl.example.net."), uint16(dns.TypeTXT), uint16(512))
	}
	f.Fuzz(func(t *testing.T, name []byte, qtype, limit uint16) {
		var q query
		if len(name) > 255 || !bareQuery(&q, name, qtype) {
			return
		}
		q.limit = max(q.size, min(int(limit), len(q.buf)))
		if !z.Respond(&q) {
			return
		}
		if q.size > q.limit {
			t.Fatalf("%d bytes, limit %d", q.size, q.limit)
		}
		if err := new(dns.Msg).Unpack(q.buf[:q.size]); err != nil {
			t.Fatalf("%v: %x", err, q.buf[:q.size])
		}
	})
}

// BenchmarkDNSBL answers from a list of 100,000 addresses, listed and not in turn.
func BenchmarkDNSBL(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 4))
	listed := make(map[string]bool)
	for len(listed) < 100_000 {
		listed[fmt.Sprintf("%d.%d.%d.%d/32", 1+random.IntN(99), random.IntN(256), random.IntN(256), random.IntN(256))] = true
	}
	var prefixes []string
	for p := range listed {
		prefixes = append(prefixes, p)
	}
	z := bareZone(b, prefixes...)
	var queries [2]query
	for i, address := range []string{strings.TrimSuffix(prefixes[0], "/32"), "203.0.113.7"} {
		bareQuery(&queries[i], packed(b, reversed(address)+".bl.example.net."), dns.TypeA)
	}
	for i := 0; b.Loop(); i++ {
		z.Respond(&queries[i&1])
	}
}
