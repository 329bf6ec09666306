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
// questions about the same zones, and explains every difference.
func TestZoneLikeOthers(t *testing.T) {
	peers.Require(t, "dnssec-signzone", "dnssec-keygen")
	kinds := []peers.Kind{peers.BIND, peers.NSD, peers.Knot}
	for _, k := range kinds {
		peers.Require(t, k.Programs()...)
	}
	for name, arguments := range signing {
		t.Run(name, func(t *testing.T) {
			file := sign(t, t.TempDir(), richZone, arguments)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			z := parseZone(t, "example.", string(text))
			questions := differentialQuestions(z)
			for _, k := range kinds {
				answers := askPeer(t, k, file, questions)
				explained := make(map[string]int)
				unexplained := 0
				for i, q := range questions {
					ours := askZone(t, z, q)
					rules, ok := explainZone(q, ours, answers[i])
					for _, r := range rules {
						explained[r]++
					}
					if !ok {
						if unexplained++; unexplained <= 12 {
							t.Errorf("%s: %s", k, differences(q, ours, answers[i]))
						}
					}
				}
				for _, r := range slices.Sorted(maps.Keys(explained)) {
					t.Logf("%s: %5d of %d answers: %s", k, explained[r], len(questions), r)
				}
				if unexplained > 0 {
					t.Errorf("%s: %d of %d answers are not explained", k, unexplained, len(questions))
				}
			}
		})
	}
}

// differentialQuestions asks for names at, below and beside every owner name.
func differentialQuestions(z *Zone) (questions []*dns.Msg) {
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
				questions = append(questions, q)
			}
		}
	}
	return questions
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
	r.Split()
	if !z.ask(r) {
		t.Fatalf("%v is not in the zone", q.Question[0])
	}
	return unpackReply(t, r)
}

// askPeer starts a server on a zone file and asks it over TCP.
func askPeer(t *testing.T, kind peers.Kind, file string, questions []*dns.Msg) []*dns.Msg {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	format, options := "", ""
	switch kind {
	case peers.BIND:
		format = "zone \"example\" { type primary; file %q; };\n"
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
	answers := make([]*dns.Msg, len(questions))
	// Connections of a hundred questions each: servers limit more.
	for first := 0; first < len(questions); first += 100 {
		last := min(first+100, len(questions))
		if err := askConnection(at, questions[first:last], answers[first:last]); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	return answers
}

func askConnection(at netip.AddrPort, questions, answers []*dns.Msg) error {
	conn, err := net.DialTimeout("tcp", at.String(), 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	for i, q := range questions {
		q.Id = uint16(i)
		b, err := q.Pack()
		if err != nil {
			return err
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
			return err
		}
	}
	for range questions {
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

// explainZone compares our answer with another server's and returns the rules
// that explain what differs; ok is false when something is left.
func explainZone(q, ours, theirs *dns.Msg) (rules []string, ok bool) {
	if ours.Rcode == dns.RcodeNameError && theirs.Rcode == dns.RcodeNameError && ours.Authoritative && !theirs.Authoritative && len(theirs.Ns) == 0 {
		return []string{"no proof is found below an opted-out delegation, and none sent"}, strings.HasSuffix(strings.ToLower(q.Question[0].Name), ".x.y.example.")
	}
	if q.Question[0].Qtype == dns.TypeNSEC && len(ours.Answer) == 0 && len(theirs.Answer) > 0 && theirs.Answer[0].Header().Rrtype == dns.TypeCNAME {
		return []string{"NSEC is asked at an alias that has none: the alias is followed"}, ours.Rcode == dns.RcodeSuccess
	}
	if q.Question[0].Qtype == dns.TypeNSEC && !ours.Authoritative && len(theirs.Answer) > 0 && theirs.Answer[0].Header().Rrtype == dns.TypeNSEC {
		return []string{"NSEC is asked at a zone cut: the record is given, not a referral"}, theirs.Authoritative && len(ours.Ns) > 0
	}
	if ours.Rcode != theirs.Rcode || ours.Authoritative != theirs.Authoritative || ours.Truncated || theirs.Truncated {
		return nil, false
	}
	rule := func(text string) { rules = append(rules, text) }
	answer, authority, additional := plainSection(theirs.Answer), plainSection(theirs.Ns), plainSection(theirs.Extra)
	without := func(lines []string, drop func(rr dns.RR) bool, from []dns.RR) []string {
		dropped := plainSection(slices.DeleteFunc(slices.Clone(from), func(rr dns.RR) bool { return !drop(rr) }))
		return slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(dropped, l) })
	}
	apexNS := func(rr dns.RR) bool {
		sig, signed := rr.(*dns.RRSIG)
		return dns.CanonicalName(rr.Header().Name) == "example." && (rr.Header().Rrtype == dns.TypeNS || signed && sig.TypeCovered == dns.TypeNS)
	}
	if len(theirs.Answer) > 0 && slices.ContainsFunc(theirs.Ns, apexNS) && !slices.ContainsFunc(ours.Ns, apexNS) {
		rule("NS records in the authority section of a positive answer, which nobody needs")
		authority = without(authority, apexNS, theirs.Ns)
	}
	if q.Question[0].Qtype == dns.TypeSOA && slices.ContainsFunc(authority, func(l string) bool { return strings.HasPrefix(l, "example. 0 in soa") }) {
		rule("a SOA record that says that another does not exist has TTL 0 (BIND's zero-no-soa-ttl)")
		for i, l := range authority {
			authority[i] = strings.Replace(l, "example. 0 in ", "example. 60 in ", 1)
		}
		slices.Sort(authority)
	}
	qtype, mine := q.Question[0].Qtype, plainSection(ours.Ns)
	if qtype == dns.TypeANY && !slices.Equal(answer, plainSection(ours.Answer)) && len(ours.Answer) > 0 {
		// What else is there belongs to what is answered.
		rule("ANY is answered with one RRset here (RFC 8482 section 4.1), with another or all there")
		answer, authority, additional = plainSection(ours.Answer), mine, plainSection(ours.Extra)
	}
	proof := func(rr dns.RR) bool {
		sig, signed := rr.(*dns.RRSIG)
		return rr.Header().Rrtype == dns.TypeNSEC || rr.Header().Rrtype == dns.TypeNSEC3 || signed && (sig.TypeCovered == dns.TypeNSEC || sig.TypeCovered == dns.TypeNSEC3)
	}
	contains := func(all, some []string) bool {
		return !slices.ContainsFunc(some, func(l string) bool { return !slices.Contains(all, l) })
	}
	sameWithoutProofs := slices.Equal(without(slices.Clone(mine), proof, ours.Ns), without(slices.Clone(authority), proof, theirs.Ns))
	if star := strings.HasPrefix(q.Question[0].Name, "*."); star && sameWithoutProofs && !slices.Equal(mine, authority) {
		switch {
		case contains(mine, authority):
			rule("an alias leads to a name with the label *, to which a wildcard applies: less is proven")
			authority = mine
		case contains(authority, mine):
			rule("a wildcard itself is asked for: more is proven than is needed")
			authority = mine
		}
	}
	if qtype == dns.TypeNSEC && len(ours.Answer) > 0 && sameWithoutProofs && !slices.Equal(mine, authority) && contains(mine, authority) {
		rule("NSEC is asked where a wildcard applies: what proves that it does is the answer already")
		authority = mine
	}
	if strings.HasSuffix(strings.ToLower(q.Question[0].Name), ".x.y.example.") && sameWithoutProofs && !slices.Equal(mine, authority) && len(theirs.Ns) > 2 {
		rule("below an opted-out delegation something else is proven")
		authority = mine
	}
	// Glue that another server sends in a referral must not be missing here.
	glueMissing := len(ours.Answer) == 0 && !ours.Authoritative && !contains(plainSection(ours.Extra), additional)
	if extra := plainSection(ours.Extra); !glueMissing && !slices.Equal(extra, additional) && !slices.ContainsFunc(slices.Concat(extra, additional), func(l string) bool {
		return !strings.Contains(l, " in a ") && !strings.Contains(l, " in aaaa ") && !strings.Contains(l, " in rrsig a ") && !strings.Contains(l, " in rrsig aaaa ")
	}) {
		rule("other additional addresses, which are optional")
		additional = extra
	}
	return rules, slices.Equal(plainSection(ours.Answer), answer) && slices.Equal(plainSection(ours.Ns), authority) && slices.Equal(plainSection(ours.Extra), additional)
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
