package journal

import (
	"context"
	"errors"

	"github.com/parquet-go/parquet-go/format"
	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
)

// Compaction is what [CompactDir] did.
type Compaction struct {
	// Before and After are the segments and their bytes.
	Before, After struct {
		Segments int
		Bytes    int64
	}
	// Rewritten is how many were of an earlier version.
	Rewritten int
}

// CompactDir joins the segments of hours and days that are over, and writes those
// of earlier versions anew, one after the other: when it ends early, what is done
// is done. Segments that cannot be read are left, and the error names them. No
// nullspfd may have the directory open; readers may.
func CompactDir(ctx context.Context, dir string) (c Compaction, err error) {
	if err := isJournal(dir); err != nil {
		return c, err
	}
	m, err := loadManifest(dir)
	if err != nil {
		return c, err
	}
	settings, err := Settings{Dir: dir, Server: m.Server, Logger: zerolog.Nop()}.complete()
	if err != nil {
		return c, err
	}
	at, err := takePlace(dir)
	if err != nil {
		return c, err
	}
	defer at.Close()
	j, err := prepare(settings, at)
	if err != nil {
		return c, err
	}
	s := j.sealer
	s.stop = ctx.Done()
	c.Before.Segments, c.Before.Bytes = segmentsOf(s.manifest.Load())
	if err := s.compact(); err != nil {
		return c, err
	}
	var unread []error
	for _, segment := range s.manifest.Load().Segments {
		old, err := outdated(dir, &segment)
		if err == nil && old {
			if err = s.join([]Segment{segment}); err == nil {
				c.Rewritten++
			}
		}
		switch {
		case ctx.Err() != nil:
			return c, ctx.Err()
		case errors.As(err, new(*segmentError)):
			unread = append(unread, err)
		case err != nil:
			return c, err
		}
	}
	c.After.Segments, c.After.Bytes = segmentsOf(s.manifest.Load())
	return c, errors.Join(unread...)
}

func segmentsOf(m *Manifest) (n int, bytes int64) {
	for i := range m.Segments {
		bytes += m.Segments[i].Bytes
	}
	return len(m.Segments), bytes
}

// outdated reports whether a segment is not as this version writes it.
func outdated(dir string, s *Segment) (bool, error) {
	f, err := openSegment(dir, s)
	if err == nil {
		defer f.close()
		err = f.load()
	}
	if err != nil {
		return false, &segmentError{s.First, err}
	}
	for _, c := range eventrow.Columns {
		if f.Root().Column(c.Name) == nil {
			return true, nil
		}
	}
	times := f.Root().Column(eventrow.TS.Name).Type().LogicalType()
	if times == nil {
		return true, nil
	}
	_, are := times.Value.(*format.TimestampType)
	return !are, nil
}
