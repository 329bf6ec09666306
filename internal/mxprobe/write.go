package mxprobe

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"nullspf/internal/value"
)

// Report is what hosts did and what the DNS says about them.
type Report struct {
	Results []Result
	DNS     []HostFinding
}

// Count returns how many findings have a level.
func (r *Report) Count(level Level) (n int) {
	count := func(f Finding) {
		if f.Level == level {
			n++
		}
	}
	for _, f := range r.DNS {
		count(f.Finding)
	}
	for _, result := range r.Results {
		for _, f := range result.Findings {
			count(f)
		}
	}
	return n
}

// WriteTable writes a line for each address, then the findings, but for notes.
// Control characters are escaped.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PREFERENCE\tROLE\tHOST\tADDRESS\tCONNECTION\tREPLIES")
	for _, x := range r.Results {
		role := string(x.Role)
		if x.Role == Unknown {
			role = "-"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", x.Preference, role, x.name(), x.Address, x.Session.Connect, x.Session.summary())
	}
	_ = t.Flush()
	tell := func(what string, f Finding) {
		if f.Level != Note {
			fmt.Fprintf(&b, "%s: %s: %s\n", f.Level, value.Visible(what), value.Visible(f.Reason))
		}
	}
	for _, f := range r.DNS {
		what := string(f.Host)
		if f.Host == "" {
			what = string(f.Domain)
		}
		tell(what, f.Finding)
	}
	for _, x := range r.Results {
		for _, f := range x.Findings {
			tell(x.name()+" at "+x.Address.String(), f)
		}
	}
	fmt.Fprintf(&b, "%d addresses probed, %d errors, %d warnings\n", len(r.Results), r.Count(Error), r.Count(Warning))
	_, err := io.WriteString(w, b.String())
	return err
}

// name is that of the host, "-" where an address was given.
func (t *Target) name() string {
	if t.Host == "" {
		return "-"
	}
	return value.Visible(string(t.Host))
}

// summary is what the host said, in a few words.
func (s *Session) summary() string {
	if s.Connect != Accepted {
		return "-"
	}
	if s.Greeting.Code == 0 {
		return value.Visible(s.Greeting.Text)
	}
	words := []string{fmt.Sprint(s.Greeting.Code)}
	if s.Greeting.Code != 220 {
		return words[0]
	}
	for _, r := range s.Recipients {
		words = append(words, fmt.Sprintf("%s %d", r.Kind, r.Reply.Code))
	}
	switch {
	case s.TLS == nil:
	case s.TLS.Version == "":
		words = append(words, "STARTTLS fails")
	case s.TLS.Error == "":
		words = append(words, s.TLS.Version)
	default:
		words = append(words, s.TLS.Version+" unverified")
	}
	return strings.Join(words, ", ")
}

// WriteJSON writes the report as one document, with a result a line:
//
//	{"errors":1,"warnings":0,"dns":[...],"results":[
//	{"host":"mx1.example.net","preference":10,"role":"dead",...},
//	...
//	]}
func (r *Report) WriteJSON(w io.Writer) error {
	var b strings.Builder
	dns := r.DNS
	if dns == nil {
		dns = []HostFinding{}
	}
	text, err := json.Marshal(dns)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, `{"errors":%d,"warnings":%d,"dns":%s,"results":[`, r.Count(Error), r.Count(Warning), text)
	for i, x := range r.Results {
		if x.Findings == nil {
			x.Findings = []Finding{}
		}
		line, err := json.Marshal(x)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	_, err = io.WriteString(w, b.String())
	return err
}
