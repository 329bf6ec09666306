package verify

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// BenchmarkRun checks zones at a real server on loopback. cpu-us/query is the
// processor time of this process alone.
func BenchmarkRun(b *testing.B) {
	const n = 10000
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("domain%06d.example,,,", i)
	}
	p := publish(b, nil, rows...)
	for _, kind := range []peers.Kind{peers.NSD, peers.BIND} {
		b.Run(string(kind), func(b *testing.B) {
			server := serve(b, kind, p.dir, "")
			b.ResetTimer()
			var queries uint64
			before := processorTime(b)
			for b.Loop() {
				lines, _, sum := p.run(b, Settings{Servers: []netip.AddrPort{server}, Retries: 2})
				if len(lines) > 0 {
					b.Fatalf("findings: %q", lines[0])
				}
				queries += sum.Servers[0].Queries
			}
			b.ReportMetric(float64(queries)/b.Elapsed().Seconds(), "queries/s")
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(queries), "cpu-us/query")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
