package forgerylog

import (
	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/tally"
)

// ofClient calls yield with the selected events of a segment, in order, when its summary has the
// attempts of the only client that is looked for; found tells that. Some columns of an event are
// set, and it is valid until yield returns.
func (r *run) ofClient(file *journal.SegmentFile, p *plan, set columns, yield func(*eventrow.Row) error) (found bool, err error) {
	s := p.summaryOfClient(file)
	if s == nil {
		return false, nil
	}
	for _, c := range p.conditions {
		set |= c.columns
	}
	rows := s.Client(p.clients[0], set.has)
	if rows == nil {
		return false, nil
	}
	if err := r.ctx.Err(); err != nil {
		return true, err
	}
	return true, rows.Each(func(row *eventrow.Row) error {
		if !p.matches(row) {
			return nil
		}
		return yield(row)
	})
}

// summaryOfClient is the summary of a segment when it tells of attempts of the only client that is
// looked for, else nil.
func (p *plan) summaryOfClient(file *journal.SegmentFile) *tally.Summary {
	if !p.attempts || p.remarked || len(p.clients) != 1 {
		return nil
	}
	return file.Summary()
}

// places are the rows of a segment with attempts of the only client that is looked for; false: its
// summary does not tell.
func (p *plan) places(file *journal.SegmentFile) ([]int32, bool) {
	if s := p.summaryOfClient(file); s != nil {
		return s.RowsOf(p.clients[0])
	}
	return nil, false
}
