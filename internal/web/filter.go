package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"nullspf/internal/forgerylog"
	"nullspf/internal/value"
)

// The parameters that select events.
const (
	paramSince    = "since"
	paramUntil    = "until"
	paramDomain   = "domain"
	paramSender   = "sender"
	paramHELO     = "helo"
	paramIP       = "ip"
	paramResolver = "resolver"
	paramAS       = "as"
	paramCountry  = "country"
	paramSource   = "source"
	paramPackets  = "packets"
)

// filterParams are their names, in the order in which pages show them.
var filterParams = []string{paramSince, paramUntil, paramDomain, paramIP, paramSender, paramHELO, paramResolver, paramAS, paramCountry, paramSource, paramPackets}

// defaultSince is the beginning where none is asked for; all is that of the log.
const (
	defaultSince = "7d"
	all          = "all"
)

// preset is a period that is one click away.
type preset struct{ Since, Name string }

var presets = []preset{{"24h", "24 hours"}, {"7d", "7 days"}, {"30d", "30 days"}, {"90d", "90 days"}, {all, "all"}}

// filter is what was asked for. Its values are as they were written.
type filter struct {
	values url.Values
	forgerylog.Query
	// now is the time of which the answers are, log who gives them.
	now time.Time
	log *moment
}

// maxValue bounds a parameter, in bytes.
const maxValue = 1024

// badRequest is an error of who asks.
type badRequest struct{ error }

// asked reads the parameters of a request, and finds who answers. Those in others may be
// there beside. Who wants the newest numbers sends Cache-Control: no-cache, as browsers do
// when a page is reloaded in full.
func (w *Server) asked(r *http.Request, others ...string) (*filter, error) {
	return w.askedFor(r, slices.Concat(filterParams, others))
}

// askedFor is asked, of the parameters that may be there.
func (w *Server) askedFor(r *http.Request, names []string) (*filter, error) {
	f, err := parameters(r, names)
	if err != nil {
		return nil, err
	}
	o := w.memory.at(f.link(""), r.Header.Get("Cache-Control") == "no-cache")
	f.now, f.log = o.at.UTC(), o // times without zone are UTC, as links are
	values := f.values
	if w.names != nil {
		if values, err = w.names.asked(values); err != nil {
			return nil, badRequest{err}
		}
	}
	if err := f.read(values); err != nil {
		return nil, badRequest{err}
	}
	for _, place := range []struct {
		param string
		wants bool
	}{{paramAS, f.AS != "" && !w.System}, {paramCountry, f.Country != "" && !w.Country}} {
		if place.wants {
			return nil, badRequest{fmt.Errorf("%s: no database tells the %s of an address; name one with the key geoip.%s", place.param, place.param, place.param)}
		}
	}
	return f, nil
}

// parameters reads the parameters of a request, as they are written. It may have those
// of the names.
func parameters(r *http.Request, names []string) (*filter, error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest{fmt.Errorf("the query string cannot be read: %w", err)}
	}
	f := &filter{values: make(url.Values)}
	for name, list := range given {
		if !slices.Contains(names, name) {
			if len(names) == 0 {
				return nil, badRequest{fmt.Errorf("no parameter %q; there are none", name)}
			}
			return nil, badRequest{fmt.Errorf("no parameter %q; there are %s", name, strings.Join(names, ", "))}
		}
		if len(list) > 1 || len(list[0]) > maxValue {
			return nil, badRequest{fmt.Errorf("parameter %s: give it once, with at most %d bytes", name, maxValue)}
		}
		if list[0] = strings.TrimSpace(list[0]); list[0] != "" {
			f.values.Set(name, list[0])
		}
	}
	return f, nil
}

// read makes the query of the parameters, of which none is a pseudonym.
func (f *filter) read(values url.Values) (err error) {
	since := values.Get(paramSince)
	if since == "" {
		since = defaultSince
	}
	if since != all {
		if f.Since, err = forgerylog.ParseTime(since, f.now); err != nil {
			return fmt.Errorf("%s: %w", paramSince, err)
		}
	}
	if until := values.Get(paramUntil); until != "" {
		if f.Until, err = forgerylog.ParseTime(until, f.now); err != nil {
			return fmt.Errorf("%s: %w", paramUntil, err)
		}
		if !f.Since.IsZero() && !f.Since.Before(f.Until) {
			return fmt.Errorf("%s %s is not before %s %s", paramSince, since, paramUntil, until)
		}
	}
	f.Domain = forgerylog.ParseDomain(values.Get(paramDomain))
	f.Sender, f.HELO = forgerylog.ParseText(values.Get(paramSender)), forgerylog.ParseText(values.Get(paramHELO))
	if text := values.Get(paramIP); text != "" {
		if f.Client, err = value.ParsePrefix(text); err != nil {
			return fmt.Errorf("%s: %w", paramIP, err)
		}
	}
	if text := values.Get(paramResolver); text != "" {
		if f.Resolver, err = value.ParseAddr(text); err != nil {
			return fmt.Errorf("%s: %w", paramResolver, err)
		}
	}
	f.AS, f.Country = values.Get(paramAS), values.Get(paramCountry)
	if source := values.Get(paramSource); source != "" {
		if f.Source, err = forgerylog.ParseSource(strings.ToLower(source)); err != nil {
			return fmt.Errorf("%s: %w", paramSource, err)
		}
	}
	switch packets := values.Get(paramPackets); packets {
	case "", "0":
		f.values.Del(paramPackets)
	case "1":
		f.Packets = true
	default:
		return fmt.Errorf("%s: use 1 for every packet, or 0", paramPackets)
	}
	return nil
}

// get is the value of a parameter.
func (f *filter) get(name string) string { return f.values.Get(name) }

// link is the address of a page with the filter, of which some parameters are changed:
// name, value, ...; "" removes one.
func (f *filter) link(path string, changes ...string) string {
	values := make(url.Values)
	for _, name := range filterParams {
		if v := f.values.Get(name); v != "" {
			values.Set(name, v)
		}
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			values.Del(changes[i])
		} else {
			values.Set(changes[i], changes[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// chip is a filter that is set, and the address without it.
type chip struct{ Name, Value, Without string }

// chips are the filters that are set, but for the time, which has its own place.
func (f *filter) chips(path string) (list []chip) {
	for _, name := range filterParams[2:] {
		if v := f.values.Get(name); v != "" {
			list = append(list, chip{name, visible(v), f.link(path, name, "")})
		}
	}
	return list
}

// paramOf is the parameter that selects a value of a field, "" for none.
func paramOf(by forgerylog.Field) string {
	switch by {
	case forgerylog.ByIP, forgerylog.ByNet:
		return paramIP
	case forgerylog.ByDomain:
		return paramDomain
	case forgerylog.BySender:
		return paramSender
	case forgerylog.ByHELO:
		return paramHELO
	case forgerylog.ByResolver:
		return paramResolver
	case forgerylog.ByAS:
		return paramAS
	case forgerylog.ByCountry:
		return paramCountry
	}
	return ""
}

// selecting is the address of a page with the filter and a value of a field, in the form in
// which it is shown, or of two with a tab between; "" when no filter can select it.
func (f *filter) selecting(path string, by forgerylog.Field, shown string) string {
	var changes []string
	values := []string{shown}
	parts := by.Parts()
	if len(parts) > 1 {
		values = strings.Split(shown, "\t")
	}
	if len(values) != len(parts) {
		return ""
	}
	for i, part := range parts {
		param := paramOf(part)
		switch param {
		case "":
			return ""
		case paramDomain, paramSender, paramHELO:
			values[i] = "=" + values[i]
		}
		changes = append(changes, param, values[i])
	}
	return f.link(path, changes...)
}

// period is the time that is looked at: the beginning is that of the log where there is
// none, first.
func (f *filter) period(first time.Time) (since, until time.Time) {
	since, until = f.Since, f.Until
	if until.IsZero() {
		until = f.now
	}
	if since.IsZero() {
		since = first
	}
	switch {
	case since.Before(until):
	case f.Since.IsZero():
		since = until.Add(-time.Hour)
	default: // it has not begun
		until = since.Add(time.Hour)
	}
	return since, until
}
