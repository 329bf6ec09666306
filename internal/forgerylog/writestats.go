package forgerylog

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
)

// WriteStats writes what directories hold.
func WriteStats(w io.Writer, f Format, list []JournalStats) error {
	switch f {
	case JSON:
		return statsJSON(w, list)
	case CSV:
		return statsCSV(w, list)
	}
	var b strings.Builder
	for i := range list {
		list[i].describe(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *JournalStats) describe(b *strings.Builder) {
	row := func(key, value string) { fmt.Fprintf(b, "  %-12s %s\n", key, value) }
	fmt.Fprintln(b, printable(s.Dir))
	row("server", cmp.Or(eventrow.Shown(s.Server), "unknown"))
	row("events", fmt.Sprintf("%d, %s among them", s.Events, number(s.Attempts, "attempt")))
	if s.Events > 0 {
		row("first", formatTime(s.First, eventrow.TableTime))
		row("last", formatTime(s.Last, eventrow.TableTime))
	}
	row("sealed", fmt.Sprintf("%d in %s of %s", s.Sealed, number(uint64(s.Segments), "segment"), size(s.SegmentBytes)))
	row("not sealed", fmt.Sprintf("%d in files of %s", s.Unsealed, size(s.WALBytes)))
	row("expired", strconv.FormatUint(s.Expired, 10))
	row("lost", byReason(s.lost()))
	row("gaps", byReason(s.Gaps))
}

// lost gives the lost events by the names of reasons, without those of which
// there are none.
func (s *JournalStats) lost() map[string]uint64 {
	m := make(map[string]uint64)
	for _, reason := range journal.Reasons {
		if n := s.Lost[reason]; n > 0 {
			m[reason.String()] = n
		}
	}
	return m
}

// byReason is "0", or "15: damaged 11, restart 4".
func byReason(m map[string]uint64) string {
	if len(m) == 0 {
		return "0"
	}
	total := uint64(0)
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		total += m[reason]
		parts = append(parts, fmt.Sprintf("%s %d", eventrow.Shown(reason), m[reason]))
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(parts, ", "))
}

// size is a size for people.
func size(n int64) string {
	size, unit := float64(n), ""
	for _, unit = range []string{"B", "kB", "MB", "GB", "TB"} {
		if size < 1000 {
			break
		}
		if unit != "TB" {
			size /= 1000
		}
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// WriteCompaction tells what became of the segments of a directory.
func WriteCompaction(w io.Writer, dir string, c journal.Compaction) error {
	anonymised := ""
	if c.Anonymised > 0 {
		anonymised = fmt.Sprintf(", %d of them without addresses and local parts now", c.Anonymised)
	}
	_, err := fmt.Fprintf(w, "%s: %s of %s, now %s of %s%s; %d written anew, %d given a summary\n", eventrow.Shown(dir),
		number(uint64(c.Before.Segments), "segment"), size(c.Before.Bytes), number(uint64(c.After.Segments), "segment"), size(c.After.Bytes), anonymised,
		c.Rewritten, c.Summaries)
	return err
}

type journalJSON struct {
	Dir          string            `json:"folder"`
	Server       string            `json:"server"`
	Events       uint64            `json:"events"`
	Attempts     uint64            `json:"attempts"`
	First        string            `json:"first,omitempty"`
	Last         string            `json:"last,omitempty"`
	Sealed       uint64            `json:"sealed"`
	Segments     int               `json:"segments"`
	SegmentBytes int64             `json:"segment_bytes"`
	Unsealed     uint64            `json:"unsealed"`
	WALBytes     int64             `json:"wal_bytes"`
	Expired      uint64            `json:"expired"`
	Lost         map[string]uint64 `json:"lost"`
	Gaps         map[string]uint64 `json:"gaps"`
}

func (s *JournalStats) fields() journalJSON {
	j := journalJSON{
		Dir: printable(s.Dir), Server: eventrow.Shown(s.Server), Events: s.Events, Attempts: s.Attempts,
		Sealed: s.Sealed, Segments: s.Segments, SegmentBytes: s.SegmentBytes,
		Unsealed: s.Unsealed, WALBytes: s.WALBytes, Expired: s.Expired, Lost: s.lost(), Gaps: make(map[string]uint64),
	}
	for reason, n := range s.Gaps {
		j.Gaps[eventrow.Shown(reason)] += n
	}
	if s.Events > 0 {
		j.First, j.Last = formatTime(s.First, eventrow.ExactTime), formatTime(s.Last, eventrow.ExactTime)
	}
	return j
}

func statsJSON(w io.Writer, list []JournalStats) error {
	directories := make([]journalJSON, len(list))
	for i := range list {
		directories[i] = list[i].fields()
	}
	return document(w, struct {
		Journals []journalJSON `json:"folders"`
	}{directories})
}

// statsCSV writes a line a directory. Gaps and losses are sums.
func statsCSV(w io.Writer, list []JournalStats) error {
	lines := [][]string{{
		"folder", "server", "events", "attempts", "first", "last", "sealed", "segments", "segment_bytes", "unsealed", "wal_bytes",
		"expired", "lost", "gaps",
	}}
	u := func(n uint64) string { return strconv.FormatUint(n, 10) }
	i := func(n int64) string { return strconv.FormatInt(n, 10) }
	for k := range list {
		f := list[k].fields()
		lines = append(lines, []string{
			noFormula(f.Dir), noFormula(f.Server), u(f.Events), u(f.Attempts), f.First, f.Last, u(f.Sealed), i(int64(f.Segments)), i(f.SegmentBytes),
			u(f.Unsealed), i(f.WALBytes), u(f.Expired), u(total(f.Lost)), u(total(f.Gaps)),
		})
	}
	return csv.NewWriter(w).WriteAll(lines)
}

func total(m map[string]uint64) uint64 {
	n := uint64(0)
	for _, v := range m {
		n += v
	}
	return n
}

// WriteReport writes what a check of directories found.
func WriteReport(w io.Writer, list []JournalReport) error {
	var b strings.Builder
	for _, r := range list {
		dir := printable(r.Dir)
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "%s: problem: %s\n", dir, printable(p.String()))
		}
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "%s: note: %s\n", dir, printable(n.String()))
		}
		for _, g := range r.Gaps {
			fmt.Fprintf(&b, "%s: gap: %s from %d on without events: %s\n", dir, number(g.Last-g.First+1, "number"), g.First, eventrow.Shown(g.Reason))
		}
		verdict := "no problem"
		if n := len(r.Problems); n > 0 {
			verdict = number(uint64(n), "problem")
		}
		fmt.Fprintf(&b, "%s: %s in %s, %s in %s not sealed; %s\n", dir,
			number(r.Sealed, "event"), number(uint64(r.Segments), "segment"),
			number(r.Unsealed, "event"), number(uint64(r.WALFiles), "file"), verdict)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
