package forgerylog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// Portrait is what a page tells of a client. It takes one look at the client's events, where
// the questions of an [Engine] take one each.
type Portrait struct {
	// Profile is that of the client.
	Profile Profile
	// Series counts the selected events, Before those of the period of the same length
	// before, which is nil when q.Since is zero.
	Series, Before *Series
	// Rankings are those of the fields that were asked for, in their order.
	Rankings []*Ranking
	// Newest are the newest selected events, in order of time, with the columns that tables of
	// pages show.
	Newest []eventrow.Row
}

// portraitColumns are those that a portrait reads. The client is known: its dictionary is as
// large as that of all other columns.
var portraitColumns = []*eventrow.Column{
	eventrow.TS, eventrow.Seq, eventrow.ServerID, eventrow.Kind, eventrow.SenderLocal, eventrow.SenderDomain, eventrow.ForgedDomain,
	eventrow.HELO, eventrow.Resolver, eventrow.Flags, eventrow.Attempt, eventrow.RecipientDomain, eventrow.Cause,
	eventrow.Messages, eventrow.Disposition, eventrow.Reporter,
}

// Sitting says what a portrait shows.
type Sitting struct {
	// Client is the address as the newest events show it.
	Client string
	// Until is the end of the period when the query has none.
	Until time.Time
	Per   Unit
	// Fields are those to count by; those of places are not known. Ranks is how many values
	// of each, Newest how many events.
	Fields []Field
	Ranks  int
	Newest int
}

// ErrTooMuch tells that a client has too many different values for a portrait.
var ErrTooMuch = errors.New("too much for a portrait; ask one question after the other")

// maxPortrait bounds the different values of a portrait.
const maxPortrait = 200_000

// Portray makes a portrait of the client of a query, the only one of q.Clients. Beside an
// [Incomplete], it is right about everything that could be read.
func Portray(ctx context.Context, e Engine, q Query, s Sitting) (*Portrait, error) {
	if len(q.Clients) != 1 {
		return nil, fmt.Errorf("ask for the portrait of one client, not of %d", len(q.Clients))
	}
	d, err := newDraft(q, s)
	if err != nil {
		return nil, err
	}
	if journals, ok := e.(*Journals); ok {
		held, done, err := journals.hold(ctx, q.Clients[0].String())
		if err != nil {
			return nil, err
		}
		defer done()
		e = held
	}
	var incomplete error
	part := func(err error) error {
		if !errors.As(err, new(*Incomplete)) {
			return err
		}
		incomplete = err
		return nil
	}
	if err := part(e.Scan(ctx, q, portraitColumns, d.add)); err != nil {
		return nil, err
	}
	if !q.Since.IsZero() {
		before := q
		until := q.Until
		if until.IsZero() {
			until = s.Until
		}
		before.Since, before.Until = q.Since.Add(-until.Sub(q.Since)), q.Since
		d.Before, err = e.Timeline(ctx, before, s.Per)
		if err := part(err); err != nil {
			return nil, err
		}
	}
	// Of the time outside, no more is asked than when the client was there and how often.
	ever := q
	ever.Since, ever.Until = time.Unix(0, math.MaxInt64), time.Unix(0, math.MaxInt64)
	profiles, err := e.Profiles(ctx, ever)
	if err := part(err); err != nil {
		return nil, err
	}
	p := &d.Profile
	p.Total, p.First, p.Last = profiles[0].Total, profiles[0].First, profiles[0].Last
	return d.finish(), incomplete
}

// draft is a portrait that is being made.
type draft struct {
	Portrait
	sitting Sitting
	weigh   func(*eventrow.Row) uint64
	// counts are those of the fields, domains and resolvers those of the profile.
	counts             []draftCounts
	domains, resolvers draftCounts
	distinct           int
	buckets            buckets
}

type draftCounts struct {
	key            func(*eventrow.Row) string
	counts         map[string]*uint64
	total, unknown uint64
}

func newDraftCounts(key tally.Key) draftCounts {
	return draftCounts{key: key.Of(), counts: make(map[string]*uint64)}
}

func newDraft(q Query, s Sitting) (*draft, error) {
	d := &draft{
		sitting: s, weigh: newPlan(q).weigh, buckets: buckets{per: s.Per},
		domains: newDraftCounts(tally.Domain), resolvers: newDraftCounts(tally.Resolver),
	}
	d.Profile = Profile{Client: q.Clients[0], First: math.MaxInt64, Last: math.MinInt64, Domains: make(map[string]uint64), Receivers: make(map[string]uint64)}
	d.Series = &Series{Per: s.Per}
	for _, by := range s.Fields {
		key, _, err := new(Journals).keyOf(by)
		if err != nil {
			return nil, err
		}
		d.counts = append(d.counts, newDraftCounts(key))
		d.Rankings = append(d.Rankings, &Ranking{By: by, Counted: q.Counted()})
	}
	return d, nil
}

func (d *draft) add(r *eventrow.Row) error {
	n := d.weigh(r)
	if err := d.buckets.add(r.TS, n); err != nil {
		return err
	}
	d.Profile.Count += n
	for _, c := range []*draftCounts{&d.domains, &d.resolvers} {
		if err := d.count(c, r, n); err != nil {
			return err
		}
	}
	for i := range d.counts {
		if err := d.count(&d.counts[i], r, n); err != nil {
			return err
		}
	}
	d.keep(r)
	return nil
}

func (d *draft) count(c *draftCounts, r *eventrow.Row, n uint64) error {
	text := c.key(r)
	c.total += n
	if text == "" {
		c.unknown += n
		return nil
	}
	if sum := c.counts[text]; sum != nil {
		*sum += n
		return nil
	}
	if d.distinct++; d.distinct > maxPortrait {
		return ErrTooMuch
	}
	c.counts[strings.Clone(text)] = &n
	return nil
}

// keep keeps the newest events, in order of time.
func (d *draft) keep(r *eventrow.Row) {
	list := d.Newest
	if len(list) == d.sitting.Newest && (len(list) == 0 || r.TS < list[0].TS) {
		return
	}
	at, _ := slices.BinarySearchFunc(list, r.TS, func(k eventrow.Row, ts int64) int { return cmp.Or(cmp.Compare(k.TS, ts), -1) })
	list = slices.Insert(list, at, r.Clone())
	list[at].ClientIP = d.sitting.Client
	d.Newest = list[max(len(list)-d.sitting.Newest, 0):]
}

func (d *draft) finish() *Portrait {
	for domain, n := range d.domains.counts {
		note(d.Profile.Domains, domain, *n)
	}
	var net []byte
	for resolver, n := range d.resolvers.counts {
		net = tally.AppendNet(net[:0], resolver)
		note(d.Profile.Receivers, string(net), *n)
	}
	_ = d.buckets.flush() // of a number that add has bounded
	for start, n := range d.buckets.counts {
		d.Series.Total += n
		d.Series.Buckets = append(d.Series.Buckets, Bucket{start, n})
	}
	slices.SortFunc(d.Series.Buckets, func(a, b Bucket) int { return cmp.Compare(a.Start, b.Start) })
	for i, r := range d.Rankings {
		c := &d.counts[i]
		r.Total, r.Unknown, r.Distinct = c.total, c.unknown, uint64(len(c.counts))
		greatest := tally.Ranks{Most: d.sitting.Ranks}
		for text, n := range c.counts {
			greatest.Add(text, *n)
		}
		r.set(&greatest)
	}
	return &d.Portrait
}
