package zonestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// expected is what the model answers, and what is to be proven.
type expected struct {
	rcode     int
	referral  bool
	aliases   int
	answer    []string
	authority []string
	// proofs are what a validator has to find.
	proofs []func(p *proofs) error
}

// plain words a record with another owner.
func plain(rr dns.RR, owner string, ttl uint32) string {
	rr = dns.Copy(rr)
	rr.Header().Name = owner
	rr.Header().Ttl = min(rr.Header().Ttl, ttl)
	return strings.Join(strings.Fields(rr.String()), " ")
}

// answer follows RFC 1034 section 4.3.2 with DNAME records (RFC 6672 section
// 3.2) and wildcards (RFC 4592).
func (m *model) answer(qname string, qtype uint16) *expected {
	e := &expected{}
	for name := qname; dns.IsSubDomain(modelApex, name) && e.aliases < maxChain; e.aliases++ {
		if name = m.step(e, name, qtype); name == "" {
			break
		}
	}
	slices.Sort(e.answer)
	slices.Sort(e.authority)
	return e
}

// step answers for one name, and returns the one to which it leads.
func (m *model) step(e *expected, name string, qtype uint16) (next string) {
	for _, a := range ancestors(name) {
		n := m.nodes[a]
		switch {
		case n[dns.TypeNS] != nil && (a != name || qtype != dns.TypeDS):
			e.referral = true
			e.authority = append(e.authority, plain(n[dns.TypeNS][0], a, 300))
			if n[dns.TypeDS] == nil {
				e.proofs = append(e.proofs, func(p *proofs) error { return p.noData(m, a, dns.TypeDS) })
			} else if m.signed != unsigned {
				e.proofs = append(e.proofs, func(p *proofs) error { return p.has(n[dns.TypeDS][0]) })
			}
			return ""
		case n[dns.TypeDNAME] != nil && a != name:
			target := n[dns.TypeDNAME][0].(*dns.DNAME).Target
			next := strings.TrimSuffix(name, a) + target
			e.answer = append(e.answer, plain(n[dns.TypeDNAME][0], a, 300), fmt.Sprintf("%s 300 IN CNAME %s", name, next))
			if qtype == dns.TypeCNAME {
				return ""
			}
			return next
		}
	}
	negative := func(rcode int) {
		e.rcode = rcode
		e.authority = append(e.authority, plain(m.nodes[modelApex][dns.TypeSOA][0], modelApex, 60))
	}
	node := m.nodes[name]
	if !m.exists(name) {
		encloser := parent(name)
		for !m.exists(encloser) {
			encloser = parent(encloser)
		}
		star := "*." + encloser
		if !m.exists(star) {
			negative(dns.RcodeNameError)
			e.proofs = append(e.proofs, func(p *proofs) error { return p.noName(m, name, encloser) })
			return ""
		}
		node = m.nodes[star]
		if node[qtype] == nil && node[dns.TypeCNAME] == nil {
			negative(dns.RcodeSuccess)
			e.proofs = append(e.proofs, func(p *proofs) error { return p.noWildcardData(m, name, encloser, qtype) })
			return ""
		}
		e.proofs = append(e.proofs, func(p *proofs) error { return p.wildcard(name, encloser) })
	}
	if c := node[dns.TypeCNAME]; c != nil && qtype != dns.TypeCNAME {
		e.answer = append(e.answer, plain(c[0], name, 300))
		return c[0].(*dns.CNAME).Target
	}
	if s := node[qtype]; s != nil {
		e.answer = append(e.answer, plain(s[0], name, 300))
		return ""
	}
	negative(dns.RcodeSuccess)
	e.proofs = append(e.proofs, func(p *proofs) error { return p.noData(m, name, qtype) })
	return ""
}

// split takes the records of DNSSEC apart from the others.
func split(rrs []dns.RR, qtype uint16) (others []string, dnssec []dns.RR) {
	for _, rr := range rrs {
		switch t := rr.Header().Rrtype; t {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeDS:
			if t != qtype {
				dnssec = append(dnssec, rr)
				continue
			}
		}
		others = append(others, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(others)
	return others, dnssec
}

// checkAnswer asks the zone and compares.
func (m *model) checkAnswer(t testing.TB, z *Zone, qname string, qtype uint16, limit int) {
	t.Helper()
	e := m.answer(qname, qtype)
	q := new(dns.Msg).SetQuestion(qname, qtype)
	q.SetEdns0(4096, true)
	got := askZone(t, z, q)
	fail := func(format string, args ...any) {
		t.Helper()
		var lines []string
		for _, rr := range m.records() {
			if rr.Header().Rrtype != dns.TypeRRSIG {
				lines = append(lines, rr.String())
			}
		}
		slices.Sort(lines)
		t.Fatalf("%s %s, signed %d: %s\n%v\n%s", qname, dns.TypeToString[qtype], m.signed, fmt.Sprintf(format, args...), got, strings.Join(lines, "\n"))
	}
	if got.Rcode != e.rcode || got.Authoritative == (e.referral && e.aliases == 0) {
		fail("want rcode %d, referral %v", e.rcode, e.referral)
	}
	answer, dnssec := split(got.Answer, qtype)
	authority, proven := split(got.Ns, 0)
	// A loop of aliases says the same again.
	if diff := cmp.Diff(slices.Compact(e.answer), slices.Compact(answer)); diff != "" {
		fail("answer (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(e.authority, authority); diff != "" {
		fail("authority (-want +got)\n%s", diff)
	}
	if m.signed == unsigned {
		if len(dnssec)+len(proven) > 0 && qtype != dns.TypeDS && !e.referral {
			fail("records of DNSSEC in an unsigned zone")
		}
	} else {
		p := newProofs(proven)
		for _, proof := range e.proofs {
			if err := proof(p); err != nil {
				fail("%v", err)
			}
		}
		if err := allSigned(got); err != nil {
			fail("%v", err)
		}
	}
	// Without DO no record of DNSSEC stands there, with little room none too
	// many.
	if bare := askZone(t, z, new(dns.Msg).SetQuestion(qname, qtype)); bare.Rcode != got.Rcode || len(bare.Answer) != len(answer) || len(bare.Ns) != len(authority) {
		fail("without DO: %v", bare)
	}
	b, _ := q.Pack()
	if small := ask(t, qname, qtype, headerSize+len(b)+limit, z.ask); !small.Truncated && (len(small.Answer) != len(answer) || len(small.Ns) != len(authority)) ||
		small.Truncated && len(small.Answer)+len(small.Ns)+len(small.Extra) > 0 {
		fail("%d bytes of room: %v", limit, small)
	}
}

// allSigned checks that a signature stands beside every RRset that must have
// one.
func allSigned(m *dns.Msg) error {
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		signed := map[string]bool{}
		synthesized := map[string]bool{}
		for _, rr := range section {
			if sig, ok := rr.(*dns.RRSIG); ok {
				signed[fmt.Sprint(sig.Hdr.Name, sig.TypeCovered)] = true
			}
			if d, ok := rr.(*dns.DNAME); ok {
				for _, c := range section {
					if c.Header().Name != d.Hdr.Name && dns.IsSubDomain(d.Hdr.Name, c.Header().Name) {
						synthesized[c.Header().Name] = true
					}
				}
			}
		}
		for _, rr := range section {
			h := rr.Header()
			if h.Rrtype == dns.TypeRRSIG || h.Rrtype == dns.TypeNS && h.Name != modelApex || h.Rrtype == dns.TypeCNAME && synthesized[h.Name] {
				continue
			}
			if !signed[fmt.Sprint(h.Name, h.Rrtype)] {
				return fmt.Errorf("no signature beside %v", rr)
			}
		}
	}
	return nil
}

var modelTypes = []uint16{dns.TypeA, dns.TypeTXT, dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeDS, dns.TypeSOA, dns.TypeMX}

// checkModel asks a random zone random queries.
func checkModel(t testing.TB, seed uint64, queries int) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 4592))
	m := newModel(random)
	z := m.zone(t, random)
	for range queries {
		qname := modelName(random)
		if dns.IsSubDomain(modelApex, qname) {
			m.checkAnswer(t, z, qname, modelTypes[random.IntN(len(modelTypes))], random.IntN(300))
		}
	}
}

// TestRandomZones asks random zones random queries.
func TestRandomZones(t *testing.T) {
	for seed := range uint64(400) {
		checkModel(t, seed, 40)
	}
}

// FuzzRandomZone asks more random zones.
func FuzzRandomZone(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkModel(t, seed, 100) })
}
