package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// TestRowWriter reads with the Parquet library what was written: texts that
// repeat, that are all different, that are too large for a dictionary, and empty
// ones, in several row groups.
func TestRowWriter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	rows := make([]eventrow.Row, rowGroupRows+pageRows+77)
	for i := range rows {
		rows[i] = eventrow.Row{
			Seq: int64(i + 1), TS: rng.Int64() - rng.Int64(), ServerID: "ns1", Zone: "_spf.example.net", Kind: []string{"exists", "exp"}[i%2],
			ClientIP: fmt.Sprint("192.0.2.", rng.IntN(256)), ForgedDomain: fmt.Sprintf("brand-%d.example", rng.IntN(1000)),
			Resolver: fmt.Sprintf("2001:db8::%x", rng.IntN(1<<20)), ResolverPort: int32(rng.IntN(1 << 16)), Transport: "udp",
			Recipients: int32(i / pageRows % 3), Duration: int64(max(i-pageRows-5, 0) % (3 * pageRows)),
			Qtype: int32(rng.IntN(1 << rng.IntN(16))), SourceVerified: rng.IntN(3) == 0, Attempt: i > pageRows,
			RawName: strings.Repeat("a", rng.IntN(250)) + fmt.Sprint(i),
		}
		if i > pageRows+5 {
			rows[i].Transport = "tcp"
		}
		if i%2 == 1 {
			rows[i].SenderLocal, rows[i].HELO = fmt.Sprint("user", rng.IntN(100)), fmt.Sprintf("%0*d", 20+rng.IntN(40), i)
			rows[i].SenderDomain = strings.Repeat("z", 17) + strings.Repeat("~", rng.IntN(300))
		}
	}
	var file bytes.Buffer
	w := newRowWriter(&file)
	for batch := range slices.Chunk(rows, 1000) {
		if err := w.write(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if err := checkAll(file.Bytes()); err != nil {
		t.Error(err)
	}
	got, err := parquet.Read[eventrow.Row](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, rows) {
		t.Error("other rows were read than written")
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.RowGroups()); n != 2 {
		t.Errorf("%d row groups", n)
	}
	first := 0
	for _, g := range f.RowGroups() {
		checkBounds(t, f, g, rows[first:first+int(g.NumRows())])
		first += int(g.NumRows())
	}
}

// checkBounds compares bounds and filter of a row group with its rows.
func checkBounds(t *testing.T, f *parquet.File, g parquet.RowGroup, rows []eventrow.Row) {
	t.Helper()
	for _, c := range eventrow.Columns {
		chunk := g.ColumnChunks()[f.Root().Column(c.Name).Index()].(*parquet.FileColumnChunk)
		compare := chunk.Type().Compare
		value := func(i int) parquet.Value {
			switch c.Kind {
			case parquet.ByteArray:
				return parquet.ByteArrayValue([]byte(c.Text(&rows[i])))
			case parquet.Int32:
				return parquet.Int32Value(c.Int32(&rows[i]))
			case parquet.Boolean:
				return parquet.BooleanValue(c.Bool(&rows[i]))
			}
			return parquet.Int64Value(c.Int64(&rows[i]))
		}
		least, greatest, ok := chunk.Bounds()
		index, err := chunk.ColumnIndex()
		offsets, err2 := chunk.OffsetIndex()
		if !ok || err != nil || err2 != nil {
			t.Fatal(c.Name, ok, err, err2)
		}
		met := [2]bool{}
		page := 0
		for i := range rows {
			v := value(i)
			for page+1 < offsets.NumPages() && offsets.FirstRowIndex(page+1) <= int64(i) {
				page++
			}
			met[0], met[1] = met[0] || compare(v, least) == 0, met[1] || compare(v, greatest) == 0
			if compare(v, least) < 0 || compare(v, greatest) > 0 || compare(v, index.MinValue(page)) < 0 || compare(v, index.MaxValue(page)) > 0 {
				t.Fatalf("%s: row %d, %v, is out of bounds", c.Name, i, v)
			}
		}
		if met != [2]bool{true, true} {
			t.Errorf("%s: the bounds %v and %v are no values", c.Name, least, greatest)
		}
	}
	filter := g.ColumnChunks()[f.Root().Column(eventrow.ClientIP.Name).Index()].BloomFilter()
	for i := range rows {
		if found, err := filter.Check(parquet.ByteArrayValue([]byte(rows[i].ClientIP))); err != nil || !found {
			t.Fatalf("%s is not in the filter: %v", rows[i].ClientIP, err)
		}
	}
	absent := 0
	for i := range 1000 {
		if found, _ := filter.Check(parquet.ByteArrayValue(fmt.Append(nil, "198.51.100.", i))); found {
			absent++
		}
	}
	if absent > 50 {
		t.Errorf("the filter has %d of 1000 addresses that are absent", absent)
	}
}

// TestDictionaryAgain: after files without dictionary, of few rows or of HELO names that
// are all different, one of names that repeat has a dictionary in each row group, and
// one of different names has none.
func TestDictionaryAgain(t *testing.T) {
	write := func(n, helos int) (dictionaries []bool) {
		var file bytes.Buffer
		w := newRowWriter(&file)
		rows := make([]eventrow.Row, n)
		for i := range rows {
			rows[i] = eventrow.Row{Seq: int64(i + 1), HELO: fmt.Sprintf("mail-%d.example.net", i%helos)}
		}
		if err := w.write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		got, err := parquet.Read[eventrow.Row](bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil || !slices.Equal(got, rows) {
			t.Fatalf("%d rows were read, %v", len(got), err)
		}
		for _, g := range w.meta.RowGroups {
			for _, c := range g.Columns {
				if c.MetaData.PathInSchema[0] == eventrow.HELO.Name {
					dictionaries = append(dictionaries, c.MetaData.DictionaryPageOffset > 0)
				}
			}
		}
		return dictionaries
	}
	for _, tt := range []struct {
		rows, helos int
		want        []bool
	}{
		{3, 3, []bool{false}},
		{rowGroupRows + 9000, 100, []bool{true, true}},
		{rowGroupRows, rowGroupRows / 2, []bool{false}},
		{rowGroupRows + 9, 1 << 30, []bool{false, false}},
		{rowGroupRows + 9000, 100, []bool{true, true}},
	} {
		if got := write(tt.rows, tt.helos); !slices.Equal(got, tt.want) {
			t.Errorf("%d rows, %d HELO names: dictionaries %v, want %v", tt.rows, tt.helos, got, tt.want)
		}
	}
}

func TestUpperBound(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"short":                   "short",
		"0123456789abcdefg":       "0123456789abcdeg",
		"0123456789abcde~~":       "0123456789abcdf",
		strings.Repeat("~", 17):   strings.Repeat("~", 17),
		strings.Repeat("\xff", 9): strings.Repeat("\xff", 9),
	} {
		if got := string(upperBound([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
