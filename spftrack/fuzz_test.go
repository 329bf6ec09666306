package spftrack

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// addressForms are the forms in which a name may hold the client's address, of which text
// is one that was read.
func (p Parsed) addressForms(text string) []string {
	forms := []string{string(appendMacroIP(nil, p.ClientIP))}
	if !p.ClientIP.Is6() {
		return forms
	}
	var bytes []string
	for _, b := range p.ClientIP.As16() {
		bytes = append(bytes, strconv.FormatUint(uint64(b), 16))
	}
	forms = append(forms, strings.Join(bytes, "."))
	for label := range strings.SplitSeq(text, ".") {
		if addr, err := netip.ParseAddr(label); err == nil && addr == p.ClientIP {
			forms = append(forms, label)
		}
	}
	return forms
}

// format writes the name of which a parser could have read p, with the client's address
// in a form; ok is false when p lacks what a whole name holds. at joins an empty local
// part and the domain, "@" or "".
func (p Parsed) format(zone, ip, at string) (name string, ok bool) {
	if !p.ClientIP.IsValid() {
		return "", false
	}
	family := "ip6"
	if p.ClientIP.Is4() {
		family = "in-addr"
	}
	var parts []string
	switch p.Kind {
	case KindExists:
		parts = []string{ip, family, "cl", p.Forged, "fd.1"}
	case KindExp:
		parts = []string{p.HELO, "he", p.SenderLocal, "lp", ip, family, "cl", p.Forged, "fd.2"}
	case KindClassic:
		sender := p.SenderDomain
		if p.SenderLocal != "" {
			at = "@"
		}
		sender = p.SenderLocal + at + sender
		parts = []string{"cl", ip, "fr", sender, "he", p.HELO}
	default:
		return "", false
	}
	for _, part := range append(parts, zone) {
		if part == "" {
			continue
		}
		if name != "" {
			name += "."
		}
		name += part
	}
	return name, true
}

// checkParsed parses a name and tests what holds for every reading.
func checkParsed(t *testing.T, p *Parser, packed []byte, qtype uint16) {
	t.Helper()
	before := bytes.Clone(packed)
	got := p.Parse(packed, qtype)
	if !bytes.Equal(packed, before) || got != p.Parse(packed, qtype) {
		t.Fatal("the name changed, or its reading did")
	}
	switch {
	case got.Flags&FlagUnparsed != 0 && got != Parsed{Flags: FlagUnparsed}:
		t.Fatalf("fields beside unparsed: %+v", got)
	case got.Flags&^(FlagTruncated|FlagUnparsed|FlagAmbiguous) != 0:
		t.Fatalf("flags: %+v", got)
	case got.Flags&FlagTruncated != 0 && (len(packed) < wire.MaxName-nextText-1 || got.Kind == KindMinimised || got.Kind == KindOther):
		t.Fatalf("truncated: %+v", got)
	case got.Kind == KindSMTP, got.ClientIP.Is4In6(), got.Forged != got.SenderDomain:
		t.Fatalf("%+v", got)
	case got.Kind == KindExists && (!asks(KindExists, qtype) || got.HELO != "" || got.SenderLocal != ""):
		t.Fatalf("exists of type %d: %+v", qtype, got)
	case got.Kind == KindExists && got.Flags&FlagTruncated == 0 && (!got.ClientIP.IsValid() || got.Forged == ""):
		t.Fatalf("whole exists: %+v", got)
	case got.Kind == KindExp && qtype != TypeTXT:
		t.Fatalf("exp of type %d: %+v", qtype, got)
	}
	for _, s := range []string{got.SenderLocal, got.Forged, got.HELO} {
		if len(s) > maxText || s != ascii.ToLower(s) {
			t.Fatalf("%q", s)
		}
	}
	var l labels
	if !l.load(packed, new(Memory)) || got.Flags&FlagUnparsed != 0 {
		return
	}
	text := string(l.text[:l.size])
	name, ok := "", false
	for i, ip := range got.addressForms(text) {
		for _, at := range []string{"@", ""} {
			var form string
			if form, ok = got.format(testZone, ip, at); i == 0 && at == "@" || form == text {
				name = form
			}
		}
	}
	if !ok || strings.Contains(text, "0.0.0.0.0.f.f.f.f.") || strings.Contains(text, "0.0.0.ff.ff.") || strings.Contains(text, "%40") {
		return
	}
	if name != text && !(got.Flags&FlagTruncated != 0 && strings.HasSuffix(name, text)) {
		t.Fatalf("%s\nread as %+v\nis %s", Printable(text), got, Printable(name))
	}
}

// fuzzParser returns a parser that reads all layouts and knows nothing, or one
// without Classic that knows a domain.
func fuzzParser(classic bool) *Parser {
	if classic {
		return NewParser(testZone, Layouts, nil)
	}
	return NewParser(testZone, []Layout{Track}, func(domain string) bool { return domain == "shop.example" })
}

// fuzzQueries are names that real checks ask for.
func fuzzQueries(f *testing.F, add func(q Query, packed []byte)) {
	f.Helper()
	r := nasty{rand.New(rand.NewPCG(1, 1))}
	for range 20 {
		for _, layout := range Layouts[1:] {
			c := Check{IP: r.ip(), HELO: r.helo(), Sender: r.local() + "@shop.example"}
			queries, err := Queries(layout, Settings{Zone: testZone}, c)
			if err != nil {
				f.Fatal(err)
			}
			for _, q := range queries[1:] {
				if packed, err := q.Wire(); err == nil {
					add(q, packed)
				}
			}
		}
	}
}

// FuzzParse feeds bytes as they may arrive.
func FuzzParse(f *testing.F) {
	fuzzQueries(f, func(q Query, packed []byte) { f.Add(packed, q.Type, true) })
	f.Add([]byte("\x04_spf\x07example\x03net\x00"), TypeNS, false)
	f.Add([]byte("\x02FD\x011\x04_spf\x07example\x03net\x00"), TypeA, false)
	f.Add([]byte("\x01_\x02HE\x02FD\x012\x04_spf\x07example\x03net\x00"), TypeA, true)
	f.Fuzz(func(t *testing.T, packed []byte, qtype uint16, classic bool) {
		checkParsed(t, fuzzParser(classic), packed, qtype)
	})
}

// FuzzParseText feeds names in the zone, which mutate into more forms than
// bytes do.
func FuzzParseText(f *testing.F) {
	fuzzQueries(f, func(q Query, packed []byte) {
		f.Add(strings.TrimSuffix(printableName(packed), "."+testZone), q.Type, true)
	})
	for _, s := range []string{
		"cl.he.cl.he.fd.1", "1.2.3.4.in-addr.cl.cl.fd.2", "he.lp.1.2.3.4.in-addr.cl.x.fd.2",
		"a.he.b.lp.1.2.3.4.in-addr.cl.c.lp.5.6.7.8.in-addr.cl.shop.example.fd.2",
		"cl.1.2.3.4.fr.a@b.he.c.he.d", "fr.he", "cl.fr.he", "_.he",
		"cl.20.1.d.b8.0.0.0.0.0.0.0.0.0.0.0.7.fr.he", "cl.2001:db8::7.fr.a@b.he.c",
	} {
		f.Add(s, TypeTXT, true)
		f.Add(s, TypeA, false)
	}
	f.Fuzz(func(t *testing.T, name string, qtype uint16, classic bool) {
		packed, err := wire.PackName(name + "." + testZone)
		if err != nil {
			return
		}
		checkParsed(t, fuzzParser(classic), packed, qtype)
	})
}
