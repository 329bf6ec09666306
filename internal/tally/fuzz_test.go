package tally

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"nullspf/internal/eventrow"
)

// summaryOf makes the parts of a summary whose fields have some texts, with a segment
// of 100,000 bytes.
func summaryOf(tb testing.TB, texts int) (blocks, contents []byte) {
	tb.Helper()
	var out bytes.Buffer
	s := &Summary{Identity: Identity{SHA256: strings.Repeat("0a", 32), Bytes: 100_000, Rows: 1 << 30}, sums: []uint64{1, 2}}
	for i := range s.fields {
		w := &blockWriter{w: &out, offset: int64(out.Len())}
		f := section{offset: w.offset}
		for n := range texts {
			if err := w.add(fmt.Sprintf("192.0.%d.%08d", i, n), uint64(countOf(n))); err != nil {
				tb.Fatal(err)
			}
			f.total += uint64(countOf(n))
		}
		if err := w.flush(); err != nil {
			tb.Fatal(err)
		}
		f.blocks, f.length = w.blocks, w.offset-f.offset
		s.fields[i] = f
	}
	s.places = section{offset: int64(out.Len())}
	places := &placesWriter{width: bits.Len64(s.Rows), none: s.Rows, w: &out, out: &s.places}
	clients := &clientsWriter{}
	for n := range texts {
		var rows []attemptRow
		for i := range countOf(n) {
			rows = append(rows, attemptRow{row: int32(n + i)})
		}
		client := fmt.Sprintf("192.0.0.%08d", n)
		if err := places.add(max(after(s.fields[IPs].blocks, client)-1, 0), rows, countOf(n)); err != nil {
			tb.Fatal(err)
		}
		if n%9 > 6 || n == 690 {
			clients.add(client, rows)
		}
	}
	if err := places.end(len(s.fields[IPs].blocks)); err != nil {
		tb.Fatal(err)
	}
	s.further.offset = int64(out.Len())
	further := &furtherWriter{w: &out, out: &s.further}
	for i := range s.fields[IPs].blocks {
		for n := range texts {
			if after(s.fields[IPs].blocks, fmt.Sprintf("192.0.0.%08d", n)) == i+1 {
				further.raw = binary.AppendUvarint(further.raw, uint64(n%3))
				s.further.total += uint64(n % 3)
			}
		}
		if err := further.flush(); err != nil {
			tb.Fatal(err)
		}
	}
	s.alone.offset = int64(out.Len())
	clients.out, clients.w = &s.clients, &out
	s.clients.offset = int64(out.Len())
	if err := clients.write(); err != nil {
		tb.Fatal(err)
	}
	s.Attempts = s.fields[0].total
	s.minutes = []Minute{{-5, 0}, {27_000_000, s.Attempts}}
	return out.Bytes(), s.appendContents(nil)
}

// countOf is how often a text of a summary occurs.
func countOf(n int) int {
	if n == 690 {
		return 700
	}
	return n%9 + 1
}

// assemble makes the file of the present version, with the right sum of the contents.
func assemble(blocks, contents []byte) []byte {
	b := slices.Concat(blocks, contents)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(contents)))
	b = binary.LittleEndian.AppendUint64(b, xxhash.Sum64(contents))
	return append(b, summaryMagic...)
}

// readAll uses every method of a summary, and returns what is wrong with its counts.
func readAll(s *Summary) error {
	s.Lacks(Nets, "192.0.2.0/24")
	var runs []Run
	for field := range fields {
		s.Count(field, "192.0.0.00000007")
		run, _, err := s.Run(field)
		if err != nil {
			return err
		}
		if _, err := run.sample(10); err != nil {
			return err
		}
		runs = append(runs, run.From("192.0.1"), run)
	}
	if err := Merge(runs, func(string, uint64) error { return nil }); err != nil {
		return err
	}
	for field := range fields {
		run, total, err := s.Run(field)
		if err != nil {
			return err
		}
		if err := checkRun(run, total); err != nil {
			return err
		}
	}
	if _, err := s.Minutes(); err != nil {
		return err
	}
	if err := s.loadSums(); err != nil {
		return err
	}
	s.RowsOf("192.0.0.00000007")
	if rows := s.Client("192.0.0.00000007", everyColumn); rows != nil {
		if err := rows.Each(func(*eventrow.Row) error { return nil }); err != nil {
			return err
		}
	}
	return s.checkRows()
}

func everyColumn(*eventrow.Column) bool { return true }

// TestSummaryRoundTrip: what summaryOf makes is whole, and the sums matter.
func TestSummaryRoundTrip(t *testing.T) {
	blocks, contents := summaryOf(t, 5000)
	file := assemble(blocks, contents)
	id := Identity{SHA256: strings.Repeat("0a", 32), Bytes: 100_000, Rows: 1 << 30}
	s, err := Open(bytes.NewReader(file), int64(len(file)), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := readAll(s); err != nil {
		t.Error(err)
	}
	if n, ok := s.Count(Senders, "192.0.2.00000007"); n != 8 || !ok {
		t.Errorf("a text occurs %d times, want 8 (%v)", n, ok)
	}
	rows := s.Client("192.0.0.00000690", everyColumn)
	if rows == nil || rows.Len() != 700 || len(rows.parts) < 2 {
		t.Errorf("a client has the rows %v", rows)
	}
	if rows, ok := s.RowsOf("192.0.0.00004321"); !ok || len(rows) != countOf(4321) || rows[0] != 4321 {
		t.Errorf("%d attempts of a client are placed, %v", len(rows), ok)
	}
	file[10]++
	if s, err = Open(bytes.NewReader(file), int64(len(file)), id); err != nil {
		t.Fatal(err)
	}
	if readAll(s) == nil {
		t.Error("a damaged block was read")
	}
}

// FuzzSummary opens summaries that nobody wrote. Their sums are put right, so that
// what is behind them is reached.
func FuzzSummary(f *testing.F) {
	for _, n := range []int{0, 3, 5000} {
		blocks, contents := summaryOf(f, n)
		f.Add(blocks, contents)
	}
	f.Fuzz(func(t *testing.T, blocks, contents []byte) {
		told := new(Summary)
		told.parse(&parser{b: contents}, int64(len(blocks)))
		file := assemble(blocks, contents)
		s, err := Open(bytes.NewReader(file), int64(len(file)), told.Identity)
		if err != nil {
			return
		}
		for _, section := range s.sections() {
			list, err := s.blocksOf(section)
			if err != nil {
				t.Fatal(err)
			}
			for j := range list {
				k := &list[j]
				k.sum = xxhash.Sum64(file[k.offset : k.offset+int64(k.size)])
			}
		}
		_ = readAll(s)
		_ = s.Check(strings.NewReader(strings.Repeat("x", int(min(s.Bytes, 1<<20)))))
	})
}

// FuzzBlock reads blocks that nobody wrote. The judge is the writer: texts that rise
// are read as they were when they are written again.
func FuzzBlock(f *testing.F) {
	for _, n := range []int{1, 300} {
		w := &blockWriter{w: new(bytes.Buffer)}
		for i := range n {
			if err := w.add(fmt.Sprintf("text-%04d", i), 1); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(slices.Clone(w.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		type counted struct {
			text string
			n    uint64
		}
		read := func(r *blockRun) (list []counted, err error) {
			for {
				more, err := r.Next()
				if err != nil || !more {
					return list, err
				}
				list = append(list, counted{strings.Clone(r.Text()), r.Count()})
			}
		}
		if len(raw) > maxBlock {
			return
		}
		e, err := encoder()
		if err != nil {
			t.Fatal(err)
		}
		packed := e.EncodeAll(raw, nil)
		list, err := read(newBlockRun(bytes.NewReader(packed), []block{{0, len(packed), len(raw), xxhash.Sum64(packed), ""}}))
		rises := slices.IsSortedFunc(list, func(a, b counted) int { return strings.Compare(a.text, b.text) })
		if err != nil || !rises || slices.ContainsFunc(list, func(c counted) bool { return len(c.text) > maxText }) {
			return
		}
		var out bytes.Buffer
		w := &blockWriter{w: &out}
		for _, c := range list {
			if err := w.add(c.text, c.n); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		again, err := read(newBlockRun(bytes.NewReader(out.Bytes()), w.blocks))
		if err != nil || !slices.Equal(list, again) {
			t.Errorf("%v is read as %v, %v", list, again, err)
		}
	})
}
