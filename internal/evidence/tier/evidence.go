package tier

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Evidence is what is known of an address.
type Evidence struct {
	// Subject is an IPv4 address or the /64 of an IPv6 address.
	Subject netip.Prefix
	Tier    Tier
	// Unlistable says why the subject is never exported, "" if it may be.
	Unlistable string
	// First is the begin of the first clock hour with something that counts, Last
	// the end of the last; zero for nothing.
	First, Last time.Time
	// Queries are those that count, Claims those that do not: because their source is not
	// verified, or their name not readable, or their domain not listed.
	Claims, Queries                  uint64
	Unverified, Unreadable, Unlisted uint64
	// Networks, Domains and Reporters have the queries, or messages, of each, the
	// first [MaxItems] in their order; the numbers are of all.
	Networks, Domains, Reporters             []Item
	NetworkCount, DomainCount, ReporterCount int
	// Public are the queries from resolvers that anybody may use.
	Public uint64
	// Hours are the clock hours with queries that count.
	Hours int
	// Knocks are the sessions at the SMTP listener that count, Visits the others.
	Knocks, Visits uint64
	// KnockedNear: a knock was less than [Near] clock hours from a query.
	KnockedNear bool
}

// Item is one of several sources, and how often it occurs.
type Item struct {
	Name  string
	Count uint64
}

// MaxItems bounds the lists of items.
const MaxItems = 1000

// add adds an item of a list that has count of them.
func addItem(list *[]Item, count *int, name string, n uint64) {
	*count++
	if len(*list) < MaxItems {
		*list = append(*list, Item{strings.Clone(name), n})
	}
}

// shownDomains is how many domains an export names.
const shownDomains = 3

// trim leaves what an export needs: the domains that occur most.
func (e *Evidence) trim() {
	e.Networks = nil
	slices.SortStableFunc(e.Domains, func(a, b Item) int { return cmp.Compare(b.Count, a.Count) })
	e.Domains = slices.Clone(e.Domains[:min(len(e.Domains), shownDomains)])
}

// Expires is when the evidence is too old, which begins with its last hour.
func (e *Evidence) Expires(expiry time.Duration) time.Time { return e.Last.Add(expiry) }

// weigh sets the tier.
func (e *Evidence) weigh() {
	switch {
	case len(e.missingCorroborated()) == 0 && len(e.missingConfirmed()) == 0:
		e.Tier = Confirmed
	case len(e.missingCorroborated()) == 0:
		e.Tier = Corroborated
	case e.Claims+e.Queries+e.Public > 0:
		e.Tier = Claimed
	default:
		e.Tier = None
	}
}

// Missing says what the next tier takes, nothing for the last one.
func (e *Evidence) Missing() []string {
	if missing := e.missingCorroborated(); len(missing) > 0 {
		return missing
	}
	return e.missingConfirmed()
}

func (e *Evidence) missingCorroborated() (missing []string) {
	lack := func(have, want int, what string) {
		if have < want {
			missing = append(missing, fmt.Sprintf("%d more %s", want-have, plural(want-have, what)))
		}
	}
	lack(e.NetworkCount, MinNetworks, "network of resolvers")
	lack(e.DomainCount, MinDomains, "listed domain")
	lack(e.Hours, MinHours, "clock hour")
	return missing
}

func (e *Evidence) missingConfirmed() []string {
	if e.KnockedNear || e.ReporterCount >= MinReporters {
		return nil
	}
	return []string{fmt.Sprintf("a session at the SMTP listener within a day, with a sender in a listed domain; or reports of %d more trusted %s", MinReporters-e.ReporterCount, plural(MinReporters-e.ReporterCount, "reporter"))}
}

func plural(n int, what string) string {
	first, rest, _ := strings.Cut(what, " of ")
	if n != 1 {
		first += "s"
	}
	if rest == "" {
		return first
	}
	return first + " of " + rest
}

// collector makes evidence of facts that come in order.
type collector struct {
	evidence *Evidence
	// hours are those with queries, in order.
	hours []hours
}

func (c *collector) begin(subject netip.Prefix) {
	c.evidence = &Evidence{Subject: subject}
	c.hours = c.hours[:0]
}

func (c *collector) add(kind fact, rest string, n uint64) {
	e := c.evidence
	switch kind {
	case claim:
		e.Claims += n
		switch reason(rest[0]) {
		case unverified:
			e.Unverified += n
		case unreadable:
			e.Unreadable += n
		case unlisted:
			e.Unlisted += n
		}
	case aboutDomain:
		addItem(&e.Domains, &e.DomainCount, rest, n)
	case inHour:
		h := readHour(rest)
		c.hours = append(c.hours, h)
		e.Hours++
		e.Queries += n
		c.span(h)
	case knock:
		h := readHour(rest)
		e.Knocks += n
		if c.near(h) {
			e.KnockedNear = true
			c.span(h)
		}
	case visit:
		e.Visits += n
	case fromNetwork:
		addItem(&e.Networks, &e.NetworkCount, readNetwork(rest).String(), n)
	case fromPublic:
		e.Public += n
	case byReporter:
		addItem(&e.Reporters, &e.ReporterCount, rest, n)
	}
}

// span widens the time of the evidence to a clock hour.
func (c *collector) span(h hours) {
	e := c.evidence
	if begin := h.begin(); e.First.IsZero() || begin.Before(e.First) {
		e.First = begin
	}
	if end := (h + 1).begin(); end.After(e.Last) {
		e.Last = end
	}
}

// near reports whether a query was less than Near hours before or after.
func (c *collector) near(h hours) bool {
	i, _ := slices.BinarySearch(c.hours, h)
	return i < len(c.hours) && c.hours[i]-h < Near || i > 0 && h-c.hours[i-1] < Near
}
