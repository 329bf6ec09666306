package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"nullspf/internal/maillog"
)

// Rejects counts causes of refusals in logs of mail servers.
type Rejects struct {
	// Files are the logs; "-" is Input.
	Files []string
	Input io.Reader
	// TimeZone is that of local times.
	TimeZone *time.Location
	// Since: only refusals since then; the zero Time means all. Newest: only that many of
	// the newest; 0 means all.
	Since  time.Time
	Newest int
	// Progress, unless nil, is told how many bytes of the files are done.
	Progress func(done, total int64)
}

// RejectCounts are the causes and how often each occurs.
type RejectCounts struct {
	Causes map[string]uint64
	Total  uint64
	// Bad are refusals that cannot be read, Timeless those without time, which Since
	// leaves out.
	Bad, Timeless uint64
}

// MaxNewest bounds how many of the newest refusals can be asked for.
const MaxNewest = 10_000_000

// Run counts. A file that is damaged is counted as far as it is whole: then the counts are
// right about the rest beside the error.
func (j *Rejects) Run(ctx context.Context) (*RejectCounts, error) {
	if j.Newest < 0 || j.Newest > MaxNewest {
		return nil, fmt.Errorf("at most the newest %d refusals can be counted", MaxNewest)
	}
	files, err := j.inOrder()
	if err != nil {
		return nil, err
	}
	c := &rejectCounter{Rejects: j, ctx: ctx, codes: make(map[maillog.Cause]int32)}
	for _, s := range files {
		c.total += s.size
	}
	var damage []error
	for _, s := range files {
		if err := c.file(s); errors.Is(err, errDamaged) {
			damage = append(damage, err)
		} else if err != nil {
			return nil, err
		}
	}
	for _, r := range c.parser.Rest() {
		c.refusal(&r)
	}
	return c.counts(), errors.Join(damage...)
}

// inOrder are the files in the order of their first refusals, those of the newest last.
func (j *Rejects) inOrder() (list []sourceFile, err error) {
	i := &Import{Format: MailLog, TimeZone: j.TimeZone}
	for _, path := range j.Files {
		s := sourceFile{path: path, first: math.MaxInt64}
		if path != "-" {
			c, err := openContent(path)
			if err != nil {
				return nil, err
			}
			s.size = c.size
			// Without times, the order is that of the command.
			s, _ = i.lookRefusal(c, s)
			if err := c.Close(); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b sourceFile) int { return cmp.Compare(a.first, b.first) })
	return list, nil
}

// rejectCounter is a count under way.
type rejectCounter struct {
	*Rejects
	ctx         context.Context
	parser      maillog.Parser
	done, total int64

	// codes are the places of causes in causes.
	codes  map[maillog.Cause]int32
	causes []maillog.Cause
	sums   []uint64
	// newest are the causes of the newest refusals, a ring from next on once it is full.
	newest        []int32
	next          int
	bad, timeless uint64
}

// errDamaged: the rest of a file cannot be read.
var errDamaged = errors.New("damaged")

func (c *rejectCounter) file(s sourceFile) error {
	in, changed := c.Input, time.Now()
	if s.path != "-" {
		f, err := openContent(s.path)
		if err != nil {
			return err
		}
		defer f.Close()
		in, changed = f, f.changed
		defer func() { c.done += s.size }()
		defer c.tell(f)
	}
	i := &Import{TimeZone: c.TimeZone}
	c.parser.Begin(i.clock(&content{changed: changed}))
	records := &lines{in: newReader(in)}
	for n := 1; ; n++ {
		line, err := records.line()
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, errCut):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w: %w; what follows is missing", s.path, errDamaged, err)
		}
		found, what := c.parser.Line(line)
		if what == maillog.IsBad {
			c.bad++
		}
		for k := range found {
			c.refusal(&found[k])
		}
		if n%progressEvery == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			if f, ok := in.(*content); ok {
				c.tell(f)
			}
		}
	}
}

// tell tells progress.
func (c *rejectCounter) tell(f *content) {
	if c.Progress != nil {
		c.Progress(c.done+f.done.Load(), c.total)
	}
}

// maxCauses bounds how many causes are told apart, of which block lists have the names.
const maxCauses = 10_000

func (c *rejectCounter) refusal(r *maillog.Refusal) {
	if !c.Since.IsZero() {
		if r.Time == 0 {
			c.timeless++
			return
		}
		if r.Time < c.Since.UnixNano() {
			return
		}
	}
	code := c.code(r.Cause)
	c.sums[code]++
	switch {
	case c.Newest == 0:
	case len(c.newest) < c.Newest:
		c.newest = append(c.newest, code)
	default:
		c.sums[c.newest[c.next]]--
		c.newest[c.next] = code
		c.next = (c.next + 1) % c.Newest
	}
}

func (c *rejectCounter) code(cause maillog.Cause) int32 {
	if code, ok := c.codes[cause]; ok {
		return code
	}
	if len(c.causes) >= maxCauses && cause != maillog.Other {
		return c.code(maillog.Other)
	}
	c.causes, c.sums = append(c.causes, cause), append(c.sums, 0)
	c.codes[cause] = int32(len(c.causes) - 1)
	return c.codes[cause]
}

func (c *rejectCounter) counts() *RejectCounts {
	r := &RejectCounts{Causes: make(map[string]uint64), Bad: c.bad, Timeless: c.timeless}
	for code, n := range c.sums {
		if n > 0 {
			r.Causes[string(c.causes[code])] = n
			r.Total += n
		}
	}
	return r
}
