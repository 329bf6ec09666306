package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"nullspf/zones"
)

// The defaults of [DelegationSettings], and the bound of its Rate.
const (
	DefaultRate = 200
	maxRate     = 100_000
)

// DelegationSettings say how the servers of the parents are queried.
type DelegationSettings struct {
	// Roots are the addresses of the root servers, with port; nil means those of the
	// internet.
	Roots []netip.AddrPort
	// Port is that of all other servers; 0 means 53.
	Port uint16
	// Concurrency is how many zones are looked at, and queries are unanswered, at a
	// time; 0 means DefaultConcurrency.
	Concurrency int
	// Rate is how many queries are sent in a second at most, apart from those that are
	// repeated; 0 means DefaultRate.
	Rate int
	// Timeout and Retries are as in [Settings].
	Timeout time.Duration
	Retries int
	// MaxTime is how long a run may take; what is then not done is unanswered. 0 means
	// no limit.
	MaxTime time.Duration
	// Signed is for zones that are signed, whose parents should have DS records.
	Signed bool
	// Registered are names that a registrar has, nil when they are not known.
	Registered []string
	// Known reports whether a name belongs to this site although it is on no list;
	// nil for none.
	Known func(name string) bool
	// Progress is as in [Settings]; it counts zones.
	Progress func(done, total int)
}

// DelegationSummary counts what a run did.
type DelegationSummary struct {
	// Zones is the number of zones of the set.
	Zones int `json:"zones"`
	// Checked is the number of zones whose parent has answered.
	Checked int `json:"checked"`
	// Unanswered is the number of the others.
	Unanswered int `json:"unanswered"`
	// Registered is the number of names of the registrar.
	Registered int `json:"registered,omitempty"`
	// Unreachable counts addresses of nameservers that were not queried because this
	// machine has no route to them, such as those of IPv6.
	Unreachable int `json:"unreachable,omitempty"`
	// Queries counts queries sent over UDP, retries included.
	Queries uint64 `json:"queries"`
	// Parents is the number of zones above those of the set.
	Parents int `json:"parents"`
	// Findings is the number of deviations.
	Findings int `json:"-"`
}

// String returns some lines for people.
func (s DelegationSummary) String() string {
	text := fmt.Sprintf("%d of %d zones checked at %s, %s\n", s.Checked, s.Zones, count(s.Parents, "parent"), count(s.Findings, "deviation"))
	if s.Unreachable > 0 {
		text += fmt.Sprintf("not asked, because there is no route from here: %s\n", countAddresses(s.Unreachable))
	}
	return text
}

func countAddresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}

// RunDelegation asks the servers of the parents about each zone of the set, and the
// nameservers to which they refer, and yields the deviations, one call at a time, in
// any order. The error is one of the settings or that of ctx.
func RunDelegation(ctx context.Context, s DelegationSettings, set *zones.Set, yield func(Finding)) (DelegationSummary, error) {
	if err := s.complete(); err != nil {
		return DelegationSummary{}, err
	}
	limited := ctx
	if s.MaxTime > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, s.MaxTime)
		defer cancel()
	}
	a := &asker{timeout: s.Timeout, retries: s.Retries, interval: time.Second / time.Duration(s.Rate)}
	r := &delegationRun{
		DelegationSettings: s, set: set, yield: yield, walker: newWalker(a, s.Roots, s.Port),
		parents: make(map[string]bool), unreachable: make(map[netip.AddrPort]bool),
	}
	r.checkRegistered()
	var next, done atomic.Int64
	var wg sync.WaitGroup
	total := len(set.Entries)
	for range min(s.Concurrency, total) {
		wg.Go(func() {
			for limited.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= total {
					return
				}
				r.check(limited, &set.Entries[i])
				if s.Progress != nil {
					s.Progress(int(done.Add(1)), total)
				}
			}
		})
	}
	wg.Wait()
	sum := DelegationSummary{
		Zones: total, Checked: r.checked, Unanswered: total - r.checked, Registered: len(s.Registered),
		Unreachable: len(r.unreachable), Queries: a.sent.Load(), Parents: len(r.parents), Findings: r.findings,
	}
	return sum, ctx.Err()
}

func (s *DelegationSettings) complete() error {
	settings := Settings{Servers: s.Roots, Concurrency: s.Concurrency, Timeout: s.Timeout, Retries: s.Retries}
	if len(s.Roots) == 0 {
		settings.Servers = defaultRoots()
	}
	if err := settings.complete(); err != nil {
		return err
	}
	s.Roots, s.Concurrency, s.Timeout = settings.Servers, settings.Concurrency, settings.Timeout
	if s.Port == 0 {
		s.Port = 53
	}
	if s.Rate == 0 {
		s.Rate = DefaultRate
	}
	switch {
	case s.Rate < 0 || s.Rate > maxRate:
		return fmt.Errorf("the rate is %d queries a second; it must be between 1 and %d", s.Rate, maxRate)
	case s.MaxTime < 0:
		return fmt.Errorf("the time for all is %v; it must be positive", s.MaxTime)
	}
	return nil
}

// delegationRun is what the workers share.
type delegationRun struct {
	DelegationSettings
	*walker
	set *zones.Set

	mu          sync.Mutex // serialises yield
	yield       func(Finding)
	findings    int
	checked     int
	parents     map[string]bool
	unreachable map[netip.AddrPort]bool
}

func (r *delegationRun) report(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings++
	f.Have = shorten(f.Have)
	r.yield(f)
}

// checkRegistered reports names that are registered and on no list.
func (r *delegationRun) checkRegistered() {
	for _, name := range r.Registered {
		if r.set.Find(name) == nil && (r.Known == nil || !r.Known(name)) {
			r.report(Finding{Zone: name, Name: name, Check: CheckRegistered, Reason: "the domain is registered and on no list"})
		}
	}
}

// check looks at one zone.
func (r *delegationRun) check(ctx context.Context, e *zones.Entry) {
	zone := e.Name + "."
	errand := newErrand()
	d, err := r.find(ctx, errand, zone)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.report(Finding{Zone: e.Name, Name: e.Name, Check: CheckDelegated, Reason: err.Error()})
		return
	}
	c := &delegationCheck{delegationRun: r, name: e.Name, zone: zone, delegation: d, errand: errand, parent: shown(d.parent.zone)}
	c.signedAbove(ctx)
	r.mu.Lock()
	r.checked++
	r.parents[c.parent] = true
	r.mu.Unlock()
	if d.missing != "" {
		c.found(CheckDelegated, c.parent, Finding{Reason: "the zone is not delegated: " + d.missing})
		return
	}
	c.nameservers(e)
	c.servers(ctx)
	c.signed(ctx)
}

// delegationCheck is what is known of one zone.
type delegationCheck struct {
	*delegationRun
	*delegation
	errand *errand
	name   string // without final dot
	zone   string
	parent string
	ds     []*dns.DS
	// dsFault is why DS records could not be asked for.
	dsFault error
	// working is an address that serves the zone.
	working netip.AddrPort
}

// found reports a deviation. server is an address or the name of the parent.
func (c *delegationCheck) found(check, server string, f Finding) {
	f.Zone, f.Check, f.Server = c.name, check, server
	if f.Name == "" {
		f.Name = c.name
	}
	c.report(f)
}

// nameservers compares the NS RRset of the parent with the planned one.
func (c *delegationCheck) nameservers(e *zones.Entry) {
	var want []string
	for _, ns := range c.set.Group(e).Nameservers {
		want = append(want, string(ns)+".")
	}
	slices.Sort(want)
	if !slices.Equal(want, c.hosts) {
		c.found(CheckNS, c.parent, Finding{
			Want: strings.Join(want, ", "), Have: strings.Join(c.hosts, ", "), Reason: "the parent refers to other nameservers",
		})
	}
}

// servers looks up the nameservers of the delegation and asks each about the zone.
func (c *delegationCheck) servers(ctx context.Context) {
	for _, host := range c.hosts {
		glue := c.glue[host]
		if len(glue) == 0 && dns.IsSubDomain(c.zone, host) {
			c.found(CheckGlue, c.parent, Finding{Reason: shown(host) + " lies in the zone, and the parent has no address of it"})
			continue
		}
		list := glue
		own, err := c.addresses(ctx, c.errand, host)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil:
			list = own
			c.compareGlue(host, glue, own)
		case len(glue) == 0:
			c.found(CheckLame, shown(host), Finding{Reason: fmt.Sprintf("no address of the nameserver is found: %v", err)})
		case errors.Is(err, errNoAddress):
			c.compareGlue(host, glue, nil)
		}
		for _, a := range list {
			c.server(ctx, host, netip.AddrPortFrom(a, c.port))
		}
	}
}

// compareGlue reports addresses at the parent that the nameserver's own zone does not
// have.
func (c *delegationCheck) compareGlue(host string, glue, own []netip.Addr) {
	reason := "the parent has another address of " + shown(host) + " than the zone of that name"
	if len(own) == 0 {
		reason = "the parent has an address of " + shown(host) + ", and the zone of that name has none"
	}
	stale := slices.ContainsFunc(glue, func(a netip.Addr) bool { return !slices.Contains(own, a) })
	if stale {
		c.found(CheckGlue, c.parent, Finding{Want: joinAddresses(own), Have: joinAddresses(glue), Reason: reason})
	}
}

func joinAddresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// server asks a nameserver whether it is authoritative for the zone.
func (c *delegationCheck) server(ctx context.Context, host string, at netip.AddrPort) {
	msg, err := c.ask(ctx, at, c.zone, dns.TypeSOA)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errUnreachable):
		c.delegationRun.mu.Lock()
		c.delegationRun.unreachable[at] = true
		c.delegationRun.mu.Unlock()
		return
	}
	q := &query{msg: msg, err: err}
	reason := q.refusal()
	if reason == "" && !slices.ContainsFunc(msg.Answer, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeSOA && sameName(rr.Header().Name, c.name)
	}) {
		reason = "the answer has no SOA record of the zone"
	}
	if reason != "" {
		c.found(CheckLame, at.String(), Finding{Reason: shown(host) + ": " + reason})
	} else if !c.working.IsValid() {
		c.working = at
	}
}

// signedAbove asks the parent for DS records. A negative answer tells the name of the
// parent, where the same servers have several zones above.
func (c *delegationCheck) signedAbove(ctx context.Context) {
	msg, err := c.askAny(ctx, c.errand, c.delegation.parent.servers, c.zone, dns.TypeDS, func(m *dns.Msg) bool {
		return m.Authoritative && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError)
	})
	if err != nil {
		c.dsFault = err
		return
	}
	for _, rr := range msg.Answer {
		if ds, ok := rr.(*dns.DS); ok && sameName(ds.Hdr.Name, c.name) {
			c.ds = append(c.ds, ds)
		}
	}
	for _, rr := range msg.Ns {
		owner := dns.CanonicalName(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeSOA && owner != c.zone && dns.IsSubDomain(owner, c.zone) {
			c.parent = shown(owner)
		}
	}
}

// signed compares the DS records of the parent with the keys of the zone.
func (c *delegationCheck) signed(ctx context.Context) {
	switch {
	case ctx.Err() != nil:
		return
	case c.dsFault != nil:
		c.found(CheckDS, c.parent, Finding{Reason: "DS records cannot be asked for: " + c.dsFault.Error()})
		return
	case len(c.ds) == 0 && c.Signed:
		c.found(CheckDS, c.parent, Finding{Reason: "the zone is signed, and the parent has no DS record: nobody validates it"})
		return
	case len(c.ds) == 0 || !c.working.IsValid():
		return
	}
	msg, err := c.ask(ctx, c.working, c.zone, dns.TypeDNSKEY)
	if ctx.Err() != nil {
		return
	}
	q := &query{msg: msg, err: err}
	if reason := q.refusal(); reason != "" {
		c.found(CheckDS, c.working.String(), Finding{Reason: "the keys cannot be asked for: " + reason})
		return
	}
	keys := 0
	for _, rr := range msg.Answer {
		key, ok := rr.(*dns.DNSKEY)
		if !ok || !sameName(key.Hdr.Name, c.name) {
			continue
		}
		keys++
		if slices.ContainsFunc(c.ds, func(ds *dns.DS) bool { return fits(key, ds) }) {
			return
		}
	}
	reason := "no key of the zone fits a DS record of the parent: validating resolvers answer SERVFAIL"
	if keys == 0 {
		reason = "the parent has DS records, and the zone is not signed: validating resolvers answer SERVFAIL"
	}
	var have []string
	for _, ds := range c.ds {
		have = append(have, strings.TrimPrefix(ds.String(), ds.Hdr.String()))
	}
	slices.Sort(have)
	c.found(CheckDS, c.parent, Finding{Have: strings.Join(have, ", "), Reason: reason})
}

// fits reports whether a DS record is that of a key (RFC 4034 section 5.1).
func fits(key *dns.DNSKEY, ds *dns.DS) bool {
	if key.KeyTag() != ds.KeyTag || key.Algorithm != ds.Algorithm {
		return false
	}
	made := key.ToDS(ds.DigestType)
	return made != nil && strings.EqualFold(made.Digest, ds.Digest)
}
