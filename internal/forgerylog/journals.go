package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// Journals is the [Engine] that reads journal directories.
type Journals struct {
	dirs    []string
	options journal.ReadOptions
	// liveHold is how long Follow waits for a query to another nameserver.
	liveHold time.Duration
	places   Places
	notes    func(string)
	// held is what all queries are answered from, nil for views that each takes.
	held *run
}

// Option is a setting of [Open] that has a default.
type Option func(*Journals)

// WithNotes has f told what there is to know about an answer, beside it: a line
// for people each time.
func WithNotes(f func(string)) Option { return func(j *Journals) { j.notes = f } }

// Open returns an engine over directories. They are opened when something is
// asked.
func Open(dirs []string, options journal.ReadOptions, more ...Option) *Journals {
	j := &Journals{
		dirs: dirs, options: options, liveHold: attempt.Default.Hold,
		notes: func(string) {},
	}
	for _, set := range more {
		set(j)
	}
	return j
}

// maxPrepared is how many segments are prepared at most.
const maxPrepared = 200

// Prepare parses footers and summaries of the newest segments of each directory, so that answers need
// not wait for it. It is of use where [journal.ReadOptions] say where to keep them. What cannot be read
// is told by answers.
func (f *Journals) Prepare(ctx context.Context) {
	r, err := f.begin(ctx)
	if err != nil {
		return
	}
	defer r.close()
	for _, v := range r.views {
		segments := v.Segments()
		for _, s := range slices.Backward(segments[max(len(segments)-maxPrepared, 0):]) {
			if ctx.Err() != nil {
				return
			}
			if s.Summary() != nil { // else the whole file would be read
				_ = s.Load()
			}
		}
	}
}

// run is a query under way.
type run struct {
	ctx   context.Context
	views []*journalView
	// problems are what could not be read.
	problems []error
	// held: the views are those of other queries, too.
	held bool
}

// hold returns an engine that answers its queries about a client, one at a time, from one view of each
// directory, and what ends that. Views of several journals are marked for each query, so there each
// takes its own.
func (f *Journals) hold(ctx context.Context, client string) (*Journals, func(), error) {
	r, err := f.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	held := *f
	if r.several() {
		r.close()
		return &held, func() {}, nil
	}
	for _, v := range r.views {
		v.client = client
	}
	held.held = r
	return &held, r.close, nil
}

// begin takes a view of each directory.
func (f *Journals) begin(ctx context.Context) (*run, error) {
	if f.held != nil {
		return &run{ctx: ctx, views: f.held.views, problems: slices.Clone(f.held.problems), held: true}, nil
	}
	dirs, err := f.distinct()
	if err != nil {
		return nil, err
	}
	r := &run{ctx: ctx}
	for _, dir := range dirs {
		v, err := journal.Snapshot(dir, f.options)
		if err != nil {
			r.close()
			return nil, err
		}
		r.views = append(r.views, &journalView{View: v})
		for _, path := range v.Unreadable {
			r.problems = append(r.problems, fmt.Errorf("%s: its header is damaged", path))
		}
	}
	if err := r.excuse(findCopies(r.views)); err != nil {
		r.close()
		return nil, err
	}
	for _, v := range r.views {
		if note := v.copyNote(); note != "" {
			f.notes(note)
		}
	}
	return r, nil
}

// distinct returns the directories without those that are named again, and notes
// these.
func (f *Journals) distinct() ([]string, error) {
	if len(f.dirs) == 0 {
		return nil, errors.New("no journal directory is named")
	}
	var dirs []string
	var infos []os.FileInfo
	for _, dir := range f.dirs {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("cannot open the journal directory: %s is not there: nullspfd makes it when it starts, where its Corefile says journal; name another with --journal or the key journals", dir)
		case err != nil:
			return nil, fmt.Errorf("cannot open the journal directory: %w", err)
		case !info.IsDir():
			return nil, fmt.Errorf("cannot open the journal directory: %s is a file", dir)
		}
		if i := slices.IndexFunc(infos, func(other os.FileInfo) bool { return os.SameFile(info, other) }); i >= 0 {
			f.notes(fmt.Sprintf("the journal directories %s and %s are the same, which counts once", dirs[i], dir))
			continue
		}
		dirs, infos = append(dirs, dir), append(infos, info)
	}
	return dirs, nil
}

func (r *run) close() {
	if r.held {
		return
	}
	for _, v := range r.views {
		_ = v.Close()
	}
}

// end gives the error of an answer: err, or what could not be read.
func (r *run) end(err error) error {
	r.close()
	if err == nil && len(r.problems) > 0 {
		return &Incomplete{r.problems}
	}
	return err
}

// excuse notes an error of a file, after which others can still be read. It
// returns all other errors.
func (r *run) excuse(err error) error {
	if !isFileError(err) {
		return err
	}
	var damages journal.Damages
	if errors.As(err, &damages) {
		for _, d := range damages {
			r.problems = append(r.problems, d)
		}
		return nil
	}
	if !slices.ContainsFunc(r.problems, func(p error) bool { return p.Error() == err.Error() }) {
		r.problems = append(r.problems, err)
	}
	return nil
}

// scan calls yield with the selected events of all directories, one directory
// after the other.
func (r *run) scan(p *plan, set columns, yield func(*eventrow.Row) error) error {
	for _, v := range r.views {
		if err := r.journal(v, p, set, yield); err != nil {
			return err
		}
	}
	return nil
}

// journal calls yield with the selected events of a directory in order.
func (r *run) journal(v *journalView, p *plan, set columns, yield func(*eventrow.Row) error) error {
	if len(v.remarks) > 0 && set == allColumns {
		as := yield
		yield = func(row *eventrow.Row) error {
			v.correct(row)
			return as(row)
		}
	}
	var rows []int32
	for _, c := range v.holding(p) {
		if err := r.excuse(r.segment(c.file, c.plan, set, &rows, yield)); err != nil {
			return err
		}
	}
	return r.tail(v, v.planOf(p), yield)
}

// segment calls yield with the selected events of a segment in order. It uses the memory of rows.
func (r *run) segment(file *journal.SegmentFile, p *plan, set columns, rows *[]int32, yield func(*eventrow.Row) error) error {
	if found, err := r.ofClient(file, p, set, yield); found {
		return err
	}
	s, groups, err := openSegment(r.ctx, file, p)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if *rows, err = s.selected(r.ctx, g, p, *rows); err != nil {
			return err
		}
		if err := s.read(r.ctx, g, *rows, set, yield); err != nil {
			return err
		}
	}
	return nil
}

// tail calls yield with the selected events that are not sealed. A row is valid
// until yield returns.
func (r *run) tail(v *journalView, p *plan, yield func(*eventrow.Row) error) error {
	kept := r.keptTail(v)
	if kept == nil {
		return r.excuse(r.readTail(v, p.matches, yield))
	}
	for _, row := range kept.rows {
		if !p.matches(&row) {
			continue
		}
		if err := yield(&row); err != nil {
			return err
		}
	}
	return r.excuse(kept.err)
}

// keptTail is the events that are not sealed of the only client that a held view is asked for; nil
// where there is none, or they are too many to be kept.
func (r *run) keptTail(v *journalView) *unsealed {
	if v.client == "" || v.unsealed != nil {
		return v.unsealed
	}
	u := new(unsealed)
	u.err = r.readTail(v, func(row *eventrow.Row) bool { return row.ClientIP == v.client }, func(row *eventrow.Row) error {
		if len(u.rows) == maxUnsealed {
			v.client = ""
			return errStopped
		}
		u.rows = append(u.rows, row.Clone())
		return nil
	})
	if u.err == nil || isFileError(u.err) {
		v.unsealed = u
	}
	return v.unsealed
}

// readTail calls yield with the events that are not sealed and match. Its errors are those of files, of
// yield and of ctx.
func (r *run) readTail(v *journalView, matches func(*eventrow.Row) bool, yield func(*eventrow.Row) error) error {
	// Of the two sources of errors, only one is the file's.
	var asked error
	n := 0
	var builder eventrow.Builder
	var row eventrow.Row
	err := v.Tail(func(e *spftrack.Event) error {
		if n++; n%batchRows == 0 {
			asked = r.ctx.Err()
		}
		builder.Reset()
		builder.Fill(&row, e)
		if asked == nil && matches(&row) && !v.holds(e.Seq) {
			asked = yield(&row)
		}
		return asked
	})
	if err != nil && asked == nil {
		return &fileError{err}
	}
	return err
}
