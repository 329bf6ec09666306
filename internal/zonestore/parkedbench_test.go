package zonestore

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/testsite"
)

// many loads a set of n zones.
func many(b *testing.B, n int) *Parked {
	b.Helper()
	dir := b.TempDir()
	if err := testsite.Many(b.Context(), dir, n); err != nil {
		b.Fatal(err)
	}
	p, err := LoadParked(filepath.Join(dir, "build"))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkLoadParked loads a million zones; B/zone is what they occupy
// afterwards.
func BenchmarkLoadParked(b *testing.B) {
	const n = 1_000_000
	dir := b.TempDir()
	if err := testsite.Many(b.Context(), dir, n); err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		p, err := LoadParked(filepath.Join(dir, "build"))
		if err != nil || p.Len() != n {
			b.Fatalf("%d zones, %v", p.Len(), err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(p)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/zone")
}

// BenchmarkParkedAnswer answers for sets of different sizes.
func BenchmarkParkedAnswer(b *testing.B) {
	for _, n := range []int{900, 100_000, 1_000_000} {
		p := many(b, n)
		for _, c := range []struct {
			name, format string
			qtype        uint16
		}{{"TXT", "%s.", dns.TypeTXT}, {"MX", "%s.", dns.TypeMX}, {"wildcard", "x.y.%s.", dns.TypeMX}, {"NODATA", "x.%s.", dns.TypeA}} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				queries := make([][]byte, 4096)
				for i := range queries {
					m := new(dns.Msg).SetQuestion(fmt.Sprintf(c.format, testsite.ManyName(rand.IntN(n))), c.qtype)
					var err error
					if queries[i], err = m.Pack(); err != nil {
						b.Fatal(err)
					}
				}
				r := &Reply{Buf: make([]byte, 4096)}
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					q := queries[i%len(queries)]
					i++
					copy(r.Buf, q)
					r.At, r.Limit, r.Type = len(q), 1232, c.qtype
					r.Answer, r.Authority, r.Rcode, r.Truncated = 0, 0, 0, false
					r.QName.Read(r.Buf[headerSize:])
					if !p.ask(r) {
						b.Fatal("not ours")
					}
				}
			})
		}
	}
}
