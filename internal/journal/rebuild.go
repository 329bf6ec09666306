package journal

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// rebuild makes a manifest of the segments that are there. Where one contains
// another, it was made of it. A damaged one is quarantined; its numbers become a
// gap. An error of the disk ends it: what cannot be read now may be read later.
func (r *recovery) rebuild(segments []segmentPath) (*Manifest, error) {
	segments = slices.Clone(segments)
	slices.SortFunc(segments, func(a, b segmentPath) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last), cmp.Compare(b.edition, a.edition))
	})
	m := &Manifest{Next: 1}
	var damaged []segmentPath
	for _, f := range segments {
		if f.temporary || f.first < m.Next {
			continue
		}
		s, gaps, err := describeSegment(f)
		if errors.Is(err, errDamaged) || errors.Is(err, errFormat) {
			r.log.Error().Err(err).Str("file", f.path+damagedSuffix).Msg("a segment is damaged and MANIFEST does not list it; the file was renamed and is not read; run nullspf log check")
			damaged = append(damaged, f)
			continue
		}
		if err != nil {
			return nil, err
		}
		m.addLost(s.First, damaged)
		for _, g := range gaps {
			m.addGap(g.First, g.Last, g.Reason)
		}
		m.Segments = append(m.Segments, *s)
		m.Next = s.Last + 1
	}
	for _, f := range damaged {
		if err := os.Rename(f.path, f.path+damagedSuffix); err != nil {
			return nil, err
		}
		m.addLost(f.last+1, damaged)
	}
	return m, nil
}

// addLost notes that the numbers from Next to before are missing, or damaged
// where a file that cannot be read had them.
func (m *Manifest) addLost(before uint64, damaged []segmentPath) {
	for _, f := range damaged {
		if f.last < m.Next || f.first >= before {
			continue
		}
		if f.first > m.Next {
			m.addGap(m.Next, f.first-1, GapMissing)
			m.Next = f.first
		}
		last := min(f.last, before-1)
		m.addGap(m.Next, last, GapDamaged)
		m.Next = last + 1
	}
	if m.Next < before {
		m.addGap(m.Next, before-1, GapMissing)
		m.Next = before
	}
}

// describeSegment reads what MANIFEST would say of a segment. The error wraps
// errDamaged or errFormat when the file is damaged; any other is one of the disk.
func describeSegment(f segmentPath) (*Segment, []Gap, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return nil, nil, err
	}
	footer, err := readFooter(file, size)
	if err == nil {
		err = footer.checkPages(file)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.path, err)
	}
	s := &Segment{
		Date: f.date, First: f.first, Last: f.last, Edition: f.edition, Anonymous: f.anonymous, Bytes: size, SHA256: hex.EncodeToString(hash.Sum(nil)),
	}
	var gaps []Gap
	next := s.First
	opened := &SegmentFile{Segment: *s, f: file, verified: true}
	err = opened.rows(0, func(rows []eventrow.Row) error {
		for i := range rows {
			ts, seq := rows[i].TS, uint64(rows[i].Seq)
			if s.Rows == 0 {
				s.MinTime, s.MaxTime = ts, ts
			}
			if seq < next || seq > s.Last {
				return fmt.Errorf("%s: %w: event %d is out of order", f.path, errDamaged, seq)
			}
			if seq > next {
				gaps = append(gaps, Gap{next, seq - 1, GapMissing})
			}
			next = seq + 1
			s.MinTime, s.MaxTime = min(s.MinTime, ts), max(s.MaxTime, ts)
			s.Rows++
		}
		return nil
	})
	if err == nil {
		err = opened.checkFilters()
	}
	if err == nil && next != s.Last+1 {
		err = fmt.Errorf("%s: %w: its events end before %d", f.path, errDamaged, s.Last)
	}
	if err != nil {
		return nil, nil, err
	}
	return s, gaps, nil
}

// checkFilters compares with the rows what queries go by to skip row groups:
// the bounds of times and numbers, and the filter of addresses.
func (s *SegmentFile) checkFilters() (err error) {
	defer recoverParquet(&err, s.f.Name())
	for _, group := range s.RowGroups() {
		chunks := group.ColumnChunks()
		filter := chunks[s.Root().Column(eventrow.ClientIP.Name).Index()].BloomFilter()
		seqs, err := s.bounds(chunks, eventrow.Seq)
		if err != nil {
			return err
		}
		times, err := s.bounds(chunks, eventrow.TS)
		if err != nil {
			return err
		}
		err = s.readGroup(group, func(rows []eventrow.Row) error {
			for i := range rows {
				r := &rows[i]
				found, err := true, error(nil)
				if filter != nil {
					found, err = filter.Check(parquet.ByteArrayValue([]byte(r.ClientIP)))
				}
				if err != nil || !found || r.Seq < seqs[0] || r.Seq > seqs[1] || r.TS < times[0] || r.TS > times[1] {
					return fmt.Errorf("%s: %w: event %d is not where its filters say", s.f.Name(), errDamaged, r.Seq)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// bounds are the least and the greatest value of a column of a row group, as the
// footer says.
func (s *SegmentFile) bounds(chunks []parquet.ColumnChunk, c *eventrow.Column) (b [2]int64, err error) {
	chunk, ok := chunks[s.Root().Column(c.Name).Index()].(*parquet.FileColumnChunk)
	if ok {
		var least, greatest parquet.Value
		if least, greatest, ok = chunk.Bounds(); ok {
			return [2]int64{least.Int64(), greatest.Int64()}, nil
		}
	}
	return b, fmt.Errorf("%s: %w: its footer has no bounds of %s", s.f.Name(), errDamaged, c.Name)
}
