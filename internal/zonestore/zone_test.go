package zonestore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
	"nullspf/zones"
)

// parseZone makes a zone of a text.
func parseZone(t testing.TB, origin, text string) *Zone {
	t.Helper()
	z, err := tryZone(origin, text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func tryZone(origin, text string) (*Zone, error) {
	apex, err := wire.ParseName(origin)
	if err != nil {
		return nil, err
	}
	b := NewBuilder(apex)
	p := dns.NewZoneParser(strings.NewReader(text), origin, "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		r, err := wire.FromRR(rr)
		if err != nil {
			return nil, err
		}
		if err := b.Add(r); err != nil {
			return nil, err
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return b.Build()
}

// ask answers from the zone when QNAME is in it.
func (z *Zone) ask(r *Reply) bool {
	labels := z.apex.Labels()
	if r.Labels() < labels {
		return false
	}
	if suffix, _ := r.suffix(labels); !ascii.EqualFold(suffix, z.apex) {
		return false
	}
	z.Answer(r, labels)
	return true
}

const exampleHead = `
@ 3600 SOA ns1 hostmaster 7 7200 900 2419200 300
@ 3600 NS ns1
@ 3600 NS ns2.other.test.
@ 3600 MX 10 mail
ns1 3600 A 192.0.2.1
ns1 3600 AAAA 2001:db8::1
`

const exampleZone = exampleHead + `
mail 3600 A 192.0.2.2
a.b.c 3600 TXT "deep"
* 60 TXT "wild"
*.sub 60 CNAME target
target 60 A 192.0.2.3
alias 60 CNAME alias2
alias2 60 CNAME target
loop 60 CNAME loop2
loop2 60 CNAME loop
away 60 CNAME host.other.test.
dangling 60 CNAME no.b.c
child 60 NS ns.child
child 60 NS ns2.child
child 60 NS ns.other.test.
child 60 DS 12345 13 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
ns.child 60 A 192.0.2.53
ns2.child 60 AAAA 2001:db8::53
*.child 60 TXT "occluded"
d 60 DNAME elsewhere.example.
d 60 TXT "beside"
srv 60 SRV 0 0 443 mail
odd 60 TYPE65280 \# 3 010203
`

func TestZoneAnswers(t *testing.T) {
	z := parseZone(t, "example.", exampleZone)
	soa := []string{"example. 300 IN SOA ns1.example. hostmaster.example. 7 7200 900 2419200 300"}
	for _, c := range []struct {
		qname                         string
		qtype                         uint16
		rcode                         int
		referral                      bool
		answer, authority, additional []string
	}{
		{qname: "example.", qtype: dns.TypeNS,
			answer:     []string{"example. 3600 IN NS ns1.example.", "example. 3600 IN NS ns2.other.test."},
			additional: []string{"ns1.example. 3600 IN A 192.0.2.1", "ns1.example. 3600 IN AAAA 2001:db8::1"}},
		{qname: "EXAMPLE.", qtype: dns.TypeMX, answer: []string{"EXAMPLE. 3600 IN MX 10 mail.example."}, additional: []string{"mail.example. 3600 IN A 192.0.2.2"}},
		{qname: "srv.example.", qtype: dns.TypeSRV, answer: []string{"srv.example. 60 IN SRV 0 0 443 mail.example."}, additional: []string{"mail.example. 3600 IN A 192.0.2.2"}},
		{qname: "b.c.example.", qtype: dns.TypeTXT, authority: soa},
		{qname: "c.example.", qtype: dns.TypeTXT, authority: soa},
		{qname: "x.b.c.example.", qtype: dns.TypeTXT, rcode: dns.RcodeNameError, authority: soa},
		{qname: "any.thing.example.", qtype: dns.TypeTXT, answer: []string{`any.thing.example. 60 IN TXT "wild"`}},
		{qname: "x.sub.example.", qtype: dns.TypeA, answer: []string{"target.example. 60 IN A 192.0.2.3", "x.sub.example. 60 IN CNAME target.example."}},
		{qname: "sub.example.", qtype: dns.TypeA, authority: soa},
		{qname: "x.mail.example.", qtype: dns.TypeTXT, rcode: dns.RcodeNameError, authority: soa},
		{qname: "alias.example.", qtype: dns.TypeA, answer: []string{"alias.example. 60 IN CNAME alias2.example.", "alias2.example. 60 IN CNAME target.example.", "target.example. 60 IN A 192.0.2.3"}},
		{qname: "alias.example.", qtype: dns.TypeMX, answer: []string{"alias.example. 60 IN CNAME alias2.example.", "alias2.example. 60 IN CNAME target.example."}, authority: soa},
		{qname: "alias.example.", qtype: dns.TypeCNAME, answer: []string{"alias.example. 60 IN CNAME alias2.example."}},
		{qname: "away.example.", qtype: dns.TypeA, answer: []string{"away.example. 60 IN CNAME host.other.test."}},
		{qname: "dangling.example.", qtype: dns.TypeA, rcode: dns.RcodeNameError, answer: []string{"dangling.example. 60 IN CNAME no.b.c.example."}, authority: soa},
		{qname: "x.child.example.", qtype: dns.TypeTXT, referral: true,
			authority:  []string{"child.example. 60 IN NS ns.child.example.", "child.example. 60 IN NS ns.other.test.", "child.example. 60 IN NS ns2.child.example."},
			additional: []string{"ns.child.example. 60 IN A 192.0.2.53", "ns2.child.example. 60 IN AAAA 2001:db8::53"}},
		{qname: "child.example.", qtype: dns.TypeDS, answer: []string{"child.example. 60 IN DS 12345 13 2 0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20"}},
		{qname: "d.example.", qtype: dns.TypeTXT, answer: []string{`d.example. 60 IN TXT "beside"`}},
		{qname: "x.d.example.", qtype: dns.TypeTXT, answer: []string{"d.example. 60 IN DNAME elsewhere.example.", "x.d.example. 60 IN CNAME x.elsewhere.example.", `x.elsewhere.example. 60 IN TXT "wild"`}},
		{qname: "odd.example.", qtype: 65280, answer: []string{`odd.example. 60 CLASS1 TYPE65280 \# 3 010203`}},
		{qname: "example.", qtype: dns.TypeANY, answer: []string{"example. 3600 IN SOA ns1.example. hostmaster.example. 7 7200 900 2419200 300"}},
	} {
		m := ask(t, c.qname, c.qtype, 1232, z.ask)
		name := c.qname + " " + wire.TypeString(c.qtype)
		if m.Rcode != c.rcode || m.Authoritative == c.referral || m.Truncated {
			t.Errorf("%s: %v", name, m)
		}
		for _, s := range []struct {
			name string
			want []string
			got  []dns.RR
		}{{"answer", c.answer, m.Answer}, {"authority", c.authority, m.Ns}, {"additional", c.additional, m.Extra}} {
			if diff := cmp.Diff(s.want, section(s.got)); diff != "" {
				t.Errorf("%s: %s (-want +got)\n%s", name, s.name, diff)
			}
		}
	}
	if m := ask(t, "loop.example.", dns.TypeA, 1232, z.ask); len(m.Answer) != maxChain {
		t.Errorf("a loop of aliases: %v", m)
	}
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 44) + ".d.example."
	if m := ask(t, long, dns.TypeA, 1232, z.ask); m.Rcode != dns.RcodeYXDomain {
		t.Errorf("too long for a DNAME record: %v", m)
	}
	// Glue that is needed makes the answer truncated; other addresses are left
	// out.
	if m := ask(t, "x.child.example.", dns.TypeA, 120, z.ask); !m.Truncated || len(m.Ns) != 0 {
		t.Errorf("referral without room for glue: %v", m)
	}
	if m := ask(t, "example.", dns.TypeMX, 60, z.ask); m.Truncated || len(m.Answer) != 1 || len(m.Extra) != 0 {
		t.Errorf("answer without room for addresses: %v", m)
	}
}

// TestNoZone refuses records that make no zone.
func TestNoZone(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "no record at the apex",
		"x A 192.0.2.1":                      "no record at the apex",
		"@ NS ns1":                           "not exactly one SOA",
		"@ SOA a b 1 2 3 4 5":                "no NS record",
		exampleHead + "@ SOA a b 1 2 3 4 5":  "not exactly one SOA",
		exampleHead + "x SOA a b 1 2 3 4 5":  "SOA record at x.example",
		exampleHead + "x CNAME a\nx TXT b":   "x.example has a CNAME record beside others",
		exampleHead + "x CNAME a\nx CNAME b": "x.example has a CNAME record beside others",
		exampleHead + "x DNAME a\nx DNAME b": "several DNAME",
		exampleHead + "x.other.test. TXT b":  "not in the zone example",
		exampleHead + "@ NSEC3PARAM 1 0 501 -\n" + nsec3Line:                                                                   "501 iterations; 500 are allowed",
		exampleHead + "@ NSEC3PARAM 2 0 0 -\n" + nsec3Line:                                                                     "algorithm 2",
		exampleHead + nsec3Line + strings.Replace(nsec3Line, "NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A", `TXT "x"`, 1): "NSEC3 records beside others",
	} {
		z, err := tryZone("example.", "$TTL 60\n"+text)
		if z != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, z, err, want)
		}
	}
}

const nsec3Line = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A\n"

// TestEdit compares edited zones with those that are built anew.
func TestEdit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1995))
	current := map[string]bool{}
	line := func() string {
		owner := []string{"@", "a", "b", "a.b", "*", "x.y.z"}[random.IntN(6)]
		return fmt.Sprintf("%s 60 TXT \"%d\"", owner, random.IntN(6))
	}
	text := func(serial int) string {
		lines := []string{fmt.Sprintf("@ 60 SOA ns. h. %d 2 3 4 5", serial), "@ 60 NS ns."}
		for l := range current {
			lines = append(lines, l)
		}
		return strings.Join(lines, "\n")
	}
	record := func(line string) wire.Record {
		rr, err := dns.NewRR("$ORIGIN example.\n" + line)
		if err != nil {
			t.Fatal(err)
		}
		r, err := wire.FromRR(rr)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	z := parseZone(t, "example.", text(0))
	for serial := 1; serial < 300; serial++ {
		b := Edit(z)
		soa, _ := z.SOA()
		if err := b.Remove(soa); err != nil {
			t.Fatal(err)
		}
		for range random.IntN(8) {
			l := line()
			if current[l] {
				if err := b.Remove(record(l)); err != nil {
					t.Fatal(err)
				}
			} else {
				if err := b.Remove(record(l)); err == nil {
					t.Fatalf("%s was removed but is not there", l)
				}
				if err := b.Add(record(l)); err != nil {
					t.Fatal(err)
				}
			}
			current[l] = !current[l]
			if !current[l] {
				delete(current, l)
			}
		}
		if err := b.Add(record(fmt.Sprintf("@ 60 SOA ns. h. %d 2 3 4 5", serial))); err != nil {
			t.Fatal(err)
		}
		next, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		want := parseZone(t, "example.", text(serial))
		if diff := cmp.Diff(lines(t, want), lines(t, next)); diff != "" {
			t.Fatalf("(-anew +edited)\n%s", diff)
		}
		if next.Serial() != uint32(serial) || next.Count() != want.Count() {
			t.Fatalf("serial %d, %d records; want %d, %d", next.Serial(), next.Count(), serial, want.Count())
		}
		z = next
	}
}

// TestParkedLikeZones asks parked zones and the zones that their files make
// the same queries.
func TestParkedLikeZones(t *testing.T) {
	s := newSite(t)
	p := load(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	prefixes := []string{"", "www.", "*.", "_dmarc.", "_domainkey.", "a._domainkey.", "x.y.", "x.www.", "x._dmarc.", "*._domainkey.", "x.*."}
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeNS, dns.TypeSOA, dns.TypeANY, dns.TypeSRV}
	for i := range p.Len() {
		name := p.Name(i).String()
		file := filepath.Join(s.Output(), "zones", zones.ZoneFile(strings.TrimSuffix(name, ".")))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		z := parseZone(t, name, string(text))
		for range 200 {
			qname := prefixes[random.IntN(len(prefixes))] + name
			if _, ok := dns.IsDomainName(qname); !ok || strings.HasSuffix(qname, "sub.brand.example.") && name != "sub.brand.example." {
				continue
			}
			qtype := types[random.IntN(len(types))]
			if qtype == dns.TypeANY {
				qtype = dns.TypeHINFO
			}
			want, got := ask(t, qname, qtype, 1232, z.ask), ask(t, qname, qtype, 1232, p.ask)
			if want.Rcode != got.Rcode || fmt.Sprint(section(want.Answer), section(want.Ns), section(want.Extra)) != fmt.Sprint(section(got.Answer), section(got.Ns), section(got.Extra)) {
				t.Fatalf("%s %s:\nzone   %v\nparked %v", qname, dns.TypeToString[qtype], want, got)
			}
		}
	}
}
