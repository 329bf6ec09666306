package tally

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

// clientTexts are texts of rows; those that are not printable no segment has.
var clientTexts = []string{"", "a", "mail.example.org", "\x00", "\x04x", "\x05", "a\x01b", "[192.0.2.7]", strings.Repeat("long", 200)}

// TestClients compares the rows of clients with those of the segment: all columns and some,
// of clients that span blocks, and of those that have no whole rows.
func TestClients(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 11))
	byClient := make(map[string][]eventrow.Row)
	var rows []eventrow.Row
	for seq := range 9000 {
		r := eventrow.Row{
			Seq: int64(seq), TS: rng.Int64() - rng.Int64(), ClientIP: fmt.Sprintf("192.0.2.%d", int(rng.ExpFloat64()*400)),
			Kind: "exp", Attempt: rng.IntN(3) > 0, ResolverPort: rng.Int32() - rng.Int32(), Qtype: 16, SourceVerified: rng.IntN(9) == 0,
			HELO: clientTexts[rng.IntN(len(clientTexts))], SenderLocal: clientTexts[rng.IntN(len(clientTexts))],
			ForgedDomain: clientTexts[rng.IntN(len(clientTexts))], SenderDomain: clientTexts[rng.IntN(len(clientTexts))],
		}
		switch rng.IntN(5) {
		case 0:
			r.ClientIP = "203.0.113.1"
		case 1:
			r.SenderDomain = r.ForgedDomain
			r.RawName = r.HELO + ".HE." + r.SenderLocal + ".LP." + r.ClientIP + ".in-addr.CL." + r.ForgedDomain + ".FD.2"
		case 2, 3:
			r.RawName = clientTexts[rng.IntN(len(clientTexts))]
		}
		rows = append(rows, r)
		if r.Attempt {
			byClient[r.ClientIP] = append(byClient[r.ClientIP], r)
		}
	}
	var file, out bytes.Buffer
	if err := parquet.Write(&file, rows, parquet.MaxRowsPerRowGroup(2500)); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	id := Identity{SHA256: strings.Repeat("0b", 32), Bytes: int64(file.Len()), Rows: uint64(len(rows))}
	if err := Build(&out, id, bytes.NewReader(file.Bytes()), f); err != nil {
		t.Fatal(err)
	}
	s, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(bytes.NewReader(file.Bytes())); err != nil {
		t.Error(err)
	}
	packets := make(map[string]uint64)
	for i := range rows {
		packets[rows[i].ClientIP]++
	}
	runs, total, err := s.Packets()
	if err != nil || total != uint64(len(rows)) {
		t.Errorf("%d packets: %v", total, err)
	}
	err = Merge(again(runs), func(text string, n uint64) error {
		if packets[text] != n {
			t.Errorf("%s has %d packets, want %d", text, n, packets[text])
		}
		delete(packets, text)
		return nil
	})
	if err != nil || len(packets) > 0 || s.alone.total == 0 {
		t.Errorf("%v; %v are missing, %d alone", err, packets, s.alone.total)
	}
	whole := 0
	for client, want := range byClient {
		places, ok := s.RowsOf(client)
		if !ok || !slices.EqualFunc(places, want, func(row int32, r eventrow.Row) bool { return int64(row) == r.Seq }) {
			t.Errorf("%s is in the rows %v, %v", client, places, ok)
		}
		found := s.Client(client, everyColumn)
		if found == nil {
			continue
		}
		whole += len(want)
		if got := rowsOf(t, found); !slices.Equal(got, want) {
			t.Errorf("of %s there are\n%v, want\n%v", client, got, want)
		}
		if len(want) < 5 {
			continue
		}
		some := rowsOf(t, s.Client(client, func(c *eventrow.Column) bool { return c == eventrow.TS || c == eventrow.RawName }))
		for i := range some {
			if some[i].TS != want[i].TS || some[i].RawName != want[i].RawName || some[i].ResolverPort != 0 {
				t.Fatalf("some columns: %v, want %v", some[i], want[i])
			}
		}
	}
	if busy := len(byClient["203.0.113.1"]); busy < 2*blockRows || whole < busy || uint64(whole) != s.clients.total {
		t.Errorf("the busiest client has %d rows, %d clients have %d, %d are told", busy, len(byClient), whole, s.clients.total)
	}
	if whole == len(rows) {
		t.Error("each client has whole rows")
	}
	if rows, ok := s.RowsOf("198.51.100.1"); len(rows) > 0 || !ok {
		t.Error("a client that is not there has places")
	}
	if s.Client("198.51.100.1", everyColumn) != nil {
		t.Error("a client that is not there has rows")
	}
}

func rowsOf(t *testing.T, r *ClientRows) (list []eventrow.Row) {
	t.Helper()
	err := r.Each(func(row *eventrow.Row) error {
		list = append(list, row.Clone())
		return nil
	})
	if err != nil || len(list) != r.Len() {
		t.Fatalf("%d of %d rows: %v", len(list), r.Len(), err)
	}
	return list
}

// FuzzClientBlock reads blocks of rows that nobody wrote. The judge is the writer: what was read
// is the same when it is written and read again.
func FuzzClientBlock(f *testing.F) {
	values := columnValues{column: eventrow.HELO, texts: []string{"a", "b", "a"}}
	helo := values.encode(0, 3)
	values = columnValues{column: eventrow.TS, numbers: []int64{-5, 1 << 60, 7}}
	raw := []byte("\x02\x01x\x02\x01y\x01\x0a")
	for _, column := range [][]byte{values.encode(0, 3), {}, {}, {}, {}, {}, {}, {}, {}, helo} {
		raw = append(append(raw, byte(len(column))), column...)
	}
	f.Add(raw, "x")
	f.Fuzz(func(t *testing.T, raw []byte, client string) {
		b, err := parseClientBlock(raw)
		if err != nil {
			return
		}
		for _, rows := range []rowRange{{0, b.rows}, b.rowsOf(client)} {
			part, err := b.part(rows, everyColumn)
			if err != nil {
				continue
			}
			list := rowsOf(t, &ClientRows{client, []clientPart{part}})
			for _, c := range eventrow.Columns {
				if derivedOf(c) != nil || c == eventrow.ClientIP || len(list) == 0 {
					continue
				}
				v := columnValues{column: c, rows: len(list), texts: make([]string, len(list)), numbers: make([]int64, len(list))}
				for i := range list {
					v.set(i, &list[i], nil)
				}
				again := columnPart{column: c}
				encoded := v.encode(0, len(list))
				if len(encoded) == 0 {
					continue
				}
				if err := again.parse(encoded, rowRange{0, len(list)}, len(list)); err != nil {
					t.Fatal(err)
				}
				for i := range list {
					row := list[i]
					if again.set(&row, i); row != list[i] {
						t.Fatalf("%s: %v is read as %v", c.Name, list[i], row)
					}
				}
			}
		}
	})
}
