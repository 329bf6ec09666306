package nameserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

// answerCase is a query with its answer in zone syntax.
type answerCase struct {
	name   string
	qname  string
	qtype  uint16
	qclass uint16 // IN when 0
	rcode  int
	// notAuthoritative is the exception.
	notAuthoritative              bool
	answer, authority, additional []string
}

const testSOA = "_spf.example.net. 60 IN SOA _spf.example.net. _spf.example.net. 1 7200 900 2419200 60"

// exampleName is what a receiver asks for exists:.
const exampleName = "192.0.2.7.in-addr.CL.shop.example.FD.1._spf.example.net."

var answerCases = []answerCase{
	{name: "SOA at the apex", qname: "_spf.example.net.", qtype: dns.TypeSOA, answer: []string{testSOA}},
	{
		name: "NS at the apex", qname: "_spf.example.net.", qtype: dns.TypeNS,
		answer: []string{
			"_spf.example.net. 3600 IN NS ns1.example.net.",
			"_spf.example.net. 3600 IN NS ns2._spf.example.net.",
		},
		additional: []string{
			"ns2._spf.example.net. 3600 IN A 192.0.2.53",
			"ns2._spf.example.net. 3600 IN AAAA 2001:db8::53",
		},
	},
	{
		name: "TXT at the apex", qname: "_spf.example.net.", qtype: dns.TypeTXT,
		answer: []string{
			`_spf.example.net. 3600 IN TXT "tracking zone"`,
			`_spf.example.net. 3600 IN TXT "second \"text\" with \\ in it"`,
		},
	},
	{name: "no address at the apex", qname: "_spf.example.net.", qtype: dns.TypeA, authority: []string{testSOA}},
	{name: "ANY at the apex", qname: "_spf.example.net.", qtype: dns.TypeANY, answer: []string{testSOA}},
	{name: "address of a nameserver", qname: "ns2._spf.example.net.", qtype: dns.TypeA, answer: []string{"ns2._spf.example.net. 3600 IN A 192.0.2.53"}},
	{name: "IPv6 address of a nameserver", qname: "ns2._spf.example.net.", qtype: dns.TypeAAAA, answer: []string{"ns2._spf.example.net. 3600 IN AAAA 2001:db8::53"}},
	{name: "other type at a nameserver", qname: "ns2._spf.example.net.", qtype: dns.TypeMX, authority: []string{testSOA}},
	{name: "ANY at a nameserver", qname: "ns2._spf.example.net.", qtype: dns.TypeANY, answer: []string{"ns2._spf.example.net. 3600 IN A 192.0.2.53"}},
	{name: "name below a nameserver", qname: "x.ns2._spf.example.net.", qtype: dns.TypeA, authority: []string{testSOA}},
	{name: "exists", qname: exampleName, qtype: dns.TypeA, authority: []string{testSOA}},
	{name: "exists, AAAA", qname: exampleName, qtype: dns.TypeAAAA, authority: []string{testSOA}},
	{name: "exists, TXT", qname: exampleName, qtype: dns.TypeTXT, authority: []string{testSOA}},
	{name: "exists, ANY", qname: exampleName, qtype: dns.TypeANY, authority: []string{testSOA}},
	{name: "exists, NS, as a minimising resolver asks", qname: "FD.1._spf.example.net.", qtype: dns.TypeNS, authority: []string{testSOA}},
	{name: "last label of exists", qname: "1._spf.example.net.", qtype: dns.TypeTXT, authority: []string{testSOA}},
	{
		name: "exp", qname: "mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net.", qtype: dns.TypeTXT,
		answer: []string{`mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net. 60 IN TXT "Mail from %{d} is forged"`},
	},
	{name: "exp, ANY", qname: "x.2._spf.example.net.", qtype: dns.TypeANY, answer: []string{`x.2._spf.example.net. 60 IN TXT "Mail from %{d} is forged"`}},
	{name: "exp, A", qname: "x.2._spf.example.net.", qtype: dns.TypeA, authority: []string{testSOA}},
	{name: "exp, last label only", qname: "2._spf.example.net.", qtype: dns.TypeTXT, answer: []string{`2._spf.example.net. 60 IN TXT "Mail from %{d} is forged"`}},
	{name: "label that ends in 2", qname: "x.12._spf.example.net.", qtype: dns.TypeTXT, authority: []string{testSOA}},
	{name: "bytes that look like the label 2", qname: `x\0012._spf.example.net.`, qtype: dns.TypeTXT, authority: []string{testSOA}},
	{name: "odd bytes", qname: `us%2ber\@host\000\255.HE.2._spf.example.net.`, qtype: dns.TypeTXT, answer: []string{`us%2ber\@host\000\255.HE.2._spf.example.net. 60 IN TXT "Mail from %{d} is forged"`}},
	{name: "unknown type", qname: "x._spf.example.net.", qtype: 65280, authority: []string{testSOA}},
	{name: "longest name", qname: strings.Repeat("a.", 118) + "_spf.example.net.", qtype: dns.TypeA, authority: []string{testSOA}},
	{name: "longest label", qname: strings.Repeat("a", 63) + "._spf.example.net.", qtype: dns.TypeA, authority: []string{testSOA}},
	{name: "case is kept", qname: "x.Fd.1._SPF.eXample.NET.", qtype: dns.TypeA, authority: []string{"_SPF.eXample.NET. 60 IN SOA _SPF.eXample.NET. _SPF.eXample.NET. 1 7200 900 2419200 60"}},
	{name: "case is kept at the apex", qname: "_SPF.example.net.", qtype: dns.TypeSOA, answer: []string{"_SPF.example.net. 60 IN SOA _SPF.example.net. _SPF.example.net. 1 7200 900 2419200 60"}},

	{name: "parent", qname: "example.net.", qtype: dns.TypeA, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "sibling that ends alike", qname: "x_spf.example.net.", qtype: dns.TypeA, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "one label that holds the zone's bytes", qname: `\005_spf\007example\003net.`, qtype: dns.TypeA, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "root", qname: ".", qtype: dns.TypeNS, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "class CH", qname: "version.bind.", qtype: dns.TypeTXT, qclass: dns.ClassCHAOS, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "class ANY", qname: "_spf.example.net.", qtype: dns.TypeSOA, qclass: dns.ClassANY, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "AXFR", qname: "_spf.example.net.", qtype: dns.TypeAXFR, rcode: dns.RcodeRefused, notAuthoritative: true},
	{name: "IXFR without SOA", qname: "_spf.example.net.", qtype: dns.TypeIXFR, rcode: dns.RcodeRefused, notAuthoritative: true},
}

func (c *answerCase) query() *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(c.qname, c.qtype)
	m.RecursionDesired = false
	if c.qclass != 0 {
		m.Question[0].Qclass = c.qclass
	}
	return m
}

func sortedRecords(rrs []dns.RR) (out []string) {
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeOPT {
			out = append(out, strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	slices.Sort(out)
	return out
}

func sorted(records []string) []string {
	records = slices.Clone(records)
	slices.Sort(records)
	return records
}

func TestAnswers(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	for _, network := range []string{"udp", "tcp"} {
		for _, v6 := range []bool{false, true} {
			for _, edns := range []bool{false, true} {
				for i := range answerCases {
					c := &answerCases[i]
					t.Run(fmt.Sprintf("%s/v6=%v/edns=%v/%s", network, v6, edns, c.name), func(t *testing.T) {
						m := c.query()
						if edns {
							m.SetEdns0(4096, true)
						}
						r := exchange(t, network, s.address(t, v6), m)
						if r.Rcode != c.rcode {
							t.Errorf("RCODE %s, want %s", dns.RcodeToString[r.Rcode], dns.RcodeToString[c.rcode])
						}
						if r.Authoritative == c.notAuthoritative || r.Truncated || r.RecursionAvailable || r.RecursionDesired {
							t.Errorf("flags are wrong: %v", r.MsgHdr)
						}
						if len(r.Question) != 1 || r.Question[0] != m.Question[0] {
							t.Errorf("question %v, want %v", r.Question, m.Question)
						}
						if diff := cmp.Diff(sorted(c.answer), sortedRecords(r.Answer)); diff != "" {
							t.Errorf("answer section (-want +got):\n%s", diff)
						}
						authority := c.authority
						if network == "udp" && !edns && len(c.qname)+1 < 20 {
							authority = nil // NODATA of at most twice the question
						}
						if diff := cmp.Diff(sorted(authority), sortedRecords(r.Ns)); diff != "" {
							t.Errorf("authority section (-want +got):\n%s", diff)
						}
						if diff := cmp.Diff(sorted(c.additional), sortedRecords(r.Extra)); diff != "" {
							t.Errorf("additional section (-want +got):\n%s", diff)
						}
						opt := r.IsEdns0()
						if (opt != nil) != edns {
							t.Fatalf("OPT: %v, want one: %v", opt, edns)
						}
						if edns && (!opt.Do() || opt.Version() != 0 || opt.UDPSize() != maxUDPAnswer || len(opt.Option) != 0) {
							t.Errorf("OPT is wrong: %v", opt)
						}
					})
				}
			}
		}
	}
	c := s.settled(t)
	if n := uint64(len(s.recorder.take())); n != c.Tracked || n == 0 {
		t.Errorf("%d events recorded, %d counted", n, c.Tracked)
	}
}

func TestExplanationNeedsLayoutWithExp(t *testing.T) {
	s := startServer(t, testConfig(func(c *Config) { c.Blocks[0].Track.Layouts = []spftrack.Layout{spftrack.Classic} }), Options{})
	m := new(dns.Msg)
	m.SetQuestion("x.2._spf.example.net.", dns.TypeTXT)
	if r := exchange(t, "udp", s.address(t, false), m); len(r.Answer) != 0 || len(r.Ns) != 1 {
		t.Errorf("want NODATA, got %v", r)
	}
}

func TestZoneBelowAnother(t *testing.T) {
	s := startServer(t, &Config{
		Blocks:  []Block{trackBlock("example.net", "inner.example.net")},
		Journal: &Journal{Dir: "var"},
	}, Options{})
	for qname, zone := range map[string]string{
		"x.1.example.net.":       "example.net.",
		"x.1.inner.example.net.": "inner.example.net.",
		"x.xinner.example.net.":  "example.net.",
		"inner.example.net.":     "inner.example.net.",
	} {
		m := new(dns.Msg)
		m.SetQuestion(qname, dns.TypeA)
		m.SetEdns0(1232, false)
		r := exchange(t, "udp", s.address(t, false), m)
		if len(r.Ns) != 1 || r.Ns[0].Header().Name != zone {
			t.Errorf("%s: want the SOA record of %s, got %v", qname, zone, r.Ns)
		}
	}
	for _, e := range s.recorder.take() {
		name, _, err := dns.UnpackDomainName(e.Name, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := "example.net"
		if dnsname.Name(strings.TrimSuffix(name, ".")).Within("inner.example.net") {
			want = "inner.example.net"
		}
		if got := s.recorder.zones[e.Zone]; got != want {
			t.Errorf("event for %s has zone %s", name, got)
		}
	}
}

// Without EDNS an answer has at most 512 bytes; with it, at most 1232.
func TestTruncation(t *testing.T) {
	text := strings.Repeat("x", 250)
	b := trackBlock("_spf.example.net")
	b.Track.TXT = []string{text, text, text, text}
	s := startServer(t, &Config{Blocks: []Block{b}, Journal: &Journal{Dir: "var"}}, Options{})
	m := new(dns.Msg)
	m.SetQuestion("_spf.example.net.", dns.TypeTXT)
	for _, c := range []struct {
		size      uint16
		network   string
		truncated bool
	}{
		{0, "udp", true}, {100, "udp", true}, {512, "udp", true}, {1000, "udp", true},
		{1232, "udp", false}, {65535, "udp", false}, {0, "tcp", false}, {512, "tcp", false},
	} {
		m.Extra = nil
		if c.size > 0 {
			m.SetEdns0(c.size, false)
		}
		r := exchange(t, c.network, s.address(t, false), m)
		if r.Truncated != c.truncated || (len(r.Answer) == 4) == c.truncated || (r.IsEdns0() != nil) != (c.size > 0) {
			t.Errorf("%s, size %d: %v", c.network, c.size, r)
		}
	}
}
