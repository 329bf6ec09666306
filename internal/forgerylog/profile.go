package forgerylog

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

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
	selected := newPlan(Query{Since: q.Since, Until: q.Until})
	columns := cols(eventrow.ClientIP, eventrow.TS, eventrow.ForgedDomain, eventrow.Resolver)
	var net []byte
	plan := newPlan(ever)
	err = r.scan(plan, columns|plan.weights, func(row *eventrow.Row) error {
		p := byText[row.ClientIP]
		n := plan.weigh(row)
		p.Total += n
		p.First, p.Last = min(p.First, row.TS), max(p.Last, row.TS)
		if selected.overlaps(row.TS, row.TS) {
			p.Count += n
			note(p.Domains, row.ForgedDomain, n)
			net = tally.AppendNet(net[:0], row.Resolver)
			note(p.Receivers, string(net), n)
		}
		return nil
	})
	return profiles, r.end(err)
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

// note counts a text n times, unless it is none, or one too many.
func note(counts map[string]uint64, text string, n uint64) {
	if _, known := counts[text]; known {
		counts[text] += n
	} else if text != "" && len(counts) < maxProfile {
		counts[strings.Clone(text)] = n
	}
}
