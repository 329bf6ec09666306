package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"nullspf/internal/ascii"
	"nullspf/internal/maillog"
	"nullspf/spftrack"
)

// refusals imports refusals of mail servers. What of a file was imported before is read again,
// because later lines may belong to it.
func (i *Import) refusals(ctx context.Context) (*Result, error) {
	return i.each(ctx, func(b base) fileImporter { return &refusalImporter{base: b} })
}

// refusalImporter is an import of refusals under way.
type refusalImporter struct {
	base
	parser maillog.Parser
}

func (w *refusalImporter) file(s sourceFile) error {
	r := FileResult{Path: s.path}
	var err error
	if r.Before, err = w.list.known(s.path, w.Format); err != nil {
		return err
	}
	first := w.result.Next
	in, err := w.read(s.path, &r)
	if err != nil {
		return err
	}
	w.imported(s, in, first, r)
	return nil
}

// read imports what is new in a file.
func (w *refusalImporter) read(path string, r *FileResult) (*reader, error) {
	c, err := openContent(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := newReader(c)
	clock := w.clock(c)
	w.parser.Begin(clock)
	records := &lines{in: in}
	for n, fresh := 1, 1; ; n++ {
		line, err := records.line()
		if err != nil {
			r.Cut = errors.Is(err, errCut)
			if !r.Cut && !errors.Is(err, io.EOF) {
				r.Err = err
			}
			r.Odd = clock.Odd
			return in, nil
		}
		found, what := w.parser.Line(line)
		if in.size > r.Before {
			if err := w.line(found, what, fresh, r); err != nil {
				return nil, err
			}
			fresh++
		}
		if n%progressEvery == 0 {
			if err := w.ctx.Err(); err != nil {
				return nil, err
			}
			if w.Progress != nil {
				w.Progress(w.done+c.done.Load(), w.total)
			}
		}
	}
}

// line takes in line n of what is new.
func (w *refusalImporter) line(found []maillog.Refusal, what maillog.Outcome, n int, r *FileResult) error {
	switch what {
	case maillog.IsOther:
		r.Others++
	case maillog.IsDouble:
		r.Known++
	case maillog.IsBad:
		r.bad(n)
	}
	for i := range found {
		if found[i].Time == 0 {
			r.bad(n)
			continue
		}
		r.event(found[i].Time)
		if err := w.add(w.event(&found[i])); err != nil {
			return err
		}
	}
	return nil
}

// maxText bounds texts of events, as those of queries and sessions are.
const maxText = 255

func (w *refusalImporter) event(r *maillog.Refusal) *spftrack.Event {
	e := &spftrack.Event{
		Time: r.Time, Transport: spftrack.TransportTCP, Cause: string(r.Cause), Software: string(r.Software),
		Parsed:  spftrack.Parsed{Kind: spftrack.KindRefusal, ClientIP: r.Client},
		Session: new(spftrack.Session),
	}
	keep := func(text string) string {
		if len(text) > maxText {
			e.Flags |= spftrack.FlagTruncated
			text = text[len(text)-maxText:]
		}
		return ascii.ToLower(strings.Clone(text))
	}
	e.HELO = keep(r.HELO)
	local, domain := mailbox(r.Sender)
	e.SenderDomain = keep(domain)
	if len(local) > maxText {
		e.Flags |= spftrack.FlagTruncated
		local = local[:maxText]
	}
	e.SenderLocal = keep(local)
	if w.Known != nil && e.SenderDomain != "" && w.Known(e.SenderDomain) {
		e.Forged = e.SenderDomain
	}
	if r.Recipient != "" {
		_, domain := mailbox(r.Recipient)
		e.Session.Recipients, e.Session.RecipientDomain = 1, keep(domain)
	}
	return e
}

// mailbox splits an address; one without @ has no domain.
func mailbox(s string) (local, domain string) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s, ""
	}
	return s[:at], strings.TrimSuffix(s[at+1:], ".")
}

// lookRefusal finds the first refusal of a log.
func (i *Import) lookRefusal(c *content, s sourceFile) (sourceFile, error) {
	var p maillog.Parser
	p.Begin(i.clock(c))
	records := &lines{in: newReader(c)}
	for n := 1; ; n++ {
		line, err := records.line()
		if err != nil {
			return s, nil // told when the file is imported
		}
		found, _ := p.Line(line)
		for _, r := range found {
			if r.Time == 0 {
				return s, fmt.Errorf("%s:%d: a refusal without time, which cannot be imported; OpenSMTPD needs syslog", s.path, n)
			}
			if s.first == math.MaxInt64 {
				s.first = r.Time
			}
			if s.identity = r.Host; s.identity != "" {
				return s, nil
			}
		}
		if s.first != math.MaxInt64 && n > 1000 {
			return s, nil
		}
	}
}
