package zonestore

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// richZone has every situation that an answer depends on.
const richZone = `$TTL 300
@ SOA ns1 hostmaster 7 7200 900 2419200 60
@ NS ns1
@ NS ns2.other.test.
@ MX 10 mail
@ MX 20 mail.other.test.
@ TXT "apex"
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
mail A 192.0.2.2
mail A 192.0.2.3
a.deep.ent TXT "deep"
b.deep.ent TXT "deep too"
* TXT "wild"
* MX 10 mail
*.cname CNAME target
*.only A 192.0.2.4
x.only TXT "no address"
below.*.star TXT "the wildcard is an empty non-terminal"
target A 192.0.2.5
alias CNAME alias2
alias2 CNAME target
away CNAME host.other.test.
dangling CNAME no.deep.ent
towild CNAME some.where
tochild CNAME host.secure
tononext CNAME www.target
secure NS ns.secure
secure NS ns.other.test.
secure DS 12345 13 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
ns.secure A 192.0.2.53
insecure NS ns.insecure
insecure NS ns1
ns.insecure A 192.0.2.54
ns.insecure AAAA 2001:db8::54
sub.insecure TXT "occluded"
deleg.x.y NS ns.secure
d DNAME target.away2
d TXT "beside"
e DNAME other.test.
srv SRV 0 0 443 mail
odd TYPE65280 \# 3 010203
long TXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "and more"
caa CAA 0 issue "ca.example"
`

// signing are the ways to sign a zone, as arguments of dnssec-signzone.
var signing = map[string][]string{
	"unsigned": nil,
	"NSEC":     {},
	"NSEC3":    {"-3", "-", "-H", "0"},
	"opt-out":  {"-3", "aabbcc", "-H", "5", "-A"},
}

// sign writes a zone file, signed unless arguments are nil.
func sign(t *testing.T, dir, text string, arguments []string) string {
	t.Helper()
	path := filepath.Join(dir, "zone")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if arguments == nil {
		return path
	}
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "example")
	run("dnssec-signzone", append([]string{"-S", "-z", "-q", "-O", "full", "-o", "example", "-f", "signed"}, append(arguments, "zone")...)...)
	return filepath.Join(dir, "signed")
}

// TestZoneLikeOthers asks BIND, NSD and Knot DNS, and ourselves, the same
// queries about the same zones, and explains every difference.
func TestZoneLikeOthers(t *testing.T) {
	peers.Require(t, "dnssec-signzone", "dnssec-keygen")
	kinds := []peers.Kind{peers.BIND, peers.NSD, peers.Knot}
	for _, k := range kinds {
		peers.Require(t, k.Programs()...)
	}
	compared := make(map[peers.Kind]*peers.Differences)
	for _, k := range kinds {
		compared[k] = &peers.Differences{Kind: k}
	}
	var comparing sync.Mutex
	t.Run("zones", func(t *testing.T) {
		for name, arguments := range signing {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				file := sign(t, t.TempDir(), richZone, arguments)
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				z := parseZone(t, "example.", string(text))
				queries := differentialQueries(z)
				for _, k := range kinds {
					answers := askPeer(t, k, file, queries)
					comparing.Lock()
					compareAnswers(t, z, queries, answers, compared[k])
					comparing.Unlock()
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	for _, k := range kinds {
		compared[k].Check(t, differentAtMost[k])
	}
}

// compareAnswers compares our answers with those of another server.
func compareAnswers(t *testing.T, z *Zone, queries, answers []*dns.Msg, d *peers.Differences) {
	t.Helper()
	shown := 0
	for i, q := range queries {
		ours := askZone(t, z, q)
		rules, ok := explainZone(q, ours, answers[i])
		if d.Add(rules, ok); !ok && shown < 12 {
			shown++
			t.Errorf("%s: %s", d.Kind, differences(q, ours, answers[i]))
		}
	}
}

// differentialQueries asks for names at, below and beside every owner name.
func differentialQueries(z *Zone) (queries []*dns.Msg) {
	random := rand.New(rand.NewPCG(4, 4035))
	names := map[string]bool{}
	for _, at := range z.nodes {
		owner := z.owner(z.nodeAt(at).labels).String()
		for _, prefix := range []string{"", "x.", "*.", "a.b.", "\\000."} {
			names[prefix+owner] = true
		}
		if owner != "example." {
			first, rest, _ := strings.Cut(owner, ".")
			names[first+"0."+rest] = true
			names[rest] = true
		}
	}
	delete(names, "")
	types := []uint16{
		dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeSOA, dns.TypeMX, dns.TypeTXT, dns.TypeCNAME, dns.TypeDS, dns.TypeSRV,
		dns.TypeDNAME, dns.TypeDNSKEY, dns.TypeNSEC, dns.TypeNSEC3PARAM, dns.TypeCAA, dns.TypeANY, 65280,
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !dns.IsSubDomain("example.", name) {
			continue
		}
		for _, qtype := range types {
			asked := []byte(name)
			for i, c := range asked {
				if 'a' <= c && c <= 'z' && random.IntN(4) == 0 {
					asked[i] -= 0x20
				}
			}
			for _, do := range []bool{false, true} {
				q := new(dns.Msg).SetQuestion(string(asked), qtype)
				q.RecursionDesired = false
				if do {
					q.SetEdns0(4096, true)
				}
				queries = append(queries, q)
			}
		}
	}
	return queries
}

// askZone asks a zone in memory.
func askZone(t testing.TB, z *Zone, q *dns.Msg) *dns.Msg {
	t.Helper()
	b, err := new(dns.Msg).SetQuestion(q.Question[0].Name, q.Question[0].Qtype).Pack()
	if err != nil {
		t.Fatal(err)
	}
	r := &Reply{Buf: make([]byte, 65535), At: len(b), Limit: 65535, Type: q.Question[0].Qtype, DO: q.IsEdns0() != nil && q.IsEdns0().Do()}
	copy(r.Buf, b)
	r.QName.Read(r.Buf[headerSize:])
	if !z.ask(r) {
		t.Fatalf("%v is not in the zone", q.Question[0])
	}
	return unpackReply(t, r)
}

// askPeer starts a server on a zone file and asks it over TCP.
func askPeer(t *testing.T, kind peers.Kind, file string, queries []*dns.Msg) []*dns.Msg {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	format, options := "", ""
	switch kind {
	case peers.BIND:
		format, options = "zone \"example\" { type primary; file %q; };\n", "minimal-responses no-auth; zero-no-soa-ttl no;"
	case peers.NSD:
		format, options = "zone:\n\tname: \"example\"\n\tzonefile: %q\n", "rrl-ratelimit: 0\n"
	case peers.Knot:
		format = "zone:\n  - domain: \"example\"\n    file: %q\n"
	}
	conf := filepath.Join(t.TempDir(), "zone.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, format, file), 0o644); err != nil {
		t.Fatal(err)
	}
	peers.Run(t, peers.Config{Kind: kind, Address: at, Options: options, Include: []string{conf}})
	answers := make([]*dns.Msg, len(queries))
	// Connections of a hundred queries each: servers limit more.
	for first := 0; first < len(queries); first += 100 {
		last := min(first+100, len(queries))
		if err := askConnection(at, queries[first:last], answers[first:last]); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	return answers
}

func askConnection(at netip.AddrPort, queries, answers []*dns.Msg) error {
	conn, err := net.DialTimeout("tcp", at.String(), 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	for i, q := range queries {
		q.Id = uint16(i)
		b, err := q.Pack()
		if err != nil {
			return err
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
			return err
		}
	}
	for range queries {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return err
		}
		b := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, b); err != nil {
			return err
		}
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			return err
		}
		answers[m.Id] = m
	}
	return nil
}

// plainSection returns records as sorted lines in lower case: some servers take
// the case of names, also of those in data, from the question, others from the
// zone.
func plainSection(rrs []dns.RR) (lines []string) {
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeOPT {
			lines = append(lines, strings.ToLower(strings.Join(strings.Fields(rr.String()), " ")))
		}
	}
	slices.Sort(lines)
	return lines
}

// The rules by which answers may differ. The shares are those that BIND 9.18,
// NSD 4.6 and Knot DNS 3.2 give to the queries about all the zones, and a
// little more.
var (
	noProof = &peers.Rule{
		Name:   "NXDOMAIN without proof and AA below an opted-out delegation",
		Reason: "the zone has no NSEC3 record that proves it: Knot DNS gives up",
		Most:   map[peers.Kind]float64{peers.Knot: 0.08},
	}
	nsecAtAlias = &peers.Rule{
		Name:   "NSEC is asked at an alias that has none: the alias is followed",
		Reason: "NSEC may stand beside CNAME (RFC 4035 section 2.5); where it does not, NODATA is as good",
		Most:   map[peers.Kind]float64{peers.NSD: 0.25},
	}
	nsecAtCut = &peers.Rule{
		Name:   "NSEC is asked at a zone cut: the record is given, not a referral",
		Reason: "the record is the parent's, which BIND takes for an answer",
		Most:   map[peers.Kind]float64{peers.BIND: 0.03},
	}
	apexNS = &peers.Rule{
		Name:   "NS records in the authority section of a positive answer",
		Reason: "nobody needs them; NSD can only be kept from sending all that is optional, and other rules need some of it",
		Most:   map[peers.Kind]float64{peers.NSD: 3.6},
	}
	anyOther = &peers.Rule{
		Name:   "ANY is answered with all RRsets or another one",
		Reason: "any one is enough (RFC 8482 section 4.1)",
		Most:   map[peers.Kind]float64{peers.BIND: 1.4, peers.NSD: 0.18, peers.Knot: 0.24},
	}
	lessProven = &peers.Rule{
		Name:   "an alias leads to a name with the label *, to which a wildcard applies: less is proven",
		Reason: "Knot DNS takes the name for the wildcard itself",
		Most:   map[peers.Kind]float64{peers.Knot: 0.19},
	}
	moreProven = &peers.Rule{
		Name:   "a wildcard itself is asked for: more is proven",
		Reason: "the name is there, nothing has to be proven (RFC 4592 section 2.2.1); NSD proves that no closer name is",
		Most:   map[peers.Kind]float64{peers.NSD: 0.4},
	}
	nsecProves = &peers.Rule{
		Name:   "NSEC is asked where a wildcard applies: no NSEC beside",
		Reason: "what proves that it applies stands in the answer; Knot DNS does not say it twice",
		Most:   map[peers.Kind]float64{peers.Knot: 0.02},
	}
	optedOut = &peers.Rule{
		Name:   "below an opted-out delegation something else is proven",
		Reason: "no record proves it fully; NSD chooses another one that comes near",
		Most:   map[peers.Kind]float64{peers.NSD: 0.08},
	}
	addresses = &peers.Rule{
		Name:   "more or fewer addresses of names in the records",
		Reason: "they are optional, except glue: of that, a referral must have all that others send (RFC 9471)",
		Most:   map[peers.Kind]float64{peers.BIND: 9.5, peers.NSD: 4.5, peers.Knot: 0.9},
	}
)

// differentAtMost is the share of answers that may differ at all, in percent.
var differentAtMost = map[peers.Kind]float64{peers.BIND: 10.8, peers.NSD: 5.3, peers.Knot: 1.4}

// explainZone compares our answer with another server's and returns the rules
// that explain what differs; ok is false when something is left.
func explainZone(q, ours, theirs *dns.Msg) (rules []*peers.Rule, ok bool) {
	qname, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	belowOptOut := strings.HasSuffix(qname, ".x.y.example.")
	if ours.Rcode == dns.RcodeNameError && theirs.Rcode == dns.RcodeNameError && ours.Authoritative && !theirs.Authoritative && len(theirs.Ns) == 0 {
		return []*peers.Rule{noProof}, belowOptOut
	}
	if qtype == dns.TypeNSEC && len(ours.Answer) == 0 && len(theirs.Answer) > 0 && theirs.Answer[0].Header().Rrtype == dns.TypeCNAME {
		return []*peers.Rule{nsecAtAlias}, ours.Rcode == dns.RcodeSuccess
	}
	if qtype == dns.TypeNSEC && !ours.Authoritative && len(theirs.Answer) > 0 && theirs.Answer[0].Header().Rrtype == dns.TypeNSEC {
		return []*peers.Rule{nsecAtCut}, theirs.Authoritative && len(ours.Ns) > 0
	}
	if ours.Rcode != theirs.Rcode || ours.Authoritative != theirs.Authoritative || ours.Truncated || theirs.Truncated {
		return nil, false
	}
	rule := func(r *peers.Rule) { rules = append(rules, r) }
	answer, authority, additional := plainSection(theirs.Answer), plainSection(theirs.Ns), plainSection(theirs.Extra)
	mine, extra := plainSection(ours.Ns), plainSection(ours.Extra)
	without := func(lines []string, drop func(rr dns.RR) bool, from []dns.RR) []string {
		dropped := plainSection(slices.DeleteFunc(slices.Clone(from), func(rr dns.RR) bool { return !drop(rr) }))
		return slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(dropped, l) })
	}
	atApex := func(rr dns.RR) bool {
		return dns.CanonicalName(rr.Header().Name) == "example." && signedType(rr) == dns.TypeNS
	}
	if len(theirs.Answer) > 0 && slices.ContainsFunc(theirs.Ns, atApex) && !slices.ContainsFunc(ours.Ns, atApex) {
		rule(apexNS)
		authority = without(authority, atApex, theirs.Ns)
	}
	if qtype == dns.TypeANY && !slices.Equal(answer, plainSection(ours.Answer)) && oneRRset(ours.Answer) &&
		(oneRRset(theirs.Answer) || contains(answer, plainSection(ours.Answer))) {
		// What else is there belongs to what is answered.
		rule(anyOther)
		answer, authority, additional = plainSection(ours.Answer), mine, extra
	}
	proof := func(rr dns.RR) bool { return signedType(rr) == dns.TypeNSEC || signedType(rr) == dns.TypeNSEC3 }
	sameWithoutProofs := slices.Equal(without(slices.Clone(mine), proof, ours.Ns), without(slices.Clone(authority), proof, theirs.Ns))
	if !slices.Equal(mine, authority) && sameWithoutProofs {
		star := strings.HasPrefix(qname, "*.")
		switch more, less := contains(authority, mine), contains(mine, authority); {
		case star && less:
			rule(lessProven)
			authority = mine
		case star && more:
			rule(moreProven)
			authority = mine
		case qtype == dns.TypeNSEC && len(ours.Answer) > 0 && less:
			rule(nsecProves)
			authority = mine
		case belowOptOut && len(theirs.Ns) > 2:
			rule(optedOut)
			authority = mine
		}
	}
	if referral := len(ours.Answer) == 0 && !ours.Authoritative; !slices.Equal(extra, additional) && onlyAddresses(ours) && onlyAddresses(theirs) &&
		(contains(extra, additional) || contains(additional, extra) && !referral) {
		rule(addresses)
		additional = extra
	}
	return rules, slices.Equal(plainSection(ours.Answer), answer) && slices.Equal(mine, authority) && slices.Equal(extra, additional)
}

// signedType returns the type of a record, or that of the records that it signs.
func signedType(rr dns.RR) uint16 {
	if sig, signed := rr.(*dns.RRSIG); signed {
		return sig.TypeCovered
	}
	return rr.Header().Rrtype
}

// oneRRset reports whether records are one RRset with its signatures, or the
// signatures of all, behind the aliases that lead to it.
func oneRRset(rrs []dns.RR) bool {
	rest := slices.DeleteFunc(slices.Clone(rrs), func(rr dns.RR) bool {
		return signedType(rr) == dns.TypeDNAME || signedType(rr) == dns.TypeCNAME
	})
	other := func(rr dns.RR) bool { return signedType(rr) != signedType(rest[0]) }
	otherThanSignature := func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeRRSIG }
	return len(rrs) > 0 && (!slices.ContainsFunc(rest, other) || !slices.ContainsFunc(rest, otherThanSignature))
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(l string) bool { return !slices.Contains(all, l) })
}

// onlyAddresses reports whether the additional section holds nothing but
// addresses of names that stand in the records of the others.
func onlyAddresses(m *dns.Msg) bool {
	var named []string
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		switch rr := rr.(type) {
		case *dns.NS:
			named = append(named, dns.CanonicalName(rr.Ns))
		case *dns.MX:
			named = append(named, dns.CanonicalName(rr.Mx))
		case *dns.SRV:
			named = append(named, dns.CanonicalName(rr.Target))
		}
	}
	return !slices.ContainsFunc(m.Extra, func(rr dns.RR) bool {
		switch signedType(rr) {
		case dns.TypeOPT:
			return false
		case dns.TypeA, dns.TypeAAAA:
			return !slices.Contains(named, dns.CanonicalName(rr.Header().Name))
		}
		return true
	})
}

// differences words how two answers differ.
func differences(q, ours, theirs *dns.Msg) string {
	var b strings.Builder
	do := q.IsEdns0() != nil && q.IsEdns0().Do()
	fmt.Fprintf(&b, "%s %s DO=%v", q.Question[0].Name, dns.Type(q.Question[0].Qtype), do)
	head := func(m *dns.Msg) string {
		return fmt.Sprintf("%s aa=%v tc=%v", dns.RcodeToString[m.Rcode], m.Authoritative, m.Truncated)
	}
	if head(ours) != head(theirs) {
		fmt.Fprintf(&b, "\n  %s, theirs %s", head(ours), head(theirs))
	}
	for i, pair := range [][2][]dns.RR{{ours.Answer, theirs.Answer}, {ours.Ns, theirs.Ns}, {ours.Extra, theirs.Extra}} {
		section := []string{"answer", "authority", "additional"}[i]
		mine, other := plainSection(pair[0]), plainSection(pair[1])
		for _, l := range mine {
			if !slices.Contains(other, l) {
				fmt.Fprintf(&b, "\n  only ours, %s: %.160s", section, l)
			}
		}
		for _, l := range other {
			if !slices.Contains(mine, l) {
				fmt.Fprintf(&b, "\n  only theirs, %s: %.160s", section, l)
			}
		}
	}
	return b.String()
}
