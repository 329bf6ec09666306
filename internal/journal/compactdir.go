package journal

import (
	"context"
	"errors"
	"time"

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
	// Rewritten is how many were of an earlier version, Anonymised how many are
	// anonymous now, Summaries how many others got a summary, or one that is not damaged.
	Rewritten, Anonymised, Summaries int
}

// CompactOptions are settings that have a default.
type CompactOptions struct {
	// RawSince is the time since which events keep addresses and local parts: they are
	// taken out of segments of which all are older. The zero Time is for ever.
	RawSince time.Time
}

// CompactDir joins the segments of hours and days that are over, writes those of
// earlier versions anew, and gives the others a summary, one after the other: when it
// ends early, what is done is done. Segments that cannot be read are left, and the error names them. No
// nullspfd may have the directory open; readers may.
func CompactDir(ctx context.Context, dir string, o CompactOptions) (c Compaction, err error) {
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
		err := s.renew(&segment, &c, o)
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

// renew writes a segment of an earlier version anew. Another one gets a summary if it
// has none of this version that is whole.
func (s *sealer) renew(segment *Segment, c *Compaction, o CompactOptions) error {
	dir := s.j.settings.Dir
	if !o.RawSince.IsZero() && !segment.Anonymous && segment.MaxTime < o.RawSince.UnixNano() {
		names, err := openPseudonyms(dir)
		if err != nil {
			return err
		}
		c.Anonymised++
		return s.join([]Segment{*segment}, &change{names.change, true})
	}
	old, summarised, err := inspect(dir, segment)
	switch {
	case err != nil:
		return &segmentError{segment.First, err}
	case old:
		if err := s.join([]Segment{*segment}, nil); err != nil {
			return err
		}
		c.Rewritten++
	case !summarised:
		if err := writeSummary(dir, segment); err != nil {
			return err
		}
		c.Summaries++
	}
	return nil
}

// inspect reports whether a segment is not as this version writes it, and whether its
// summary is, and whole.
func inspect(dir string, s *Segment) (old, summarised bool, err error) {
	f, err := openSegment(dir, s)
	if err != nil {
		return false, false, err
	}
	defer f.close()
	if err := f.load(); err != nil {
		return false, false, err
	}
	for _, c := range eventrow.Columns {
		if f.Root().Column(c.Name) == nil {
			return true, false, nil
		}
	}
	times := f.Root().Column(eventrow.TS.Name).Type().LogicalType()
	if times == nil {
		return true, false, nil
	}
	if _, are := times.Value.(*format.TimestampType); !are {
		return true, false, nil
	}
	if old, err = f.wholeNames(); old || err != nil {
		return old, false, err
	}
	summary := f.Summary()
	return false, summary != nil && !summary.Old && summary.Check(f.f) == nil, nil
}

// wholeNames reports whether names say what other columns have, as far as the first rows
// tell: this version shortens all of them.
func (s *SegmentFile) wholeNames() (whole bool, err error) {
	var b eventrow.Builder
	err = s.rows(0, func(rows []eventrow.Row) error {
		for i := range rows {
			name := rows[i].RawName
			if b.Shorten(&rows[i]); rows[i].RawName != name {
				whole = true
				break
			}
		}
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return whole, err
}
