package forgerylog

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// Profile is what the log knows of a client.
type Profile struct {
	Client netip.Addr
	// Count is the number of selected events, Total that of any time.
	Count, Total uint64
	// First and Last are the least and the greatest time of an event, of any time;
	// nanoseconds since 1970-01-01 UTC, meaningless without events.
	First, Last int64
	// Domains are the domains that were forged, and Receivers the networks of the
	// resolvers that asked, 24 bits of an IPv4 address, 48 of an IPv6 address, with the
	// number of selected events of each, in the form of spftrack.Printable.
	Domains, Receivers map[string]uint64
}

const (
	// maxProfiles bounds how many clients can be asked for.
	maxProfiles = 1000
	// maxProfile bounds the domains and the receivers of a client.
	maxProfile = 100_000
)

// Profiles implements [Engine]. Of more than 100,000 domains or receivers of a client,
// those that come last are left out.
func (f *Journals) Profiles(ctx context.Context, q Query) ([]Profile, error) {
	q, err := f.placed(q)
	if err != nil {
		return nil, err
	}
	profiles, byText, err := newProfiles(q)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	ever := q
	ever.Since, ever.Until = time.Time{}, time.Time{}
	if err = r.join(ever); err != nil {
		return nil, r.end(err)
	}
	return profiles, r.end(r.profiles(newPlan(q), newPlan(ever), byText))
}

// profiles fills profiles; p selects what is of the period, ever what is of any time.
func (r *run) profiles(p, ever *plan, byText map[string]*Profile) error {
	var noting sync.Mutex
	var net []byte
	one := func(_ int, _ *journalView, row *eventrow.Row) error {
		noting.Lock()
		defer noting.Unlock()
		of := byText[row.ClientIP]
		if of == nil {
			of = byText[ever.clients[0]] // of the only one, the column is not read
		}
		n := ever.weigh(row)
		of.Total += n
		of.First, of.Last = min(of.First, row.TS), max(of.Last, row.TS)
		if p.overlaps(row.TS, row.TS) {
			of.Count += n
			note(of.Domains, row.ForgedDomain, n)
			net = tally.AppendNet(net[:0], row.Resolver)
			note(of.Receivers, string(net), n)
		}
		return nil
	}
	outside := cols(eventrow.TS) | ever.weights
	if len(ever.clients) > 1 {
		outside |= cols(eventrow.ClientIP)
	}
	within := outside | cols(eventrow.ForgedDomain, eventrow.Resolver)
	work := func(worker int, c *countable, s *segment, g parquet.RowGroup, rows []int32) error {
		set := within
		if !p.overlaps(c.file.MinTime, c.file.MaxTime) {
			set = outside
		}
		return s.read(r.ctx, g, rows, set, func(row *eventrow.Row) error { return one(worker, c.view, row) })
	}
	var read, summed []countable
	for _, c := range r.countables(ever) {
		if ever.attemptsOfOne() && c.plan == ever && !p.overlaps(c.file.MinTime, c.file.MaxTime) {
			summed = append(summed, c)
		} else {
			read = append(read, c)
		}
	}
	seen, rest := r.seen(summed, ever.clients)
	if len(seen) > 0 {
		// Of those segments, the first and the last tell when.
		first, last := 0, 0
		for i := range seen {
			if seen[i].file.MinTime < seen[first].file.MinTime {
				first = i
			}
			if seen[i].file.MaxTime > seen[last].file.MaxTime {
				last = i
			}
		}
		for i := range seen {
			if i == first || i == last || seen[i].file.MinTime < seen[first].file.MaxTime || seen[i].file.MaxTime > seen[last].file.MinTime {
				rest = append(rest, seen[i].countable)
				continue
			}
			byText[ever.clients[0]].Total += seen[i].n
		}
	}
	if err := r.groups(append(read, rest...), workerCount(), reading{work, one, within}); err != nil {
		return err
	}
	for _, v := range r.views {
		if err := r.tail(v, v.planOf(ever), func(row *eventrow.Row) error { return one(0, v, row) }); err != nil {
			return err
		}
	}
	return nil
}

// attemptsOfOne reports whether attempts are selected by nothing but a single client.
func (p *plan) attemptsOfOne() bool {
	return p.attempts && len(p.clients) == 1 && len(p.conditions) == 2
}

// seenIn is a segment that has n attempts of a client.
type seenIn struct {
	countable
	n uint64
}

// seen looks into the summaries of segments for a client, and returns those that have it, and
// those whose summary does not tell.
func (r *run) seen(list []countable, clients []string) (seen []seenIn, rest []countable) {
	counts := make([]uint64, len(list))
	known := make([]bool, len(list))
	inParallel(len(list), func(i int) {
		if s := list[i].file.Summary(); s != nil {
			counts[i], known[i] = s.Count(tally.IPs, clients[0])
		}
	})
	for i, c := range list {
		switch {
		case !known[i]:
			rest = append(rest, c)
		case counts[i] > 0:
			seen = append(seen, seenIn{c, counts[i]})
		}
	}
	return seen, rest
}

// newProfiles makes the profiles of the clients of a query, in their order and by text.
func newProfiles(q Query) (profiles []Profile, byText map[string]*Profile, err error) {
	if n := len(q.Clients); n == 0 || n > maxProfiles {
		return nil, nil, fmt.Errorf("ask for the profiles of 1 to %d clients, not %d", maxProfiles, n)
	}
	profiles, byText = make([]Profile, len(q.Clients)), make(map[string]*Profile)
	for i, client := range q.Clients {
		profiles[i] = Profile{Client: client, First: math.MaxInt64, Last: math.MinInt64, Domains: make(map[string]uint64), Receivers: make(map[string]uint64)}
		byText[client.String()] = &profiles[i]
	}
	return profiles, byText, nil
}

// note counts a text n times, unless it is none, or one too many. The text need not stay valid:
// to assign to a key of a map makes the map refer to the new text, even if it had the key.
func note(counts map[string]uint64, text string, n uint64) {
	if sum, known := counts[text]; known || text != "" && len(counts) < maxProfile {
		counts[strings.Clone(text)] = sum + n
	}
}
