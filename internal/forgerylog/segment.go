package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
)

// batchRows is how many rows are read at once.
const batchRows = 512

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
}

const absent = -1

// openSegment reads the footer, finds the columns, and returns the row groups
// that may hold selected events.
func openSegment(file *journal.SegmentFile, p *plan) (*segment, []parquet.RowGroup, error) {
	if err := file.Load(); err != nil {
		return nil, nil, &fileError{err}
	}
	s := &segment{file: file}
	groups, err := s.groups(p)
	if err != nil {
		return nil, nil, s.failure(err)
	}
	return s, groups, nil
}

func (s *segment) groups(p *plan) (list []parquet.RowGroup, err error) {
	defer recoverParquet(&err)
	if err := s.locate(); err != nil {
		return nil, err
	}
	for _, g := range s.file.RowGroups() {
		if s.promising(g, p) {
			list = append(list, g)
		}
	}
	return list, nil
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

// promising asks the statistics of times and the Bloom filter of addresses.
func (s *segment) promising(g parquet.RowGroup, p *plan) bool {
	chunks := g.ColumnChunks()
	if chunk, ok := chunks[s.at[eventrow.TS.Index]].(*parquet.FileColumnChunk); ok {
		if first, last, ok := chunk.Bounds(); ok && !p.overlaps(first.Int64(), last.Int64()) {
			return false
		}
	}
	if p.client == "" {
		return true
	}
	filter := chunks[s.at[eventrow.ClientIP.Index]].BloomFilter()
	if filter == nil {
		return true
	}
	found, err := filter.Check(parquet.ByteArrayValue([]byte(p.client)))
	return found || err != nil
}

// selected returns the numbers of the rows of a group that meet all conditions.
func (s *segment) selected(ctx context.Context, g parquet.RowGroup, p *plan) ([]int64, error) {
	rows := make([]int64, g.NumRows())
	for i := range rows {
		rows[i] = int64(i)
	}
	for _, c := range p.conditions {
		kept := rows[:0]
		err := s.read(ctx, g, rows, c.columns, func(row int64, r *eventrow.Row) error {
			if c.match(r) {
				kept = append(kept, row)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		rows = kept
	}
	return rows, nil
}

// read calls yield with the given rows of a group, of which only some columns
// are set, and which are valid until yield returns. Its errors are those of the
// file, of yield and of ctx.
func (s *segment) read(ctx context.Context, g parquet.RowGroup, rows []int64, set columns, yield func(int64, *eventrow.Row) error) error {
	if len(rows) == 0 {
		return nil
	}
	chunks := g.ColumnChunks()
	var readers []*columnReader
	for i, c := range eventrow.Columns {
		if set.has(c) && s.at[i] != absent {
			r := newColumnReader(chunks[s.at[i]], c)
			defer r.close()
			readers = append(readers, r)
		}
	}
	buf := make([]eventrow.Row, min(batchRows, len(rows)))
	for batch := range slices.Chunk(rows, batchRows) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, c := range readers {
			for i, row := range batch {
				if err := c.read(row, &buf[i]); err != nil {
					return s.failure(err)
				}
			}
		}
		for i, row := range batch {
			if err := yield(row, &buf[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *segment) failure(err error) error {
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
