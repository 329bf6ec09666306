package tier

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"unsafe"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
	"nullspf/spftrack"
)

// Rules say what counts.
type Rules struct {
	// Listed returns the listed domain that a name is, or lies below. Both are
	// lower case, without final dot.
	Listed func(name string) (domain string, ok bool)
	// Public are the networks of resolvers that anybody may use.
	Public *Prefixes
	// Allow are never exported, in the form of [Prefixes.AddSubjects].
	Allow *Prefixes
	// Reporters are the trusted ones, lower case.
	Reporters []string
	// TestAddresses: documentation and test networks are like others.
	TestAddresses bool
}

// Columns are those that a Gatherer looks at.
var Columns = []*eventrow.Column{
	eventrow.TS, eventrow.Kind, eventrow.ClientIP, eventrow.SenderLocal, eventrow.SenderDomain, eventrow.ForgedDomain,
	eventrow.Resolver, eventrow.SourceVerified, eventrow.Flags,
	eventrow.Messages, eventrow.SPF, eventrow.DKIM, eventrow.Override, eventrow.Reporter,
}

// VerifiedKinds are the kinds of event that are evidence only when their source is verified,
// Kinds all that may be evidence.
var (
	VerifiedKinds = []spftrack.Kind{spftrack.KindExists, spftrack.KindExp, spftrack.KindClassic, spftrack.KindSMTP}
	Kinds         = append(slices.Clone(VerifiedKinds), spftrack.KindDMARC)
)

// budget is how much memory facts take before they are put into files, in bytes.
const budget = 96 << 20

// Gatherer gathers the facts of events. It is used by one goroutine.
type Gatherer struct {
	rules   Rules
	facts   *tally.Counter
	buf     []byte
	domains map[string]string
	clients map[string]netip.Prefix
}

// NewGatherer returns a Gatherer, which must be closed.
func NewGatherer(rules Rules) *Gatherer {
	return &Gatherer{
		rules: rules, facts: tally.NewCounter(budget),
		domains: make(map[string]string), clients: make(map[string]netip.Prefix),
	}
}

// Close frees the files.
func (g *Gatherer) Close() { g.facts.Close() }

// remembered bounds what is kept of texts that repeat.
const remembered = 1 << 14

// recall returns what a function makes of a text, from memory when it can.
func recall[V any](memory map[string]V, text string, of func(string) V) V {
	v, ok := memory[text]
	if !ok {
		if len(memory) >= remembered {
			clear(memory)
		}
		text = strings.Clone(text) // what is made of it may be a part of it
		v = of(text)
		memory[text] = v
	}
	return v
}

// Add takes an event, of which [Columns] are set. It is not kept.
func (g *Gatherer) Add(r *eventrow.Row) error {
	subject := recall(g.clients, r.ClientIP, func(text string) netip.Prefix {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}
		}
		return Subject(a)
	})
	if !subject.IsValid() {
		return nil
	}
	switch r.Kind {
	case "exists", "exp", "classic":
		return g.query(subject, r)
	case "smtp":
		return g.session(subject, r)
	case "dmarc":
		return g.report(subject, r)
	}
	return nil
}

// query takes a query.
func (g *Gatherer) query(subject netip.Prefix, r *eventrow.Row) error {
	domain, why := "", reason(0)
	resolver, err := netip.ParseAddr(r.Resolver)
	switch {
	case !r.SourceVerified:
		why = unverified
	case !readable(r.Flags):
		why = unreadable
	case err != nil || r.TS < 0:
		why = unplaced
	default:
		if domain = g.listed(r.ForgedDomain); domain == "" {
			why = unlisted
		}
	}
	if why != 0 {
		return g.count(subject, claim, []byte{byte(why)})
	}
	if _, _, public := g.rules.Public.Find(resolver); public {
		return g.count(subject, fromPublic, nil)
	}
	var buf [32]byte
	if err := g.count(subject, fromNetwork, appendNetwork(buf[:0], networkOf(resolver))); err != nil {
		return err
	}
	if err := g.count(subject, inHour, appendHour(buf[:0], hourOf(r.TS))); err != nil {
		return err
	}
	return g.count(subject, aboutDomain, []byte(domain))
}

// session takes a session at the SMTP listener.
func (g *Gatherer) session(subject netip.Prefix, r *eventrow.Row) error {
	kind := visit
	if r.SourceVerified && g.listed(r.SenderDomain) != "" {
		kind = knock
	}
	if r.TS < 0 {
		return nil
	}
	var buf [4]byte
	return g.count(subject, kind, appendHour(buf[:0], hourOf(r.TS)))
}

// report takes a record of a DMARC aggregate report. Messages that a forwarder has passed on
// say nothing about the forwarder, whose address is reported.
func (g *Gatherer) report(subject netip.Prefix, r *eventrow.Row) error {
	reporter := eventrow.Unescape(r.Reporter)
	if !slices.Contains(g.rules.Reporters, reporter) || r.Messages <= 0 || r.SPF != "fail" || r.DKIM != "fail" || forwarded(r.Override) || g.listed(r.ForgedDomain) == "" {
		return nil
	}
	return g.countN(subject, byReporter, []byte(reporter), uint64(r.Messages))
}

// forwarded reports whether the reasons of an override (RFC 9990 section 3.1.1.5) tell of a
// forwarder.
func forwarded(override string) bool {
	for reason := range strings.SplitSeq(override, ",") {
		switch reason {
		case "forwarded", "trusted_forwarder", "mailing_list":
			return true
		}
	}
	return false
}

// readable reports whether a name with these flags is whole, and can be read in one
// way: who chooses a local part, a HELO name or a name below a listed domain must not
// choose the address.
func readable(flags string) bool {
	if flags == "" || flags == "retry" {
		return true
	}
	f, err := spftrack.ParseFlags(flags)
	return err == nil && f&(spftrack.FlagTruncated|spftrack.FlagUnparsed|spftrack.FlagAmbiguous|spftrack.FlagUnexpanded) == 0
}

// listed returns the listed domain of a column, "" for none.
func (g *Gatherer) listed(column string) string {
	return recall(g.domains, column, func(text string) string {
		domain, ok := g.rules.Listed(eventrow.Unescape(text))
		if !ok {
			return ""
		}
		return domain
	})
}

func (g *Gatherer) count(subject netip.Prefix, kind fact, rest []byte) error {
	return g.countN(subject, kind, rest, 1)
}

func (g *Gatherer) countN(subject netip.Prefix, kind fact, rest []byte, n uint64) error {
	g.buf = append(appendFact(g.buf[:0], subject, kind), rest...)
	return g.facts.Add(unsafe.String(unsafe.SliceData(g.buf), len(g.buf)), n)
}

// Nothing is the evidence about a subject about which there is none.
func Nothing(subject netip.Prefix, rules *Rules) *Evidence {
	return &Evidence{Subject: subject, Unlistable: Unlistable(subject, rules.Allow, rules.TestAddresses)}
}

// Each calls yield with the evidence of each subject in order of their 16 bytes, IPv4
// addresses as IPv4-mapped ones. Nothing may be added after it. It returns the error
// of yield, of ctx or of a file.
func (g *Gatherer) Each(ctx context.Context, yield func(*Evidence) error) error {
	var c collector
	end := func() error {
		if c.evidence == nil {
			return nil
		}
		e := c.evidence
		e.weigh()
		e.Unlistable = Unlistable(e.Subject, g.rules.Allow, g.rules.TestAddresses)
		return yield(e)
	}
	var last string
	err := tally.Merge(g.facts.Runs(), func(text string, n uint64) error {
		if subject := text[:subjectSize]; subject != last {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := end(); err != nil {
				return err
			}
			last = strings.Clone(subject)
			c.begin(subjectOf(subject))
		}
		c.add(fact(text[subjectSize]), text[subjectSize+1:], n)
		return nil
	})
	if err != nil {
		return err
	}
	return end()
}

// List returns the evidence of all subjects of a tier, or of a higher one, that may be
// exported: IPv4 addresses first, each family in order.
func (g *Gatherer) List(ctx context.Context, least Tier) ([]*Evidence, error) {
	var list []*Evidence
	err := g.Each(ctx, func(e *Evidence) error {
		if e.Tier >= least && e.Unlistable == "" {
			e.trim()
			list = append(list, e)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b *Evidence) int { return a.Subject.Addr().Compare(b.Subject.Addr()) })
	return list, err
}
