package zonestore

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/testsite"
	"nullspf/internal/wire"
)

// signedZone is a small zone with the records of DNSSEC, whose signatures are
// none.
func signedZone(t testing.TB, nsec3 bool) *Zone {
	t.Helper()
	text := "$TTL 60\n" + exampleZone
	for _, owner := range []string{"@", "*", "alias", "b.c", "child"} {
		for _, covers := range []string{"SOA", "NS", "TXT", "NSEC", "DS", "CNAME"} {
			text += fmt.Sprintf("%s RRSIG %s 13 1 60 20300101000000 20200101000000 1 example. AAAA\n", owner, covers)
		}
	}
	if nsec3 {
		text += "@ NSEC3PARAM 1 0 5 AABB\n"
		for _, hash := range []string{"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "8p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "gp9mhaveqvm6t7vbl5lop2u3t2rp3tom", "op9mhaveqvm6t7vbl5lop2u3t2rp3tom"} {
			text += hash + " NSEC3 1 1 5 AABB 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG\n"
		}
	} else {
		text += "@ NSEC alias SOA NS\nalias NSEC child CNAME\nchild NSEC example. NS DS\n"
	}
	return parseZone(t, "example.", strings.ReplaceAll(text, "*.child 60", "*.child 60"))
}

// TestAnswerAllocatesNothing sends queries of all kinds.
func TestAnswerAllocatesNothing(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		z := signedZone(t, nsec3)
		for _, qname := range []string{"example.", "ns1.example.", "alias.example.", "loop.example.", "x.y.example.", "x.b.c.example.", "c.example.", "x.child.example.", "x.d.example.", "x.sub.example.", "other.test."} {
			for _, qtype := range []uint16{dns.TypeNS, dns.TypeMX, dns.TypeTXT, dns.TypeANY, dns.TypeRRSIG, dns.TypeDS} {
				b, err := new(dns.Msg).SetQuestion(qname, qtype).Pack()
				if err != nil {
					t.Fatal(err)
				}
				r := &Reply{Buf: make([]byte, 4096)}
				copy(r.Buf, b)
				if n := testing.AllocsPerRun(20, func() {
					*r = Reply{Buf: r.Buf, At: len(b), Limit: 1232, Type: qtype, DO: true}
					r.QName.Read(r.Buf[headerSize:])
					z.ask(r)
				}); n != 0 {
					t.Errorf("%s %s: %v allocations", qname, dns.TypeToString[qtype], n)
				}
			}
		}
	}
}

// FuzzZoneAnswer asks zones any query, with any room for the answer: no
// panic, no answer that exceeds it or cannot be read.
func FuzzZoneAnswer(f *testing.F) {
	zonesOf := []*Zone{parseZone(f, "example.", exampleZone), signedZone(f, false), signedZone(f, true)}
	for _, qname := range []string{"example.", "x.child.example.", "x.d.example.", "x.y.z.example.", "loop.example."} {
		b, err := new(dns.Msg).SetQuestion(qname, dns.TypeTXT).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[headerSize:len(b)-4], uint16(dns.TypeA), uint16(512), true)
	}
	f.Fuzz(func(t *testing.T, qname []byte, qtype, room uint16, do bool) {
		_, end, err := wire.ReadName(qname, 0)
		if err != nil || strings.Contains(string(qname[:end]), "\xc0") {
			return
		}
		for _, z := range zonesOf {
			b := append(make([]byte, headerSize), qname[:end]...)
			b = append(b, byte(qtype>>8), byte(qtype), 0, 1)
			b[5] = 1
			r := &Reply{Buf: make([]byte, 65535), At: len(b), Limit: min(len(b)+int(room), 65535), Type: qtype, DO: do}
			copy(r.Buf, b)
			r.QName.Read(r.Buf[headerSize:])
			if !z.ask(r) {
				continue
			}
			if r.At > r.Limit || r.Truncated && r.At != len(b) {
				t.Fatalf("%d bytes, %d are allowed", r.At, r.Limit)
			}
			m := unpackReply(t, r)
			if len(m.Answer) != int(r.Answer) || len(m.Ns) != int(r.Authority) || len(m.Extra) != int(r.Additional) {
				t.Fatalf("%d, %d, %d records are counted: %v", r.Answer, r.Authority, r.Additional, m)
			}
		}
	})
}

// TestZoneMemory holds the memory of zones of a secondary to a bound, here of the
// zone that takes most but for those with very long names.
func TestZoneMemory(t *testing.T) {
	const n, most = 5000, 1350
	site := newSite(t)
	p := load(t, site)
	v := p.Version("\x0dxn--bcher-kva\x07example\x00")
	var before, after runtime.MemStats
	kept := make([]*Zone, n)
	runtime.GC()
	runtime.ReadMemStats(&before)
	records := 0
	for i := range kept {
		name, err := wire.ParseName(testsite.ManyName(i))
		if err != nil {
			t.Fatal(err)
		}
		b := NewBuilder(name)
		records = 0
		for r := range v.Records {
			own := *r
			own.Name = r.Name[:len(r.Name)-len(v.name)] + name
			if err := b.Add(own); err != nil {
				t.Fatal(err)
			}
			records++
		}
		if kept[i], err = b.Build(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("%d bytes for a zone of %d records", per, records)
	if per > most {
		t.Errorf("%d bytes for a zone of %d records, more than %d", per, records, most)
	}
	runtime.KeepAlive(kept)
}

// BenchmarkZoneAnswer answers from a signed and an unsigned zone.
func BenchmarkZoneAnswer(b *testing.B) {
	for _, c := range []struct {
		name, qname string
		qtype       uint16
		zone        *Zone
	}{
		{"MX", "example.", dns.TypeMX, parseZone(b, "example.", exampleZone)},
		{"NXDOMAIN", "x.b.c.example.", dns.TypeA, parseZone(b, "example.", exampleZone)},
		{"NXDOMAIN-NSEC", "x.b.c.example.", dns.TypeA, signedZone(b, false)},
		{"NXDOMAIN-NSEC3", "x.b.c.example.", dns.TypeA, signedZone(b, true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			q, err := new(dns.Msg).SetQuestion(c.qname, c.qtype).Pack()
			if err != nil {
				b.Fatal(err)
			}
			r := &Reply{Buf: make([]byte, 4096)}
			copy(r.Buf, q)
			b.ReportAllocs()
			for b.Loop() {
				*r = Reply{Buf: r.Buf, At: len(q), Limit: 1232, Type: c.qtype, DO: true}
				r.QName.Read(r.Buf[headerSize:])
				c.zone.ask(r)
			}
		})
	}
}

// BenchmarkBuild builds a small zone and a large one, and edits one record of
// the latter.
func BenchmarkBuild(b *testing.B) {
	const n = 1_000_000
	apex := wire.Name("\x07catalog\x00")
	records := []wire.Record{
		{Name: apex, Type: dns.TypeSOA, Class: dns.ClassINET, Data: []byte("\x00\x00" + strings.Repeat("\x00", 20))},
		{Name: apex, Type: dns.TypeNS, Class: dns.ClassINET, Data: []byte("\x00")},
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		label := fmt.Sprintf("%016x%08x", random.Uint64(), i)
		records = append(records, wire.Record{
			Name: wire.Name("\x18"+label+"\x05zones") + apex, Type: dns.TypePTR, Class: dns.ClassINET, Data: []byte("\x0cshop-1234567\x07example\x00"),
		})
	}
	build := func(b *testing.B) *Zone {
		builder := NewBuilder(apex)
		for i := range records {
			if err := builder.Add(records[i]); err != nil {
				b.Fatal(err)
			}
		}
		z, err := builder.Build()
		if err != nil {
			b.Fatal(err)
		}
		return z
	}
	b.Run("parked", func(b *testing.B) {
		v := load(b, newSite(b)).Version("\x05plain\x07example\x00")
		b.ReportAllocs()
		for b.Loop() {
			builder := NewBuilder(v.name)
			for r := range v.Records {
				if err := builder.Add(*r); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := builder.Build(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("million", func(b *testing.B) {
		for b.Loop() {
			build(b)
		}
	})
	b.Run("edit", func(b *testing.B) {
		z := build(b)
		for b.Loop() {
			e := Edit(z)
			if err := e.Remove(records[n/2]); err != nil {
				b.Fatal(err)
			}
			if _, err := e.Build(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
