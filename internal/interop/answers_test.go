package interop

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// ask asks a server or a resolver.
func ask(t *testing.T, server netip.AddrPort, name string, qtype uint16) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.SetEdns0(1232, true)
	client := dns.Client{Timeout: 10 * time.Second}
	answer, _, err := client.ExchangeContext(t.Context(), m, server.String())
	if err != nil {
		t.Fatalf("%s %s at %v: %v", name, dns.TypeToString[qtype], server, err)
	}
	return answer
}

// testAnswers asks again for all names that resolvers asked for, with all types
// that they use: directly, and through the resolvers that minimise, which must
// not conclude from any of the answers that a longer name does not exist.
func testAnswers(t *testing.T, s *site, journeys []*journey) {
	asked := make(map[string]bool)
	for _, w := range journeys {
		own := make(map[string]bool)
		for _, c := range w.cells {
			for i := range c.events {
				name, _, err := dns.UnpackDomainName(c.events[i].Name, 0)
				if err != nil {
					t.Fatal(err)
				}
				own[name] = true
			}
		}
		for name := range own {
			servers := []netip.AddrPort{}
			if !asked[name] {
				servers = append(servers, s.track.Address)
			}
			if w.minimises {
				servers = append(servers, w.resolver)
			}
			asked[name] = true
			for _, server := range servers {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeTXT} {
					answer := ask(t, server, name, qtype)
					if !noData(answer) && !(qtype == dns.TypeTXT && explains(answer)) {
						t.Errorf("%v answers neither NODATA nor an explanation:\n%v", server, answer)
					}
				}
			}
		}
	}
	if len(asked) == 0 {
		peers.Lack(t, "nothing was asked")
	}
}

// noData reports whether an answer says that a name exists and has no records
// of the type (RFC 2308 section 2.2). A server gives it a TTL; from a resolver it
// may be in its last second, all names at once, because Unbound keeps one SOA
// record for all negative answers of a zone.
func noData(m *dns.Msg) bool {
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) > 0 || len(m.Ns) != 1 {
		return false
	}
	soa, ok := m.Ns[0].(*dns.SOA)
	return ok && (soa.Hdr.Ttl > 0 || m.RecursionAvailable) && isTrackingZone(soa.Hdr.Name)
}

// explains reports whether an answer is the explanation at an exp= name.
func explains(m *dns.Msg) bool {
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 {
		return false
	}
	txt, ok := m.Answer[0].(*dns.TXT)
	labels := dns.SplitDomainName(m.Question[0].Name)
	return ok && len(txt.Txt) == 1 && txt.Txt[0] == explanation && len(labels) > 3 && labels[len(labels)-4] == "2"
}

func isTrackingZone(name string) bool {
	return slices.ContainsFunc(tracking, func(p *policy) bool { return strings.EqualFold(p.zone+".", name) })
}

// testValidation makes sure that the validating path validates: the signed
// parent is authentic, the unsigned tracking zone is proven to be insecure.
func testValidation(t *testing.T, journeys []*journey) {
	for _, w := range journeys {
		if !w.validates {
			continue
		}
		if answer := ask(t, w.resolver, parent+".", dns.TypeSOA); answer.Rcode != dns.RcodeSuccess || !answer.AuthenticatedData {
			t.Errorf("%v does not validate:\n%v", w.resolver, answer)
		}
		for _, p := range tracking {
			if answer := ask(t, w.resolver, "1."+p.zone+".", dns.TypeA); !noData(answer) || answer.AuthenticatedData {
				t.Errorf("%v answers for an unsigned zone:\n%v", w.resolver, answer)
			}
		}
	}
}
