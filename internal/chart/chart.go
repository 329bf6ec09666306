// Package chart draws numbers over time as SVG, for HTML pages that allow neither
// script nor inline style.
package chart

import (
	"bytes"
	_ "embed"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Interval is a unit of time.
type Interval struct {
	// Label is its begin, for the axis, Title what it says when pointed at.
	Label, Title string
	Now, Before  uint64
	// Link is where a click on it leads, "" for nowhere.
	Link string
	// From and To are its bounds, for script.
	From, To string
}

// Size is that of a chart in units of its own; pages scale it.
type Size struct {
	class         string
	width, height float64
	// labels is how many labels there are at most.
	labels int
}

// The sizes. Small charts stand beside each other, and have the class small.
var (
	Large = Size{"chart", 960, 200, 8}
	Small = Size{"chart small", 480, 80, 4}
)

// above and below are for the greatest number and the labels.
const above, below = 18, 22

//go:embed chart.svg
var source string

var svg = template.Must(template.New("chart").Parse(source))

// Draw returns a chart: a bar for each interval, and a line for the numbers before. It has
// the classes chart, bar, before and axis, every second label
// the class second, for screens where all would overlap. A label that would not fit at the
// end is left out.
func (s Size) Draw(what string, list []Interval) (template.HTML, error) {
	step := s.width / math.Max(1, float64(len(list)))
	c := drawing{
		What: what, Class: s.class, Width: s.width, Height: s.height, Top: -above, Full: above + s.height + below, Label: s.height + 5, Greatest: 1,
		Unit: number(step),
	}
	for _, i := range list {
		c.Greatest = max(c.Greatest, i.Now, i.Before)
	}
	every := max(1, (len(list)+s.labels-1)/s.labels)
	var before strings.Builder
	for k, i := range list {
		x := step * float64(k)
		b := bar{Interval: i, At: number(x), X: number(x + step*0.1), Y: number(s.height - c.height(i.Now)), Width: number(step * 0.8), Height: number(c.height(i.Now))}
		// A label takes most of its share of the width, on small screens of two.
		if room := (s.width - x) * float64(s.labels) / s.width; k%every == 0 && room >= 0.7 {
			b.Text, b.Second = i.Label, k/every%2 == 1 || room < 1.4
		}
		c.Bars = append(c.Bars, b)
		c.Line, c.Links = c.Line || i.Before > 0, c.Links || i.Link != ""
		before.WriteString(number(x+step/2) + "," + number(s.height-c.height(i.Before)) + " ")
	}
	c.Before = strings.TrimSpace(before.String())
	var b bytes.Buffer
	if err := svg.Execute(&b, c); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

// drawing is what the template shows.
type drawing struct {
	What, Class                     string
	Width, Height, Top, Full, Label float64
	// Unit is the width of an interval.
	Unit     string
	Greatest uint64
	Bars     []bar
	// Before are the points of the line, and Line tells whether there is one.
	Before string
	Line   bool
	// Links: bars lead somewhere.
	Links bool
}

type bar struct {
	Interval
	At, X, Y, Width, Height string
	// Text is the label, "" for none. Second: it is every second one.
	Text   string
	Second bool
}

func (d *drawing) height(n uint64) float64 { return d.Height * float64(n) / float64(d.Greatest) }

func number(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }
