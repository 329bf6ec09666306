// Package report writes what the forgery log says about a period, for cron, mail and
// other programs: text of 80 columns, Markdown, HTML and JSON.
package report

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/reverse"
	"nullspf/spftrack"
)

// Report is what the log says about a period, beside the period of the same length
// before. All texts are in the form of spftrack.Printable, places with spaces.
type Report struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Made is when it was made, Version by which version.
	Made    time.Time `json:"made"`
	Version string    `json:"version"`

	Attempts Counts `json:"attempts"`
	// Sources are the observations by where they come from: attempts, sessions at the
	// SMTP listener, messages in DMARC reports, refusals in mail logs.
	Sources []Named `json:"sources"`
	// Clients, NewClients and so on are numbers of different values.
	Clients    uint64 `json:"clients"`
	NewClients uint64 `json:"new_clients"`

	Per      forgerylog.Unit `json:"per"`
	Timeline []Interval      `json:"timeline"`

	Forgers    []Forger `json:"forgers"`
	NewForgers []Forger `json:"new_forgers"`
	Domains    Ranking  `json:"domains"`
	Receivers  Ranking  `json:"receivers"`
	Networks   Ranking  `json:"networks"`
	// Systems and Countries are empty without databases of places.
	Systems   Ranking `json:"systems"`
	Countries Ranking `json:"countries"`

	Journals []Journal `json:"journals"`
	Servers  []Server  `json:"servers"`
	// Problems are what could not be read: the numbers lack it.
	Problems []string `json:"problems"`
}

// Counts are a number in the period and in the one before.
type Counts struct {
	Now    uint64 `json:"now"`
	Before uint64 `json:"before"`
}

// Named is such a number of something.
type Named struct {
	Name string `json:"name"`
	Counts
}

// Interval is a unit of time: attempts in it, and in the unit one period earlier.
type Interval struct {
	Start time.Time `json:"start"`
	Counts
}

// Ranking is the most frequent values of Distinct different ones.
type Ranking struct {
	Values   []Value `json:"values"`
	Distinct uint64  `json:"distinct"`
}

// Value is a value and its attempts in the period.
type Value struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// Forger is a client whose mail was checked.
type Forger struct {
	Client   netip.Addr `json:"client"`
	Attempts uint64     `json:"attempts"`
	// Total counts attempts of any time, from First to Last.
	Total uint64    `json:"total"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// New: First lies in the period.
	New bool `json:"new"`
	// Domains are those that were forged most in the period, Receivers is how many
	// networks of resolvers asked.
	Domains   Ranking `json:"domains"`
	Receivers int     `json:"receivers"`
	System    string  `json:"system,omitempty"`
	Country   string  `json:"country,omitempty"`
	// Reverse is the state of reverse DNS, "" when it was not asked for, and Name the
	// name of the client.
	Reverse reverse.State `json:"reverse,omitempty"`
	Name    string        `json:"name,omitempty"`
	// Tier is how certain the evidence is, "" when it was not asked for.
	Tier string `json:"tier,omitempty"`
}

// Journal is the state of a journal directory.
type Journal struct {
	Dir    string `json:"directory"`
	Server string `json:"server"`
	// Events it holds, Lost were answered but not stored, Damaged cannot be read.
	Events  uint64 `json:"events"`
	Lost    uint64 `json:"lost"`
	Damaged uint64 `json:"damaged"`
	// Last is the time of the newest event.
	Last time.Time `json:"last"`
}

// Server is the state of a running nullspfd.
type Server struct {
	Socket string `json:"socket"`
	// Problems it has; Error says why it could not be asked.
	Problems []string `json:"problems"`
	Error    string   `json:"error,omitempty"`
}

// Settings are what a report is about.
type Settings struct {
	Since, Until time.Time
	// Query has further conditions; its times do not matter.
	Query forgerylog.Query
	// Most is how many of each kind are listed.
	Most int
	// Places: the engine knows autonomous systems and countries.
	System, Country bool
	// Places tells of them for a client; nil for none.
	Places forgerylog.Places
	// Tiers tells how certain it is that clients forge; nil for nobody knows.
	Tiers func(context.Context, []netip.Addr) (map[netip.Addr]string, error)
	// Reverse is asked for the names of forgers; nil for none.
	Reverse *reverse.Cache
	Version string
	Now     time.Time
}

// maxIntervals bounds the units of a chart.
const maxIntervals = 24 * 4

// Make asks an engine everything that a report tells. What could not be read is in
// Problems.
func Make(ctx context.Context, e forgerylog.Engine, s Settings) (*Report, error) {
	m := maker{ctx: ctx, e: e, s: s, r: &Report{Since: s.Since, Until: s.Until, Made: s.Now, Version: s.Version}}
	m.now, m.before = s.Query, s.Query
	m.now.Since, m.now.Until = s.Since, s.Until
	m.before.Since, m.before.Until = s.Since.Add(-s.Until.Sub(s.Since)), s.Since
	for _, part := range []func() error{m.counts, m.timeline, m.rankings, m.forgers, m.newForgers, m.journals} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return m.r, nil
}

type maker struct {
	ctx         context.Context
	e           forgerylog.Engine
	s           Settings
	now, before forgerylog.Query
	r           *Report
}

// excuse notes what could not be read, and returns other errors.
func (m *maker) excuse(err error) error {
	var i *forgerylog.Incomplete
	if !errors.As(err, &i) {
		return err
	}
	for _, p := range i.Problems {
		if text := printable(p.Error()); !slices.Contains(m.r.Problems, text) {
			m.r.Problems = append(m.r.Problems, text)
		}
	}
	return nil
}

// count counts the events of a query and of the same before.
func (m *maker) count(narrow func(*forgerylog.Query)) (c Counts, err error) {
	for _, each := range []struct {
		q    forgerylog.Query
		into *uint64
	}{{m.now, &c.Now}, {m.before, &c.Before}} {
		narrow(&each.q)
		s, err := m.e.Timeline(m.ctx, each.q, forgerylog.Day)
		if err := m.excuse(err); err != nil {
			return c, err
		}
		*each.into = s.Total
	}
	return c, nil
}

func (m *maker) counts() (err error) {
	if m.r.Attempts, err = m.count(func(*forgerylog.Query) {}); err != nil {
		return err
	}
	for _, source := range forgerylog.Sources {
		c, err := m.count(func(q *forgerylog.Query) { q.Source = source })
		if err != nil {
			return err
		}
		m.r.Sources = append(m.r.Sources, Named{string(source), c})
	}
	return nil
}

func (m *maker) timeline() error {
	r := m.r
	length := r.Until.Sub(r.Since)
	r.Per = forgerylog.Hour
	unit := time.Hour
	switch {
	case length > maxIntervals*time.Hour:
		r.Per, unit = forgerylog.Day, 24*time.Hour
	case length <= 2*time.Hour:
		r.Per, unit = forgerylog.Minute, time.Minute
	}
	place := func(t, since time.Time) int { return int(t.Sub(since.Truncate(unit)) / unit) }
	r.Timeline = make([]Interval, place(r.Until.Add(-1), r.Since)+1)
	for i := range r.Timeline {
		r.Timeline[i].Start = r.Since.Truncate(unit).Add(time.Duration(i) * unit)
	}
	for _, q := range []forgerylog.Query{m.now, m.before} {
		s, err := m.e.Timeline(m.ctx, q, r.Per)
		if err := m.excuse(err); err != nil {
			return err
		}
		for _, b := range s.Buckets {
			i := &r.Timeline[min(place(time.Unix(0, b.Start), q.Since), len(r.Timeline)-1)]
			if q.Since.Equal(r.Since) {
				i.Now += b.Count
			} else {
				i.Before += b.Count
			}
		}
	}
	return nil
}

func (m *maker) rankings() error {
	for _, k := range []struct {
		by     forgerylog.Field
		into   *Ranking
		wanted bool
	}{
		{forgerylog.ByDomain, &m.r.Domains, true},
		{forgerylog.ByResolver, &m.r.Receivers, true},
		{forgerylog.ByNet, &m.r.Networks, true},
		{forgerylog.ByAS, &m.r.Systems, m.s.System},
		{forgerylog.ByCountry, &m.r.Countries, m.s.Country},
	} {
		if !k.wanted {
			continue
		}
		t, err := m.e.Top(m.ctx, m.now, k.by, m.s.Most)
		if err := m.excuse(err); err != nil {
			return err
		}
		*k.into = rankingOf(t)
	}
	return nil
}

func rankingOf(t *forgerylog.Ranking) Ranking {
	r := Ranking{Distinct: t.Distinct, Values: []Value{}}
	for _, k := range t.Ranks {
		r.Values = append(r.Values, Value{printable(k.Value), k.Count})
	}
	return r
}

func (m *maker) forgers() error {
	t, err := m.e.Top(m.ctx, m.now, forgerylog.ByIP, m.s.Most)
	if err := m.excuse(err); err != nil {
		return err
	}
	m.r.Clients = t.Distinct
	m.r.Forgers, err = m.profiles(t)
	return err
}

func (m *maker) newForgers() error {
	t, err := m.e.Newcomers(m.ctx, m.now, forgerylog.ByIP, m.s.Most)
	if err := m.excuse(err); err != nil {
		return err
	}
	m.r.NewClients = t.Distinct
	m.r.NewForgers, err = m.profiles(t)
	return err
}

// shownDomains is how many domains of a forger are listed.
const shownDomains = 3

func (m *maker) profiles(t *forgerylog.Ranking) ([]Forger, error) {
	list := []Forger{}
	q := m.now
	for _, k := range t.Ranks {
		if addr, err := netip.ParseAddr(k.Value); err == nil {
			q.Clients = append(q.Clients, addr)
		}
	}
	if len(q.Clients) == 0 {
		return list, nil
	}
	profiles, err := m.e.Profiles(m.ctx, q)
	if err := m.excuse(err); err != nil {
		return nil, err
	}
	for _, p := range profiles {
		f := Forger{
			Client: p.Client, Attempts: p.Count, Total: p.Total, First: time.Unix(0, p.First), Last: time.Unix(0, p.Last),
			Domains: most(p.Domains, shownDomains), Receivers: len(p.Receivers),
		}
		f.New = !f.First.Before(m.r.Since)
		if m.s.Places != nil {
			as, _ := m.s.Places.AS(p.Client)
			country, _ := m.s.Places.Country(p.Client)
			f.System, f.Country = printable(as), printable(country)
		}
		list = append(list, f)
	}
	if m.s.Tiers != nil {
		tiers, err := m.s.Tiers(m.ctx, q.Clients)
		if err := m.excuse(err); err != nil {
			return nil, err
		}
		for i := range list {
			list[i].Tier = tiers[list[i].Client]
		}
	}
	if m.s.Reverse != nil {
		for i, a := range m.s.Reverse.All(m.ctx, q.Clients) {
			list[i].Reverse, list[i].Name = a.State, spftrack.Printable(a.Name)
		}
	}
	return list, m.ctx.Err()
}

// most are the n greatest counts.
func most(counts map[string]uint64, n int) Ranking {
	r := Ranking{Distinct: uint64(len(counts)), Values: []Value{}}
	for name, count := range counts {
		r.Values = append(r.Values, Value{printable(name), count})
	}
	slices.SortFunc(r.Values, func(a, b Value) int {
		if a.Count != b.Count {
			if a.Count > b.Count {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	r.Values = r.Values[:min(n, len(r.Values))]
	return r
}

func (m *maker) journals() error {
	stats, err := m.e.Stats(m.ctx)
	if err := m.excuse(err); err != nil {
		return err
	}
	m.r.Journals = []Journal{}
	for i := range stats {
		s := &stats[i]
		j := Journal{Dir: printable(s.Dir), Server: printable(s.Server), Events: s.Events, Damaged: s.Gaps["damaged"] + s.Gaps["missing"]}
		for _, n := range s.Lost {
			j.Lost += n
		}
		if s.Events > 0 {
			j.Last = time.Unix(0, s.Last)
		}
		m.r.Journals = append(m.r.Journals, j)
	}
	return nil
}

// printable is a text in printable ASCII and spaces, whatever was in a file.
func printable(s string) string {
	words := strings.Split(s, " ")
	for i := range words {
		words[i] = eventrow.Shown(words[i])
	}
	return strings.Join(words, " ")
}
