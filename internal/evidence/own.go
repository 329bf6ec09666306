package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// own imports events as nullspf writes them: lines of JSON, and segments. They keep what they
// have but their numbers.
func (i *Import) own(ctx context.Context) (*Result, error) {
	return i.each(ctx, func(b base) fileImporter { return &ownImporter{base: b} })
}

// ownImporter is an import of events under way.
type ownImporter struct {
	base
}

func (w *ownImporter) file(s sourceFile) error {
	r := FileResult{Path: s.path}
	var err error
	if r.Before, err = w.list.known(s.path, w.Format); err != nil {
		return err
	}
	first := w.result.Next
	var in *reader
	if w.Format == Parquet {
		in, err = w.parquet(s, &r)
	} else {
		in, err = w.json(s, &r)
	}
	if err != nil {
		return err
	}
	w.imported(s, in, first, r)
	return nil
}

// json imports the lines that are new in a file.
func (w *ownImporter) json(s sourceFile, r *FileResult) (*reader, error) {
	c, err := openContent(s.path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := newReader(c)
	if err := in.skip(r.Before); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	records := &lines{in: in}
	for n := 1; ; n++ {
		line, err := records.line()
		if err != nil {
			r.Cut = errors.Is(err, errCut)
			if !r.Cut && !errors.Is(err, io.EOF) {
				r.Err = err
			}
			return in, nil
		}
		var row eventrow.Row
		if err := row.ReadJSON(line); err != nil {
			r.bad(n)
			continue
		}
		if err := w.row(&row, n, r); err != nil {
			return nil, err
		}
		if n%progressEvery == 0 {
			w.tell(c.done.Load())
		}
	}
}

// parquet imports a segment, whole or not at all.
func (w *ownImporter) parquet(s sourceFile, r *FileResult) (*reader, error) {
	c, err := openContent(s.path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := newReader(c)
	if _, err := io.Copy(&in.digest, in.Reader); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	if r.Before == in.size {
		return in, nil
	}
	r.Before = 0
	n := 0
	// It is read twice, so that a damaged one adds nothing.
	if err := journal.ReadParquet(s.path, func([]eventrow.Row) error { return w.ctx.Err() }); err != nil {
		r.Err = err
		return newReader(c), w.ctx.Err()
	}
	return in, journal.ReadParquet(s.path, func(rows []eventrow.Row) error {
		for i := range rows {
			n++
			row := rows[i].Clone()
			if err := w.row(&row, n, r); err != nil {
				return err
			}
		}
		w.tell(0)
		return w.ctx.Err()
	})
}

// tell tells progress in a file.
func (w *ownImporter) tell(done int64) {
	if w.Progress != nil {
		w.Progress(w.done+done, w.total)
	}
}

// row imports row n of what is new in a file.
func (w *ownImporter) row(row *eventrow.Row, n int, r *FileResult) error {
	if row.ServerID != w.result.Server {
		r.Others++
		return w.ctx.Err()
	}
	e := new(spftrack.Event)
	row.Event(e)
	if e.Kind.String() != row.Kind {
		r.bad(n)
		return nil
	}
	r.event(e.Time)
	return w.add(e)
}

// lookOwn finds the first event of a file of nullspf.
func (i *Import) lookOwn(c *content, s sourceFile) (sourceFile, error) {
	found := func(row *eventrow.Row) {
		if s.first == math.MaxInt64 {
			s.first, s.identity = row.TS, row.ServerID
		}
	}
	if i.Format == Parquet {
		err := journal.ReadParquet(s.path, func(rows []eventrow.Row) error {
			row := rows[0].Clone()
			found(&row)
			return errFound
		})
		if errors.Is(err, errFound) {
			err = nil
		}
		return s, err
	}
	records := &lines{in: newReader(c)}
	for n := 1; ; n++ {
		line, err := records.line()
		if err != nil {
			return s, nil // told when the file is imported
		}
		var row eventrow.Row
		if err := row.ReadJSON(line); err == nil {
			found(&row)
			return s, nil
		} else if n == 1 {
			return s, fmt.Errorf("%s:1: no event as nullspf log events --format json writes it: %w", s.path, err)
		}
	}
}

// errFound ends reading.
var errFound = errors.New("found")
