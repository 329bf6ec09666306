package spftrack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// nasty makes the senders and HELO arguments that a forger may choose.
type nasty struct{ *rand.Rand }

func (r nasty) pick(words ...string) string { return words[r.IntN(len(words))] }

func (r nasty) label() string {
	switch r.IntN(12) {
	case 0:
		return r.pick("HE", "LP", "CL", "FD", "FR", "he", "Lp", "1", "2", "in-addr", "ip6", "_")
	case 1:
		return r.pick("%40", "%2b", "%", "%25", "100%", `\`, `\.`, `"a b"`, "\x00", "\xff\xfe", "\x1b[31m", "b\u00fccher", "=cmd", "'", "<x>", " ")
	case 2:
		return r.pick("LP.203.0.113.9.in-addr.CL.evil", "CL.1.2.3.4.FR.x", "203.0.113.9.in-addr.CL.shop.example.FD.1", "x.LP."+nibbles6+".ip6.CL.y")
	case 3:
		return strings.Repeat(r.pick("a", "b", "9"), 1+r.IntN(63))
	case 4:
		return fmt.Sprint(r.IntN(300))
	}
	return r.pick("user", "User", "mail", "mx-1", "bounce+x=y", "net", "example", "org", "a")
}

func (r nasty) labels() string {
	n := 1 + r.IntN(4)
	if r.IntN(8) == 0 {
		n += r.IntN(30)
	}
	words := make([]string, n)
	for i := range words {
		words[i] = r.label()
	}
	return strings.Join(words, ".")
}

func (r nasty) local() string {
	s := r.labels()
	if r.IntN(10) == 0 {
		s = `"` + s + r.pick("@", `\@`, "@x.HE.") + `y"`
	}
	return s
}

func (r nasty) helo() string {
	switch r.IntN(8) {
	case 0:
		return r.pick("[192.0.2.1]", "[ipv6:2001:db8::1]", "192.0.2.1", "WIN-ABC123", "localhost", "mail.he.net", "unknown")
	case 1:
		return r.labels() + "@" + r.labels()
	}
	return r.labels()
}

func (r nasty) ip() netip.Addr {
	var a [16]byte
	for i := range a {
		a[i] = byte(r.Uint32())
	}
	switch r.IntN(3) {
	case 0:
		a[0], a[1], a[10], a[11] = 0x20, 1, 0, 0
		return netip.AddrFrom16(a)
	case 1:
		copy(a[:12], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom4([4]byte(a[:4]))
}

// recase changes the case at random, as resolvers do (0x20).
func (r nasty) recase(packed []byte) []byte {
	out := bytes.Clone(packed)
	for i := 0; i < len(out); i += 1 + int(out[i]) {
		for k := i + 1; k <= i+int(out[i]) && k < len(out); k++ {
			if c := out[k] | 0x20; 'a' <= c && c <= 'z' && r.IntN(2) == 0 {
				out[k] ^= 0x20
			}
		}
	}
	return out
}

// hasLongLabel: a label that no name can hold, so that a cut which takes it
// may leave a short one.
func hasLongLabel(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if len(label) > wire.MaxLabel {
			return true
		}
	}
	return false
}

var roundTripDomains = []string{"shop.example", "brand.cl", "cl.brand.example", "he.example", "fd.lp.he.cl.example", "xn--bcher-kva.example"}

func TestRoundTrip(t *testing.T) {
	r := nasty{rand.New(rand.NewPCG(7208, 9156))}
	known := func(domain string) bool {
		for _, d := range roundTripDomains {
			if domain == d {
				return true
			}
		}
		return false
	}
	var whole, truncated, ambiguous, unsendable int
	for range 20000 {
		layout := Layouts[1+r.IntN(3)]
		c := Check{IP: r.ip(), HELO: r.helo(), Domain: r.pick(roundTripDomains...)}
		c.Sender = r.local() + "@" + c.Domain
		if r.IntN(10) == 0 {
			c.Sender, c.HELO = "", c.Domain
		}
		p := NewParser(testZone, []Layout{layout}, known)
		queries, err := Queries(layout, Settings{Zone: testZone}, c)
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.values()
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries[1:] {
			if q.Problem != "" {
				unsendable++
				continue
			}
			packed, err := q.Wire()
			if err != nil {
				t.Fatal(err)
			}
			got := p.Parse(r.recase(packed), q.Type)
			fail := func(what string) {
				t.Helper()
				t.Errorf("%s: %s\n%+v\n%s\n%+v", layout, what, c, Printable(q.Name), got)
			}
			kind := map[bool]Kind{true: KindExp, false: KindExists}[q.Type == TypeTXT]
			if layout == Classic {
				kind = KindClassic
			}
			// The rest of a classic name whose HELO ends like the other layouts
			// cannot be told from their names.
			if end := ascii.ToLower("." + want.helo); q.Truncated && layout == Classic && (strings.HasSuffix(end, ".fd.1") || strings.HasSuffix(end, ".fd.2")) {
				continue
			}
			if got.Kind != kind && !(q.Truncated && hasLongLabel(c.Sender+"."+c.HELO)) {
				fail("kind")
			}
			if q.Truncated {
				truncated++
				if got.Flags&FlagTruncated == 0 && !hasLongLabel(c.Sender+"."+c.HELO) {
					fail("not flagged truncated")
				}
				if layout != Classic && (got.ClientIP != want.ip || got.Forged != want.domain) {
					fail("address or domain of a truncated name")
				}
				// When HE itself is cut, one in the local part takes its place.
				inLocal := strings.Contains("."+ascii.ToLower(want.local)+".", ".he.")
				if !strings.HasSuffix(ascii.ToLower(want.helo), got.HELO) && !inLocal && got.Flags&FlagAmbiguous == 0 && layout != Classic {
					fail("HELO of a truncated name")
				}
				continue
			}
			if got.ClientIP != want.ip || got.Forged != want.domain || got.SenderDomain != want.domain {
				fail("address or domain")
			}
			if got.Flags&FlagTruncated != 0 && len(q.Name) < maxText-nextText {
				fail("flagged truncated though short")
			}
			if got.Flags&FlagAmbiguous != 0 {
				ambiguous++
				continue
			}
			whole++
			if q.Type == TypeA && layout != Classic {
				continue
			}
			if got.SenderLocal != ascii.ToLower(want.local) || got.HELO != ascii.ToLower(want.helo) {
				fail("local part or HELO")
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("whole %d, truncated %d, ambiguous %d, unsendable %d", whole, truncated, ambiguous, unsendable)
	if whole < 10000 || truncated < 500 || ambiguous > whole/5 {
		t.Errorf("whole %d, truncated %d, ambiguous %d, unsendable %d: the generator misses its aim", whole, truncated, ambiguous, unsendable)
	}
}

// Software that escapes without being asked to (upper-case macros).
func TestRoundTripEscaped(t *testing.T) {
	r := nasty{rand.New(rand.NewPCG(3986, 1))}
	m, err := compileDomainSpec("CL.%{i}.FR.%{S}.HE.%{H}." + testZone)
	if err != nil {
		t.Fatal(err)
	}
	p := NewParser(testZone, []Layout{Classic}, func(domain string) bool { return domain == "shop.example" })
	n := 0
	for range 5000 {
		c := Check{IP: r.ip(), Sender: r.local() + "@shop.example", HELO: r.helo()}
		name, err := m.expand(c)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := wire.AppendLabels(nil, name)
		if err != nil {
			continue
		}
		n++
		want, err := c.values()
		if err != nil {
			t.Fatal(err)
		}
		got := p.Parse(r.recase(packed), TypeA)
		if got.ClientIP != want.ip || got.Flags&FlagAmbiguous == 0 && (got.SenderLocal != ascii.ToLower(want.local) || got.HELO != ascii.ToLower(want.helo) || got.Forged != "shop.example") {
			t.Fatalf("%+v\n%s\n%+v", c, name, got)
		}
	}
	if n < 1000 {
		t.Errorf("only %d names", n)
	}
}
