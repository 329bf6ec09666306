package forgerylog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// million makes a directory with a million queries about half a million
// attempts in 14 hours: 50,000 clients, some of them far busier than others,
// 1000 domains, 5000 resolvers. As while a server writes, the last seconds are
// not sealed.
func million(b *testing.B) string {
	b.Helper()
	const n = 1_000_000
	rng := rand.New(rand.NewPCG(1, 2))
	locals := []string{"info", "sales", "support", "admin", "noreply", "billing", "ceo"}
	s := testSettings(b.TempDir())
	s.SegmentSize = 1 << 28
	j, err := journal.Open(s)
	if err != nil {
		b.Fatal(err)
	}
	now := testTime.UnixNano()
	for range n / 2 {
		client := min(int(rng.ExpFloat64()*10_000), 49_999)
		ip := fmt.Sprintf("203.%d.%d.%d", client%7, client>>8, client&255)
		domain := fmt.Sprintf("brand-%04d.example", rng.IntN(1000))
		local := locals[rng.IntN(len(locals))]
		if rng.IntN(2) == 0 {
			local += fmt.Sprint(rng.IntN(10000))
		}
		helo := fmt.Sprintf("host-%d.dyn%d.isp.example.net", rng.IntN(100000), rng.IntN(50))
		p := journal.Packet{
			Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(rng.IntN(20)), byte(rng.IntN(256))}), uint16(1024+rng.IntN(64000))),
		}
		now += int64(rng.IntN(200_000_000))
		p.Time, p.Qtype, p.Name = now, spftrack.TypeA, wire(ip+".in-addr.CL."+domain+".FD.1."+testZone)
		put(b, j, p)
		p.Time += 1_000_000
		p.Qtype, p.Name = spftrack.TypeTXT, wire(helo+".HE."+local+".LP."+ip+".in-addr.CL."+domain+".FD.2."+testZone)
		put(b, j, p)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	if j, err = journal.Open(s); err != nil {
		b.Fatal(err)
	}
	for j.Stats().Sealed == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return s.Dir
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMillion asks a directory with a million events.
func BenchmarkMillion(b *testing.B) {
	e := open(million(b))
	count := func(*eventrow.Row) error { return nil }
	client := netip.MustParsePrefix("203.3.0.42/32")
	for _, q := range []struct {
		name string
		ask  func(context.Context) error
	}{
		{"top-ip", func(ctx context.Context) error { _, err := e.Top(ctx, Query{}, ByIP, 20); return err }},
		{"top-net", func(ctx context.Context) error { _, err := e.Top(ctx, Query{}, ByNet, 20); return err }},
		{"top-sender", func(ctx context.Context) error { _, err := e.Top(ctx, Query{}, BySender, 20); return err }},
		{"top-domain-of-one-hour", func(ctx context.Context) error {
			_, err := e.Top(ctx, Query{Since: testTime.Add(2 * time.Hour), Until: testTime.Add(3 * time.Hour)}, ByDomain, 20)
			return err
		}},
		{"events-of-one-domain", func(ctx context.Context) error {
			return e.Events(ctx, Query{Domain: ParseDomain("=brand-0042.example")}, 0, count)
		}},
		{"events-of-one-client", func(ctx context.Context) error { return e.Events(ctx, Query{Client: client}, 0, count) }},
		{"events-newest-20", func(ctx context.Context) error { return e.Events(ctx, Query{}, 20, count) }},
		{"events-all-packets", func(ctx context.Context) error { return e.Events(ctx, Query{Packets: true}, 0, count) }},
		{"timeline-hour", func(ctx context.Context) error { _, err := e.Timeline(ctx, Query{}, Hour); return err }},
		{"stats", func(ctx context.Context) error { _, err := e.Stats(ctx); return err }},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				if err := q.ask(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}
