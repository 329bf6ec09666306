package forgerylog

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nullspf/internal/journal"
)

func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, sealSoon(s), tenChecks()...)
	e := open(s.Dir)
	golden(t, "events.table", render(t, e, Query{}, Table))
	golden(t, "packets.table", render(t, e, Query{Packets: true}, Table))
	golden(t, "events.json", render(t, e, Query{}, JSON))
	golden(t, "events.csv", render(t, e, Query{}, CSV))
	hostile := testSettings(t.TempDir())
	write(t, hostile, hostileChecks()...)
	e = open(hostile.Dir)
	golden(t, "hostile.table", render(t, e, Query{}, Table))
	golden(t, "hostile.json", render(t, e, Query{}, JSON))
	golden(t, "hostile.csv", render(t, e, Query{}, CSV))
}

func TestGoldenCounts(t *testing.T) {
	ranking := &Ranking{
		By: ByHELO, Counted: "attempt", Total: 1000, Unknown: 12, Distinct: 77,
		Ranks: []Rank{{"mail.example.org", 900}, {"=cmd|'\\032/c", 80}, {`\027[2j`, 3}},
	}
	pairs := &Ranking{By: "as,helo", Counted: "attempt", Total: 40, Unknown: 2, Distinct: 9, Ranks: []Rank{
		{"AS64500 Example Net\tmail.example.org", 30}, {"AS64501\t=1+1", 8}, {"=AS\x1b\tx", 1},
	}}
	pairs.AtLeast(2)
	day := int64(24 * time.Hour)
	start := testTime.UnixNano() / day * day
	series := &Series{Per: Day, Total: 133, Buckets: []Bucket{
		{start, 100}, {start + day, 1}, {start + 3*day, 32}, {start + 60*day, 10},
	}}
	for _, f := range Formats {
		for name, write := range map[string]func(*strings.Builder) error{
			"top":      func(b *strings.Builder) error { return WriteRanking(b, f, ranking) },
			"pairs":    func(b *strings.Builder) error { return WriteRanking(b, f, pairs) },
			"empty":    func(b *strings.Builder) error { return WriteRanking(b, f, &Ranking{By: ByIP, Counted: "attempt"}) },
			"timeline": func(b *strings.Builder) error { return WriteSeries(b, f, series, 0) },
			"bars":     func(b *strings.Builder) error { return WriteSeries(b, f, series, 50) },
			"nothing":  func(b *strings.Builder) error { return WriteSeries(b, f, &Series{Per: Hour}, 80) },
			"stats":    func(b *strings.Builder) error { return WriteStats(b, f, testStats()) },
		} {
			var b strings.Builder
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			if name != "bars" || f == Table {
				golden(t, name+"."+string(f), b.String())
			}
			switch f {
			case JSON:
				if !json.Valid([]byte(b.String())) {
					t.Errorf("%s is not JSON", name)
				}
			case CSV:
				if _, err := csv.NewReader(strings.NewReader(b.String())).ReadAll(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

func testStats() []JournalStats {
	full := JournalStats{
		Dir: "var/ns1", Server: "ns1.example.net", Events: 12345, Attempts: 6000, Sealed: 12000, Unsealed: 345,
		First: testTime.UnixNano(), Last: testTime.Add(time.Hour).UnixNano(), Segments: 3, SegmentBytes: 456789, WALBytes: 9999,
		Expired: 7, Gaps: map[string]uint64{"restart": 40, "damaged": 2},
	}
	full.Lost[journal.LostRingFull], full.Lost[journal.LostDiskFull] = 5, 1
	return []JournalStats{full, {Dir: "=var/\x1b[2J;ns2", Server: "", Gaps: map[string]uint64{}}}
}

func TestWriteReport(t *testing.T) {
	var b strings.Builder
	err := WriteReport(&b, []JournalReport{
		{"var/ns1", &journal.Report{Segments: 1, Sealed: 12, WALFiles: 2, Unsealed: 1}},
		{"var/ns2", &journal.Report{
			Problems: []journal.Problem{{Path: "seg/x", Text: "its SHA-256 sum is not that of MANIFEST"}},
			Notes:    []journal.Problem{{Path: "journal/\x1b]0;x\x07", Text: "does not belong to the journal"}},
			Gaps:     []journal.Gap{{First: 5, Last: 9, Reason: journal.GapRestart}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "check.txt", b.String())
}

// TestWideTable has texts longer than a column, and more rows than a block.
func TestWideTable(t *testing.T) {
	var b strings.Builder
	w := newTableWriter(&b, "A", "B", "C")
	w.right[1] = true
	long := strings.Repeat("x", 3*maxWidth)
	for i := range 2*tableBlock + 5 {
		first := "a"
		if i == 7 {
			first = long
		}
		if err := w.add(first, "1", "c"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2*tableBlock+6 || strings.Count(b.String(), "A ") != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	if lines[8] != long+"  1  c" || len(lines[1]) != maxWidth+len("  1  c") || len(lines[len(lines)-1]) != len(lines[1]) {
		t.Errorf("%q\n%q", lines[1], lines[8])
	}
}

// TestExtremeSeries has the first and the last time that there is.
func TestExtremeSeries(t *testing.T) {
	unit := int64(time.Minute)
	series := &Series{Per: Minute, Total: 2, Buckets: []Bucket{{floor(-1<<63+unit, unit), 1}, {floor(1<<63-1, unit), 1}}}
	for _, f := range Formats {
		var b strings.Builder
		if err := WriteSeries(&b, f, series, 80); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(b.String(), "\n"); lines > 20 {
			t.Errorf("%s: %d lines", f, lines)
		}
	}
}
