package forgerylog

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// Each journal is marked by itself. Where several are read together, one check
// may have asked exists: of one nameserver and exp= of another. So all queries of
// checks are marked anew, as if one nameserver had got them, and what differs is
// noted for each journal:
//
//	ns1  exists: attempt   exp: attempt    exists: attempt
//	ns2  exp: attempt      exists: retry   exp: attempt
//	     ns1's is a retry  as before       ns1's is a retry

// mark says whether an event is an attempt, and whether one to which an exists:
// query belongs beside it.
type mark struct{ attempt, exists bool }

// markOf is the mark of an event that a fold has marked.
func markOf(e *spftrack.Event) mark {
	return mark{attempt.Is(e), e.Flags&spftrack.FlagExists != 0}
}

// ownMark is the mark that a row has in its journal. It needs the columns
// Attempt and Flags.
func ownMark(row *eventrow.Row) mark { return mark{row.Attempt, hasFlagExists(row.Flags)} }

// hasFlagExists looks for [spftrack.FlagExists], which is the last of all.
func hasFlagExists(flags string) bool { return strings.HasSuffix(flags, flagExists) }

var flagExists = spftrack.FlagExists.String()

// set gives a row a mark.
func (m mark) set(row *eventrow.Row) {
	if m == ownMark(row) {
		return
	}
	row.Attempt = m.attempt
	flags, err := spftrack.ParseFlags(row.Flags)
	if err != nil {
		return
	}
	flags &^= spftrack.FlagRetry | spftrack.FlagHELOCheck | spftrack.FlagExists
	if !m.attempt {
		flags |= spftrack.FlagRetry
	}
	if m.exists {
		flags |= spftrack.FlagExists
	}
	row.Flags = flags.String()
}

// remark is an event whose mark is another where journals are read together: its
// sequence number times four, plus one for an attempt, plus two if an exists:
// query belongs to it.
type remark uint64

func newRemark(seq int64, m mark) remark {
	r := remark(seq) << 2
	if m.attempt {
		r |= 1
	}
	if m.exists {
		r |= 2
	}
	return r
}

func (r remark) mark() mark { return mark{r&1 != 0, r&2 != 0} }

// remarkOn returns the remark on an event.
func (v *journalView) remarkOn(seq int64) (r remark, ok bool) {
	i, _ := slices.BinarySearch(v.remarks, newRemark(seq, mark{}))
	if i < len(v.remarks) && v.remarks[i]>>2 == remark(seq) {
		return v.remarks[i], true
	}
	return 0, false
}

// attempt tells whether an event of the view is an attempt. It needs the columns
// Seq and Attempt.
func (v *journalView) attempt(row *eventrow.Row) bool {
	if r, ok := v.remarkOn(row.Seq); ok {
		return r.mark().attempt
	}
	return row.Attempt
}

// exists tells whether an exists: query belongs to an attempt beside it. It needs
// the columns Seq and Flags.
func (v *journalView) exists(row *eventrow.Row) bool {
	if r, ok := v.remarkOn(row.Seq); ok {
		return r.mark().exists
	}
	return hasFlagExists(row.Flags)
}

// correct gives a whole row the mark that it has in the view.
func (v *journalView) correct(row *eventrow.Row) {
	if r, ok := v.remarkOn(row.Seq); ok {
		r.mark().set(row)
	}
}

// planOf is a plan that goes by the marks of the view.
func (v *journalView) planOf(p *plan) *plan {
	if len(v.remarks) == 0 || !p.attempts {
		return p
	}
	own := *p
	own.remarked = true
	own.conditions = slices.Clone(p.conditions)
	own.conditions[p.attempt] = condition{cols(eventrow.Attempt, eventrow.Seq), v.attempt}
	if p.kinds > 0 {
		byKind := p.conditions[p.kinds].match
		own.conditions[p.kinds] = condition{cols(eventrow.Kind, eventrow.Flags, eventrow.Seq), func(r *eventrow.Row) bool {
			marked := eventrow.Row{Kind: r.Kind}
			if v.exists(r) {
				marked.Flags = flagExists
			}
			return byKind(&marked)
		}}
	}
	return &own
}

// joinColumns are what attempts are told by.
var joinColumns = cols(eventrow.Seq, eventrow.TS, eventrow.Zone, eventrow.Kind, eventrow.ClientIP, eventrow.SenderLocal,
	eventrow.SenderDomain, eventrow.ForgedDomain, eventrow.HELO, eventrow.Resolver, eventrow.Qtype, eventrow.Attempt,
	eventrow.Flags)

// several reports whether the views are of several journals.
func (r *run) several() bool {
	return slices.ContainsFunc(r.views, func(v *journalView) bool { return v.origin != r.views[0].origin })
}

// needsMarks reports whether queries of checks may be selected, which are attempts or not.
func (q *Query) needsMarks() bool { return q.Source == "" || q.Source == FromSPF }

// checksOf selects the queries of checks by which the marks of what q selects
// are told: events belong together only if client and domain are the same.
func checksOf(q Query) Query {
	return Query{
		Domain: q.Domain, Client: q.Client, Clients: q.Clients, Packets: true,
		Kinds: []spftrack.Kind{spftrack.KindExists, spftrack.KindExp, spftrack.KindClassic},
	}
}

// join marks the events of all views together, if they are of several journals.
func (r *run) join(q Query) error {
	if !r.several() || !q.needsMarks() {
		return nil
	}
	p := newPlan(checksOf(q))
	exact := newPlan(q)
	p.first = earlier(exact.first, attempt.Default.Cached+attempt.Default.Attempt)
	p.last = later(exact.last, attempt.Default.Hold)
	p.conditions = append(p.conditions, condition{cols(eventrow.TS), func(row *eventrow.Row) bool { return p.overlaps(row.TS, row.TS) }})

	type waiting struct {
		view *journalView
		seq  int64
		own  mark
	}
	var queue []waiting
	done := 0
	fold := attempt.New(attempt.Default, func(e *spftrack.Event) error {
		w := &queue[done]
		if m := markOf(e); m != w.own {
			w.view.remarks = append(w.view.remarks, newRemark(w.seq, m))
		}
		if done++; done == len(queue) || done > 1<<16 {
			queue = append(queue[:0], queue[done:]...)
			done = 0
		}
		return nil
	})
	var e spftrack.Event
	seq := uint64(0)
	err := r.byTime(p, joinColumns, func(v *journalView, row *eventrow.Row) error {
		seq++
		if !joinEvent(row, &e) {
			return nil
		}
		e.Seq = seq
		queue = append(queue, waiting{v, row.Seq, ownMark(row)})
		return fold.Push(&e)
	})
	if err == nil {
		err = fold.Flush()
	}
	for _, v := range r.views {
		slices.Sort(v.remarks)
	}
	return err
}

// joinEvent makes an event of a row, which is not marked; false when the row
// cannot be an attempt, whatever others there are. A classic name that is a
// retry may be a part of another, which its journal knows.
func joinEvent(row *eventrow.Row, e *spftrack.Event) bool {
	*e = spftrack.Event{Time: row.TS, Zone: strings.Clone(row.Zone), QType: uint16(row.Qtype)}
	if e.Kind.UnmarshalText([]byte(row.Kind)) != nil || e.Kind == spftrack.KindClassic && !row.Attempt {
		return false
	}
	client, err := netip.ParseAddr(row.ClientIP)
	if err != nil {
		return false
	}
	resolver, err := netip.ParseAddr(row.Resolver)
	if err != nil {
		return false
	}
	e.ClientIP, e.Resolver = client, netip.AddrPortFrom(resolver, 0)
	e.Forged, e.SenderDomain = strings.Clone(row.ForgedDomain), strings.Clone(row.SenderDomain)
	e.SenderLocal, e.HELO = strings.Clone(row.SenderLocal), strings.Clone(row.HELO)
	return true
}

// byTime calls yield with the selected events of all views, merged by time.
func (r *run) byTime(p *plan, set columns, yield func(*journalView, *eventrow.Row) error) error {
	sources := make([]source, len(r.views))
	for i, v := range r.views {
		s := &sources[i]
		next, stop := iter.Pull(r.sequence(v, p, set, &s.err))
		defer stop()
		s.next = next
	}
	return mergeSources(sources, func(i int, row *eventrow.Row) error { return yield(r.views[i], row) })
}

// mergeSources calls yield with the events of all sources, and the place of the source,
// merged by time.
func mergeSources(sources []source, yield func(i int, row *eventrow.Row) error) error {
	for i := range sources {
		if err := sources[i].advance(); err != nil {
			return err
		}
	}
	for {
		oldest := -1
		for i := range sources {
			if sources[i].head != nil && (oldest < 0 || sources[i].head.TS < sources[oldest].head.TS) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		if err := yield(oldest, sources[oldest].head); err != nil {
			return err
		}
		if err := sources[oldest].advance(); err != nil {
			return err
		}
	}
}
