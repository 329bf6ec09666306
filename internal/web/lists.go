package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/report"
)

const (
	paramBy   = "by"
	paramSize = "n"
	// paramFrom is how many values come before those that are shown, paramSort their order,
	// paramNew leaves out values that the log has seen before the period.
	paramFrom = "from"
	paramSort = "sort"
	paramNew  = "new"
	// listed is how many values a list has unless asked for more, most at most.
	listed = 100
	most   = 10_000
	// paged is how many events a page has.
	paged = 100
)

// rankingView is a ranking, each value with the address of what it counts.
type rankingView struct {
	Heading, Column, Counted string
	Rows                     []rankRow
	Total, Unknown           uint64
	Distinct                 uint64
	// More is the address of the whole list, "" when this is it.
	More string
	// ByCount and ByValue lead to other orders, where there are some.
	ByCount, ByValue sorting
}

type rankRow struct {
	Value, Link string
	// Events leads to the events that are counted.
	Events string
	Count  uint64
	Share  string
	// Width of its bar, of 100.
	Width string
}

func rankingOf(f *filter, r *forgerylog.Ranking, path string) rankingView {
	v := rankingView{
		Heading: titleOfField(r.By), Column: columnOf(r.By), Counted: r.Counted, Total: r.Total, Unknown: r.Unknown, Distinct: r.Distinct,
		More: f.link("/top", paramBy, string(r.By)),
	}
	greatest := uint64(0)
	for _, k := range r.Ranks {
		greatest = max(greatest, k.Count)
	}
	for _, k := range r.Ranks {
		shown := shownWords(k.Value)
		v.Rows = append(v.Rows, rankRow{
			Value: shown, Link: f.selecting(path, r.By, k.Value), Events: f.selecting("/events", r.By, k.Value), Count: k.Count,
			Share: fmt.Sprintf("%.1f%%", 100*float64(k.Count)/float64(max(r.Total, 1))),
			Width: fmt.Sprintf("%.1f", 100*float64(k.Count)/float64(max(greatest, 1))),
		})
	}
	return v
}

// titleOfField is the heading of a ranking, columnOf that of its column.
func titleOfField(by forgerylog.Field) string {
	if title := fieldTitles[by]; title != "" {
		return title
	}
	return "By " + strings.ReplaceAll(string(by), ",", " and ")
}

func columnOf(by forgerylog.Field) string {
	if title := columnTitles[by]; title != "" {
		return title
	}
	return strings.ReplaceAll(string(by), ",", ", ")
}

// topPage is a part of a ranking.
type topPage struct {
	layout
	rankingView
	// First and Last are the places of those that are shown.
	First, Last int
	// Earlier and Later are the addresses of the parts beside it, Larger that of a longer one, CSV and
	// JSON those of the same for programs; "" for none.
	Earlier, Later, Larger, CSV, JSON string
	Problems                          []string
}

// topOrders are the orders of a ranking.
var topOrders = []string{"count", "value"}

func (w *Server) top(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r, paramBy, paramSize, paramFrom, paramSort, paramNew)
	if err != nil {
		return err
	}
	by, n, err := w.rankingAsked(f)
	if err != nil {
		return err
	}
	from := 0
	if text := f.get(paramFrom); text != "" {
		if from, err = strconv.Atoi(text); err != nil || from < 0 || from > most-n {
			return badRequest{fmt.Errorf("%s: use a number from 0 to %d", paramFrom, most-n)}
		}
	}
	order := cmp.Or(f.get(paramSort), topOrders[0])
	if !slices.Contains(topOrders, order) {
		return badRequest{fmt.Errorf("%s: use %s", paramSort, strings.Join(topOrders, " or "))}
	}
	ask, heading := f.log.Top, titleOfField(by)
	if f.get(paramNew) != "" {
		if f.Since.IsZero() {
			return badRequest{fmt.Errorf("%s: new since when? %s must be a time", paramNew, paramSince)}
		}
		ask, heading = f.log.Newcomers, "New: "+heading
	}
	ranking, err := ask(r.Context(), f.Query, by, from+n)
	s := &sections{}
	if err := s.excuse(err); err != nil {
		return err
	}
	part := *ranking
	part.Ranks = slices.Clone(ranking.Ranks[min(from, len(ranking.Ranks)):])
	if order == "value" {
		slices.SortFunc(part.Ranks, func(a, b forgerylog.Rank) int { return cmp.Compare(a.Value, b.Value) })
	}
	p := topPage{rankingView: rankingOf(f, &part, "/"), Problems: s.problems, First: from + 1, Last: from + len(part.Ranks)}
	p.Heading = heading
	p.layout = w.layout(r, heading, "/top", viewOf(f, "/top"))
	p.Filter.by = string(by)
	// same is the address of this list with something changed.
	own := []string{paramBy, string(by), paramSize, f.get(paramSize), paramNew, f.get(paramNew)}
	same := func(changes ...string) string { return f.link("/top", slices.Concat(own, changes)...) }
	for i := range p.Filter.Presets {
		p.Filter.Presets[i].Link = same(paramSince, p.Filter.Presets[i].Since, paramUntil, "")
	}
	for i, c := range p.Filter.Chips {
		p.Filter.Chips[i].Without = same(c.Name, "")
	}
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	if from > 0 {
		p.Earlier = same(paramFrom, number(max(from-n, 0)), paramSort, f.get(paramSort))
	}
	if uint64(p.Last) < ranking.Distinct && from+2*n <= most {
		p.Later = same(paramFrom, number(from+n), paramSort, f.get(paramSort))
	}
	if uint64(n) < ranking.Distinct && n < most {
		p.Larger = same(paramSize, strconv.Itoa(min(10*n, most)), paramSort, f.get(paramSort))
	}
	p.ByCount, p.ByValue = sorting{same(paramFrom, number(from)), order == "count"}, sorting{same(paramFrom, number(from), paramSort, "value"), order == "value"}
	if f.get(paramNew) == "" {
		size := strconv.Itoa(from + n)
		p.CSV = f.link(apiTopPath, paramBy, string(by), paramSize, size, paramFormat, "csv")
		p.JSON = f.link(apiTopPath, paramBy, string(by), paramSize, size)
	}
	return w.show(rw, "top.html", p)
}

// sorting is the address of a table in an order, which may be the present one.
type sorting struct {
	Link    string
	Current bool
}

// rankingAsked reads by and n.
func (w *Server) rankingAsked(f *filter) (forgerylog.Field, int, error) {
	by := f.get(paramBy)
	if by == "" {
		by = string(forgerylog.ByIP)
	}
	field, err := forgerylog.ParseField(strings.ToLower(by))
	if err != nil {
		return "", 0, badRequest{fmt.Errorf("%s: %w", paramBy, err)}
	}
	for _, part := range field.Parts() {
		if part == forgerylog.ByAS && !w.System || part == forgerylog.ByCountry && !w.Country {
			return "", 0, badRequest{fmt.Errorf("%s: no database tells the %s of an address; name one with the key geoip.%s", paramBy, part, part)}
		}
	}
	n := listed
	if text := f.get(paramSize); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > most {
			return "", 0, badRequest{fmt.Errorf("%s: use a number from 1 to %d", paramSize, most)}
		}
	}
	return field, n, nil
}

// eventTable is a table of events.
type eventTable struct {
	f       *filter
	Rows    []eventrow.Row
	Counted string
	// All is the address of the page of events, "" when this is it.
	All string
}

// eventView is an event as tables show it.
type eventView struct {
	Time                                                         time.Time
	Kind, Client, Domain, Sender, HELO, Resolver, Server, Detail string
	ClientLink, DomainLink, SenderLink, HELOLink, ResolverLink   string
}

// Events are the newest first.
func (t eventTable) Events() (list []eventView) {
	for i := range t.Rows {
		r := &t.Rows[len(t.Rows)-1-i]
		list = append(list, eventOf(t.f, r))
	}
	return list
}

func eventOf(f *filter, r *eventrow.Row) eventView {
	v := eventView{
		Time: time.Unix(0, r.TS), Kind: forgerylog.Asked(r), Client: eventrow.Shown(r.ClientIP), Domain: eventrow.Shown(r.ForgedDomain),
		HELO: eventrow.Shown(r.HELO), Resolver: eventrow.Shown(r.Resolver), Server: eventrow.Shown(r.ServerID),
	}
	if r.SenderLocal != "" || r.SenderDomain != "" {
		v.Sender = eventrow.Shown(r.SenderLocal + "@" + r.SenderDomain)
	}
	link := func(by forgerylog.Field, value string) string {
		if value == "" {
			return ""
		}
		return f.selecting("/", by, value)
	}
	v.ClientLink, v.DomainLink = link(forgerylog.ByIP, r.ClientIP), link(forgerylog.ByDomain, r.ForgedDomain)
	v.HELOLink, v.ResolverLink = link(forgerylog.ByHELO, r.HELO), link(forgerylog.ByResolver, r.Resolver)
	if r.SenderLocal != "" {
		v.SenderLink = link(forgerylog.BySender, r.SenderLocal+"@"+r.SenderDomain)
	}
	var details []string
	for _, d := range []struct{ name, value string }{
		{"cause", r.Cause}, {"disposition", r.Disposition}, {"reporter", r.Reporter}, {"to", r.RecipientDomain}, {"subnet", r.ClientSubnet}, {"flags", flagsOf(f, r)},
	} {
		if d.value != "" {
			details = append(details, d.name+" "+eventrow.Shown(d.value))
		}
	}
	if r.Messages > 0 {
		details = append(details, report.Digits(uint64(r.Messages))+" messages")
	}
	v.Detail = strings.Join(details, ", ")
	return v
}

// flagsOf are the flags of a packet; what they say of an attempt, its kind shows.
func flagsOf(f *filter, r *eventrow.Row) string {
	if !f.Packets {
		return ""
	}
	return r.Flags
}

// newestEvents are the newest n selected events, in order of time.
func newestEvents(ctx context.Context, log forgerylog.Engine, q forgerylog.Query, n int) (rows []eventrow.Row, err error) {
	err = log.Events(ctx, q, n, func(r *eventrow.Row) error {
		rows = append(rows, r.Clone())
		return nil
	})
	return rows, err
}

// pageOfEvents is a page of events that ends before q.Until; older is where the next one
// ends, the zero Time when there is none. Events of one instant stay together.
func pageOfEvents(ctx context.Context, log forgerylog.Engine, q forgerylog.Query, n int) (rows []eventrow.Row, older time.Time, err error) {
	rows, err = newestEvents(ctx, log, q, n+1)
	if len(rows) <= n {
		return rows, time.Time{}, err
	}
	cut := rows[0].TS
	rows = slices.DeleteFunc(rows, func(r eventrow.Row) bool { return r.TS == cut })
	if len(rows) > 0 {
		return rows, time.Unix(0, cut+1), err
	}
	// More events than fit happened at one instant: all of them.
	q.Since, q.Until = time.Unix(0, cut), time.Unix(0, cut+1)
	rows, err = newestEvents(ctx, log, q, most)
	return rows, time.Unix(0, cut), err
}

type eventsPage struct {
	layout
	eventTable
	Older, Downloads string
	Problems         []string
}

func (w *Server) events(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r)
	if err != nil {
		return err
	}
	rows, older, err := pageOfEvents(r.Context(), f.log, f.Query, paged)
	s := &sections{}
	if err := s.excuse(err); err != nil {
		return err
	}
	p := eventsPage{
		layout:     w.layout(r, "Events", "/events", viewOf(f, "/events")),
		eventTable: eventTable{f: f, Rows: rows, Counted: f.Counted()}, Problems: s.problems,
		Downloads: f.link("/downloads"),
	}
	if !older.IsZero() {
		p.Older = f.link("/events", paramUntil, older.UTC().Format(time.RFC3339Nano))
	}
	return w.show(rw, "events.html", p)
}
