package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"
)

//go:embed report.html
var page embed.FS

var pageTemplate = template.Must(template.New("report.html").Funcs(template.FuncMap{"digits": digits}).ParseFS(page, "report.html"))

// html writes a report as one file that asks for nothing else: no script, charts as SVG.
func (r *Report) html(w io.Writer, zone *time.Location) error {
	v := view{
		Report: r, Title: r.title(zone), Facts: r.facts(), Chart: r.chart(zone), Tables: r.tables(),
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
	Chart   chart
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
func (v viewForger) Attempts() string { return digits(v.f.Attempts) }
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

// chart is a diagram of attempts by time: a bar for each unit, and a line for the
// period before. Its lengths are those of the SVG.
type chart struct {
	Width, Height int
	Bars          []bar
	// Before are the points of the line.
	Before string
	// Greatest is what the height stands for.
	Greatest uint64
	Labels   []label
}

type bar struct {
	X, Y, Width, Height string
	// Title is what the bar says.
	Title string
}

type label struct{ X, Text string }

const (
	chartWidth  = 960
	chartHeight = 200
)

func (r *Report) chart(zone *time.Location) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Greatest: 1}
	for _, i := range r.Timeline {
		c.Greatest = max(c.Greatest, i.Now, i.Before)
	}
	number := func(x float64) string { return fmt.Sprintf("%.1f", x) }
	height := func(n uint64) float64 { return chartHeight * float64(n) / float64(c.Greatest) }
	step := chartWidth / math.Max(1, float64(len(r.Timeline)))
	var before strings.Builder
	for k, i := range r.Timeline {
		x := step * float64(k)
		text := i.label(r, zone)
		c.Bars = append(c.Bars, bar{
			number(x + step*0.1), number(chartHeight - height(i.Now)), number(step * 0.8), number(height(i.Now)),
			fmt.Sprintf("%s: %s, before: %s", text, digits(i.Now), digits(i.Before)),
		})
		fmt.Fprintf(&before, "%s,%s ", number(x+step/2), number(chartHeight-height(i.Before)))
		if every := (len(r.Timeline) + 7) / 8; k%every == 0 {
			short := text[len("2006-"):]
			c.Labels = append(c.Labels, label{number(x + step*0.1), strings.TrimSuffix(short, " UTC")})
		}
	}
	c.Before = strings.TrimSpace(before.String())
	return c
}
