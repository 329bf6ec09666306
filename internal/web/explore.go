package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"nullspf/internal/chart"
	"nullspf/internal/contain"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/report"
)

const (
	// ranked is how many values the page of numbers lists of each kind, newest how many
	// events.
	ranked = 8
	newest = 15
	// Who counts the values of so many events takes all processors for a second and more; a
	// browser on the same machine gets painting to show the chart before that.
	manyEvents = 5_000_000
	painting   = 400 * time.Millisecond
	// The top of a page waits so long for its first section.
	together = 100 * time.Millisecond
	// paramNames asks for the name of the client in the DNS.
	paramNames = "names"
	// maxBars bounds the bars of a chart.
	maxBars = 200
)

// explore writes the page of numbers: section by section, as the answers come. What the browser
// loads beside the page comes first, and the first section with what is above it, so that they are painted
// at once.
func (w *Server) explore(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r, paramNames)
	if err != nil {
		return err
	}
	s := &sections{w: w, rw: rw, f: f, ctx: r.Context(), wantNames: f.get(paramNames) != ""}
	var page bytes.Buffer
	if err := w.templates.ExecuteTemplate(&page, "explore.html", w.layout(r, titleOf(f), "/", viewOf(f, "/"))); err != nil {
		return err
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	head := bytes.Index(page.Bytes(), []byte("</head>"))
	s.send(page.Next(head))
	s.flush()
	known := s.firstAnswer()
	s.send(page.Bytes())
	if !known {
		s.flush()
	}
	if err := s.write(); err != nil && r.Context().Err() == nil {
		w.Logger.Warn().Err(err).Msg("a page cannot be shown as a whole")
		s.show("failure", visible(err.Error()))
	}
	s.show("explore-end", struct {
		Problems []string
		Version  string
	}{s.problems, w.Version})
	return s.failed
}

// firstAnswer waits a moment for what the first section needs, and reports whether it is there. Who
// writes the section gets it, or what went wrong, from the memory.
func (s *sections) firstAnswer() bool {
	there := make(chan struct{})
	go func() {
		defer close(there)
		// Who writes the section meets the same panic.
		_ = contain.Run(func() error {
			if s.single() {
				_, err := s.portrait(s.ofClient())
				return err
			}
			_, err := s.f.log.Timeline(s.ctx, s.f.Query, s.f.unit())
			if !s.f.Since.IsZero() {
				_, err = s.f.log.Timeline(s.ctx, s.periodBefore(s.f.Query), s.f.unit())
			}
			return err
		})
	}()
	select {
	case <-there:
		return true
	case <-s.ctx.Done():
	case <-time.After(together):
	}
	return false
}

// titleOf is the title of a page: what is selected most narrowly.
func titleOf(f *filter) string {
	for _, name := range []string{paramIP, paramDomain, paramSender, paramHELO, paramResolver, paramAS, paramCountry} {
		if v := f.get(name); v != "" {
			if v[0] == '=' {
				v = v[1:]
			}
			return visible(v)
		}
	}
	return "Forged mail"
}

// sections are those of a page that is being written.
type sections struct {
	w         *Server
	rw        http.ResponseWriter
	f         *filter
	ctx       context.Context
	wantNames bool
	// problems are what could not be read, failed the error of the connection.
	problems []string
	failed   error
}

func (s *sections) show(name string, data any) {
	if s.failed == nil {
		s.failed = s.w.templates.ExecuteTemplate(s.rw, name, data)
	}
	s.flush()
}

func (s *sections) send(b []byte) {
	if s.failed == nil {
		_, s.failed = s.rw.Write(b)
	}
}

func (s *sections) flush() { _ = http.NewResponseController(s.rw).Flush() }

// excuse notes what could not be read, and returns other errors.
func (s *sections) excuse(err error) error {
	var i *forgerylog.Incomplete
	if !errors.As(err, &i) {
		return err
	}
	for _, p := range i.Problems {
		if text := visible(p.Error()); !slices.Contains(s.problems, text) {
			s.problems = append(s.problems, text)
		}
	}
	return nil
}

func (s *sections) write() error {
	parts := []func() error{s.charts, s.rankings, s.events}
	if len(s.f.chips("/")) == 0 {
		parts = []func() error{s.charts, s.sources, s.rankings, s.newcomers, s.events, s.health}
	}
	if s.single() {
		parts = []func() error{s.client}
	}
	if s.f.Domain.Exact && s.w.Output != "" {
		parts = slices.Insert(parts, 1, s.zone)
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
		if s.failed != nil {
			return s.failed
		}
	}
	return nil
}

// chartView is the chart and the numbers above it.
type chartView struct {
	Counted       string
	Total, Before uint64
	Compared      bool
	Change        string
	Since, Until  time.Time
	Unit          string
	SVG           template.HTML
	Empty         bool
	// Longer is the address with all of the log, Events that of what is counted.
	Longer, Events string
}

func (s *sections) charts() error {
	now, err := s.timeline(s.f.Query)
	if err != nil {
		return err
	}
	before, err := s.before(s.f.Query)
	if err != nil {
		return err
	}
	if err := s.chart(now, before); err != nil {
		return err
	}
	if fields := s.fields(); now.Total >= manyEvents && len(fields) > 0 && !s.f.log.ranked(s.f.Query, fields[0]) {
		s.pause(painting)
	}
	return nil
}

// pause waits, unless the viewer leaves.
func (s *sections) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// before is the timeline of the period before that of a query, nil when there is none.
func (s *sections) before(q forgerylog.Query) (*forgerylog.Series, error) {
	if q.Since.IsZero() {
		return nil, nil
	}
	return s.timeline(s.periodBefore(q))
}

// periodBefore is a query about the period before that of a query, which has a begin.
func (s *sections) periodBefore(q forgerylog.Query) forgerylog.Query {
	since, until := s.f.period(time.Time{})
	q.Since, q.Until = since.Add(-until.Sub(since)), since
	return q
}

// chart shows events by time; before are those of the period before, nil for none.
func (s *sections) chart(now, before *forgerylog.Series) (err error) {
	since, until := s.shown(now)
	v := chartView{Counted: s.f.Counted(), Total: now.Total, Since: since, Until: until, Empty: now.Total == 0, Longer: s.f.link("/", paramSince, all, paramUntil, ""), Events: s.f.link("/events")}
	if v.Compared = before != nil; v.Compared {
		v.Before = before.Total
		v.Change = report.Counts{Now: v.Total, Before: v.Before}.Change()
	}
	var bars []chart.Interval
	bars, v.Unit = s.bars(now, before)
	if v.SVG, err = chart.Large.Draw(v.Counted+"s by "+v.Unit, bars); err != nil {
		return err
	}
	s.show("chart", v)
	return nil
}

// shown is the period of a chart: from the first event on where it has no beginning.
func (s *sections) shown(now *forgerylog.Series) (since, until time.Time) {
	first := s.f.now.Add(-24 * time.Hour)
	if len(now.Buckets) > 0 {
		first = time.Unix(0, now.Buckets[0].Start)
	}
	return s.f.period(first)
}

// unitOf is the unit in which a period is shown.
func unitOf(length time.Duration) (forgerylog.Unit, time.Duration) {
	switch {
	case length <= 3*time.Hour:
		return forgerylog.Minute, time.Minute
	case length <= 8*24*time.Hour:
		return forgerylog.Hour, time.Hour
	}
	return forgerylog.Day, 24 * time.Hour
}

func (s *sections) timeline(q forgerylog.Query) (*forgerylog.Series, error) {
	series, err := s.f.log.Timeline(s.ctx, q, s.f.unit())
	return series, s.excuse(err)
}

// unit is that of the chart.
func (f *filter) unit() forgerylog.Unit {
	if f.Since.IsZero() {
		return forgerylog.Day
	}
	since, until := f.period(time.Time{})
	unit, _ := unitOf(until.Sub(since))
	return unit
}

// bars makes the bars of a chart: units, or several of them together where there would be
// too many. They lead to pages with the parameters set.
func (s *sections) bars(now, before *forgerylog.Series, set ...string) (list []chart.Interval, unit string) {
	since, until := s.shown(now)
	_, length := unitOf(until.Sub(since))
	if now.Per == forgerylog.Day {
		length = 24 * time.Hour
	}
	unit = string(now.Per)
	begin := since.UTC().Truncate(length)
	n := int(until.Sub(begin)+length-1) / int(length)
	together := max(1, (n+maxBars-1)/maxBars)
	if together > 1 {
		length *= time.Duration(together)
		n = (n + together - 1) / together
		unit = fmt.Sprintf("%d %ss", together, now.Per)
	}
	counts := make([][2]uint64, n)
	for k, series := range []*forgerylog.Series{now, before} {
		from := begin
		if k == 1 {
			from = since.Add(-until.Sub(since)).UTC().Truncate(length / time.Duration(together))
		}
		if series == nil {
			continue
		}
		for _, b := range series.Buckets {
			i := int(time.Unix(0, b.Start).Sub(from) / length)
			counts[min(max(i, 0), n-1)][k] += b.Count
		}
	}
	layout := map[forgerylog.Unit]string{forgerylog.Minute: "15:04", forgerylog.Hour: "Jan 2 15:04", forgerylog.Day: "Jan 2"}[now.Per]
	for i, c := range counts {
		from := begin.Add(time.Duration(i) * length)
		to := from.Add(length)
		bar := chart.Interval{
			Label: from.Format(layout), Now: c[0], Before: c[1], From: from.Format(time.RFC3339), To: to.Format(time.RFC3339),
			Title: fmt.Sprintf("%s UTC: %s", from.Format("2006-01-02 15:04"), report.Digits(c[0])),
			Link:  s.f.link("/", append(set, paramSince, from.Format(time.RFC3339), paramUntil, to.Format(time.RFC3339))...),
		}
		if before != nil {
			bar.Title += ", before: " + report.Digits(c[1])
		}
		list = append(list, bar)
	}
	return list, unit
}

// fieldTitles are those of rankings.
var fieldTitles = map[forgerylog.Field]string{
	forgerylog.ByIP: "Clients", forgerylog.ByNet: "Networks of clients", forgerylog.ByDomain: "Forged domains", forgerylog.BySender: "Senders",
	forgerylog.ByHELO: "HELO names", forgerylog.ByResolver: "Resolvers of receivers", forgerylog.ByAS: "Autonomous systems", forgerylog.ByCountry: "Countries",
}

// columnTitles are those of the columns of values.
var columnTitles = map[forgerylog.Field]string{
	forgerylog.ByIP: "client", forgerylog.ByNet: "network", forgerylog.ByDomain: "domain", forgerylog.BySender: "sender",
	forgerylog.ByHELO: "HELO name", forgerylog.ByResolver: "resolver", forgerylog.ByAS: "system", forgerylog.ByCountry: "country",
}

// fields are those that pages rank, of which a filter that selects one value of a field
// leaves it out.
func (s *sections) fields() (list []forgerylog.Field) {
	for _, by := range []forgerylog.Field{forgerylog.ByIP, forgerylog.ByDomain, forgerylog.ByNet, forgerylog.ByResolver, forgerylog.BySender, forgerylog.ByHELO, forgerylog.ByAS, forgerylog.ByCountry} {
		switch {
		case by == forgerylog.ByAS && (!s.w.System || s.f.AS != ""), by == forgerylog.ByCountry && (!s.w.Country || s.f.Country != ""):
		case s.single() && slices.Contains([]forgerylog.Field{forgerylog.ByIP, forgerylog.ByNet, forgerylog.ByAS, forgerylog.ByCountry}, by):
		case by == forgerylog.ByDomain && s.f.Domain.Exact, by == forgerylog.BySender && s.f.Sender.Exact, by == forgerylog.ByHELO && s.f.HELO.Exact:
		case by == forgerylog.ByResolver && s.f.Resolver.IsValid():
		default:
			list = append(list, by)
		}
	}
	return list
}

func (s *sections) rankings() error {
	s.show("cards", nil)
	for _, by := range s.fields() {
		ranking, err := s.f.log.Top(s.ctx, s.f.Query, by, ranked)
		if err := s.excuse(err); err != nil {
			return err
		}
		s.show("ranking", rankingOf(s.f, ranking, "/"))
	}
	s.show("cards-end", nil)
	return nil
}

func (s *sections) events() error {
	rows, err := newestEvents(s.ctx, s.f.log, s.f.Query, newest)
	if err := s.excuse(err); err != nil {
		return err
	}
	s.table(rows)
	return nil
}

// table shows the newest events.
func (s *sections) table(rows []eventrow.Row) {
	s.show("events", eventTable{f: s.f, Rows: rows, All: s.f.link("/events"), Counted: s.f.Counted()})
}
