package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"nullspf/internal/chart"
)

//go:embed report.html
var page embed.FS

var pageTemplate = template.Must(template.New("report.html").Funcs(template.FuncMap{"digits": Digits}).ParseFS(page, "report.html"))

// html writes a report as one file that asks for nothing else: no script, charts as SVG.
func (r *Report) html(w io.Writer, zone *time.Location) error {
	drawn, err := r.chart(zone)
	if err != nil {
		return err
	}
	v := view{
		Report: r, Title: r.title(zone), Facts: r.facts(), Chart: drawn, Tables: r.tables(),
		Health: r.health(), Well: r.well(), zone: zone,
	}
	for _, l := range r.forgerLists() {
		f := viewForgers{Heading: l.Heading}
		for i := range l.Forgers {
			f.Rows = append(f.Rows, viewForger{&l.Forgers[i], zone})
		}
		v.Forgers = append(v.Forgers, f)
	}
	return pageTemplate.Execute(w, v)
}

// view is what the page shows.
type view struct {
	*Report
	Title   string
	Facts   [][2]string
	Chart   template.HTML
	Forgers []viewForgers
	Tables  []table
	Health  []string
	Well    string
	zone    *time.Location
}

type viewForgers struct {
	Heading string
	Rows    []viewForger
}

type viewForger struct {
	f    *Forger
	zone *time.Location
}

// What a row of the page shows.
func (v viewForger) Client() string   { return v.f.Client.String() }
func (v viewForger) Attempts() string { return Digits(v.f.Attempts) }
func (v viewForger) Marks() string    { return v.f.marks() }
func (v viewForger) Seen() string     { return v.f.seen(v.zone) }
func (v viewForger) Domains() string  { return v.f.domains() }
func (v viewForger) Receivers() int   { return v.f.Receivers }
func (v viewForger) Host() string     { return v.f.host() }
func (v viewForger) Place() string    { return v.f.place() }

// Share is a part of all attempts, for the page.
func (v view) Share(n uint64) string { return v.share(n) }

// Width is the length of a bar, in percent of the greatest of its table.
func (t table) Width(n uint64) string {
	return fmt.Sprintf("%.1f", 100*float64(n)/float64(max(t.Values[0].Count, 1)))
}

// chart draws the attempts of the period and of the one before.
func (r *Report) chart(zone *time.Location) (template.HTML, error) {
	var list []chart.Interval
	for _, i := range r.Timeline {
		text := i.label(r, zone)
		list = append(list, chart.Interval{
			Label: strings.TrimSuffix(text[len("2006-"):], " UTC"), Title: fmt.Sprintf("%s: %s, before: %s", text, Digits(i.Now), Digits(i.Before)),
			Now: i.Now, Before: i.Before,
		})
	}
	return chart.Large.Draw("Attempts in this period as bars, in the one before as a line", list)
}
