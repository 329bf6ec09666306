package tier

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

const timeLayout = "2006-01-02T15:04Z"

// shownItems is how many networks, domains and reporters a table shows.
const shownItems = 20

// Write tells people all that is known of an address.
func (e *Evidence) Write(w io.Writer, expiry time.Duration) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", name(e), e.Tier)
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("queries", "%d that count, %d that do not", e.Queries, e.Claims)
	for _, because := range []struct {
		n   uint64
		why string
	}{
		{e.Unverified, "over UDP without a valid cookie: the source may be spoofed"},
		{e.Unreadable, "with a name that was cut, or can be read in several ways"},
		{e.Unlisted, "about a domain that is not listed"},
	} {
		if because.n > 0 {
			line("", "%d %s", because.n, because.why)
		}
	}
	if !e.First.IsZero() {
		line("time", "%s to %s, expires %s", e.First.Format(timeLayout), e.Last.Format(timeLayout), e.Expires(expiry).Format(timeLayout))
	}
	line("networks", "%d of %d needed%s", e.NetworkCount, MinNetworks, listItems(e.Networks, e.NetworkCount))
	if e.Public > 0 {
		line("", "and public resolvers (%d), which do not count as one of them", e.Public)
	}
	line("domains", "%d of %d needed%s", e.DomainCount, MinDomains, listItems(e.Domains, e.DomainCount))
	line("hours", "%d of %d needed", e.Hours, MinHours)
	near := ""
	if e.Knocks > 0 && !e.KnockedNear {
		near = ", none within a day of a query that counts"
	}
	line("sessions", "%d with a sender in a listed domain%s; %d that do not count", e.Knocks, near, e.Visits)
	line("reporters", "%d of %d needed%s", e.ReporterCount, MinReporters, listItems(e.Reporters, e.ReporterCount))
	if missing := e.Missing(); len(missing) > 0 {
		line("missing", "for %s: %s", max(e.Tier, Claimed)+1, strings.Join(missing, ", "))
	}
	if e.Unlistable != "" {
		line("exported", "never: %s", e.Unlistable)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func name(e *Evidence) string {
	if e.Subject.IsSingleIP() {
		return e.Subject.Addr().String()
	}
	return e.Subject.String()
}

// listItems lists items behind a number.
func listItems(items []Item, count int) string {
	var b strings.Builder
	for i, item := range items {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		if i == shownItems {
			fmt.Fprintf(&b, " and %d more", count-i)
			break
		}
		fmt.Fprintf(&b, "%s%s (%d)", sep, item.Name, item.Count)
	}
	return b.String()
}

// WriteJSON writes the same as a document.
func (e *Evidence) WriteJSON(w io.Writer, expiry time.Duration) error {
	type item struct {
		Name  string `json:"name"`
		Count uint64 `json:"count"`
	}
	items := func(list []Item) []item {
		out := []item{}
		for _, i := range list {
			out = append(out, item(i))
		}
		return out
	}
	document := struct {
		Address       string     `json:"address"`
		Tier          Tier       `json:"tier"`
		Queries       uint64     `json:"queries"`
		Claims        uint64     `json:"claims"`
		Unverified    uint64     `json:"claims_unverified"`
		Unreadable    uint64     `json:"claims_unreadable"`
		Unlisted      uint64     `json:"claims_unlisted"`
		First         *time.Time `json:"first,omitempty"`
		Last          *time.Time `json:"last,omitempty"`
		Expires       *time.Time `json:"expires,omitempty"`
		NetworkCount  int        `json:"network_count"`
		Networks      []item     `json:"networks"`
		Public        uint64     `json:"public_resolvers"`
		DomainCount   int        `json:"domain_count"`
		Domains       []item     `json:"domains"`
		Hours         int        `json:"hours"`
		Sessions      uint64     `json:"sessions"`
		SessionNear   bool       `json:"session_within_a_day"`
		OtherSessions uint64     `json:"other_sessions"`
		ReporterCount int        `json:"reporter_count"`
		Reporters     []item     `json:"reporters"`
		Missing       []string   `json:"missing"`
		Unlistable    string     `json:"never_exported,omitempty"`
	}{
		Address: name(e), Tier: e.Tier, Queries: e.Queries, Claims: e.Claims,
		Unverified: e.Unverified, Unreadable: e.Unreadable, Unlisted: e.Unlisted, NetworkCount: e.NetworkCount, Networks: items(e.Networks),
		Public: e.Public, DomainCount: e.DomainCount, Domains: items(e.Domains), Hours: e.Hours, Sessions: e.Knocks,
		SessionNear: e.KnockedNear, OtherSessions: e.Visits, ReporterCount: e.ReporterCount, Reporters: items(e.Reporters),
		Missing: append([]string{}, e.Missing()...), Unlistable: e.Unlistable,
	}
	if !e.First.IsZero() {
		expires := e.Expires(expiry)
		document.First, document.Last, document.Expires = &e.First, &e.Last, &expires
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}
