package secondary

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkFirstTransfers has zones transferred for the first time, from a primary in
// memory, and reports what a zone costs besides its records.
func BenchmarkFirstTransfers(b *testing.B) {
	const zones = 20_000
	for b.Loop() {
		b.StopTimer()
		var p fakePrimary
		g := Group{Store: b.TempDir()}
		for i := range zones {
			name := fmt.Sprintf("zone-%d.example.", i)
			p.set(smallZone(b, name, 1))
			g.Zones = append(g.Zones, mustName(b, name))
		}
		s, primaries := secondaryOf(b, nil, &p)
		g.Primaries = primaries
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		configure(b, s, g)
		for s.Status().Zones[ZoneServed] < zones {
			time.Sleep(10 * time.Millisecond)
		}
		b.StopTimer()
		p.asked, p.whole = nil, nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/zones, "bytes/zone")
		stop(b, s)
		start := time.Now()
		s, _ = secondaryOf(b, nil, &p)
		configure(b, s, g)
		b.ReportMetric(float64(time.Since(start).Microseconds())/zones, "µs/load")
		stop(b, s)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/zones, "µs/zone")
}
