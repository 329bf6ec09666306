package tally

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// pageRows are rows of all kinds and encodings of columns: few texts and many, long ones, runs.
func pageRows(rng *rand.Rand, n int) []eventrow.Row {
	rows := make([]eventrow.Row, n)
	for i := range rows {
		rows[i] = eventrow.Row{
			Seq: int64(i) + 1, TS: rng.Int64() - rng.Int64(), ServerID: "ns1.example.net", Kind: []string{"exp", "exists"}[i/100%2],
			ClientIP: fmt.Sprintf("192.0.2.%d", rng.IntN(1+i/8)), HELO: clientTexts[rng.IntN(len(clientTexts))],
			SenderLocal: strings.Repeat("x", rng.IntN(40)), ResolverPort: rng.Int32() - rng.Int32(), Qtype: rng.Int32N(1 << rng.IntN(16)),
			SourceVerified: rng.IntN(50) == 0, Attempt: rng.IntN(2) == 0, Duration: rng.Int64N(1 << rng.IntN(60)),
		}
	}
	return rows
}

// plainRow has columns whose encodings old segments have.
type plainRow struct {
	Seq      int64  `parquet:"seq"`
	HELO     string `parquet:"helo"`
	Sender   string `parquet:"sender_local,delta"`
	Qtype    int32  `parquet:"qtype"`
	ClientIP string `parquet:"client_ip,dict"`
	Attempt  bool   `parquet:"attempt"`
}

// TestPages compares what a Column reads at rising rows with what was written: pages of both versions,
// with compression and without it, and chunks of which only some pages are read.
func TestPages(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 5))
	rows := pageRows(rng, 6000)
	plain := make([]plainRow, len(rows))
	for i, r := range rows {
		plain[i] = plainRow{r.Seq, r.HELO, r.SenderLocal, r.Qtype, r.ClientIP, r.Attempt}
	}
	for _, options := range [][]parquet.WriterOption{
		{parquet.Compression(&parquet.Zstd)},
		{parquet.Compression(&parquet.Zstd), parquet.DataPageVersion(1), parquet.PageBufferSize(2000)},
		{parquet.Compression(&parquet.Zstd), parquet.PageBufferSize(900), parquet.DataPageStatistics(true)},
		{parquet.PageBufferSize(1500), parquet.MaxRowsPerRowGroup(2500)},
	} {
		var file, old bytes.Buffer
		if err := parquet.Write(&file, rows, options...); err != nil {
			t.Fatal(err)
		}
		if err := parquet.Write(&old, plain, options...); err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{file.Bytes(), old.Bytes()} {
			f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []int{1, 150, 4000} {
				comparePages(t, rng, f, rows, step)
			}
		}
	}
}

// comparePages reads each column of a file at rows that are up to some apart.
func comparePages(t *testing.T, rng *rand.Rand, f *parquet.File, rows []eventrow.Row, apart int) {
	t.Helper()
	for _, g := range f.RowGroups() {
		n := int(g.NumRows())
		for _, column := range eventrow.Columns {
			leaf := f.Root().Column(column.Name)
			if leaf == nil {
				continue
			}
			c := NewColumn(g.ColumnChunks()[leaf.Index()], column, rng.IntN(3) > 0)
			var memory []byte
			for row := rng.IntN(min(apart, n)); row < n; row += 1 + rng.IntN(apart) {
				if next, err := c.Load(int64(row)); err != nil || next <= int64(row) {
					t.Fatalf("%s, row %d: %d, %v", column.Name, row, next, err)
				}
				var got, copied, want eventrow.Row
				c.Set(&got, int64(row))
				memory = c.SetCopy(&copied, int64(row), memory, true)
				if column.Kind == parquet.ByteArray {
					column.SetText(&want, column.Text(&rows[row]))
				} else {
					v := parquet.ValueOf(nil)
					switch column.Kind {
					case parquet.Int64:
						v = parquet.Int64Value(column.Int64(&rows[row]))
					case parquet.Int32:
						v = parquet.Int32Value(column.Int32(&rows[row]))
					case parquet.Boolean:
						v = parquet.BooleanValue(column.Bool(&rows[row]))
					}
					column.Set(&want, v)
				}
				if got != want || copied != want {
					t.Fatalf("%s, row %d: %+v, copied %+v, want %+v", column.Name, row, got, copied, want)
				}
			}
			c.Close()
		}
		rows = rows[n:]
	}
}

// TestPagesHostile: content that says of itself that it has more values than its page is refused
// before memory is taken for them.
func TestPagesHostile(t *testing.T) {
	many := binary.AppendUvarint(nil, 1<<30)
	for name, of := range map[string]func(v *values) error{
		"delta": func(v *values) error {
			return v.decode(parquet.Int64, append(append([]byte{128, 1, 4}, many...), 0), 10, format.DeltaBinaryPacked)
		},
		"lengths": func(v *values) error {
			return v.decode(parquet.ByteArray, append(append([]byte{128, 1, 4}, many...), 0), 10, format.DeltaLengthByteArray)
		},
		"run": func(*values) error {
			return checkNumber(append(append([]byte{1}, many...), 0), 10, format.RLEDictionary)
		},
		"eights": func(*values) error {
			return checkNumber(append([]byte{0}, binary.AppendUvarint(nil, 1<<62+1)...), 10, format.RLEDictionary)
		},
		"cut": func(*values) error { return checkNumber([]byte{8, 3, 0}, 8, format.RLEDictionary) },
		"texts": func(v *values) error {
			return v.decode(parquet.ByteArray, []byte{1, 0, 0, 0, 'a', 255, 255, 255, 255}, 2, format.Plain)
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := of(new(values))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 1<<20 {
			t.Errorf("%s: %v, with %d bytes of memory", name, err, used)
		}
	}
}

// FuzzPages reads columns of files of which bytes were changed: they have the rows that the footer tells,
// or an error, or a panic of those that are expected, and no more memory than values can take.
func FuzzPages(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	var file bytes.Buffer
	if err := parquet.Write(&file, pageRows(rng, 300), parquet.Compression(&parquet.Zstd), parquet.PageBufferSize(2000)); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 9, 255, 1, 200, 3})
	f.Fuzz(func(t *testing.T, changes []byte) {
		b := bytes.Clone(file.Bytes())
		good, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		// Changes are of pages: each of a place and a value.
		for ; len(changes) >= 3; changes = changes[3:] {
			at := int(binary.LittleEndian.Uint16(changes))
			if at < len(b)*3/4 {
				b[at] = changes[2]
			}
		}
		for _, g := range good.RowGroups() {
			for _, column := range eventrow.Columns {
				_ = readColumn(g.ColumnChunks()[good.Root().Column(column.Name).Index()], column, g.NumRows())
			}
		}
	})
}

func readColumn(chunk parquet.ColumnChunk, column *eventrow.Column, n int64) (err error) {
	defer Recover(&err)
	c := NewColumn(chunk, column, true)
	defer c.Close()
	var r eventrow.Row
	for row := range n {
		if _, err := c.Load(row); err != nil {
			return err
		}
		c.Set(&r, row)
		if column.Kind == parquet.ByteArray {
			_, _ = io.Discard.Write([]byte(column.Text(&r)))
		}
	}
	return nil
}

// FuzzValues decodes contents of pages: all values are there, or an error or a panic tells that they
// are not.
func FuzzValues(f *testing.F) {
	encodings := []format.Encoding{format.Plain, format.RLE, format.DeltaBinaryPacked, format.DeltaLengthByteArray, format.RLEDictionary}
	kinds := []parquet.Kind{parquet.ByteArray, parquet.Int64, parquet.Int32, parquet.Boolean}
	f.Add([]byte{1, 0, 0, 0, 'a', 0, 0, 0, 0}, uint16(2), uint8(0), uint8(0))
	f.Add([]byte{128, 1, 4, 3, 2, 2, 0, 0, 0, 0, 'a', 'b', 'c'}, uint16(3), uint8(0), uint8(3))
	f.Add([]byte{128, 1, 4, 3, 2, 2, 1, 0, 0, 0, 1, 0, 0, 0}, uint16(3), uint8(1), uint8(2))
	f.Add([]byte{2, 3, 1, 2, 6, 1}, uint16(11), uint8(2), uint8(4))
	f.Add([]byte{2, 0, 0, 0, 3, 170}, uint16(8), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, n uint16, kind, encoding uint8) {
		k, e := kinds[int(kind)%len(kinds)], encodings[int(encoding)%len(encodings)]
		data = append(make([]byte, 0, len(data)+unpackedRoom), data...)
		var err error
		defer Recover(&err)
		if e == format.RLEDictionary {
			if checkNumber(data, int(n), e) == nil {
				codes, err := parquet.RLEDictionary.DecodeInt32(nil, data)
				if err == nil && len(codes) > int(n)+7 {
					t.Errorf("%d codes, not %d", len(codes), n)
				}
			}
			return
		}
		var v values
		if v.decode(k, data, int(n), e) != nil {
			return
		}
		var r eventrow.Row
		for i := range int64(n) {
			v.set(map[parquet.Kind]*eventrow.Column{
				parquet.ByteArray: eventrow.HELO, parquet.Int64: eventrow.TS, parquet.Int32: eventrow.Qtype, parquet.Boolean: eventrow.Attempt,
			}[k], &r, i)
		}
	})
}
