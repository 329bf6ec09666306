package spftrack

import (
	"strings"
	"testing"
)

// test writes the fields that tests compare, so that a table stays readable:
// kind, client, local part, domain, HELO and flags.
func (p Parsed) test(t *testing.T) string {
	t.Helper()
	if p.SenderDomain != p.Forged {
		t.Errorf("sender domain %q differs from forged domain %q", p.SenderDomain, p.Forged)
	}
	ip := "-"
	if p.ClientIP.IsValid() {
		ip = p.ClientIP.String()
	}
	fields := []string{p.Kind.String(), ip, Printable(p.SenderLocal), Printable(p.Forged), Printable(p.HELO), p.Flags.String()}
	for i, f := range fields {
		if f == "" {
			fields[i] = "-"
		}
	}
	return strings.Join(fields, " ")
}

type parseTest struct {
	// name is left of the tracking zone, in presentation format.
	name  string
	qtype uint16
	want  string
}

var knownDomains = map[string]bool{"shop.example": true, "shop.cl": true, "cl.example": true}

func testParse(t *testing.T, p *Parser, tests []parseTest) {
	t.Helper()
	for _, test := range tests {
		name := strings.TrimPrefix(test.name+"."+testZone, ".")
		got, err := p.ParseText(name, test.qtype)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := got.test(t); got != test.want {
			t.Errorf("%s type %d\n got %s\nwant %s", name, test.qtype, got, test.want)
		}
	}
}

const n6 = nibbles6 + ".ip6"

func TestParseWhole(t *testing.T) {
	p := NewParser("_spf.example.net", []Layout{Track, Classic}, nil)
	testParse(t, p, []parseTest{
		{"192.0.2.7.in-addr.CL.shop.example.FD.1", TypeA, "exists 192.0.2.7 - shop.example - -"},
		{"192.0.2.7.in-addr.CL.shop.example.FD.1", TypeAAAA, "exists 192.0.2.7 - shop.example - -"},
		{n6 + ".CL.shop.example.FD.1", TypeA, "exists 2001:db8::cb01 - shop.example - -"},
		{"255.0.0.255.in-addr.CL.example.FD.1", TypeA, "exists 255.0.0.255 - example - -"},
		{"mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeTXT, "exp 192.0.2.7 user shop.example mail.example.org -"},
		{"mail.example.org.HE.user.LP." + n6 + ".CL.shop.example.FD.2", TypeTXT, "exp 2001:db8::cb01 user shop.example mail.example.org -"},
		{"CL.192.0.2.7.FR.user@shop.example.HE.mail.example.org", TypeA, "classic 192.0.2.7 user shop.example mail.example.org -"},
		{"CL." + nibbles6 + ".FR.user@shop.example.HE.mail.example.org", TypeA, "classic 2001:db8::cb01 user shop.example mail.example.org -"},
		{"CL.1.2.3.4.FR.user@shop.example.HE.h", TypeAAAA, "classic 1.2.3.4 user shop.example h -"},
		// IPv4-mapped IPv6, as an implementation may send it, is IPv4.
		{strings.Repeat("0.", 20) + "f.f.f.f.c.0.0.0.0.2.0.7.ip6.CL.shop.example.FD.1", TypeA, "exists 192.0.2.7 - shop.example - -"},
		{"CL." + strings.Repeat("0.", 20) + "f.f.f.f.c.0.0.0.0.2.0.7.FR.u@shop.example.HE.h", TypeA, "classic 192.0.2.7 u shop.example h -"},
		// The case of a query is the resolver's choice.
		{"192.0.2.7.iN-AdDr.cL.sHoP.eXaMpLe.fD.1", TypeA, "exists 192.0.2.7 - shop.example - -"},
		{strings.ToUpper(n6) + ".Cl.SHOP.EXAMPLE.fd.1", TypeA, "exists 2001:db8::cb01 - shop.example - -"},
		{"WIN-ABC123.hE.User+TAG.lP.192.0.2.7.IN-ADDR.cl.Shop.Example.Fd.2", TypeTXT, "exp 192.0.2.7 user+tag shop.example win-abc123 -"},
		{"cl.192.0.2.7.fr.User@Shop.Example.he.MAIL", TypeA, "classic 192.0.2.7 user shop.example mail -"},
	})
	p = NewParser("spf.example", nil, nil)
	if got, err := p.ParseText("1.2.3.4.In-Addr.CL.x.example.FD.1.SPF.eXample.", TypeA); err != nil || got.test(t) != "exists 1.2.3.4 - x.example - -" {
		t.Errorf("zone in upper case: %s, %v", got.test(t), err)
	}
}

// Senders and HELO arguments that SPF implementations were seen to send.
func TestParseSeen(t *testing.T) {
	const rest = ".LP.192.0.2.7.in-addr.CL.shop.example.FD.2"
	p := NewParser(testZone, []Layout{Track, Classic}, nil)
	testParse(t, p, []parseTest{
		{"h.HE.us%2ber%40host" + rest, TypeTXT, "exp 192.0.2.7 us%2ber%40host shop.example h -"},
		{`h.HE.us+er\\@host` + rest, TypeTXT, `exp 192.0.2.7 us+er\\@host shop.example h -`},
		{`h.HE."a\032b"` + rest, TypeTXT, `exp 192.0.2.7 "a\032b" shop.example h -`},
		{"h.HE.bounce+x=y.com" + rest, TypeTXT, "exp 192.0.2.7 bounce+x=y.com shop.example h -"},
		{"h.HE.a.b" + rest, TypeTXT, "exp 192.0.2.7 a.b shop.example h -"},
		{`h.HE.a\.\.b` + rest, TypeTXT, "exp 192.0.2.7 a..b shop.example h -"},
		{`h.HE.\255\000\027` + rest, TypeTXT, `exp 192.0.2.7 \255\000\027 shop.example h -`},
		{"h.HE.postmaster" + rest, TypeTXT, "exp 192.0.2.7 postmaster shop.example h -"},
		// blitiri leaves the local part of the null sender empty.
		{"h.HE" + rest, TypeTXT, "exp 192.0.2.7 - shop.example h -"},
		{"[ipv6:2001:db8::1].HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example [ipv6:2001:db8::1] -"},
		{"[192.0.2.1].HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example [192.0.2.1] -"},
		{"192.0.2.1.HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example 192.0.2.1 -"},
		{"WIN-ABC123.HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example win-abc123 -"},
		{"unknown.HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example unknown -"},
		{"HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example - -"},
		{"HE" + rest, TypeTXT, "exp 192.0.2.7 - shop.example - -"},

		{"CL.192.0.2.7.FR.us%2Ber%40host@shop.example.HE.h", TypeA, "classic 192.0.2.7 us%2ber%40host shop.example h -"},
		{`CL.192.0.2.7.FR.us+er\\@host@shop.example.HE.h`, TypeA, `classic 192.0.2.7 us+er\\@host shop.example h -`},
		{`CL.192.0.2.7.FR."a\032b"@shop.example.HE.h`, TypeA, `classic 192.0.2.7 "a\032b" shop.example h -`},
		{`CL.192.0.2.7.FR."a@b"@shop.example.HE.h`, TypeA, `classic 192.0.2.7 "a@b" shop.example h -`},
		{"CL.192.0.2.7.FR.a.b.c@shop.example.HE.h", TypeA, "classic 192.0.2.7 a.b.c shop.example h -"},
		{"CL.192.0.2.7.FR.u@shop.example.HE.[192.0.2.1]", TypeA, "classic 192.0.2.7 u shop.example [192.0.2.1] -"},
		{"CL.192.0.2.7.FR.u@shop.example.HE.192.0.2.1", TypeA, "classic 192.0.2.7 u shop.example 192.0.2.1 -"},
		{"CL.192.0.2.7.FR.u@shop.example.HE.192.0.2.2", TypeA, "classic 192.0.2.7 u shop.example 192.0.2.2 -"},
		{"CL.192.0.2.7.FR.u@shop.example.HE", TypeA, "classic 192.0.2.7 u shop.example - -"},
		{"CL.192.0.2.7.FR.@shop.example.HE.h", TypeA, "classic 192.0.2.7 - shop.example h -"},
		{"CL.192.0.2.7.FR.u@.HE.h", TypeA, "classic 192.0.2.7 u - h -"},
		// The whole sender URL-escaped, HELO too.
		{"CL.192.0.2.7.FR.us%2Ber%5C%40host%40shop.example.HE.%5B192.0.2.1%5D", TypeA, `classic 192.0.2.7 us+er\\@host shop.example [192.0.2.1] -`},
		{"CL.192.0.2.7.FR.100%25%zz%4%41%40shop.example.HE.h", TypeA, "classic 192.0.2.7 100%%zz%4a shop.example h -"},
		// Mail::SPF sends the bare HELO name for the null sender; blitiri nothing.
		{"CL.192.0.2.7.FR.shop.example.HE.shop.example", TypeA, "classic 192.0.2.7 - shop.example shop.example -"},
		{"CL.192.0.2.7.FR.HE.shop.example", TypeA, "classic 192.0.2.7 - - shop.example -"},
	})
}

// What other implementations make of macros.
func TestParseForms(t *testing.T) {
	const (
		redsift = "20.1.d.b8.0.0.0.0.0.0.0.0.0.0.0.7"
		exp     = ".CL.shop.example.FD.2"
	)
	track := NewParser(testZone, []Layout{Track}, nil)
	both := NewParser(testZone, []Layout{Track, Classic}, nil)
	for _, p := range []*Parser{track, both} {
		testParse(t, p, []parseTest{
			// redsift/spf: bytes in hexadecimal.
			{redsift + ".ip6.CL.shop.example.FD.1", TypeA, "exists 2001:db8::7 - shop.example - -"},
			{redsift + ".ip6.CL.shop.example.FD.1", TypeAAAA, "exists 2001:db8::7 - shop.example - -"},
			{"h.HE.u.LP." + redsift + ".ip6" + exp, TypeTXT, "exp 2001:db8::7 u shop.example h -"},
			{"CL." + redsift + ".FR.u@shop.example.HE.h", TypeA, "classic 2001:db8::7 u shop.example h -"},
			{"b8.0.0.0.0.0.0.0.0.0.0.0.7.ip6.CL.shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
			// zaccone/spf and mileusna/spf: one label.
			{"2001:db8::7.ip6.CL.shop.example.FD.1", TypeA, "exists 2001:db8::7 - shop.example - -"},
			{"h.HE.u.LP.2001:DB8::7.ip6" + exp, TypeTXT, "exp 2001:db8::7 u shop.example h -"},
			{"CL.2001:db8::7.FR.u@shop.example.HE.h", TypeA, "classic 2001:db8::7 u shop.example h -"},
			// SpamAssassin: an address literal.
			{"!203.0.113.7!.HE.u.LP.192.0.2.7.in-addr" + exp, TypeTXT, "exp 192.0.2.7 u shop.example [203.0.113.7] -"},
			{"!ipv6:2001:db8::1!.HE.u.LP.192.0.2.7.in-addr" + exp, TypeTXT, "exp 192.0.2.7 u shop.example [ipv6:2001:db8::1] -"},
			{"!.HE.u.LP.192.0.2.7.in-addr" + exp, TypeTXT, "exp 192.0.2.7 u shop.example ! -"},
			{"!x!.HE.u.LP.192.0.2.7.in-addr" + exp, TypeTXT, "exp 192.0.2.7 u shop.example !x! -"},
			{"CL.192.0.2.7.FR.u@shop.example.HE.!203.0.113.7!", TypeA, "classic 192.0.2.7 u shop.example [203.0.113.7] -"},
			// Courier: macros that are not expanded.
			{"%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2", TypeTXT, "other - - - - unparsed,unexpanded"},
			{"%{i}.%{v}.CL.%{d}.FD.1", TypeA, "other - - - - unparsed,unexpanded"},
			{"%{d}.FD.2", TypeNS, "other - - - - unparsed,unexpanded"},
			{"CL.%{i}.FR.%{s}.HE.%{h}", TypeA, "other - - - - unparsed,unexpanded"},
			{"%{h}.HE.%{l}.LP.192.0.2.7.in-addr" + exp, TypeTXT, "exp 192.0.2.7 %{l} shop.example %{h} -"},
		})
	}
	testParse(t, track, []parseTest{{"fe80::1%eth0.ip6.CL.shop.example.FD.1", TypeA, "other - - - - unparsed"}})
	testParse(t, both, []parseTest{
		// The other way round, it is a HELO that a client sent.
		{"CL.192.0.2.7.FR.u@shop.example.HE.%{d}.x", TypeA, "classic 192.0.2.7 u shop.example %{d}.x -"},
	})
}

// Layout words inside of what a stranger chooses.
func TestParseMarkerWords(t *testing.T) {
	const rest = ".LP.192.0.2.7.in-addr.CL.shop.example.FD.2"
	known := func(domain string) bool { return knownDomains[domain] }
	both := NewParser(testZone, []Layout{Track, Classic}, known)
	testParse(t, both, []parseTest{
		{"lp.cl.fd.1.HE.fd.lp.cl" + rest, TypeTXT, "exp 192.0.2.7 fd.lp.cl shop.example lp.cl.fd.1 -"},
		{"mail.he.net.HE.user" + rest, TypeTXT, "exp 192.0.2.7 user shop.example mail.he.net ambiguous"},
		{"mail.example.org.HE.wei.he" + rest, TypeTXT, "exp 192.0.2.7 wei.he shop.example mail.example.org ambiguous"},
		{"mail.example.org.HE.he.wei" + rest, TypeTXT, "exp 192.0.2.7 he.wei shop.example mail.example.org ambiguous"},
		{"mail.example.org.HE.he" + rest, TypeTXT, "exp 192.0.2.7 he shop.example mail.example.org ambiguous"},
		// A forged address in the local part stands left of the real one.
		{"h.HE.x.LP.203.0.113.9.in-addr.CL.evil" + rest, TypeTXT, "exp 192.0.2.7 x.lp.203.0.113.9.in-addr.cl.evil shop.example h ambiguous"},
		{"h.LP.203.0.113.9.in-addr.CL.evil.HE.x" + rest, TypeTXT, "exp 192.0.2.7 x shop.example h.lp.203.0.113.9.in-addr.cl.evil ambiguous"},
		{"203.0.113.9.in-addr.CL.shop.example.FD.1.HE.x" + rest, TypeTXT, "exp 192.0.2.7 x shop.example 203.0.113.9.in-addr.cl.shop.example.fd.1 -"},
		// The same name as the first, if the sender was x@evil.LP.192....
		{"203.0.113.9.in-addr.CL.evil.LP.192.0.2.7.in-addr.CL.shop.example.FD.1", TypeA, "exists 203.0.113.9 - evil.lp.192.0.2.7.in-addr.cl.shop.example - -"},
		// A classic name in the HELO of an exp= name, asked as TXT and as A.
		{"CL.203.0.113.9.FR.a@b.HE.c.HE.u" + rest, TypeTXT, "exp 192.0.2.7 u shop.example cl.203.0.113.9.fr.a@b.he.c ambiguous"},
		{"CL.203.0.113.9.FR.a@b.HE.c.HE.u" + rest, TypeA, "classic 203.0.113.9 a b c.he.u.lp.192.0.2.7.in-addr.cl.shop.example.fd.2 ambiguous"},

		// Domains that hold layout words.
		{"192.0.2.7.in-addr.CL.shop.cl.FD.1", TypeA, "exists 192.0.2.7 - shop.cl - -"},
		{"192.0.2.7.in-addr.CL.cl.example.FD.1", TypeA, "exists 192.0.2.7 - cl.example - -"},
		{"192.0.2.7.in-addr.CL.fd.2.FD.1", TypeA, "exists 192.0.2.7 - fd.2 - -"},
		{"h.HE.u.LP.192.0.2.7.in-addr.CL.in-addr.cl.lp.he.example.FD.2", TypeTXT, "exp 192.0.2.7 u in-addr.cl.lp.he.example h -"},

		// Classic: known decides which HE ends the sender.
		{"CL.192.0.2.7.FR.u@shop.example.HE.mail.he.net", TypeA, "classic 192.0.2.7 u shop.example mail.he.net -"},
		{"CL.192.0.2.7.FR.a.HE.b@shop.example.HE.h", TypeA, "classic 192.0.2.7 a.he.b shop.example h -"},
		{"CL.192.0.2.7.FR.u@other.example.HE.mail.he.net", TypeA, "classic 192.0.2.7 u other.example mail.he.net ambiguous"},
		{"CL.192.0.2.7.FR.u@a.shop.example.HE.mail.he.net", TypeA, "classic 192.0.2.7 u a.shop.example mail.he.net -"},
		{"CL.192.0.2.7.FR.u@shop.example.HE.x@y.HE.z", TypeA, "classic 192.0.2.7 u shop.example x@y.he.z -"},
		{"CL.192.0.2.7.FR.u@a.HE.x@shop.example.HE.z", TypeA, "classic 192.0.2.7 u@a.he.x shop.example z -"},
		{"CL.192.0.2.7.FR.fr.he.cl@shop.example.HE.cl.1.2.3.4.fr", TypeA, "classic 192.0.2.7 fr.he.cl shop.example cl.1.2.3.4.fr -"},
		{"CL.192.0.2.7.FR.mail.he.net.HE.mail.he.net", TypeA, "classic 192.0.2.7 - mail.he.net mail.he.net -"},
		{"CL.192.0.2.7.FR.u@shop.example.HE.x.FD.1", TypeA, "classic 192.0.2.7 u shop.example x.fd.1 ambiguous"},
		{"CL.192.0.2.7.FR.u@shop.example.HE.9.9.9.9.in-addr.CL.x.FD.1", TypeA, "classic 192.0.2.7 u shop.example 9.9.9.9.in-addr.cl.x.fd.1 ambiguous"},
	})
	// Which of two addresses is the client's: known decides, or the rightmost.
	const two = "h.HE.u.LP.1.2.3.4.in-addr.CL.a.LP.5.6.7.8.in-addr.CL.b.FD.2"
	const left, right = "a.lp.5.6.7.8.in-addr.cl.b", "b"
	for _, test := range []struct {
		known []string
		want  string
	}{
		{nil, "exp 5.6.7.8 u.lp.1.2.3.4.in-addr.cl.a b h ambiguous"},
		{[]string{right}, "exp 5.6.7.8 u.lp.1.2.3.4.in-addr.cl.a b h ambiguous"},
		{[]string{left}, "exp 1.2.3.4 u " + left + " h -"},
		{[]string{left, right}, "exp 5.6.7.8 u.lp.1.2.3.4.in-addr.cl.a b h ambiguous"},
	} {
		p := NewParser(testZone, []Layout{Track}, func(d string) bool {
			for _, k := range test.known {
				if d == k {
					return true
				}
			}
			return false
		})
		testParse(t, p, []parseTest{{two, TypeTXT, test.want}})
	}
	testParse(t, NewParser(testZone, nil, nil), []parseTest{
		{two, TypeTXT, "exp 5.6.7.8 u.lp.1.2.3.4.in-addr.cl.a b h ambiguous"},
		{"CL.192.0.2.7.FR.u@other.example.HE.mail.he.net", TypeA, "classic 192.0.2.7 u other.example mail.he.net ambiguous"},
		// Without the layout Classic in the zone, HELO cannot pose as one.
		{"CL.203.0.113.9.FR.a@b.HE.c.HE.u" + rest, TypeA, "minimised 192.0.2.7 u shop.example - ambiguous"},
	})
}

// The names that a resolver asks for on its way (RFC 9156), label by label.
func TestParseMinimised(t *testing.T) {
	known := func(domain string) bool { return knownDomains[domain] }
	track := NewParser(testZone, []Layout{Track}, known)
	testParse(t, track, []parseTest{
		{"", TypeNS, "other - - - - -"},
		{"", TypeTXT, "other - - - - -"},
		{"1", TypeA, "minimised - - - - -"},
		{"2", TypeNS, "minimised - - - - -"},
		{"FD.1", TypeA, "minimised - - - - -"},
		{"example.FD.1", TypeA, "minimised - - - - -"},
		{"shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
		{"other.example.FD.1", TypeA, "minimised - - - - -"},
		{"CL.other.example.FD.1", TypeA, "minimised - - other.example - -"},
		{"in-addr.CL.shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
		{"7.in-addr.CL.shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
		{"0.2.7.in-addr.CL.shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
		{"192.0.2.7.in-addr.CL.shop.example.FD.1", TypeNS, "minimised 192.0.2.7 - shop.example - -"},
		{nibbles6[2:] + ".ip6.CL.shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
		{"1.ip6.CL.shop.cl.FD.1", TypeA, "minimised - - shop.cl - -"},
		{"cl.FD.1", TypeA, "minimised - - - - -"},
		{"CL.cl.example.FD.1", TypeA, "minimised - - cl.example - -"},

		{"192.0.2.7.in-addr.CL.shop.example.FD.2", TypeA, "minimised 192.0.2.7 - shop.example - -"},
		{"LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeA, "minimised 192.0.2.7 - shop.example - -"},
		{"user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeA, "minimised 192.0.2.7 - shop.example - -"},
		{"HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeA, "minimised 192.0.2.7 user shop.example - -"},
		{"org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeNS, "minimised 192.0.2.7 user shop.example - -"},
		{"user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeTXT, "minimised 192.0.2.7 - shop.example - -"},
		// "_" instead of the label that is not told.
		{"_.FD.1", TypeA, "minimised - - - - -"},
		{"_.2.7.in-addr.CL.shop.example.FD.1", TypeA, "minimised - - shop.example - -"},
		{"_.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeA, "minimised 192.0.2.7 user shop.example - -"},
		{"_.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeTXT, "exp 192.0.2.7 user shop.example _ -"},
		// Types that neither a check nor a resolver on its way asks.
		{"192.0.2.7.in-addr.CL.shop.example.FD.1", TypeTXT, "other 192.0.2.7 - shop.example - -"},
		{"192.0.2.7.in-addr.CL.shop.example.FD.1", 255, "other 192.0.2.7 - shop.example - -"},
		{"h.HE.u.LP.192.0.2.7.in-addr.CL.shop.example.FD.2", 15, "other 192.0.2.7 u shop.example - -"},
		{"FD.1", 65, "other - - - - -"},
	})
	classic := NewParser(testZone, []Layout{Classic}, known)
	testParse(t, classic, []parseTest{
		{"org", TypeA, "minimised - - - - -"},
		{"1", TypeA, "minimised - - - - -"},
		{"2.1", TypeA, "minimised - - - - -"},
		{"mail.example.org", TypeA, "minimised - - - - -"},
		{"HE.mail.example.org", TypeA, "minimised - - - - -"},
		{"example.HE.mail.example.org", TypeA, "minimised - - - - -"},
		{"shop.example.HE.mail.example.org", TypeA, "minimised - - - - -"},
		{"user@shop.example.HE.mail.example.org", TypeA, "minimised - - shop.example mail.example.org -"},
		{"first.user@shop.example.HE.mail.example.org", TypeNS, "minimised - - shop.example mail.example.org -"},
		{"FR.user@shop.example.HE.mail.example.org", TypeA, "minimised - user shop.example mail.example.org -"},
		{"2.7.FR.user@shop.example.HE.mail.example.org", TypeA, "minimised - user shop.example mail.example.org -"},
		{"192.0.2.7.FR.user@shop.example.HE.mail.example.org", TypeA, "minimised 192.0.2.7 user shop.example mail.example.org -"},
		{"1.2.3.4.FR.user@shop.example.HE.mail.example.org", TypeA, "minimised - user shop.example mail.example.org -"},
		{nibbles6 + ".FR.user@shop.example.HE.mail.example.org", TypeA, "minimised 2001:db8::cb01 user shop.example mail.example.org -"},
		{"CL.192.0.2.7.FR.user@shop.example.HE.mail.example.org", TypeNS, "minimised 192.0.2.7 user shop.example mail.example.org -"},
		{"CL.192.0.2.7.FR.user@shop.example.HE.mail.example.org", TypeTXT, "other 192.0.2.7 user shop.example mail.example.org -"},
		{"_.example.HE.mail.example.org", TypeA, "minimised - - - - -"},
	})
}

func TestParseUnparsed(t *testing.T) {
	p := NewParser(testZone, []Layout{Track}, nil)
	const want = "other - - - - unparsed"
	testParse(t, p, []parseTest{
		{"ns1", TypeA, want},
		{"3", TypeA, want},
		{"FD.3", TypeA, want},
		{"shop.example.FX.1", TypeA, want},
		{"192.0.2.256.in-addr.CL.shop.example.FD.1", TypeA, want},
		{"192.0.2.07.in-addr.CL.shop.example.FD.1", TypeA, want},
		{"192.0.2.x.in-addr.CL.shop.example.FD.1", TypeA, want},
		{"1.192.0.2.7.in-addr.CL.shop.example.FD.1", TypeA, want},
		{"0." + n6 + ".CL.shop.example.FD.1", TypeA, want},
		{"g" + n6[1:] + ".CL.shop.example.FD.1", TypeA, want},
		{"192.0.2.7.in-addr.CL.FD.1", TypeA, want},
		{"h.HE.u.XX.192.0.2.7.in-addr.CL.shop.example.FD.2", TypeTXT, want},
		{"h.HE.u.LP.192.0.2.7.in-addr.CL.shop.example.FD.1", TypeA, want},
		{"FR.u@shop.example.HE.h", TypeA, want},
		{"CL.192.0.2.FR.u@shop.example.HE.h", TypeA, want},
		{"CL.192.0.2.7.FR.u@shop.example", TypeA, want},
	})
	for _, wire := range []string{
		"", "\x00", "\x00\x00", "\x01a\x00", "\x04_spf\x07example\x03net",
		"\x0c_spf.example\x03net\x00",                    // the zone's text, not its labels
		"\x011\x04_spf\x07example\x03net\x00\x00",        // bytes after the name
		"\x011\xc0\x0c",                                  // a compression pointer
		"\x041\x04_spf\x07example\x03net\x00",            // a label that ends in the next
		"\x40" + strings.Repeat("a", 64) + "\x03net\x00", // a label of 64 bytes
		strings.Repeat("\x01a", 127) + "\x01a\x00",       // 257 bytes
		"\x06_spfoo\x07example\x03net\x00",               // another zone
		"\x01x\x08a._spf\x01x\x07example\x03net\x00",     // another zone
		"\x05x_spf\x07example\x03net\x00",                // the zone's text at the end
	} {
		if got := p.Parse([]byte(wire), TypeA); got != (Parsed{Flags: FlagUnparsed}) {
			t.Errorf("Parse(%q) = %+v", wire, got)
		}
	}
	if got := p.Parse([]byte("\x04_SPF\x07example\x03net\x00"), TypeA); got != (Parsed{}) {
		t.Errorf("the apex: %+v", got)
	}
}

// Names cut from the left: every name that truncation can make is flagged,
// and what is left of it is read.
func TestParseTruncated(t *testing.T) {
	known := func(domain string) bool { return knownDomains[domain] }
	const tail = ".HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2"
	pad := func(left, right string, size int) string {
		n := size - len(left) - len(right) - len("."+testZone)
		s := strings.Repeat("abcdefg.", n/8+1)[:n]
		return left + strings.TrimSuffix(s, ".") + strings.Repeat("z", n-len(strings.TrimSuffix(s, "."))) + right
	}
	cut := pad("", tail, 240)
	helo := strings.TrimSuffix(cut, tail)
	short := pad("", tail, 188)
	longUser := pad("", ".LP.192.0.2.7.in-addr.CL.shop.example.FD.2", 240)
	user := strings.TrimSuffix(longUser, ".LP.192.0.2.7.in-addr.CL.shop.example.FD.2")
	literal := pad("[ipv6:2001:db8::1].HE.", ".LP.192.0.2.7.in-addr.CL.shop.example.FD.2", 240)
	literalUser := strings.TrimSuffix(strings.TrimPrefix(literal, "[ipv6:2001:db8::1].HE."), ".LP.192.0.2.7.in-addr.CL.shop.example.FD.2")
	testParse(t, NewParser(testZone, []Layout{Track}, known), []parseTest{
		{cut, TypeTXT, "exp 192.0.2.7 user shop.example " + helo + " truncated"},
		{cut, TypeA, "minimised 192.0.2.7 user shop.example - -"},
		{short, TypeTXT, "exp 192.0.2.7 user shop.example " + strings.TrimSuffix(short, tail) + " -"},
		{longUser, TypeTXT, "exp 192.0.2.7 " + user + " shop.example - truncated"},
		{longUser, TypeA, "minimised 192.0.2.7 - shop.example - -"},
		{literal, TypeTXT, "exp 192.0.2.7 " + literalUser + " shop.example [ipv6:2001:db8::1] -"},
	})
	// exists: names lose the address only when domain and zone are long. The
	// bounds are exact: an octet of up to 3 digits was cut from the first, and
	// would have fitted into the second.
	for _, test := range []struct {
		left string
		size int
		want bool
	}{
		{"0.2.7.in-addr.CL.", 250, true},
		{"0.2.7.in-addr.CL.", 249, false},
		{"in-addr.CL.", 250, true},
		{"in-addr.CL.", 249, false},
		{"7.ip6.CL.", 252, true},
		{"7.ip6.CL.", 251, false},
		{"CL.", 246, true},
		{"CL.", 245, false},
		{"", 189, true},
		{"", 188, false},
	} {
		name := pad(test.left, ".FD.1", test.size)
		if len(name)+1+len(testZone) != test.size {
			t.Fatalf("%q has %d bytes", name, len(name))
		}
		domain := strings.TrimSuffix(strings.TrimPrefix(name, test.left), ".FD.1")
		if test.left == "" {
			domain = "-"
		}
		want := "minimised - - " + domain + " - -"
		if test.want {
			want = "exists - - " + domain + " - truncated"
		}
		testParse(t, NewParser(testZone, []Layout{Track}, nil), []parseTest{{name, TypeA, want}})
	}
	// Classic loses CL, the address, FR and the local part before HELO. A long
	// one that begins with CL may begin inside of a forger's local part.
	for _, test := range []struct{ left, want string }{
		{"CL.192.0.2.7.FR.a.b@shop.example.HE.", "classic 192.0.2.7 a.b shop.example HELO truncated"},
		{"192.0.2.7.FR.a.b@shop.example.HE.", "classic 192.0.2.7 a.b shop.example HELO truncated"},
		{"1.2.3.4.FR.a.b@shop.example.HE.", "classic - a.b shop.example HELO truncated"},
		{"0.2.7.FR.a.b@shop.example.HE.", "classic - a.b shop.example HELO truncated"},
		{nibbles6 + ".FR.a.b@shop.example.HE.", "classic 2001:db8::cb01 a.b shop.example HELO truncated"},
		{nibbles6[8:] + ".FR.a.b@shop.example.HE.", "classic - a.b shop.example HELO truncated"},
		{"FR.a.b@shop.example.HE.", "classic - a.b shop.example HELO truncated"},
		{"a.b@shop.example.HE.", "classic - a.b shop.example HELO truncated"},
		{"b@shop.example.HE.", "classic - b shop.example HELO truncated"},
		{"b%40shop.example.HE.", "classic - b shop.example HELO truncated"},
		{"shop.example.HE.", "classic - - shop.example HELO truncated"},
		{"example.HE.", "classic - - - HELO truncated"},
		{"HE.", "classic - - - HELO truncated"},
		{"", "classic - - - HELO truncated"},
	} {
		name := pad(test.left, "", 253)
		want := strings.Replace(test.want, "HELO", strings.TrimPrefix(name, test.left), 1)
		testParse(t, NewParser(testZone, []Layout{Classic}, known), []parseTest{{name, TypeA, want}})
		if test.left != "CL.192.0.2.7.FR.a.b@shop.example.HE." {
			testParse(t, NewParser(testZone, []Layout{Track}, known), []parseTest{{name, TypeA, "other - - - - unparsed"}})
		}
	}
}

func TestParseTextErrors(t *testing.T) {
	p := NewParser(testZone, Layouts, nil)
	for _, name := range []string{"", "a..b", `a\`, strings.Repeat("a", 64)} {
		if got, err := p.ParseText(name, TypeA); err == nil || got != (Parsed{}) {
			t.Errorf("ParseText(%q) = %+v, %v", name, got, err)
		}
	}
}
