package named

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// sameAnswers asks two servers about names of zones, and explains every difference.
func sameAnswers(t *testing.T, ours, theirs *peers.Server, names []string) {
	t.Helper()
	d := &peers.Differences{Kind: theirs.Kind}
	shown := 0
	for _, zone := range names {
		for _, label := range []string{"", "www.", "x.www.", "_dmarc.", "x._dmarc.", "s._domainkey.", "_domainkey.", "nothing.", "a.b.c.", "*.", "\\000."} {
			for _, qtype := range []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeCNAME, dns.TypeCAA, dns.TypeDS} {
				a, err := peers.Query(t.Context(), ours.Address, label+zone, qtype, nil)
				if err != nil {
					t.Fatal(err)
				}
				b, err := peers.Query(t.Context(), theirs.Address, label+zone, qtype, nil)
				if err != nil {
					t.Fatal(err)
				}
				rules, ok := explain(label, a, b)
				if d.Add(rules, ok); !ok && shown < 40 {
					shown++
					t.Errorf("%s%s %s: %s answers %s\nnullspfd %s", label, zone, dns.TypeToString[qtype], theirs.Kind, brief(b), brief(a))
				}
			}
		}
	}
	d.Check(t, 100)
}

// records are a section as sorted lines in lower case.
func records(rrs []dns.RR) (lines []string) {
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeOPT {
			lines = append(lines, strings.ToLower(rr.String()))
		}
	}
	slices.Sort(lines)
	return lines
}

// brief shows an answer in a line.
func brief(m *dns.Msg) string {
	return fmt.Sprintf("%s, AA %t, %q, authority %q, additional %q", dns.RcodeToString[m.Rcode], m.Authoritative, records(m.Answer), records(m.Ns), records(m.Extra))
}

// The rules by which answers may differ from those of nullspfd. The shares are those of
// the questions above, and a little more.
var (
	otherBytes = &peers.Rule{
		Name:   "SERVFAIL for a name with other bytes than letters, digits and some signs",
		Reason: "PowerDNS asks its database for no such names",
		Most:   map[peers.Kind]float64{peers.PowerDNS: 9.1},
	}
	apexDS = &peers.Rule{
		Name:   "REFUSED for DS at the apex",
		Reason: "the record would be the parent's, which Unbound does not have",
		Most:   map[peers.Kind]float64{peers.Unbound: 1.1},
	}
	besideNS = &peers.Rule{
		Name:   "NS records in the authority section of a positive answer",
		Reason: "nobody needs them",
		Most:   map[peers.Kind]float64{peers.CoreDNS: 20},
	}
	negativeTTL = &peers.Rule{
		Name:   "the SOA record of a negative answer has its own TTL",
		Reason: "CoreDNS does not lower it to the minimum (RFC 2308 section 3): resolvers do",
		Most:   map[peers.Kind]float64{peers.CoreDNS: 90},
	}
	emptyName = &peers.Rule{
		Name:   "a wildcard applies to an empty non-terminal",
		Reason: "CoreDNS does not know the name (RFC 4592 section 2.2.2): _domainkey has the records of *",
		Most:   map[peers.Kind]float64{peers.CoreDNS: 4},
	}
)

// explain returns the rules that explain how an answer of another server differs from
// ours.
func explain(label string, ours, theirs *dns.Msg) (rules []*peers.Rule, ok bool) {
	switch qtype := ours.Question[0].Qtype; {
	case theirs.Rcode == dns.RcodeServerFailure && label == "\\000.":
		return []*peers.Rule{otherBytes}, ours.Rcode == dns.RcodeSuccess || ours.Rcode == dns.RcodeNameError
	case theirs.Rcode == dns.RcodeRefused && label == "" && qtype == dns.TypeDS:
		return []*peers.Rule{apexDS}, ours.Rcode == dns.RcodeSuccess
	case ours.Rcode != theirs.Rcode || ours.Authoritative != theirs.Authoritative:
		return nil, false
	}
	ns := records(theirs.Ns)
	if len(theirs.Answer) > 0 && len(ours.Ns) == 0 && len(ns) > 0 && !slices.ContainsFunc(theirs.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeNS }) {
		rules = append(rules, besideNS)
		ns = nil
	}
	if len(ours.Answer) == 0 && len(theirs.Answer) > 0 && label == "_domainkey." {
		return append(rules, emptyName), !slices.ContainsFunc(theirs.Answer, func(rr dns.RR) bool {
			return rr.Header().Rrtype != dns.TypeTXT && rr.Header().Rrtype != dns.TypeMX
		})
	}
	if len(ours.Ns) == 1 && len(theirs.Ns) == 1 && ours.Ns[0].Header().Ttl != theirs.Ns[0].Header().Ttl {
		if soa, is := theirs.Ns[0].(*dns.SOA); is {
			rules = append(rules, negativeTTL)
			soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
			ns = records(theirs.Ns)
		}
	}
	return rules, slices.Equal(records(ours.Answer), records(theirs.Answer)) && slices.Equal(records(ours.Ns), ns) &&
		slices.Equal(records(ours.Extra), records(theirs.Extra))
}
