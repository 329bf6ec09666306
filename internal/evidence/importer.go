package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/journal"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// progressEvery is after how many records progress is told.
const progressEvery = 1 << 13

// base is what an import under way has, whatever is imported.
type base struct {
	*Import
	ctx    context.Context
	out    *journal.Creator
	list   *imports
	result Result
	// done and total are bytes of files.
	done, total int64
}

func newBase(ctx context.Context, i *Import, out *journal.Creator, list *imports) base {
	return base{Import: i, ctx: ctx, out: out, list: list, result: Result{Server: out.Server(), Next: out.Next()}}
}

// imported notes a file that was read, whose first event got a number.
func (w *base) imported(s sourceFile, in *reader, first uint64, r FileResult) {
	w.done += s.size
	w.result.Files = append(w.result.Files, r)
	w.list.add(importedFile{
		Name: s.path, Format: w.Format, Bytes: in.size, Head: in.head(), Sum: in.sum(), First: first, Last: w.result.Next - 1,
	})
}

// importer is an import of queries under way.
type importer struct {
	base
	parser *spftrack.Parser
	zone   wire.Name
	texts  spftrack.Memory
	event  spftrack.Event
}

func newImporter(b base, zone wire.Name) *importer {
	return &importer{
		base:   b,
		parser: spftrack.NewParser(b.Zone, b.Layouts, b.Known),
		zone:   zone,
	}
}

func (w *importer) file(s sourceFile) error {
	r := FileResult{Path: s.path}
	var err error
	if r.Before, err = w.list.known(s.path, w.Format); err != nil {
		return err
	}
	c, err := openContent(s.path)
	if err != nil {
		return err
	}
	defer c.Close()
	in := newReader(c)
	// Of a capture, later packets need those before.
	if w.Format != Pcap {
		if err := in.skip(r.Before); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
	}
	records := w.newSource(c, in, r.Before == 0)
	first := w.result.Next
	old := int64(0)
	if w.Format == Pcap {
		old = r.Before
	}
	err = eachRecord(records, in, old, func(n int, what outcome, q *question) error {
		if n%progressEvery == 0 {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			if w.Progress != nil {
				w.Progress(w.done+c.done.Load(), w.total)
			}
		}
		return w.record(what, q, n, &r)
	}, func(err error) {
		r.Cut = errors.Is(err, errCut)
		if !r.Cut && !errors.Is(err, io.EOF) {
			r.Err = err
		}
	})
	if err != nil {
		return err
	}
	r.Odd = records.odd()
	w.imported(s, in, first, r)
	return nil
}

// record imports record n of what is new in a file. The name of a question stays valid.
func (w *importer) record(what outcome, q *question, n int, r *FileResult) error {
	switch what {
	case isOther:
		r.Others++
		return nil
	case isBad, isTimeless:
		r.bad(n)
		return nil
	}
	if q.qclass != dns.ClassINET || !within(q.name, w.zone) {
		r.Others++
		return nil
	}
	r.event(q.time)
	e := &w.event
	*e = spftrack.Event{
		Time:           q.time,
		Zone:           string(w.Zone),
		Resolver:       q.client,
		Transport:      q.transport,
		QType:          q.qtype,
		ClientSubnet:   q.subnet,
		SourceVerified: q.verified,
		Name:           q.name,
	}
	e.Parsed = w.parser.ParseIn(&w.texts, e.Name, e.QType)
	return w.add(e)
}

// within reports whether a name in wire format, of any case, is a zone's or below.
func within(name []byte, zone wire.Name) bool {
	for len(name) > len(zone) {
		name = name[min(1+int(name[0]), len(name)):]
	}
	return ascii.EqualFold(name, zone)
}

// event counts an event of a time.
func (r *FileResult) event(at int64) {
	if r.Events++; r.Events == 1 {
		r.First, r.Last = at, at
	}
	r.First, r.Last = min(r.First, at), max(r.Last, at)
}

// bad counts record n, which cannot be read.
func (r *FileResult) bad(n int) {
	if r.Bad++; r.Bad == 1 {
		r.FirstBad = n
	}
}

// add adds the next event to the journal.
func (w *base) add(e *spftrack.Event) error {
	e.Seq, e.Server = w.result.Next, w.result.Server
	w.result.Next++
	w.result.Events++
	return w.out.Add(e)
}

// finish makes readers see the events.
func (w *base) finish() (*Result, error) {
	if err := w.out.Close(func() error { return w.list.write(w.Dir) }); err != nil {
		return nil, err
	}
	if w.Progress != nil {
		w.Progress(w.total, w.total)
	}
	return &w.result, nil
}
