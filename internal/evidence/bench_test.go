package evidence

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// manyLines is a query log of n attempts of two queries each.
func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		at := fmt.Sprintf("27-Nov-2026 %02d:%02d:%02d.%03d", 12+i/3600000%12, i/60000%60, i/1000%60, i%1000)
		client := fmt.Sprintf("client @0x7ffa4d86d098 203.0.113.%d#%d", i%200, 1024+i%60000)
		for _, q := range []struct{ name, kind string }{
			{fmt.Sprintf("198.51.%d.%d.in-addr.CL.brand-%d.test.FD.1._spf.keeper.test", i>>8&0xff, i&0xff, i%1000), "A"},
			{fmt.Sprintf("mail%d.bot.test.HE.user%d.LP.198.51.%d.%d.in-addr.CL.brand-%d.test.FD.2._spf.keeper.test", i%5000, i%700, i>>8&0xff, i&0xff, i%1000), "TXT"},
		} {
			fmt.Fprintf(&b, "%s %s (%s): query: %s IN %s -E(0)D (192.0.2.31)\n", at, client, q.name, q.name, q.kind)
		}
	}
	return b.Bytes()
}

// BenchmarkQueryLog reads lines, without a journal.
func BenchmarkQueryLog(b *testing.B) {
	text := manyLines(20000)
	b.SetBytes(int64(len(text)))
	i := &Import{Format: BINDQueryLog, TimeZone: berlin(b)}
	for b.Loop() {
		s := i.newSource(&content{}, newReader(bytes.NewReader(text)), true)
		var q question
		for {
			what, err := s.next(&q)
			if err == io.EOF {
				break
			}
			if what != isQuestion || err != nil {
				b.Fatal(what, err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/40000, "ns/line")
}

// BenchmarkImport imports a file into a new journal; BenchmarkSeal of the journal is the
// same without reading a file.
func BenchmarkImport(b *testing.B) {
	text := manyLines(200000)
	path := b.TempDir() + "/queries.log"
	writeFile(b, path, text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		i := newImport(b, path)
		if r, err := i.Run(b.Context()); err != nil || r.Events != 400000 {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/400000, "ns/event")
}
