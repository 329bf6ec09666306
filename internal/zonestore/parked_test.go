package zonestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"nullspf/internal/testsite"
	"nullspf/internal/wire"
	"nullspf/zones"
)

// testNow is the clock of test sites.
var testNow = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// newSite publishes zones of two groups, some with overrides.
func newSite(t testing.TB) *testsite.Site {
	t.Helper()
	s := &testsite.Site{
		Dir: t.TempDir(), Catalog: "catalog.invalid", Now: testNow,
		Lists: map[*zones.Group]string{
			testsite.Group("generic"): "domain,mail,spf,a\n" +
				"brand.example\nxn--bcher-kva.example\nnull.example,nullmx\nplain.example,,plain\n" +
				"one.example,,,192.0.2.99\nsix.example,,,2001:db8::6\nsame.example,,,2001:db8::6\n" +
				"sub.brand.example\n" + strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + ".example\n",
			testsite.Plain("plain"): "domain\nbare.example\n",
		},
	}
	build(t, s)
	return s
}

func build(t testing.TB, s *testsite.Site) {
	t.Helper()
	if err := s.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s *testsite.Site) *Parked {
	t.Helper()
	p, err := LoadParked(s.Output())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask asks a responder, which returns false when the question is none of its
// zones.
func ask(t testing.TB, qname string, qtype uint16, limit int, answer func(r *Reply) bool) *dns.Msg {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(qname, qtype)
	packed, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	r := &Reply{Buf: make([]byte, 65535), At: len(packed), Limit: limit, Type: qtype}
	copy(r.Buf, packed)
	r.QName.Read(r.Buf[headerSize:])
	if !answer(r) {
		return nil
	}
	return unpackReply(t, r)
}

// unpackReply makes a message of a reply.
func unpackReply(t testing.TB, r *Reply) *dns.Msg {
	t.Helper()
	b := r.Buf[:r.At]
	b[2], b[3] = 0x80, r.Rcode
	if r.Authoritative {
		b[2] |= 0x04
	}
	if r.Truncated {
		b[2] |= 0x02
	}
	binary.BigEndian.PutUint16(b[6:], r.Answer)
	binary.BigEndian.PutUint16(b[8:], r.Authority)
	binary.BigEndian.PutUint16(b[10:], r.Additional)
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("unreadable answer: %v\n% x", err, b)
	}
	return m
}

func (p *Parked) ask(r *Reply) bool {
	n, labels := p.Find(r, r.Labels())
	if n < 0 {
		return false
	}
	p.Answer(r, n, labels)
	return true
}

// section returns records as sorted lines.
func section(rrs []dns.RR) (out []string) {
	for _, rr := range rrs {
		out = append(out, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(out)
	return out
}

func TestParkedAnswers(t *testing.T) {
	p := load(t, newSite(t))
	soa := func(zone string) []string {
		return []string{zone + " 300 IN SOA ns1.example.net. hostmaster.example.net. 1795132800 7200 900 2419200 300"}
	}
	for _, c := range []struct {
		qname             string
		qtype             uint16
		rcode             int
		answer, authority []string
	}{
		{qname: "brand.example.", qtype: dns.TypeMX, answer: []string{
			"brand.example. 3600 IN MX 10 mail8.example.net.", "brand.example. 3600 IN MX 10 mail9.example.net."}},
		{qname: "BRAND.example.", qtype: dns.TypeNS, answer: []string{
			"BRAND.example. 3600 IN NS ns1.example.net.", "BRAND.example. 3600 IN NS ns2.example.net."}},
		{qname: "brand.example.", qtype: dns.TypeSOA, answer: []string{
			"brand.example. 3600 IN SOA ns1.example.net. hostmaster.example.net. 1795132800 7200 900 2419200 300"}},
		{qname: "brand.example.", qtype: dns.TypeA, answer: []string{"brand.example. 3600 IN A 192.0.2.80", "brand.example. 3600 IN A 192.0.2.81"}},
		{qname: "www.one.example.", qtype: dns.TypeA, answer: []string{"www.one.example. 3600 IN A 192.0.2.99"}},
		{qname: "www.one.example.", qtype: dns.TypeAAAA, authority: soa("one.example.")},
		{qname: "same.example.", qtype: dns.TypeAAAA, answer: []string{"same.example. 3600 IN AAAA 2001:db8::6"}},
		{qname: "null.example.", qtype: dns.TypeMX, answer: []string{"null.example. 3600 IN MX 0 ."}},
		{qname: "x.y.null.example.", qtype: dns.TypeMX, answer: []string{"x.y.null.example. 3600 IN MX 0 ."}},
		{qname: "x.null.example.", qtype: dns.TypeTXT, answer: []string{`x.null.example. 3600 IN TXT "v=spf1 -all"`}},
		{qname: "x.null.example.", qtype: dns.TypeA, authority: soa("null.example.")},
		{qname: "_domainkey.null.example.", qtype: dns.TypeTXT, authority: soa("null.example.")},
		{qname: "s._domainkey.null.example.", qtype: dns.TypeTXT, answer: []string{`s._domainkey.null.example. 3600 IN TXT "v=DKIM1; p="`}},
		{qname: "x._dmarc.null.example.", qtype: dns.TypeTXT, rcode: dns.RcodeNameError, authority: soa("null.example.")},
		{qname: "x.www.null.example.", qtype: dns.TypeA, rcode: dns.RcodeNameError, authority: soa("null.example.")},
		{qname: "x.*.null.example.", qtype: dns.TypeMX, rcode: dns.RcodeNameError, authority: soa("null.example.")},
		{qname: "x.bare.example.", qtype: dns.TypeMX, rcode: dns.RcodeNameError, authority: soa("bare.example.")},
		{qname: "bare.example.", qtype: dns.TypeMX, answer: []string{"bare.example. 3600 IN MX 0 ."}},
		{qname: "bare.example.", qtype: 65280, authority: soa("bare.example.")},
		{qname: "x.sub.brand.example.", qtype: dns.TypeA, authority: soa("sub.brand.example.")},
		{qname: "x.null.example.", qtype: dns.TypeANY, answer: []string{"x.null.example. 3600 IN MX 0 ."}},
		{qname: "catalog.invalid.", qtype: dns.TypeSOA, answer: []string{"catalog.invalid. 0 IN SOA invalid. invalid. 1795132800 3600 600 2147483646 0"}},
		{qname: "catalog.invalid.", qtype: dns.TypeNS, answer: []string{"catalog.invalid. 0 IN NS invalid."}},
		{qname: "version.catalog.invalid.", qtype: dns.TypeTXT, rcode: dns.RcodeRefused},
	} {
		m := ask(t, c.qname, c.qtype, 1232, p.ask)
		name := c.qname + " " + wire.TypeString(c.qtype)
		if m == nil {
			t.Errorf("%s: not ours", name)
			continue
		}
		if m.Rcode != c.rcode || m.Authoritative != (c.rcode != dns.RcodeRefused) {
			t.Errorf("%s: %v", name, m)
		}
		if diff := cmp.Diff(c.answer, section(m.Answer)); diff != "" {
			t.Errorf("%s: answer (-want +got)\n%s", name, diff)
		}
		if diff := cmp.Diff(c.authority, section(m.Ns)); diff != "" {
			t.Errorf("%s: authority (-want +got)\n%s", name, diff)
		}
	}
	for _, qname := range []string{"example.", ".", "rand.example.", "xbrand.example.", "brand.example.net."} {
		if m := ask(t, qname, dns.TypeA, 1232, p.ask); m != nil {
			t.Errorf("%s: answered: %v", qname, m)
		}
	}
}

// TestParkedTruncates has an answer that does not fit.
func TestParkedTruncates(t *testing.T) {
	p := load(t, newSite(t))
	whole := ask(t, "brand.example.", dns.TypeTXT, 1232, p.ask)
	if whole.Truncated || len(whole.Answer) != 4 {
		t.Fatalf("whole answer: %v", whole)
	}
	for _, qtype := range []uint16{dns.TypeTXT, dns.TypeA, dns.TypeMX, dns.TypeSOA, dns.TypeSRV} {
		m := ask(t, "brand.example.", qtype, headerSize+19+30, p.ask)
		if !m.Truncated || len(m.Answer)+len(m.Ns) > 0 {
			t.Errorf("%s: %v", wire.TypeString(qtype), m)
		}
	}
}

// zoneFile returns the records of a zone file, sorted.
func zoneFile(t *testing.T, s *testsite.Site, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(s.Output(), name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rrs []dns.RR
	p := dns.NewZoneParser(f, "", name)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rrs = append(rrs, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	return section(rrs)
}

type version interface {
	Serial() uint32
	Records(yield func(*wire.Record) bool)
}

// lines returns the records of a version, sorted, and checks that the SOA
// stands first and has the serial number.
func lines(t *testing.T, v version) []string {
	t.Helper()
	var rrs []dns.RR
	for r := range v.Records {
		rr, err := r.RR()
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	if soa, ok := rrs[0].(*dns.SOA); !ok || soa.Serial != v.Serial() {
		t.Errorf("first record %v, serial %d", rrs[0], v.Serial())
	}
	return section(rrs)
}

// TestParkedVersions compares what is transferred with the zone files.
func TestParkedVersions(t *testing.T) {
	s := newSite(t)
	p := load(t, s)
	for i := range p.Len() {
		name := p.Name(i)
		if diff := cmp.Diff(zoneFile(t, s, "zones/"+zones.ZoneFile(strings.TrimSuffix(name.String(), "."))), lines(t, p.Version(name))); diff != "" {
			t.Errorf("%s: (-file +transfer)\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(zoneFile(t, s, zones.CatalogFile), lines(t, p.Catalog())); diff != "" {
		t.Errorf("catalog: (-file +transfer)\n%s", diff)
	}
	if v := p.Version("\x05other\x07example\x00"); v != nil {
		t.Errorf("a version of another zone: %v", v)
	}
}

// TestParkedHistory builds four versions and looks back from the last.
func TestParkedHistory(t *testing.T) {
	generic := testsite.Group("generic")
	s := &testsite.Site{Dir: t.TempDir(), Catalog: "catalog.invalid", Now: testNow, Lists: map[*zones.Group]string{}}
	var now *Parked
	type past struct {
		zones map[string][]string
		set   *Parked
	}
	var pasts []past
	for i, step := range []struct {
		list    string
		change  func()
		changed string
		removed int
		catalog bool
	}{
		{list: "a.example b.example c.example d.example"},
		{list: "a.example b.example c.example d.example", change: func() { generic.TXT = append(generic.TXT, "one more") },
			changed: "a.example. b.example. c.example. d.example."},
		{list: "0.example a.example b.example,nullmx d.example", changed: "0.example. b.example.", removed: 1, catalog: true},
		{list: "a.example b.example c.example d.example", changed: "b.example. c.example.", removed: 1, catalog: true},
		{list: "a.example b.example c.example d.example"},
	} {
		if step.change != nil {
			step.change()
		}
		s.Now = testNow.Add(time.Duration(i) * time.Minute)
		s.Lists[generic] = "domain,mail\n" + strings.ReplaceAll(step.list, " ", "\n") + "\n"
		build(t, s)
		next := load(t, s)
		got := next.Succeed(now)
		var changed []string
		for _, n := range got.Changed {
			changed = append(changed, next.Name(int(n)).String())
		}
		if strings.Join(changed, " ") != step.changed || got.Removed != step.removed || got.Catalog != step.catalog {
			t.Errorf("step %d: changed %v, %+v", i, changed, got)
		}
		now = next
		p := past{zones: map[string][]string{}, set: now}
		for n := range now.Len() {
			p.zones[now.Name(n).String()] = lines(t, now.Version(now.Name(n)))
		}
		p.zones["catalog.invalid."] = lines(t, now.Catalog())
		pasts = append(pasts, p)
	}
	compared := 0
	for i, p := range pasts[:len(pasts)-1] {
		for n := range p.set.Len() {
			name := p.set.Name(n)
			serial := p.set.Serial(n)
			if v := now.Version(name); v == nil || v.Serial() == serial {
				continue
			}
			v := now.Earlier(name, serial)
			if v == nil {
				if name == "\x01c\x07example\x00" {
					continue // it was gone in between
				}
				t.Errorf("step %d: %s with serial %d is not kept", i, name, serial)
				continue
			}
			compared++
			if diff := cmp.Diff(p.zones[name.String()], lines(t, v)); diff != "" {
				t.Errorf("step %d: %s (-was +kept)\n%s", i, name, diff)
			}
		}
		if p.set.CatalogSerial() == now.CatalogSerial() {
			continue
		}
		v := now.EarlierCatalog(p.set.CatalogSerial())
		if v == nil {
			t.Errorf("step %d: the catalog zone with serial %d is not kept", i, p.set.CatalogSerial())
			continue
		}
		compared++
		if diff := cmp.Diff(p.zones["catalog.invalid."], lines(t, v)); diff != "" {
			t.Errorf("step %d: catalog zone (-was +kept)\n%s", i, diff)
		}
		// Old - removed + added = new.
		removed, added := now.Catalog().Since(v)
		content := map[string]int{}
		for _, l := range p.zones["catalog.invalid."] {
			content[l]++
		}
		for r := range removed {
			content[strings.Join(strings.Fields(r.String()), " ")]--
		}
		for r := range added {
			content[strings.Join(strings.Fields(r.String()), " ")]++
		}
		for _, l := range lines(t, now.Catalog()) {
			content[l]--
		}
		for l, n := range content {
			if n != 0 {
				t.Errorf("step %d: difference of the catalog zone: %s %d", i, l, n)
			}
		}
	}
	if compared < 8 {
		t.Errorf("%d versions compared", compared)
	}
	if v := now.Earlier("\x01a\x07example\x00", 1); v != nil {
		t.Errorf("a version that never was: %v", v)
	}
}

// TestParkedNotTogether refuses directories whose files do not belong together.
func TestParkedNotTogether(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"no directory":          {func(t *testing.T, dir string) { rename(t, dir, dir+"x") }, "run `nullspf zones` first"},
		"another manifest":      {func(t *testing.T, dir string) { appendTo(t, dir+"/manifest", "z.example\tgeneric\t1\t0\n") }, "run it again"},
		"no manifest":           {func(t *testing.T, dir string) { rename(t, dir+"/manifest", dir+"/x") }, "manifest"},
		"another program":       {func(t *testing.T, dir string) { rename(t, dir+"/manifest", dir+"/parked") }, "parked:1: not a file"},
		"damaged":               {func(t *testing.T, dir string) { appendTo(t, dir+"/parked", "zone\tx.example\t77\t\n") }, "run `nullspf zones` to write it again"},
		"addresses not correct": {func(t *testing.T, dir string) { appendLine(t, dir+"/parked", "zone\tzz.example\t0\t1.2.3\n") }, "1.2.3"},
		"catalog cut":           {func(t *testing.T, dir string) { cut(t, dir+"/catalog.zone", 100) }, "not a catalog zone"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.change(t, s.Output())
			p, err := LoadParked(s.Output())
			if err == nil || p != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v; want %q", p, err, c.want)
			}
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// appendLine appends a line to a file before its last one, the sum, and makes that
// right again.
func appendLine(t *testing.T, path, line string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body := append(b[:bytes.LastIndex(b, []byte("end\t"))], line...)
	if err := os.WriteFile(path, fmt.Appendf(body, "end\t%x\n", sha256.Sum256(body)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, text...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// TestParkedAllocatesNothing sends queries of all kinds.
func TestParkedAllocatesNothing(t *testing.T) {
	p := load(t, newSite(t))
	for _, c := range []struct {
		qname string
		qtype uint16
	}{{"brand.example.", dns.TypeTXT}, {"www.brand.example.", dns.TypeAAAA}, {"x.y.brand.example.", dns.TypeMX}, {"x._dmarc.brand.example.", dns.TypeA}, {"other.test.", dns.TypeA}} {
		q := new(dns.Msg).SetQuestion(c.qname, c.qtype)
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		r := &Reply{Buf: make([]byte, 4096)}
		copy(r.Buf, b)
		n := testing.AllocsPerRun(100, func() {
			r.At, r.Limit, r.Type = len(b), 1232, c.qtype
			r.QName.Read(r.Buf[headerSize:])
			p.ask(r)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", c.qname, n)
		}
	}
}

// TestIndex finds names among many.
func TestIndex(t *testing.T) {
	x := newIndex(0)
	var names []wire.Name
	for i := range 5000 {
		name, err := wire.ParseName(fmt.Sprintf("n%d.sub%d.example", i, i%7))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		if err := x.Add(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Add(names[7]); err == nil {
		t.Error("a name was added twice")
	}
	for i, name := range names {
		if n, ok := x.Number(name); !ok || n != i || x.Name(i) != name {
			t.Fatalf("%s has the number %d, %v", name, n, ok)
		}
		below := "x.Y." + strings.ToUpper(name.String())
		ask(t, below, dns.TypeA, 512, func(r *Reply) bool {
			if n, labels, ok := x.Find(r, r.Labels()); !ok || n != i || labels != 3 {
				t.Fatalf("%s is found at %d, %d, %v", below, n, labels, ok)
			}
			if n, _, ok := x.Find(r, 2); ok {
				t.Fatalf("%s is found at %d with two labels", below, n)
			}
			return false
		})
	}
	for _, name := range []string{"sub1.example.", "nx.sub1.example.", "example.", "."} {
		ask(t, name, dns.TypeA, 512, func(r *Reply) bool {
			if n, _, ok := x.Find(r, r.Labels()); ok {
				t.Errorf("%s is found at %d", name, n)
			}
			return false
		})
	}
	root := newIndex(1)
	if err := root.Add(wire.Root); err != nil {
		t.Fatal(err)
	}
	ask(t, "a.b.", dns.TypeA, 512, func(r *Reply) bool {
		if n, labels, ok := root.Find(r, r.Labels()); !ok || n != 0 || labels != 0 {
			t.Errorf("root: %d, %d, %v", n, labels, ok)
		}
		return false
	})
}

// TestParkedText splits texts of all lengths, also where the name stands over
// the end of a string.
func TestParkedText(t *testing.T) {
	name := []byte("\x05brand\x07example\x00")
	for n := range 800 {
		text := parkedText{strings.Repeat("a", n), "b"}
		got := text.append(nil, name)
		if len(got) != text.size(len("brand.example")) {
			t.Fatalf("%d bytes, size says %d", len(got), text.size(13))
		}
		var joined []byte
		for rest := got; len(rest) > 0; rest = rest[1+int(rest[0]):] {
			if len(joined)%maxString != 0 {
				t.Fatalf("%d: a string before the last is not full", n)
			}
			joined = append(joined, rest[1:1+int(rest[0])]...)
		}
		if want := text[0] + "brand.exampleb"; string(joined) != want {
			t.Fatalf("%q, want %q", joined, want)
		}
	}
	if got := (parkedText{""}).append(nil, nil); string(got) != "\x00" {
		t.Errorf("empty text: % x", got)
	}
}
