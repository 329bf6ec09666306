package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// walker goes down from the root to the servers of zones, and remembers them. Names
// are in lower case with final dot. It is safe for concurrent use.
type walker struct {
	*asker
	port uint16

	mu    sync.Mutex
	cuts  map[string]*cut
	hosts map[string]hostAddresses
}

// cut is a zone with the addresses of its servers.
type cut struct {
	zone    string
	servers []netip.AddrPort
}

// hostAddresses are the addresses of a nameserver as its own zone has them, or why
// there are none.
type hostAddresses struct {
	list []netip.Addr
	err  error
}

// delegation is what the servers of the parent say of a zone.
type delegation struct {
	parent *cut
	// hosts are the names of the NS RRset, sorted; empty without delegation.
	hosts []string
	// glue are the addresses beside them.
	glue map[string][]netip.Addr
	// missing says why there is no delegation, "" when there is one.
	missing string
}

// The bounds of what answers may make the walker do.
const (
	maxReferrals = 16 // from the root to a zone
	maxHosts     = 16 // nameservers of a zone
	maxAddresses = 8  // of a nameserver
)

var errNoAddress = errors.New("the name has no address")

func newWalker(a *asker, roots []netip.AddrPort, port uint16) *walker {
	return &walker{
		asker: a, port: port,
		cuts:  map[string]*cut{".": {".", roots}},
		hosts: make(map[string]hostAddresses),
	}
}

// deepest returns the known zone that is nearest above a name, or is the name
// itself.
func (w *walker) deepest(name string) *cut {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, end := 0, false; !end; at, end = dns.NextLabel(name, at) {
		if c := w.cuts[name[at:]]; c != nil {
			return c
		}
	}
	return w.cuts["."]
}

// find asks the servers of the parent of a zone about its delegation. The error says
// that no server of a zone above answered as it should.
func (w *walker) find(ctx context.Context, e *errand, zone string) (*delegation, error) {
	c := w.deepest(above(zone))
	for range maxReferrals {
		msg, err := w.askAny(ctx, e, c.servers, zone, dns.TypeNS, func(m *dns.Msg) bool { return ofUse(m, c.zone, zone) })
		if err != nil {
			return nil, fmt.Errorf("the servers of %s: %w", shown(c.zone), err)
		}
		owner, hosts := referral(msg, c.zone, zone)
		switch {
		case owner == zone:
			return &delegation{parent: c, hosts: hosts, glue: glueOf(msg, c.zone, hosts)}, nil
		case msg.Rcode == dns.RcodeNameError:
			return &delegation{parent: c, missing: "the name does not exist there"}, nil
		case owner == "":
			return &delegation{parent: c, missing: "the name is there without NS records"}, nil
		}
		if c, err = w.enter(ctx, e, c, owner, hosts, msg); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("too many referrals on the way from the root")
}

// enter finds the servers of a zone to which those of the zone above refer.
func (w *walker) enter(ctx context.Context, e *errand, from *cut, zone string, hosts []string, msg *dns.Msg) (*cut, error) {
	glue := glueOf(msg, from.zone, hosts)
	c := &cut{zone: zone}
	for _, host := range hosts {
		for _, a := range glue[host] {
			c.servers = append(c.servers, netip.AddrPortFrom(a, w.port))
		}
	}
	err := errors.New("no nameserver has an address")
	for _, host := range hosts {
		// One address is enough to go on.
		if len(c.servers) > 0 {
			break
		}
		var list []netip.Addr
		e.nested++
		list, err = w.addresses(ctx, e, host)
		e.nested--
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for _, a := range list {
			c.servers = append(c.servers, netip.AddrPortFrom(a, w.port))
		}
	}
	if len(c.servers) == 0 {
		return nil, fmt.Errorf("the servers of %s cannot be found: %w", shown(zone), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.cuts[zone]; known != nil {
		return known, nil
	}
	w.cuts[zone] = c
	return c, nil
}

// addresses asks for the addresses of a nameserver where they belong: at the servers
// of the zone that has its name.
func (w *walker) addresses(ctx context.Context, e *errand, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	known, ok := w.hosts[host]
	w.mu.Unlock()
	if ok {
		return known.list, known.err
	}
	var found hostAddresses
	found.list, found.err = w.lookUp(ctx, e, host)
	if ctx.Err() == nil && e.nested == 0 {
		w.mu.Lock()
		w.hosts[host] = found
		w.mu.Unlock()
	}
	return found.list, found.err
}

func (w *walker) lookUp(ctx context.Context, e *errand, host string) ([]netip.Addr, error) {
	if e.nested > maxNested {
		return nil, errors.New("nameservers in zones with nameservers in other zones, and so on")
	}
	var list []netip.Addr
	var lastErr error
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		found, err := w.lookUpType(ctx, e, host, rrtype)
		list = append(list, found...)
		if err != nil {
			lastErr = err
		}
	}
	if len(list) > 0 {
		return list[:min(len(list), maxAddresses)], nil
	}
	if lastErr == nil {
		lastErr = errNoAddress
	}
	return nil, lastErr
}

func (w *walker) lookUpType(ctx context.Context, e *errand, host string, rrtype uint16) ([]netip.Addr, error) {
	c := w.deepest(host)
	for range maxReferrals {
		msg, err := w.askAny(ctx, e, c.servers, host, rrtype, func(m *dns.Msg) bool { return ofUse(m, c.zone, host) })
		if err != nil {
			return nil, fmt.Errorf("the servers of %s: %w", shown(c.zone), err)
		}
		owner, hosts := "", []string(nil)
		if !msg.Authoritative {
			owner, hosts = referral(msg, c.zone, host)
		}
		if owner == "" {
			return addressesIn(msg.Answer, host), nil
		}
		if c, err = w.enter(ctx, e, c, owner, hosts, msg); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("too many referrals on the way from the root")
}

// ofUse reports whether a message from a server of a zone says something of a name
// below it: with authority, or by referring to a zone in between.
func ofUse(m *dns.Msg, zone, name string) bool {
	if m.Authoritative {
		return m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError
	}
	owner, _ := referral(m, zone, name)
	return m.Rcode == dns.RcodeSuccess && owner != ""
}

// referral returns the zone below another, on the way to a name, whose NS records a
// message holds, and their hosts; "" for none. A server of both zones has them in its
// answer.
func referral(m *dns.Msg, zone, name string) (owner string, hosts []string) {
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		ns, ok := rr.(*dns.NS)
		if !ok || ns.Hdr.Class != dns.ClassINET {
			continue
		}
		o := dns.CanonicalName(ns.Hdr.Name)
		if o == zone || !dns.IsSubDomain(zone, o) || !dns.IsSubDomain(o, name) || len(o) < len(owner) {
			continue
		}
		if len(o) > len(owner) {
			owner, hosts = o, nil
		}
		if host := dns.CanonicalName(ns.Ns); !slices.Contains(hosts, host) && len(hosts) < maxHosts {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return owner, hosts
}

// glueOf returns the addresses of hosts in the additional section; those out of the
// zone whose servers sent the message are not theirs to tell.
func glueOf(m *dns.Msg, zone string, hosts []string) map[string][]netip.Addr {
	glue := make(map[string][]netip.Addr)
	for _, host := range hosts {
		if !dns.IsSubDomain(zone, host) {
			continue
		}
		if list := addressesIn(m.Extra, host); len(list) > 0 {
			glue[host] = list
		}
	}
	return glue
}

// addressesIn returns the addresses of a name in a section, sorted, each once.
func addressesIn(section []dns.RR, name string) []netip.Addr {
	var list []netip.Addr
	for _, rr := range section {
		var raw []byte
		switch rr := rr.(type) {
		case *dns.A:
			raw = rr.A.To4()
		case *dns.AAAA:
			raw = rr.AAAA.To16()
		}
		a, ok := netip.AddrFromSlice(raw)
		if h := rr.Header(); ok && h.Class == dns.ClassINET && dns.CanonicalName(h.Name) == name && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list[:min(len(list), maxAddresses)]
}

// above is the name without its first label.
func above(name string) string {
	at, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[at:]
}

// shown is a name for messages: without final dot but for the root.
func shown(name string) string {
	if name == "." {
		return "the root"
	}
	return strings.TrimSuffix(name, ".")
}
