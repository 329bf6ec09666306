package nameserver

import (
	"net/netip"
	"slices"

	"nullspf/internal/secondary"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// Transfer says who may transfer zones, and who is told of changes.
type Transfer struct {
	To     []TransferRule
	Notify []NotifyRule
	// Source are addresses from which secondaries are told, one a family at most;
	// without one see [Config.localFor].
	Source []netip.Addr
}

// TransferRule allows transfers to those with an address in one of the prefixes
// who also sign with a key.
type TransferRule struct {
	Prefixes []netip.Prefix
	// Key is the name of a key of [Config.Keys], "" for none.
	Key wire.Name
}

// NotifyRule names servers that are told of changes.
type NotifyRule struct {
	Addresses []netip.AddrPort
	Key       wire.Name
}

func (t *Transfer) acl() (acl xfr.ACL) {
	for _, r := range t.To {
		acl = append(acl, xfr.Rule{Prefixes: r.Prefixes, Key: r.Key})
	}
	return acl
}

// narrow reports whether a network is small enough to be some servers.
func narrow(p netip.Prefix) bool {
	return p.Addr().Is4() && p.Bits() >= 24 || p.Addr().Is6() && p.Bits() >= 56
}

// secondaries returns the networks from which transfers are allowed, without
// those that are too large to be some servers.
func (t *Transfer) secondaries() (out []netip.Prefix) {
	for _, r := range t.To {
		for _, p := range r.Prefixes {
			if narrow(p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// connecting returns the networks from which any number of TCP connections is
// taken: those of secondaries, and larger ones that may transfer without a key.
// Who has a key is known by it.
func (t *Transfer) connecting() (out []netip.Prefix) {
	for _, r := range t.To {
		for _, p := range r.Prefixes {
			if narrow(p) || r.Key == "" {
				out = append(out, p)
			}
		}
	}
	return out
}

// peers returns the networks of primaries and secondaries. A primary notifies of
// many zones at once, a secondary asks for the SOA of as many.
func (c *Config) peers() (out []netip.Prefix) {
	if c.Transfer != nil {
		out = c.Transfer.secondaries()
	}
	for _, g := range c.Secondary {
		for _, p := range g.Primaries {
			out = append(out, netip.PrefixFrom(p.Addr.Addr(), p.Addr.Addr().BitLen()))
		}
	}
	return out
}

// notifyTargets returns the servers that are told of changes.
func (c *Config) notifyTargets() (targets []xfr.NotifyTarget) {
	if c.Transfer == nil {
		return nil
	}
	for _, r := range c.Transfer.Notify {
		for _, a := range r.Addresses {
			targets = append(targets, xfr.NotifyTarget{Addr: a, Local: c.source(c.Transfer.Source, a.Addr()), Key: c.Keys[r.Key]})
		}
	}
	return targets
}

// source returns the address from which another server is asked: one of those
// that the configuration gives, or else that of [Config.localFor].
func (c *Config) source(given []netip.Addr, to netip.Addr) netip.Addr {
	for _, a := range given {
		if a.Is4() == to.Is4() {
			return a
		}
	}
	return c.localFor(to)
}

// localFor returns the address from which another server is asked: the first
// one that zones are served at, because it is the one that others know. The
// zero Addr leaves it to the kernel.
func (c *Config) localFor(to netip.Addr) netip.Addr {
	for _, b := range c.Blocks {
		for _, at := range b.Listen {
			if a := at.Addr(); len(b.Zones) == 0 && a.Is4() == to.Is4() && a.IsLoopback() == to.IsLoopback() && !a.IsUnspecified() {
				return a
			}
		}
	}
	return netip.Addr{}
}

// Secondary are zones of the same primaries.
type Secondary struct {
	// Position is FILE:LINE of the directive, for messages.
	Position string
	// Source are addresses from which primaries are asked, one a family at most;
	// without one see [Config.localFor].
	Source []netip.Addr
	secondary.Group
}

// groups returns the groups of primaries.
func (c *Config) groups() (list []secondary.Group) {
	for i := range c.Secondary {
		g := c.Secondary[i].Group
		g.Primaries = slices.Clone(g.Primaries)
		for j := range g.Primaries {
			g.Primaries[j].Local = c.source(c.Secondary[i].Source, g.Primaries[j].Addr.Addr())
		}
		list = append(list, g)
	}
	return list
}
