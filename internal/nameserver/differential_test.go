package nameserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/testsite"
	"nullspf/named"
	"nullspf/zones"
)

// differentialQueries is how many queries every server is asked.
const differentialQueries = 100_000

// TestParkedLikeOthers asks nullspfd, which has templates, and BIND, NSD and
// Knot DNS, which have the zone files, the same queries, and explains every
// difference between the answers.
func TestParkedLikeOthers(t *testing.T) {
	kinds := []peers.Kind{peers.BIND, peers.NSD, peers.Knot}
	for _, k := range kinds {
		peers.Require(t, k.Programs()...)
	}
	random := rand.New(rand.NewPCG(4, 1034))
	site, names := differentialSite(t)
	ours := startServer(t, parkedConfig(site, unlimited), Options{})
	queries := make([]*dns.Msg, differentialQueries)
	packed := make([][]byte, differentialQueries)
	for i := range queries {
		queries[i] = differentialQuery(random, names)
		queries[i].Id = uint16(i)
		var err error
		if packed[i], err = queries[i].Pack(); err != nil {
			t.Fatal(err)
		}
	}
	servers := []netip.AddrPort{ours.address(t, false)}
	for _, k := range kinds {
		servers = append(servers, startPeerOf(t, k, site.Output()))
	}
	answers := make([][]*dns.Msg, len(servers))
	var asking sync.WaitGroup
	for i, at := range servers {
		asking.Go(func() {
			var err error
			if answers[i], err = askAll(at, packed); err != nil {
				t.Errorf("%v: %v", at, err)
			}
		})
	}
	asking.Wait()
	if t.Failed() {
		return
	}
	for i, k := range kinds {
		d := peers.Differences{Kind: k}
		shown := 0
		for j, q := range queries {
			rules, ok := explain(q, answers[0][j], answers[i+1][j])
			if d.Add(rules, ok); !ok && shown < 5 {
				shown++
				t.Errorf("%s answers something else\nquestion %v\nnullspfd %v\n%s %v", k, q, answers[0][j], k, answers[i+1][j])
			}
		}
		d.Check(t, differentAtMost[k])
	}
}

// The rules by which answers may differ. The shares are those that BIND 9.18,
// NSD 4.6 and Knot DNS 3.2 give, and a little more.
var (
	dsBelow = &peers.Rule{
		Name:   "DS of a zone that the zone above does not delegate: NXDOMAIN here, NODATA there",
		Reason: "the zone above is asked (RFC 4035 section 3.1.4.1), and does not know the name; NSD looks at the zone below",
		Most:   map[peers.Kind]float64{peers.NSD: 0.02},
	}
	anyOther = &peers.Rule{
		Name:   "ANY is answered with one RRset, but another",
		Reason: "any one is right (RFC 8482 section 4.1)",
		Most:   map[peers.Kind]float64{peers.Knot: 0.52},
	}
	writtenTwice = &peers.Rule{
		Name:   "truncated there, because the name is written twice when it is not asked in lower case",
		Reason: "BIND compresses names only with those in the same case",
		Most:   map[peers.Kind]float64{peers.BIND: 0.01},
	}
	truncated = &peers.Rule{
		Name:   "truncated by both, and another part of the records",
		Reason: "the client comes back over TCP and uses nothing of this answer (RFC 2181 section 9)",
		Most:   map[peers.Kind]float64{peers.BIND: 0.05, peers.NSD: 0.05, peers.Knot: 0.05},
	}
)

// differentAtMost is the share of answers that may differ at all, in percent.
var differentAtMost = map[peers.Kind]float64{peers.BIND: 0.06, peers.NSD: 0.07, peers.Knot: 0.56}

// differentialSite publishes zones of all kinds.
func differentialSite(t *testing.T) (*testsite.Site, []string) {
	t.Helper()
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + ".example"
	lines := []string{
		"domain,mail,spf,a", "brand.example", "xn--bcher-kva.example", "null.example,nullmx", "plain.example,,plain",
		"beacon.example,nolisting,beacon", "one.example,,,192.0.2.99", "six.example,,,2001:db8::6", "sub.brand.example", "deep.under.sub.brand.example", long,
	}
	names := []string{"bare.example", "sub.bare.example"}
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("shop-%d.example", i))
	}
	for _, l := range lines[1:] {
		name, _, _ := strings.Cut(l, ",")
		names = append(names, name)
	}
	noWWW := testsite.Group("nowww")
	noWWW.WWW, noWWW.WildcardSPF = false, ""
	noWWW.TXT = append(noWWW.TXT, strings.Repeat("long text about {domain}, ", 20), `a "quoted" \ text`)
	s := &testsite.Site{
		Dir: t.TempDir(), Now: time.Unix(1_800_000_000, 0), Servers: []named.Server{named.BIND, named.NSD, named.Knot},
		Lists: map[*zones.Group]string{
			testsite.Group("generic"): strings.Join(lines, "\n") + "\n",
			testsite.Plain("plain"):   "domain\nbare.example\nsub.bare.example\n",
			noWWW:                     "domain\nmore.example\nsub.more.example\n",
		},
	}
	if err := s.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, append(names, "more.example", "sub.more.example")
}

// startPeerOf starts a server on the zone files of an output directory, without
// what it can leave out.
func startPeerOf(t *testing.T, k peers.Kind, output string) netip.AddrPort {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	directory, options := string(k), ""
	switch k {
	case peers.BIND:
		directory, options = "named", "minimal-responses no-auth; minimal-any yes; zero-no-soa-ttl no;"
	case peers.NSD:
		options = "rrl-ratelimit: 0\nminimal-responses: yes\n"
	}
	return peers.Run(t, peers.Config{Kind: k, Address: at, WorkDir: output, Options: options, Include: []string{filepath.Join(output, directory, "primary.conf")}}).Address
}

// The parts of queries: names at, below and beside every owner name.
var (
	differentialPrefixes = []string{
		"", "", "", "www.", "*.", "_dmarc.", "_domainkey.", "*._domainkey.", "sel._domainkey.", "a.b._domainkey.", "x.*._domainkey.",
		"x.", "x.y.z.", "x.www.", "*.www.", "x._dmarc.", "x.*.", "_dmarc.x.", "www.www.", "sub.", "WWW.", "a._DomainKey.",
		"ww.", "wwww.", "_dmar.", "_dmarcx.", "mail.", `\000.`, `a\.b.`, strings.Repeat("l", 63) + ".", "_domainkey.www.",
	}
	differentialTypes = []uint16{
		dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeSOA, dns.TypeMX, dns.TypeMX, dns.TypeTXT, dns.TypeTXT, dns.TypeCNAME,
		dns.TypeDS, dns.TypeDNSKEY, dns.TypeSRV, dns.TypePTR, dns.TypeANY, dns.TypeCAA, dns.TypeHTTPS, dns.TypeSPF, dns.TypeDNAME, 65280,
	}
	differentialOutside = []string{".", "example.", "none.example.", "brand.example.net.", "xbrand.example.", "rand.example.", "www.none.example."}
)

func differentialQuery(random *rand.Rand, names []string) *dns.Msg {
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	name := pick(differentialPrefixes) + pick(names) + "."
	if random.IntN(50) == 0 {
		name = pick(differentialOutside)
	}
	if _, ok := dns.IsDomainName(name); !ok || len(name) > 254 {
		name = pick(names) + "."
	}
	if random.IntN(2) == 0 {
		b := []byte(name)
		for i := range b {
			if c := b[i] | 0x20; 'a' <= c && c <= 'z' && random.IntN(2) == 0 {
				b[i] ^= 0x20
			}
		}
		name = string(b)
	}
	q := new(dns.Msg).SetQuestion(name, differentialTypes[random.IntN(len(differentialTypes))])
	q.RecursionDesired = random.IntN(4) == 0
	if random.IntN(2) == 0 {
		q.SetEdns0([]uint16{512, 1232, 4096}[random.IntN(3)], random.IntN(2) == 0)
	}
	return q
}

// askAll asks a server all queries over UDP, many at a time.
func askAll(at netip.AddrPort, queries [][]byte) ([]*dns.Msg, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := make([]*dns.Msg, len(queries))
	buf := make([]byte, 65535)
	const window = 50
	for first := 0; first < len(queries); first += window {
		last := min(first+window, len(queries))
		missing := last - first
		for attempt := 0; missing > 0; attempt++ {
			if attempt == 10 {
				return nil, fmt.Errorf("query %d is not answered", first)
			}
			for i := first; i < last; i++ {
				if answers[i] != nil {
					continue
				}
				if _, err := conn.Write(queries[i]); err != nil {
					return nil, err
				}
			}
			for missing > 0 {
				if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
					return nil, err
				}
				n, err := conn.Read(buf)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
				if err != nil {
					return nil, err
				}
				for i := first; i < last; i++ {
					if uint16(i) == binary.BigEndian.Uint16(buf) && answers[i] == nil {
						m := new(dns.Msg)
						if err := m.Unpack(buf[:n]); err != nil {
							return nil, fmt.Errorf("query %d: %w", i, err)
						}
						answers[i] = m
						missing--
					}
				}
			}
		}
	}
	return answers, nil
}

// content returns records as sorted lines, without regard to case of the owner
// names, which some servers take from the question and others from the zone.
func content(rrs []dns.RR) (lines []string) {
	for _, rr := range rrs {
		if rr.Header().Rrtype == dns.TypeOPT {
			continue
		}
		rr = dns.Copy(rr)
		rr.Header().Name = dns.CanonicalName(rr.Header().Name)
		lines = append(lines, rr.String())
	}
	slices.Sort(lines)
	return lines
}

// explain compares our answer with another server's and returns the rules that
// explain what differs; ok is false when something is left.
func explain(q, ours, theirs *dns.Msg) (rules []*peers.Rule, ok bool) {
	rule := func(holds bool, r *peers.Rule) bool {
		if holds {
			rules = append(rules, r)
		}
		return holds
	}
	if q.Question[0].Qtype == dns.TypeDS && ours.Rcode == dns.RcodeNameError && theirs.Rcode == dns.RcodeSuccess {
		// A zone and one below it are served here; the upper one does not
		// delegate the lower.
		return rules, rule(len(theirs.Answer) == 0 && slices.Equal(content(ours.Ns), content(theirs.Ns)),
			dsBelow)
	}
	if ours.Rcode != theirs.Rcode || ours.Authoritative != theirs.Authoritative || ours.RecursionAvailable != theirs.RecursionAvailable {
		return rules, false
	}
	if (ours.IsEdns0() == nil) != (theirs.IsEdns0() == nil) {
		return rules, false
	}
	if ours.Question[0] != q.Question[0] {
		return rules, false
	}
	if q.Question[0].Qtype == dns.TypeANY && oneRRset(ours.Answer) && oneRRset(theirs.Answer) && ours.Answer[0].Header().Rrtype != theirs.Answer[0].Header().Rrtype {
		return rules, rule(len(ours.Ns)+len(theirs.Ns) == 0, anyOther)
	}
	name := q.Question[0].Name
	if theirs.Truncated && !ours.Truncated && name != strings.ToLower(name) && ours.Len()+len(name) > plainUDPAnswer {
		return rules, rule(true, writtenTwice)
	}
	if ours.Truncated || theirs.Truncated {
		// The client comes back over TCP and uses nothing of this answer.
		return rules, rule(ours.Truncated && theirs.Truncated, truncated)
	}
	same := slices.Equal(content(ours.Answer), content(theirs.Answer)) && slices.Equal(content(ours.Ns), content(theirs.Ns)) && slices.Equal(content(ours.Extra), content(theirs.Extra))
	return rules, same
}

func oneRRset(rrs []dns.RR) bool {
	return len(rrs) > 0 && !slices.ContainsFunc(rrs, func(rr dns.RR) bool { return rr.Header().Rrtype != rrs[0].Header().Rrtype })
}
