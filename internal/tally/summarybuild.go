package tally

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// Build writes the summary of a segment; data is the whole file, f the same opened.
func Build(w io.Writer, id Identity, data io.ReaderAt, f *parquet.File) (err error) {
	defer Recover(&err)
	buf := bufio.NewWriterSize(w, 256<<10)
	s := &Summary{Identity: id}
	if err := s.sumBlocks(data); err != nil {
		return err
	}
	attempts, err := s.countAttempts(f)
	if err != nil {
		return err
	}
	offset := int64(0)
	places := &placesWriter{width: bits.Len64(s.Rows), none: s.Rows, w: buf, out: &s.places}
	if err := places.find(f, attempts); err != nil {
		return err
	}
	clients := &clientsWriter{w: buf, f: f, groups: f.RowGroups(), out: &s.clients}
	for i, key := range keys {
		counted := func([]Run) error { return nil }
		if Field(i) == IPs {
			counted = func(runs []Run) error {
				s.places.offset = s.fields[IPs].length
				if err := clients.choose(runs, s.Attempts, s.fields[IPs].blocks, places); err != nil {
					return err
				}
				return s.writePackets(buf, f, attempts, runs, s.places.offset+s.places.length)
			}
		}
		s.fields[i].offset = offset
		if err := countField(buf, f, key, attempts, &s.fields[i], counted); err != nil {
			return err
		}
		offset += s.fields[i].length
		if Field(i) == IPs {
			offset = s.alone.offset + s.alone.length
		}
	}
	s.clients.offset = offset
	if err := clients.write(); err != nil {
		return err
	}
	contents := s.appendContents(nil)
	if len(contents) > maxContents {
		return fmt.Errorf("a summary has contents of %d bytes", len(contents))
	}
	trailer := binary.LittleEndian.AppendUint32(nil, uint32(len(contents)))
	trailer = binary.LittleEndian.AppendUint64(trailer, xxhash.Sum64(contents))
	for _, b := range [][]byte{contents, append(trailer, summaryMagic...)} {
		if _, err := buf.Write(b); err != nil {
			return err
		}
	}
	return buf.Flush()
}

func (s *Summary) sumBlocks(data io.ReaderAt) error {
	b := make([]byte, sumBlock)
	for offset := int64(0); offset < s.Bytes; offset += sumBlock {
		n := min(s.Bytes-offset, sumBlock)
		if m, err := data.ReadAt(b[:n], offset); int64(m) < n {
			return noEOF(err)
		}
		s.sums = append(s.sums, xxhash.Sum64(b[:n]))
	}
	return nil
}

// column opens a column of a row group.
func column(f *parquet.File, g parquet.RowGroup, c *eventrow.Column) (*Column, error) {
	leaf := f.Root().Column(c.Name)
	if leaf == nil {
		return nil, fmt.Errorf("there is no column %s", c.Name)
	}
	return NewColumn(g.ColumnChunks()[leaf.Index()], c, true), nil
}

// countAttempts counts the attempts of each minute, and returns their rows in each
// row group.
func (s *Summary) countAttempts(f *parquet.File) (attempts [][]int32, err error) {
	minutes := make(map[int64]uint64)
	for _, g := range f.RowGroups() {
		rows, err := attemptsOf(f, g, minutes)
		if err != nil {
			return nil, err
		}
		s.Attempts += uint64(len(rows))
		attempts = append(attempts, rows)
	}
	for start, n := range minutes {
		s.minutes = append(s.minutes, Minute{start, n})
	}
	slices.SortFunc(s.minutes, func(a, b Minute) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return attempts, nil
}

// attemptsOf returns the rows of a group that are attempts, and counts them by minutes.
func attemptsOf(f *parquet.File, g parquet.RowGroup, minutes map[int64]uint64) (rows []int32, err error) {
	truth, err := column(f, g, eventrow.Attempt)
	if err != nil {
		return nil, err
	}
	defer truth.Close()
	ts, err := column(f, g, eventrow.TS)
	if err != nil {
		return nil, err
	}
	defer ts.Close()
	for row := range g.NumRows() {
		if _, err := truth.Load(row); err != nil {
			return nil, err
		}
		if !truth.Truth(row) {
			continue
		}
		if _, err := ts.Load(row); err != nil {
			return nil, err
		}
		rows = append(rows, int32(row))
		minutes[floorDiv(ts.Int64(row), 60e9)]++
	}
	return rows, nil
}

func floorDiv(t, unit int64) int64 {
	q := t / unit
	if t%unit < 0 {
		q--
	}
	return q
}

// countField writes the counts of a field, then calls counted with them.
func countField(w io.Writer, f *parquet.File, key *Key, attempts [][]int32, s *section, counted func([]Run) error) error {
	c := NewCounter(buildBudget)
	defer c.Close()
	of := key.Of()
	for i, g := range f.RowGroups() {
		err := countGroup(f, g, key.Columns, attempts[i], of, func(text string, n uint64) error {
			if text == "" {
				return nil
			}
			s.total += n
			return c.Add(text, n)
		})
		if err != nil {
			return err
		}
	}
	runs := c.Runs()
	if err := s.write(w, again(runs)); err != nil {
		return err
	}
	return counted(runs)
}

// countGroup counts some rows of a group, as [Count] does.
func countGroup(f *parquet.File, g parquet.RowGroup, of []*eventrow.Column, rows []int32, key func(*eventrow.Row) string, add func(string, uint64) error) error {
	var columns []*Column
	for _, k := range of {
		c, err := column(f, g, k)
		if err != nil {
			return err
		}
		defer c.Close()
		columns = append(columns, c)
	}
	return Count(columns, rows, key, nil, add)
}

// write writes counts.
func (f *section) write(w io.Writer, runs []Run) error {
	out := &blockWriter{w: w, offset: f.offset}
	if err := Merge(runs, out.add); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	f.blocks, f.length = out.blocks, out.offset-f.offset
	return nil
}

func (s *Summary) appendContents(b []byte) []byte {
	number := func(n uint64) { b = binary.AppendUvarint(b, n) }
	text := func(t string) {
		number(uint64(len(t)))
		b = append(b, t...)
	}
	text(s.SHA256)
	number(uint64(s.Bytes))
	number(s.Rows)
	for _, sum := range s.sums {
		b = binary.LittleEndian.AppendUint64(b, sum)
	}
	number(s.Attempts)
	number(uint64(len(s.minutes)))
	before := int64(0)
	for _, m := range s.minutes {
		b = binary.AppendVarint(b, m.Start-before)
		number(m.N)
		before = m.Start
	}
	for _, f := range s.sections() {
		number(f.total)
		number(uint64(f.offset))
		number(uint64(f.length))
		number(uint64(len(f.blocks)))
		for _, k := range f.blocks {
			number(uint64(k.size))
			number(uint64(k.raw))
			b = binary.LittleEndian.AppendUint64(b, k.sum)
			text(k.first)
		}
	}
	return b
}
