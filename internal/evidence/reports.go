package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nullspf/internal/dmarc"
	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

const (
	// reportsServer is the server of a new directory of reports, which name none.
	reportsServer = "dmarc"
	// firstReport is 2012-01-01, in seconds: the first year of DMARC.
	firstReport = 1325376000
	// reportSlack is how much later than its file a report may end.
	reportSlack = 48 * time.Hour
	// heldEvents is how many events are put into order together.
	heldEvents = 200_000
)

// reports imports DMARC reports. Each report counts once, whatever file it comes in.
func (i *Import) reports(ctx context.Context) (*Result, error) {
	files, err := mailFiles(i.Files)
	if err != nil {
		return nil, err
	}
	out, list, err := i.open(i.Server, cmp.Or(i.Server, reportsServer))
	if err != nil {
		return nil, err
	}
	w := &reportImporter{base: newBase(ctx, i, out, list), known: make(map[reportKey]bool)}
	for _, r := range list.Reports {
		w.known[r.reportKey] = true
	}
	for _, f := range files {
		w.total += f.size
	}
	for _, f := range files {
		if err := w.file(f); err != nil {
			return nil, errors.Join(err, out.Abort())
		}
	}
	if err := w.flush(); err != nil {
		return nil, errors.Join(err, out.Abort())
	}
	return w.finish()
}

// mailFile is a file with mails or reports. Those of a maildir have one result.
type mailFile struct {
	path, maildir string
	size          int64
}

// mailFiles are the files, and those that are in maildirs. Nothing is left out silently:
// what is neither is an error.
func mailFiles(paths []string) (list []mailFile, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			list = append(list, mailFile{path: path, size: info.Size()})
			continue
		}
		for _, sub := range []string{"new", "cur"} {
			entries, err := os.ReadDir(filepath.Join(path, sub))
			if err != nil {
				return nil, fmt.Errorf("%s is a directory and no maildir: %w", path, err)
			}
			for _, e := range entries {
				info, err := e.Info()
				if err != nil {
					continue // moved by its reader
				}
				if info.Mode().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
					list = append(list, mailFile{filepath.Join(path, sub, e.Name()), path, info.Size()})
				}
			}
		}
	}
	return list, nil
}

// reportImporter is an import of reports under way.
type reportImporter struct {
	base
	known map[reportKey]bool
	// held are the events that wait to be put into order; the reports of which they are,
	// by their places.
	held []heldEvent
	// fresh are the reports of held events.
	fresh []reportKey
}

// heldEvent is an event of a report, by its place in fresh.
type heldEvent struct {
	spftrack.Event
	report int
}

func (w *reportImporter) file(f mailFile) error {
	r := w.resultOf(cmp.Or(f.maildir, f.path))
	c, err := openContent(f.path)
	if err != nil {
		if f.maildir != "" && errors.Is(err, os.ErrNotExist) {
			return nil // moved by its reader
		}
		return err
	}
	defer c.Close()
	before := r.Others + r.Bad + r.Reports + r.Known
	latest := c.changed.Add(reportSlack).Unix()
	var failed error
	err = dmarc.Each(c, func(n int, report *dmarc.Report, err error) error {
		if f.maildir != "" {
			n = before + 1
		}
		switch {
		case err != nil:
			r.damaged(n, err)
		case report == nil:
			r.Others++
		case report.Begin < firstReport || report.End > latest:
			r.damaged(n, errors.New("its time is before DMARC, or after the file was changed"))
		default:
			failed = w.report(report, n, r)
		}
		if w.Progress != nil {
			w.Progress(w.done+c.done.Load(), w.total)
		}
		return errors.Join(failed, w.ctx.Err())
	})
	w.done += f.size
	switch {
	case failed != nil || w.ctx.Err() != nil:
		return err
	case err != nil:
		r.damaged(before+1, err)
	}
	return nil
}

// resultOf is the result of a file, or of a maildir.
func (w *reportImporter) resultOf(path string) *FileResult {
	list := &w.result.Files
	if n := len(*list); n == 0 || (*list)[n-1].Path != path {
		*list = append(*list, FileResult{Path: path})
	}
	return &(*list)[len(*list)-1]
}

// damaged counts record n and says what is wrong with the first one.
func (r *FileResult) damaged(n int, err error) {
	if r.bad(n); r.Bad == 1 {
		r.Err = err
	}
}

// report takes in a report, which is number n of its file.
func (w *reportImporter) report(report *dmarc.Report, n int, r *FileResult) error {
	key := reportKey{report.Reporter, report.ID, report.Domain, report.Begin, report.End}
	if w.known[key] {
		r.Known++
		return nil
	}
	w.known[key] = true
	r.Reports++
	if report.Bad > 0 {
		r.damaged(n, fmt.Errorf("%d records of a report have no address or no number of messages", report.Bad))
	}
	w.fresh = append(w.fresh, key)
	for _, record := range report.Records {
		r.event(report.Begin * int64(time.Second))
		w.held = append(w.held, heldEvent{w.event(report, &record), len(w.fresh) - 1})
	}
	if len(w.held) < heldEvents {
		return nil
	}
	return w.flush()
}

func (w *reportImporter) event(report *dmarc.Report, record *dmarc.Record) spftrack.Event {
	return spftrack.Event{
		Time: report.Begin * int64(time.Second),
		Parsed: spftrack.Parsed{
			Kind: spftrack.KindDMARC, ClientIP: record.Source, HELO: record.HELO,
			Forged: hostName(record.HeaderFrom), SenderDomain: hostName(record.EnvelopeFrom),
		},
		Report: &spftrack.Report{
			Reporter: report.Reporter, ID: report.ID, End: report.End * int64(time.Second), Messages: record.Messages,
			Disposition: record.Disposition, SPF: record.SPF, DKIM: record.DKIM, Override: strings.Join(record.Reasons, ","),
			RecipientDomain: hostName(record.EnvelopeTo),
		},
	}
}

// hostName is a name in A-labels if it is one, and else as it was reported.
func hostName(text string) string {
	if name, err := dnsname.ParseHost(text); err == nil {
		return string(name)
	}
	return text
}

// flush adds the events that were held to the journal, in order of time: those of a report
// may come from any file.
func (w *reportImporter) flush() error {
	slices.SortStableFunc(w.held, func(a, b heldEvent) int { return cmp.Compare(a.Time, b.Time) })
	first := len(w.list.Reports)
	for _, key := range w.fresh {
		// A report without records has no number to be left out by.
		w.list.Reports = append(w.list.Reports, importedReport{key, w.result.Next, w.result.Next - 1})
	}
	for i := range w.held {
		r := &w.list.Reports[first+w.held[i].report]
		if r.Last < r.First {
			r.First = w.result.Next
		}
		r.Last = w.result.Next
		if err := w.add(&w.held[i].Event); err != nil {
			return err
		}
	}
	w.held, w.fresh = nil, nil
	return nil
}
