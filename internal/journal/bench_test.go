package journal

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/spftrack"
)

// realisticPackets makes the queries of checks of the layout Track: exists:
// and exp= names about random addresses, senders and HELO names, from resolvers
// of which some mix upper and lower case.
func realisticPackets(tb testing.TB, n int) []Packet {
	rng := rand.New(rand.NewPCG(1, 2))
	locals := []string{"info", "sales", "support", "admin", "noreply", "billing", "ceo"}
	packets := make([]Packet, 0, n)
	now := testTime.UnixNano()
	for len(packets) < n {
		ip := fmt.Sprintf("%d.%d.%d.%d", 1+rng.IntN(222), rng.IntN(256), rng.IntN(256), rng.IntN(256))
		domain := fmt.Sprintf("brand-%04d.example", rng.IntN(1000))
		local := locals[rng.IntN(len(locals))]
		if rng.IntN(2) == 0 {
			local += fmt.Sprint(rng.IntN(10000))
		}
		helo := fmt.Sprintf("host-%d.dyn%d.isp.example.net", rng.IntN(100000), rng.IntN(50))
		resolver := netip.AddrFrom4([4]byte{192, 0, byte(rng.IntN(20)), byte(rng.IntN(256))})
		mixed := rng.IntN(10) == 0
		for k, name := range []string{
			ip + ".in-addr.CL." + domain + ".FD.1." + testZone,
			helo + ".HE." + local + ".LP." + ip + ".in-addr.CL." + domain + ".FD.2." + testZone,
		} {
			now += int64(rng.IntN(1000000))
			w := packed(tb, name)
			if mixed {
				for i, c := range w {
					if 'a' <= c && c <= 'z' && rng.IntN(2) == 0 {
						w[i] = c - 'a' + 'A'
					}
				}
			}
			packets = append(packets, Packet{
				Time: now, Resolver: netip.AddrPortFrom(resolver, uint16(1024+rng.IntN(64000))),
				Qtype: []uint16{spftrack.TypeA, spftrack.TypeTXT}[k], Name: w,
			})
		}
	}
	return packets[:n]
}

// BenchmarkPut measures the hot path: Put, and Commit once in 32 packets.
func BenchmarkPut(b *testing.B) {
	packets := realisticPackets(b, 4096)
	s := Settings{Dir: b.TempDir(), Zones: testZones, Logger: zerolog.Nop()}
	j := mustOpen(b, s)
	w := j.Worker(0)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i&(1<<15-1) == 0 {
			// Let the writer empty the ring, on whatever processor.
			b.StopTimer()
			w.Commit()
			for j.Stats().Pending > 0 {
				time.Sleep(time.Millisecond)
			}
			b.StartTimer()
		}
		if !w.Put(&packets[i&4095]) {
			b.Fatal("the ring is full")
		}
		if i&31 == 31 {
			w.Commit()
		}
	}
	b.StopTimer()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSeal measures CPU time and bytes on disk of a sealed event, from the
// wal file to MANIFEST. There are about as many events as in two files of 32 MiB.
// The first ones of the process, whose memory is new, are counted apart.
func BenchmarkSeal(b *testing.B) {
	const n = 1 << 19
	packets := realisticPackets(b, n)
	var first, cpu time.Duration
	var events uint64
	var bytes int64
	for i := range 1 + b.N {
		s := Settings{Dir: b.TempDir(), Server: "ns1.example.net", Zones: testZones, Logger: zerolog.Nop(), SegmentSize: 1 << 30, SegmentAge: time.Hour}
		j := mustOpen(b, s)
		span := packets[n-1].Time - packets[0].Time
		for i := range 2 * n {
			p := packets[i%n]
			p.Time += int64(i/n) * span
			for !j.Worker(0).Put(&p) {
				j.Worker(0).Commit()
				time.Sleep(time.Millisecond)
			}
		}
		j.Worker(0).Commit()
		mustClose(b, j)
		runtime.GC()
		before := cpuTime()
		j = mustOpen(b, s)
		waitSealed(b, j)
		took := cpuTime() - before
		st := j.Stats()
		mustClose(b, j)
		if i == 0 {
			first = took / time.Duration(st.Sealed)
			continue
		}
		cpu += took
		events += st.Sealed
		bytes += st.SegmentBytes
	}
	b.ReportMetric(float64(first), "first-cpu-ns/event")
	b.ReportMetric(float64(cpu)/float64(events), "cpu-ns/event")
	b.ReportMetric(float64(bytes)/float64(events), "B/event")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPack measures what the writer makes of a record: time, and bytes in a
// wal file, with the headers of blocks.
func BenchmarkPack(b *testing.B) {
	var records []byte
	count := 0
	for _, p := range realisticPackets(b, 1<<16) {
		var buf [maxRecord]byte
		records = append(records, buf[:putRecord(buf[:], &p)]...)
	}
	p := newPacker([]walZone{{name: testZone}})
	var packed []byte
	bytes := 0
	b.ReportAllocs()
	for b.Loop() {
		rest := records
		for len(rest) > 0 {
			n := 0
			for n < len(rest) && n < blockRecords-maxRecord {
				n += int(binary.LittleEndian.Uint16(rest[n:]))
				count++
			}
			packed = p.packAll(packed[:0], rest[:n])
			bytes += blockHeader + len(packed)
			rest = rest[n:]
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(count), "ns/event")
	b.ReportMetric(float64(bytes)/float64(count), "B/event")
}

func waitSealed(b *testing.B, j *Journal) {
	for j.Stats().Sealed == 0 {
		if err := j.Health(); err != nil {
			b.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
