package journal

import (
	"bytes"
	"errors"
	"io"

	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// Span is a range of sequence numbers, both ends included.
type Span struct{ First, Last uint64 }

// server is the identity of the server that wrote the journal, "" when it holds
// no event.
func (v *View) server() string {
	if v.Manifest.Server == "" && len(v.wals) > 0 {
		return v.wals[0].header.server
	}
	return v.Manifest.Server
}

// Spans are the numbers that the view holds, in order: of each segment, and of
// each row of blocks that are not sealed.
func (v *View) Spans() ([]Span, error) {
	var spans []Span
	for i := range v.Manifest.Segments {
		s := &v.Manifest.Segments[i]
		spans = append(spans, Span{s.First, s.Last})
	}
	next := v.Manifest.Next
	for _, w := range v.wals {
		for r := w.blockReader; ; {
			blk, err := r.next()
			if err == io.EOF || errors.Is(err, errTorn) {
				break
			}
			if err != nil {
				return nil, err
			}
			end := blk.first + uint64(blk.count)
			if end <= next {
				continue
			}
			first := max(blk.first, next)
			if n := len(spans); n > 0 && spans[n-1].Last+1 == first {
				spans[n-1].Last = end - 1
			} else {
				spans = append(spans, Span{first, end - 1})
			}
			next = end
		}
	}
	return spans, nil
}

// Same reports whether two views are of one journal, one of them or both being
// copies: whether they hold the same event under the same number. Views of
// different servers, and those that have no number in common, are not.
func (v *View) Same(other *View) (bool, error) {
	if v.server() != other.server() {
		return false, nil
	}
	if v.shares(other) {
		return true, nil
	}
	a, b := v, other
	for from := uint64(1); ; a, b = b, a {
		x, err := a.eventFrom(from)
		if x == nil {
			return false, err
		}
		y, err := b.eventFrom(x.Seq)
		if y == nil {
			return false, err
		}
		if y.Seq == x.Seq {
			return sameEvent(x, y), nil
		}
		from = y.Seq
	}
}

// sameEvent compares what tells events of one number and one server apart.
func sameEvent(a, b *spftrack.Event) bool {
	if (a.Report == nil) != (b.Report == nil) || a.Report != nil && *a.Report != *b.Report {
		return false
	}
	if a.Time != b.Time || a.Cause != b.Cause {
		return false
	}
	if a.ClientIP.IsValid() != b.ClientIP.IsValid() || a.Resolver.IsValid() != b.Resolver.IsValid() {
		return true // one of them is anonymous
	}
	return a.Resolver == b.Resolver && bytes.Equal(a.Name, b.Name) && a.ClientIP == b.ClientIP
}

// shares reports whether the views have a file in common.
func (v *View) shares(other *View) bool {
	sums := make(map[string]bool)
	for i := range v.Manifest.Segments {
		sums[v.Manifest.Segments[i].SHA256] = true
	}
	for i := range other.Manifest.Segments {
		if sums[other.Manifest.Segments[i].SHA256] {
			return true
		}
	}
	for _, w := range v.wals {
		for _, o := range other.wals {
			if w.key == o.key {
				return true
			}
		}
	}
	return false
}

// errFound ends a search.
var errFound = errors.New("found")

// eventFrom returns the first event whose number is at least from, nil for none.
func (v *View) eventFrom(from uint64) (found *spftrack.Event, err error) {
	take := func(e *spftrack.Event) error {
		if e.Seq < from {
			return nil
		}
		c := *e
		c.Name = bytes.Clone(e.Name)
		found = &c
		return errFound
	}
	for _, s := range v.segments {
		if s.Last < from {
			continue
		}
		var e spftrack.Event
		err := s.rows(from, func(rows []eventrow.Row) error {
			rows[0].Event(&e)
			return take(&e)
		})
		if err != nil {
			if errors.Is(err, errFound) {
				err = nil
			}
			return found, err
		}
	}
	_, err = v.unsealed(func(list []spftrack.Event) error {
		for i := range list {
			if err := take(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}
