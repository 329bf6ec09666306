package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/tally"
)

// batchRows is how many rows are read at once, fewRows how many are read column by column.
const (
	batchRows = 512
	fewRows   = 2048
)

// segment is a sealed file whose columns have been found.
//
// A row group is read in two steps. The conditions of a plan narrow down the
// numbers of its rows, one condition after the other, each from its own columns.
// Then the columns of the answer are read for the rows that are left.
type segment struct {
	file *journal.SegmentFile
	// at is the index in the file of each of eventrow.Columns, absent for one
	// that the file is too old to have.
	at []int
	// wanted is nil as long as somebody waits for the answer, else says why nobody does.
	wanted func() error
}

const absent = -1

// openSegment reads the footer, finds the columns, and returns the row groups
// that may hold selected events. What is read of it ends with ctx, page by page.
func openSegment(ctx context.Context, file *journal.SegmentFile, p *plan) (*segment, []parquet.RowGroup, error) {
	if err := file.Load(); err != nil {
		return nil, nil, &fileError{err}
	}
	s := &segment{file: file, wanted: ctx.Err}
	groups, err := s.groups(p)
	if err != nil {
		return nil, nil, s.failure(err)
	}
	return s, groups, nil
}

func (s *segment) groups(p *plan) (list []parquet.RowGroup, err error) {
	defer tally.Recover(&err)
	if err := s.locate(); err != nil {
		return nil, err
	}
	places, placed := p.places(s.file)
	first := int32(0)
	for _, g := range s.file.RowGroups() {
		if placed {
			g = &placedGroup{g, p.clients[0], rowsWithin(places, first, int32(g.NumRows()))}
		}
		first += int32(g.NumRows())
		if s.promising(g, p) {
			list = append(list, g)
		}
	}
	return list, nil
}

// placedGroup is a row group in which the summary tells where the attempts are of the only client
// that is looked for.
type placedGroup struct {
	parquet.RowGroup
	client string
	rows   []int32
}

// rowsWithin are those of rows of a segment that are in a row group, by their numbers there.
func rowsWithin(rows []int32, first, n int32) (within []int32) {
	i, _ := slices.BinarySearch(rows, first)
	for _, row := range rows[i:] {
		if row >= first+n {
			break
		}
		within = append(within, row-first)
	}
	return within
}

func (s *segment) locate() error {
	root := s.file.Root()
	s.at = make([]int, len(eventrow.Columns))
	for i, c := range eventrow.Columns {
		column := root.Column(c.Name)
		switch {
		case column == nil && c.Added:
			s.at[i] = absent
		case column == nil || !column.Leaf() || column.Repeated() || column.Type().Kind() != c.Kind:
			return fmt.Errorf("it has no column %s of type %s; nullspfd, or this version of it, did not write it", c.Name, c.Kind)
		default:
			s.at[i] = column.Index()
		}
	}
	return nil
}

// within reports whether the statistics show that the times of all rows are selected.
func (s *segment) within(g parquet.RowGroup, p *plan) bool {
	first, last, ok := s.times(g)
	return ok && p.first <= first && last <= p.last
}

// times returns the least and the greatest time of a group, if they are known.
func (s *segment) times(g parquet.RowGroup) (first, last int64, ok bool) {
	chunk, isFile := g.ColumnChunks()[s.at[eventrow.TS.Index]].(*parquet.FileColumnChunk)
	if !isFile {
		return 0, 0, false
	}
	a, b, ok := chunk.Bounds()
	return a.Int64(), b.Int64(), ok
}

// kinds reports whether the statistics leave room for one of some kinds.
func (s *segment) kinds(g parquet.RowGroup, names []string) bool {
	chunk, isFile := g.ColumnChunks()[s.at[eventrow.Kind.Index]].(*parquet.FileColumnChunk)
	if !isFile {
		return true
	}
	first, last, ok := chunk.Bounds()
	return !ok || slices.ContainsFunc(names, func(name string) bool {
		return string(first.ByteArray()) <= name && name <= string(last.ByteArray())
	})
}

// promising asks the statistics of times and kinds, and the Bloom filter of addresses.
func (s *segment) promising(g parquet.RowGroup, p *plan) bool {
	if first, last, ok := s.times(g); ok && !p.overlaps(first, last) {
		return false
	}
	if slices.ContainsFunc(p.only, func(names []string) bool { return !s.kinds(g, names) }) {
		return false
	}
	if placed, ok := g.(*placedGroup); ok {
		return len(placed.rows) > 0
	}
	if len(p.clients) == 0 {
		return true
	}
	filter := g.ColumnChunks()[s.at[eventrow.ClientIP.Index]].BloomFilter()
	if filter == nil {
		return true
	}
	return slices.ContainsFunc(p.clients, func(client string) bool {
		found, err := filter.Check(parquet.ByteArrayValue([]byte(client)))
		return found || err != nil
	})
}

// selected returns the numbers of the rows of a group that meet all conditions, in
// the memory of rows if it is enough.
func (s *segment) selected(ctx context.Context, g parquet.RowGroup, p *plan, rows []int32) (_ []int32, err error) {
	placed, isPlaced := g.(*placedGroup)
	rows = rows[:0]
	if isPlaced {
		rows = append(rows, placed.rows...)
	}
	found := isPlaced
	for i := range p.conditions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == p.time && s.within(g, p) || isPlaced && (i == p.client || i == p.attempt) {
			continue
		}
		if rows, err = s.sift(g, &p.conditions[i], rows, found); err != nil {
			return nil, s.failure(err)
		}
		found = true
	}
	if !found {
		rows = appendNumbers(rows, 0, int32(g.NumRows()))
	}
	return rows, nil
}

// siftedRows is how many rows are looked at together where all are.
const siftedRows = 16 << 10

// sift narrows down rows, or finds those of the whole group.
func (s *segment) sift(g parquet.RowGroup, c *condition, rows []int32, found bool) (kept []int32, err error) {
	defer tally.Recover(&err)
	if found && len(rows) == 0 {
		return rows, nil
	}
	f := &sifter{readers: s.open(g, c.columns), match: c.match}
	defer closeAll(f.readers)
	if found {
		return f.sift(rows)
	}
	end := int32(g.NumRows())
	for first := int32(0); first < end; first += siftedRows {
		before := len(rows)
		rows = appendNumbers(rows, first, min(first+siftedRows, end))
		kept, err := f.sift(rows[before:])
		if err != nil {
			return nil, err
		}
		rows = rows[:before+len(kept)]
	}
	return rows, nil
}

// appendNumbers appends the numbers from first up to, not including, end.
func appendNumbers(rows []int32, first, end int32) []int32 {
	rows = slices.Grow(rows, int(end-first))
	for i := first; i < end; i++ {
		rows = append(rows, i)
	}
	return rows
}

// open opens columns of a group, those that the file has.
func (s *segment) open(g parquet.RowGroup, set columns) (readers []*tally.Column) {
	chunks := g.ColumnChunks()
	for i, c := range eventrow.Columns {
		if set.has(c) && s.at[i] != absent {
			reader := tally.NewColumn(chunks[s.at[i]], c, true)
			reader.Wanted = s.wanted
			readers = append(readers, reader)
		}
	}
	return readers
}

func closeAll(readers []*tally.Column) {
	for _, r := range readers {
		r.Close()
	}
}

// read calls yield with the given rows of a group, of which only some columns
// are set, and which are valid until yield returns. Its errors are those of the
// file, of yield and of ctx.
func (s *segment) read(ctx context.Context, g parquet.RowGroup, rows []int32, set columns, yield func(*eventrow.Row) error) error {
	if len(rows) == 0 {
		return nil
	}
	constants, set := s.constants(g, set)
	begin, set := s.consecutive(g, set)
	b := batches.Get().(*batch)
	defer batches.Put(b)
	var readers []*tally.Column
	defer func() { closeAll(readers) }()
	size := len(rows)
	if size > fewRows {
		size = batchRows
		readers = s.open(g, set)
	}
	for part := range slices.Chunk(rows, size) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.begin(len(part))
		if err := s.fill(g, part, set, readers, b); err != nil {
			return s.failure(err)
		}
		for i, row := range part {
			r := &b.rows[i]
			for _, c := range constants {
				c.column.Set(r, c.value)
			}
			if begin > 0 {
				r.Seq = begin + int64(row)
			}
			if err := yield(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch is rows that are read at once, and the memory of their texts.
type batch struct {
	rows  []eventrow.Row
	texts []byte
}

// batches are those that are not in use. Fresh memory costs more than what is read into it.
var batches = sync.Pool{New: func() any { return new(batch) }}

// textBytes is about how many bytes the texts of a row have.
const textBytes = 192

// begin makes room for n rows without values.
func (b *batch) begin(n int) {
	if cap(b.rows) < n {
		b.rows = make([]eventrow.Row, n+n/4)
		b.texts = make([]byte, 0, len(b.rows)*textBytes)
	}
	b.rows = b.rows[:n]
	clear(b.rows)
	b.texts = b.texts[:0]
}

// constant is the value that a column has in all rows of a group.
type constant struct {
	column *eventrow.Column
	value  parquet.Value
}

// maxConstant bounds the texts that are taken for constants, in bytes: those of files of other writers may
// be cut.
const maxConstant = 15

// constants finds, by the statistics, the columns of a set that have one value only, and returns
// those that are left.
func (s *segment) constants(g parquet.RowGroup, set columns) (list []constant, left columns) {
	if placed, ok := g.(*placedGroup); ok {
		for _, c := range []constant{{eventrow.Attempt, parquet.BooleanValue(true)}, {eventrow.ClientIP, parquet.ByteArrayValue([]byte(placed.client))}} {
			if set.has(c.column) {
				list, set = append(list, c), set&^cols(c.column)
			}
		}
	}
	chunks := g.ColumnChunks()
	for i, c := range eventrow.Columns {
		if !set.has(c) || s.at[i] == absent {
			continue
		}
		chunk, isFile := chunks[s.at[i]].(*parquet.FileColumnChunk)
		if !isFile {
			continue
		}
		least, greatest, ok := chunk.Bounds()
		if ok && parquet.Equal(least, greatest) && (c.Kind != parquet.ByteArray || len(least.ByteArray()) <= maxConstant) {
			list = append(list, constant{c, least})
			set &^= cols(c)
		}
	}
	return list, set
}

// consecutive finds, by the statistics, the number of the first event of a group in which each number,
// which rise, is one more than that before; 0 for another group. It returns the columns that are left.
func (s *segment) consecutive(g parquet.RowGroup, set columns) (begin int64, left columns) {
	chunk, isFile := g.ColumnChunks()[s.at[eventrow.Seq.Index]].(*parquet.FileColumnChunk)
	if !set.has(eventrow.Seq) || !isFile {
		return 0, set
	}
	first, last, ok := chunk.Bounds()
	if !ok || first.Int64() < 1 || last.Int64()-first.Int64() != g.NumRows()-1 {
		return 0, set
	}
	return first.Int64(), set &^ cols(eventrow.Seq)
}

// fill reads columns of rows into a batch, from readers that stay open, or else one column after the
// other, in the same memory.
func (s *segment) fill(g parquet.RowGroup, rows []int32, set columns, readers []*tally.Column, b *batch) (err error) {
	defer tally.Recover(&err)
	for _, c := range readers {
		if err := b.fill(c, rows, false); err != nil {
			return err
		}
	}
	if readers != nil {
		return nil
	}
	for _, column := range eventrow.Columns {
		if !set.has(column) {
			continue
		}
		opened := s.open(g, cols(column))
		defer closeAll(opened)
		for _, c := range opened {
			if err := b.fill(c, rows, true); err != nil {
				return err
			}
			c.Close()
		}
	}
	return nil
}

// fill reads a column. closing: it is closed before the batch is used.
func (b *batch) fill(c *tally.Column, rows []int32, closing bool) error {
	for i, row := range rows {
		if _, err := c.Load(int64(row)); err != nil {
			return err
		}
		b.texts = c.SetCopy(&b.rows[i], int64(row), b.texts, closing)
	}
	return nil
}

// count calls add with the keys of the given rows of a group, each with its weight.
func (s *segment) count(g parquet.RowGroup, rows []int32, set columns, key func(*eventrow.Row) string, weight func(*eventrow.Row) uint64, add func(string, uint64) error) error {
	var adding error
	counting := func(text string, n uint64) error {
		adding = add(text, n)
		return adding
	}
	err := s.countKeys(g, rows, set, key, weight, counting)
	if err != nil && adding == nil {
		return s.failure(err)
	}
	return err
}

func (s *segment) countKeys(g parquet.RowGroup, rows []int32, set columns, key func(*eventrow.Row) string, weight func(*eventrow.Row) uint64, add func(string, uint64) error) (err error) {
	defer tally.Recover(&err)
	if len(rows) == 0 {
		return nil
	}
	readers := s.open(g, set)
	defer closeAll(readers)
	return tally.Count(readers, rows, key, weight, add)
}

// eachTime calls yield with the times of the given rows of a group.
func (s *segment) eachTime(g parquet.RowGroup, rows []int32, yield func(int64) error) error {
	var yielding error
	err := s.readTimes(g, rows, func(ts int64) error {
		yielding = yield(ts)
		return yielding
	})
	if err != nil && yielding == nil {
		return s.failure(err)
	}
	return err
}

func (s *segment) readTimes(g parquet.RowGroup, rows []int32, yield func(int64) error) (err error) {
	defer tally.Recover(&err)
	if len(rows) == 0 {
		return nil
	}
	ts := s.open(g, cols(eventrow.TS))
	defer closeAll(ts)
	for _, row := range rows {
		if _, err := ts[0].Load(int64(row)); err != nil {
			return err
		}
		if err := yield(ts[0].Int64(int64(row))); err != nil {
			return err
		}
	}
	return nil
}

// failure is the error of a file, or of who asked and does not wait any more.
func (s *segment) failure(err error) error {
	if s.wanted != nil {
		if gone := s.wanted(); gone != nil {
			return gone
		}
	}
	return &fileError{fmt.Errorf("%s: %w", s.file.FilePath(), err)}
}

// fileError is about a file that cannot be read, in contrast to the errors of
// those who asked.
type fileError struct{ error }

func (e *fileError) Unwrap() error { return e.error }

func isFileError(err error) bool {
	var f *fileError
	return errors.As(err, &f)
}
