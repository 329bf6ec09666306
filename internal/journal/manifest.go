package journal

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Manifest says what the segments of a directory hold. Its file, MANIFEST, is
// text with tabs between fields, replaced as a whole:
//
//	nullspf-manifest	2
//	server	ns1.example.net
//	next	301
//	clock	86400	1763596800
//	expired	100	5120	100
//	lost	ring_full	3
//	gap	150	160	damaged
//	segment	seg/date=2025-11-20/00000000000000000101-00000000000000000300.parquet	101	300	1763596800000000000	1763596860000000000	189	9731	<SHA-256>	86400
//	end	<CRC-32C of all before>
//
// Version 1 had the same lines. Later versions are refused; so did nullspfd of
// version 1, which reads neither packed wal files nor segments with an edition. While a
// segment is anonymous the version is 3, and else 2, which does not know such.
//
// A segment line gives path, first and last sequence number, least and
// greatest time in nanoseconds, rows, bytes, SHA-256 of the file and the age
// of the directory, in seconds, when its events were sealed. Every sequence
// number below next is in a segment, in a gap, or expired.
type Manifest struct {
	Server string
	// old: it was read from a file of version 1.
	old bool
	// Next is the first sequence number that is not sealed. Events before it
	// in wal files are not to be read.
	Next uint64
	// Age of the directory in seconds, as retention sees it; Wall is what the
	// clock said then, seconds since 1970-01-01 UTC.
	Age, Wall int64
	// Expired and ExpiredBytes count what was removed for age or size, all of
	// it up to ExpiredLast.
	Expired      uint64
	ExpiredBytes uint64
	ExpiredLast  uint64
	// Lost counts the lost events of all runs, as known at the last sealing.
	Lost Lost
	// Gaps are the sequence numbers without event, in order.
	Gaps []Gap
	// Segments are in order of their sequence numbers and do not overlap.
	Segments []Segment
}

// Gap is a range of sequence numbers without event.
type Gap struct {
	First, Last uint64
	// Reason is one of the Gap constants.
	Reason string
}

// The reasons of gaps.
const (
	// GapRestart: reserved by a run that ended without closing its file; also
	// events that were not on disk yet when power failed.
	GapRestart = "restart"
	// GapDamaged: in blocks that could not be read.
	GapDamaged = "damaged"
	// GapMissing: in a wal file that was taken away.
	GapMissing = "missing"
	// GapExpired: removed for size before they were sealed.
	GapExpired = "expired"
)

// String is the range, such as "5 to 9".
func (g Gap) String() string {
	if g.First == g.Last {
		return strconv.FormatUint(g.First, 10)
	}
	return fmt.Sprintf("%d to %d", g.First, g.Last)
}

// gapText lists the ranges of gaps, "" for none.
func gapText(gaps []Gap) string {
	texts := make([]string, len(gaps))
	for i, g := range gaps {
		texts[i] = g.String()
	}
	return strings.Join(texts, ", ")
}

// Segment is an immutable file of sealed events.
type Segment struct {
	// Date is the UTC day of the first event, YYYY-MM-DD.
	Date        string
	First, Last uint64
	// Edition is how often the file was written anew with the same events: its name
	// tells, so that readers never meet another content than MANIFEST says.
	Edition int
	// Anonymous: addresses and local parts have been taken out of the events; see
	// pseudonyms. The name tells it, too.
	Anonymous bool
	// MinTime and MaxTime are nanoseconds since 1970-01-01 UTC.
	MinTime, MaxTime int64
	Rows             uint64
	Bytes            int64
	// SHA256 of the file in hexadecimal digits.
	SHA256 string
	// Age of the directory in seconds when the newest of its events was sealed.
	Age int64
}

// clone copies a manifest so that it can be changed.
func (m *Manifest) clone() *Manifest {
	c := *m
	c.Gaps = slices.Clone(m.Gaps)
	c.Segments = slices.Clone(m.Segments)
	return &c
}

// addGap notes that the numbers from first to last hold no event.
func (m *Manifest) addGap(first, last uint64, reason string) {
	if first > last {
		return
	}
	if n := len(m.Gaps); n > 0 && m.Gaps[n-1].Last+1 == first && m.Gaps[n-1].Reason == reason {
		m.Gaps[n-1].Last = last
		return
	}
	m.Gaps = append(m.Gaps, Gap{first, last, reason})
}

// addSegments inserts segments in order.
func (m *Manifest) addSegments(segments ...Segment) {
	m.Segments = append(m.Segments, segments...)
	slices.SortFunc(m.Segments, func(a, b Segment) int { return cmp.Compare(a.First, b.First) })
}

// expire notes that nothing up to last is kept any more.
func (m *Manifest) expire(last uint64, rows uint64, bytes int64) {
	m.Expired += rows
	m.ExpiredBytes += uint64(bytes)
	m.ExpiredLast = max(m.ExpiredLast, last)
	for len(m.Gaps) > 0 && m.Gaps[0].Last <= m.ExpiredLast {
		m.Gaps = m.Gaps[1:]
	}
}

// holes is how many sequence numbers from first to last lie in gaps.
func (m *Manifest) holes(first, last uint64) uint64 {
	n := uint64(0)
	i, _ := slices.BinarySearchFunc(m.Gaps, first, func(g Gap, f uint64) int { return cmp.Compare(g.Last, f) })
	for ; i < len(m.Gaps) && m.Gaps[i].First <= last; i++ {
		n += min(m.Gaps[i].Last, last) - max(m.Gaps[i].First, first) + 1
	}
	return n
}

// lost reports whether any number from first to last belongs to an event that is
// known to have been, and is in no segment.
func (m *Manifest) lost(first, last uint64) bool {
	return slices.ContainsFunc(m.Gaps, func(g Gap) bool {
		return g.First <= last && g.Last >= first && g.Reason != GapRestart
	})
}

// valid tells what contradicts itself.
func (m *Manifest) valid() error {
	if m.Next == 0 {
		return fmt.Errorf("no line next")
	}
	last := m.ExpiredLast
	if last >= m.Next {
		return fmt.Errorf("expired up to %d, but next is %d", last, m.Next)
	}
	for _, g := range m.Gaps {
		if g.First == 0 || g.First > g.Last || g.Last >= m.Next || g.Last <= last {
			return fmt.Errorf("gap %d to %d is out of order", g.First, g.Last)
		}
		last = g.Last
	}
	last = m.ExpiredLast
	for i := range m.Segments {
		s := &m.Segments[i]
		switch {
		case s.First <= last || s.First > s.Last || s.Last >= m.Next:
			return fmt.Errorf("segment %d to %d is out of order", s.First, s.Last)
		case s.Rows == 0 || s.Rows > s.Last-s.First+1 || s.Rows > math.MaxInt64 || s.Bytes <= 0 || s.MinTime > s.MaxTime:
			return fmt.Errorf("segment %d to %d contradicts itself", s.First, s.Last)
		}
		last = s.Last
	}
	return nil
}
