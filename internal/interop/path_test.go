package interop

import (
	"fmt"
	"net/netip"
	"testing"

	"nullspf/internal/peers"
)

// path is a way on which the queries of an implementation reach the site.
type path struct {
	name string
	// options are lines of unbound.conf; "" for no resolver at all.
	options string
	// minimises: the resolver asks for right parts of names first (RFC 9156).
	minimises bool
	// mixesCase: the resolver chooses upper and lower case at random.
	mixesCase bool
	// validates: the resolver demands the parent's signatures.
	validates bool
}

// paths say all that matters of an option that Unbound has by itself, too.
var paths = []path{
	{name: "direct"},
	{name: "off", options: "qname-minimisation: no"},
	{name: "on", options: "qname-minimisation: yes", minimises: true},
	{name: "strict", options: "qname-minimisation: yes\nqname-minimisation-strict: yes", minimises: true},
	{name: "caps", options: "qname-minimisation: no\nuse-caps-for-id: yes", mixesCase: true},
	{name: "strict+caps", options: "qname-minimisation: yes\nqname-minimisation-strict: yes\nuse-caps-for-id: yes", minimises: true, mixesCase: true},
	{name: "dnssec", options: "qname-minimisation: yes\nmodule-config: \"validator iterator\"", minimises: true, validates: true},
}

// address returns where implementation number i finds the path: at port 53
// where the tests have a network of their own.
func (p *path) address(t *testing.T, i, j int) netip.AddrPort {
	t.Helper()
	a := local(10+i, 1+j)
	if peers.Namespaces() == nil {
		return netip.AddrPortFrom(a, 53)
	}
	return freePort(t, a)
}

// open opens the path at an address. From there, all queries reach the site.
func (p *path) open(t *testing.T, s *site, at netip.AddrPort) {
	t.Helper()
	if p.options == "" {
		startRelay(t, s, at)
		return
	}
	stubs := stubZone(parent, s.forged.Address)
	for _, tracked := range tracking {
		stubs += stubZone(tracked.zone, s.track.Address)
	}
	options := p.options + "\n"
	if p.validates {
		options += fmt.Sprintf("trust-anchor: %q\n", s.anchor)
	}
	peers.Run(t, peers.Config{
		Kind: peers.Unbound, Address: at, Options: options,
		Include: []string{s.write(t, fmt.Sprintf("stubs-%s.conf", at.Addr()), stubs)},
	})
}

func stubZone(zone string, server netip.AddrPort) string {
	return fmt.Sprintf("stub-zone:\n\tname: %q\n\tstub-addr: %s@%d\n", zone, server.Addr(), server.Port())
}
