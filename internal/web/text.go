package web

import (
	"html/template"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/report"
	"nullspf/internal/value"
)

// functions are those of templates.
var functions = template.FuncMap{
	"digits": report.Digits,
	"utc":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"lower":  lower,
	"nav":    navOf,
	"sorted": func(s sorting, name, order, class string) sortedHead { return sortedHead{s, name, order, class} },
	"cell":   func(text, link string) liveRef { return liveRef{text, link} },
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}

// shownWords is a text of the log in printable ASCII; spaces between words stay.
func shownWords(s string) string {
	words := strings.Split(s, " ")
	for i := range words {
		words[i] = eventrow.Shown(words[i])
	}
	return strings.Join(words, " ")
}

// visible is a text of anybody without what cannot be seen, or turns the direction.
func visible(s string) string { return value.Visible(s) }

// sortedHead is the head of a column by which a table can be sorted.
type sortedHead struct {
	sorting
	Name, Order, Class string
}

// lower begins a text in lower case, unless it begins with an abbreviation.
func lower(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
