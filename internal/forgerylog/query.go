package forgerylog

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nullspf/internal/ascii"
	"nullspf/internal/dnsname"
	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/tally"
	"nullspf/spftrack"
)

// Query selects events. The zero Query selects all attempts.
type Query struct {
	// Source is where events come from. Without it, those are selected that Packets and
	// Kinds tell.
	Source Source
	// Since and Until bound the time of an event: Since <= time < Until. The
	// zero Time means no bound.
	Since, Until time.Time
	// Domain is held against the forged domain, Sender against local@domain,
	// HELO against the argument of HELO.
	Domain, Sender, HELO Text
	// Client is where the address of the SMTP client lies; the zero Prefix is
	// everywhere.
	Client netip.Prefix
	// Clients are addresses of the SMTP client; none means all.
	Clients []netip.Addr
	// AS and Country are those of the client, in the form of [Places], "" for all; of an
	// autonomous system, the number is enough. They need [WithPlaces].
	AS, Country string
	// Resolver is the address from which queries came; the zero Addr is any.
	Resolver netip.Addr
	// Kinds are those to select; none means all. An attempt is selected by every
	// kind of query that its check asked: one by exp= to which an exists: query
	// belongs, by both.
	Kinds []spftrack.Kind
	// Packets selects every event instead of one for each attempt; of [FromSPF], every
	// query.
	Packets bool
	// Verified selects events from sources that are not spoofed.
	Verified bool

	// places tells AS and Country.
	places Places
}

// Source is where events come from.
type Source string

// The sources.
const (
	// FromSPF are the queries of receivers.
	FromSPF Source = "spf"
	// FromSMTP are the sessions at the SMTP listener.
	FromSMTP Source = "smtp"
	// FromDMARC are the records of DMARC aggregate reports, of which each counts as often as
	// it has messages.
	FromDMARC Source = "dmarc"
	// FromMailLog are the refusals in logs of mail servers.
	FromMailLog Source = "maillog"
)

// Sources lists the sources.
var Sources = []Source{FromSPF, FromSMTP, FromDMARC, FromMailLog}

// ParseSource returns the source called s.
func ParseSource(s string) (Source, error) {
	if slices.Contains(Sources, Source(s)) {
		return Source(s), nil
	}
	return "", fmt.Errorf("no source %q of events; there are %s", s, join(Sources))
}

// kinds are those of its events.
func (s Source) kinds() []spftrack.Kind {
	switch s {
	case FromSMTP:
		return []spftrack.Kind{spftrack.KindSMTP}
	case FromDMARC:
		return []spftrack.Kind{spftrack.KindDMARC}
	case FromMailLog:
		return []spftrack.Kind{spftrack.KindRefusal}
	}
	return []spftrack.Kind{spftrack.KindExists, spftrack.KindExp, spftrack.KindClassic, spftrack.KindMinimised, spftrack.KindOther}
}

// Attempts reports whether one event for each attempt is selected.
func (q *Query) Attempts() bool { return !q.Packets && (q.Source == "" || q.Source == FromSPF) }

// Counted is what is counted, in the singular.
func (q *Query) Counted() string {
	switch q.Source {
	case FromSMTP:
		return "session"
	case FromDMARC:
		return "message"
	case FromMailLog:
		return "refusal"
	}
	if q.Packets {
		return "packet"
	}
	return "attempt"
}

// Text is a text to look for. The zero Text is found everywhere.
type Text struct {
	// Value holds raw bytes in lower case, as events do.
	Value string
	// Exact: the whole text must be Value, not a part of it.
	Exact bool
}

// ParseText reads a text as operators write it: bytes in the form in which
// they are shown, upper case or lower; with "=" before them, the whole text.
func ParseText(s string) Text {
	s, exact := strings.CutPrefix(s, "=")
	return Text{ascii.ToLower(eventrow.Unescape(s)), exact}
}

// ParseDomain is ParseText for domains, whose whole names may also be written
// with a final dot or in Unicode.
func ParseDomain(s string) Text {
	t := ParseText(s)
	if name, err := dnsname.ParseHost(t.Value); t.Exact && err == nil {
		t.Value = string(name)
	}
	return t
}

// matches reports whether the text is found in a column of a row.
func (t Text) matches(column string) bool {
	column = eventrow.Unescape(column)
	if t.Exact {
		return column == t.Value
	}
	return strings.Contains(column, t.Value)
}

// condition is a part of a query that can be decided from some columns.
type condition struct {
	columns columns
	match   func(*eventrow.Row) bool
}

// plan is a query made ready to be run.
type plan struct {
	// first and last bound the time, both included; nanoseconds since
	// 1970-01-01 UTC.
	first, last int64
	// clients are the texts of the only client addresses that are looked for, none
	// for all.
	clients []string
	// client is the place of the condition on clients.
	client int
	// conditions must all be met, those first that leave few rows.
	conditions []condition
	// weight is how often a row counts; nil for once. It needs the columns weights.
	weight  func(*eventrow.Row) uint64
	weights columns
	// attempts: attempts are selected, by the condition at the place attempt.
	attempts bool
	attempt  int
	// remarked: the marks are not those of the segments.
	remarked bool
	// time is the place of the condition on time, -1 for none; kinds that of the
	// condition on kinds of attempts, 0 for none.
	time, kinds int
	// only are the kinds of all events that are selected, none for any kind; each is a
	// selection of its own.
	only [][]string
}

func newPlan(q Query) *plan {
	p := &plan{first: math.MinInt64, last: math.MaxInt64, attempts: q.Attempts(), time: -1}
	if q.Source == FromDMARC {
		p.weight, p.weights = messages, cols(eventrow.Messages)
	}
	if !q.Since.IsZero() {
		p.first = nanoseconds(q.Since)
	}
	if !q.Until.IsZero() {
		p.last = nanoseconds(q.Until) - 1
	}
	domain := func(r *eventrow.Row) bool { return q.Domain.matches(r.ForgedDomain) }
	p.addClients(q.Clients)
	single := q.Client.IsValid() && q.Client.IsSingleIP()
	if single {
		p.addClient(q.Client)
	}
	p.add(q.Domain.Exact, cols(eventrow.ForgedDomain), domain)
	p.add(q.Verified, cols(eventrow.SourceVerified), func(r *eventrow.Row) bool { return r.SourceVerified })
	p.attempt = len(p.conditions)
	p.add(p.attempts, cols(eventrow.Attempt), func(r *eventrow.Row) bool { return r.Attempt })
	if p.first != math.MinInt64 || p.last != math.MaxInt64 {
		p.time = len(p.conditions)
		p.add(true, cols(eventrow.TS), func(r *eventrow.Row) bool { return r.TS >= p.first && r.TS <= p.last })
	}
	if q.Source != "" && !p.attempts {
		p.addKinds(q.Source.kinds())
	}
	p.addKinds(q.Kinds)
	if !single {
		p.addClient(q.Client)
	}
	p.addPlaces(&q)
	resolver := q.Resolver.String()
	p.add(q.Resolver.IsValid(), cols(eventrow.Resolver), func(r *eventrow.Row) bool { return r.Resolver == resolver })
	p.add(q.Domain != Text{} && !q.Domain.Exact, cols(eventrow.ForgedDomain), domain)
	p.add(q.Sender != Text{}, senderColumns, func(r *eventrow.Row) bool { return q.Sender.matches(sender(r)) })
	p.add(q.HELO != Text{}, cols(eventrow.HELO), func(r *eventrow.Row) bool { return q.HELO.matches(r.HELO) })
	return p
}

func (p *plan) add(wanted bool, columns columns, match func(*eventrow.Row) bool) {
	if wanted {
		p.conditions = append(p.conditions, condition{columns, match})
	}
}

func (p *plan) addKinds(kinds []spftrack.Kind) {
	names := make(map[string]bool)
	for _, k := range kinds {
		names[k.String()] = true
	}
	if p.attempts && len(kinds) > 0 {
		p.kinds = len(p.conditions)
		exists := names[spftrack.KindExists.String()]
		p.add(true, cols(eventrow.Kind, eventrow.Flags), func(r *eventrow.Row) bool {
			return names[r.Kind] || exists && hasFlagExists(r.Flags)
		})
		return
	}
	if len(kinds) > 0 {
		p.only = append(p.only, slices.Collect(maps.Keys(names)))
	}
	p.add(len(kinds) > 0, cols(eventrow.Kind), func(r *eventrow.Row) bool { return names[r.Kind] })
}

func (p *plan) addClients(clients []netip.Addr) {
	if len(clients) == 0 {
		return
	}
	wanted := make(map[string]bool)
	for _, client := range clients {
		text := client.String()
		wanted[text] = true
		p.clients = append(p.clients, text)
	}
	p.client = len(p.conditions)
	p.add(true, cols(eventrow.ClientIP), func(r *eventrow.Row) bool { return wanted[r.ClientIP] })
}

func (p *plan) addClient(client netip.Prefix) {
	if !client.IsValid() {
		return
	}
	if client.IsSingleIP() {
		text := client.Addr().String()
		p.clients, p.client = []string{text}, len(p.conditions)
		p.add(true, cols(eventrow.ClientIP), func(r *eventrow.Row) bool { return r.ClientIP == text })
		return
	}
	p.add(true, cols(eventrow.ClientIP), func(r *eventrow.Row) bool {
		if addr, err := netip.ParseAddr(r.ClientIP); err == nil {
			return client.Contains(addr)
		}
		network, err := netip.ParsePrefix(r.ClientIP)
		return err == nil && client.Bits() <= network.Bits() && client.Contains(network.Addr())
	})
}

// addPlaces adds conditions about where the client is. Several goroutines ask at once, each
// value of a dictionary once.
func (p *plan) addPlaces(q *Query) {
	for _, c := range []struct {
		wanted string
		of     func(netip.Addr) (string, error)
	}{{q.AS, q.as}, {q.Country, q.country}} {
		p.add(c.wanted != "", cols(eventrow.ClientIP), func(r *eventrow.Row) bool {
			network, _, _ := strings.Cut(r.ClientIP, "/")
			addr, err := netip.ParseAddr(network)
			if err != nil {
				return false
			}
			place, _ := c.of(addr)
			place = spacedPrintable(place)
			return place == c.wanted || strings.HasPrefix(place, c.wanted+" ")
		})
	}
}

func (q *Query) as(a netip.Addr) (string, error)      { return q.places.AS(a) }
func (q *Query) country(a netip.Addr) (string, error) { return q.places.Country(a) }

// allAttempts reports whether attempts are selected by nothing but their time.
func (p *plan) allAttempts() bool {
	rest := ^cols(eventrow.Attempt, eventrow.TS)
	return p.attempts && !slices.ContainsFunc(p.conditions, func(c condition) bool { return c.columns&rest != 0 })
}

// allPackets reports whether events are selected by nothing but their time.
func (p *plan) allPackets() bool {
	return !p.attempts && p.weight == nil && !slices.ContainsFunc(p.conditions, func(c condition) bool { return c.columns != cols(eventrow.TS) })
}

// lacks reports whether a segment certainly holds no selected event, by its summary,
// which knows the addresses of attempts. The plan goes by the marks of the segment.
func (p *plan) lacks(file *journal.SegmentFile) bool {
	if !p.attempts || len(p.clients) == 0 {
		return false
	}
	s := file.Summary()
	return s != nil && !slices.ContainsFunc(p.clients, func(client string) bool { return !s.Lacks(tally.IPs, client) })
}

// matches reports whether a row with all of its columns is selected.
func (p *plan) matches(r *eventrow.Row) bool {
	for _, c := range p.conditions {
		if !c.match(r) {
			return false
		}
	}
	return true
}

// overlaps reports whether times from first to last may be selected.
func (p *plan) overlaps(first, last int64) bool { return last >= p.first && first <= p.last }

// messages is how many messages a record of a DMARC report stands for.
func messages(r *eventrow.Row) uint64 { return uint64(max(r.Messages, 0)) }

// weigh is how often a row counts, which has all columns.
func (p *plan) weigh(r *eventrow.Row) uint64 {
	if p.weight == nil {
		return 1
	}
	return p.weight(r)
}

// earlier and later move a time by a span, as far as an int64 reaches.
func earlier(t int64, span time.Duration) int64 {
	if t < math.MinInt64+int64(span) {
		return math.MinInt64
	}
	return t - int64(span)
}

func later(t int64, span time.Duration) int64 {
	if t > math.MaxInt64-int64(span) {
		return math.MaxInt64
	}
	return t + int64(span)
}

// nanoseconds since 1970-01-01 UTC, as far as an int64 reaches.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64+1)):
		return math.MinInt64 + 1
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

var senderColumns = cols(eventrow.SenderLocal, eventrow.SenderDomain)

// sender is the envelope sender of a row, local@domain; "@domain" when the
// local part is unknown, "" when nothing is known.
func sender(r *eventrow.Row) string {
	if r.SenderLocal == "" && r.SenderDomain == "" {
		return ""
	}
	return r.SenderLocal + "@" + r.SenderDomain
}
