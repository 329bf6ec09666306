package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Format is how a report is written.
type Format string

// The formats.
const (
	Text     Format = "text"
	Markdown Format = "markdown"
	HTML     Format = "html"
	JSON     Format = "json"
)

// Formats lists them.
var Formats = []Format{Text, Markdown, HTML, JSON}

// Write writes a report. Times for people are in a zone.
func (r *Report) Write(w io.Writer, f Format, zone *time.Location) error {
	switch f {
	case Text:
		return r.text(w, zone)
	case Markdown:
		return r.markdown(w, zone)
	case HTML:
		return r.html(w, zone)
	case JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return fmt.Errorf("no format %q; there are text, markdown, html and json", f)
}

// title names the period.
func (r *Report) title(zone *time.Location) string {
	return fmt.Sprintf("Forged mail from %s to %s %s", minute(r.Since, zone), minute(r.Until, zone), r.Until.In(zone).Format("MST"))
}

// length is the period for people, such as "24 hours".
func (r *Report) length() string {
	d := r.Until.Sub(r.Since).Round(time.Minute)
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return count(uint64(d/(24*time.Hour)), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return count(uint64(d/time.Hour), "hour")
	}
	return strings.TrimSuffix(d.String(), "0s")
}

func minute(t time.Time, zone *time.Location) string { return t.In(zone).Format("2006-01-02 15:04") }

// count is a number with its noun.
func count(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Digits(n) + " " + noun
}

// Digits is a number with its thousands apart.
func Digits(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Change compares with the period before: "+12 %", "as before", "none before".
func (c Counts) Change() string {
	switch {
	case c.Now == c.Before:
		return "as before"
	case c.Before == 0:
		return "none before"
	case c.Now >= 10*c.Before:
		return fmt.Sprintf("%s times as many", Digits(uint64(math.Round(float64(c.Now)/float64(c.Before)))))
	}
	return fmt.Sprintf("%+.0f %%", 100*(float64(c.Now)/float64(c.Before)-1))
}

// sourceNames are the sources for people.
var sourceNames = map[string]string{"spf": "SPF checks of forged mail", "smtp": "sessions at the SMTP listener", "dmarc": "messages in DMARC reports", "maillog": "refusals in mail logs"}

// facts are the lines at the top.
func (r *Report) facts() (list [][2]string) {
	for _, s := range r.Sources {
		if s.Name != "spf" && s.Now+s.Before == 0 {
			continue
		}
		list = append(list, [2]string{sourceNames[s.Name], fmt.Sprintf("%s, %s (%s in the %s before)", Digits(s.Now), s.Change(), Digits(s.Before), r.length())})
	}
	return append(list,
		[2]string{"clients", fmt.Sprintf("%s, %s of them new", Digits(r.Clients), Digits(r.NewClients))},
		[2]string{"networks of clients", Digits(r.Networks.Distinct)},
		[2]string{"forged domains", Digits(r.Domains.Distinct)},
		[2]string{"resolvers that asked", Digits(r.Receivers.Distinct)},
	)
}

// quiet is how many units without attempts, then or before, are written one by one.
const quiet = 3

// intervals calls unit with each unit of time, and gap with the number of those in a row that
// had no attempts, then or before, where there are more than a few.
func (r *Report) intervals(unit func(*Interval), gap func(n int)) {
	for i := 0; i < len(r.Timeline); {
		n := 0
		for i+n < len(r.Timeline) && r.Timeline[i+n].Counts == (Counts{}) {
			n++
		}
		if n > quiet {
			gap(n)
			i += n
			continue
		}
		unit(&r.Timeline[i])
		i++
	}
}

// table is a ranking with its heading.
type table struct {
	Heading, Column string
	Ranking
}

// tables are the rankings that have values.
func (r *Report) tables() (list []table) {
	for _, t := range []table{
		{"Forged domains", "domain", r.Domains}, {"Resolvers of receivers", "resolver", r.Receivers}, {"Networks of clients", "network", r.Networks},
		{"Autonomous systems of clients", "system", r.Systems}, {"Countries of clients", "country", r.Countries},
	} {
		if len(t.Values) > 0 {
			list = append(list, t)
		}
	}
	return list
}

// forgerLists are the lists of forgers that are not empty.
func (r *Report) forgerLists() (list []forgerList) {
	for _, l := range []forgerList{{"Most active forgers", r.Forgers}, {"New forgers", r.NewForgers}} {
		if len(l.Forgers) > 0 {
			list = append(list, l)
		}
	}
	return list
}

type forgerList struct {
	Heading string
	Forgers []Forger
}

// marks are what is known of the client beside numbers, such as "new, confirmed".
func (f *Forger) marks() string {
	var marks []string
	if f.New {
		marks = append(marks, "new")
	}
	if f.Tier != "" {
		marks = append(marks, f.Tier)
	}
	return strings.Join(marks, ", ")
}

// host is the name of the client: "mail.example (OK)"; "" when it was not asked for.
func (f *Forger) host() string {
	switch {
	case f.Reverse == "":
		return ""
	case f.Name == "":
		return string(f.Reverse)
	}
	return f.Name + " (" + string(f.Reverse) + ")"
}

// place is the autonomous system and the country.
func (f *Forger) place() string {
	if f.System != "" && f.Country != "" {
		return f.System + ", " + f.Country
	}
	return f.System + f.Country
}

// domains lists the domains that were forged most.
func (f *Forger) domains() string {
	var names []string
	for _, v := range f.Domains.Values {
		names = append(names, v.Name)
	}
	if more := f.Domains.Distinct - uint64(len(names)); more > 0 {
		names = append(names, fmt.Sprintf("%s more", Digits(more)))
	}
	return strings.Join(names, ", ")
}

// seen tells when the client was seen, and by how many.
func (f *Forger) seen(zone *time.Location) string {
	text := fmt.Sprintf("%s to %s", minute(f.First, zone), minute(f.Last, zone))
	if f.Total != f.Attempts {
		text += fmt.Sprintf(", %s in all", Digits(f.Total))
	}
	return text
}

// health says what is wrong, a line each; nothing when all is well.
func (r *Report) health() (list []string) {
	for _, p := range r.Problems {
		list = append(list, "not in these numbers, see nullspf log check: "+p)
	}
	for _, j := range r.Journals {
		if j.Lost > 0 {
			list = append(list, fmt.Sprintf("%s: %s lost since it was begun, see nullspf log stats", j.Dir, count(j.Lost, "event")))
		}
		if j.Damaged > 0 {
			list = append(list, fmt.Sprintf("%s: %s damaged or missing, see nullspf log check", j.Dir, count(j.Damaged, "event")))
		}
		if r.Until.Sub(j.Last) > r.Until.Sub(r.Since) {
			list = append(list, fmt.Sprintf("%s: no event in the period", j.Dir))
		}
	}
	for _, s := range r.Servers {
		if s.Error != "" {
			list = append(list, fmt.Sprintf("%s: %s", s.Socket, s.Error))
		}
		for _, p := range s.Problems {
			list = append(list, fmt.Sprintf("%s: %s", s.Socket, p))
		}
	}
	return list
}

// well says what was looked at, when nothing is wrong.
func (r *Report) well() string {
	text := "no event was lost in " + count(uint64(len(r.Journals)), "journal")
	if n := len(r.Servers); n > 0 {
		text += ", and no problem of " + count(uint64(n), "running server")
	}
	return text + "."
}
