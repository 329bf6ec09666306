package xfr

import (
	"net/netip"
	"slices"

	"nullspf/internal/wire"
)

// Rule allows some clients something: those with an address in one of the
// prefixes who also sign with a key, if there is one.
type Rule struct {
	Prefixes []netip.Prefix
	// Key is the name of a key, "" for none.
	Key wire.Name
}

// ACL are rules of which one must hold. Without any, nothing is allowed.
type ACL []Rule

// allows reports whether a client may do something. signed is what was found of
// its signature, nil for none.
func (a ACL) allows(client netip.Addr, signed *Signed) bool {
	return slices.ContainsFunc(a, func(r Rule) bool {
		if r.Key != "" && (signed == nil || signed.Key == nil || signed.Key.Name != r.Key) {
			return false
		}
		return slices.ContainsFunc(r.Prefixes, func(p netip.Prefix) bool { return p.Contains(client) })
	})
}
