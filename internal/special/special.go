// Package special knows the addresses that no host of the public Internet has.
package special

import (
	"fmt"
	"net/netip"
)

// Block is a block of addresses at which no host of the public Internet can be.
type Block struct {
	// Prefix is the zero Prefix for space that IANA has not assigned.
	Prefix netip.Prefix
	Name   string
	RFC    string
	// Never: not even a host of a test network can have such an address.
	Never bool
}

// String says what the block is, for a message.
func (b Block) String() string {
	if !b.Prefix.IsValid() {
		return fmt.Sprintf("space %s (%s)", b.Name, b.RFC)
	}
	return fmt.Sprintf("%s, %s (%s)", b.Prefix, b.Name, b.RFC)
}

// blocks holds every entry of the IANA IPv4 and IPv6 Special-Purpose Address
// Registries (RFC 6890, RFC 8190), the multicast blocks, and the former
// site-local addresses. Blocks that the registries call globally reachable are
// among them: they belong to a protocol or an anycast service, not to a host
// of the operator.
var blocks = []Block{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network", "RFC 791", true},
	{netip.MustParsePrefix("10.0.0.0/8"), "private use", "RFC 1918", false},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared address space", "RFC 6598", false},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", "RFC 1122", false},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local", "RFC 3927", false},
	{netip.MustParsePrefix("172.16.0.0/12"), "private use", "RFC 1918", false},
	{netip.MustParsePrefix("192.0.0.0/24"), "IETF protocol assignments", "RFC 6890", false},
	{netip.MustParsePrefix("192.0.0.0/29"), "IPv4 service continuity", "RFC 7335", false},
	{netip.MustParsePrefix("192.0.0.8/32"), "IPv4 dummy address", "RFC 7600", false},
	{netip.MustParsePrefix("192.0.0.9/32"), "Port Control Protocol anycast", "RFC 7723", false},
	{netip.MustParsePrefix("192.0.0.10/32"), "TURN anycast", "RFC 8155", false},
	{netip.MustParsePrefix("192.0.0.170/32"), "NAT64/DNS64 discovery", "RFC 8880", false},
	{netip.MustParsePrefix("192.0.0.171/32"), "NAT64/DNS64 discovery", "RFC 8880", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation (TEST-NET-1)", "RFC 5737", false},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112 anycast", "RFC 7535", false},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT anycast", "RFC 7450", false},
	{netip.MustParsePrefix("192.88.99.0/24"), "deprecated 6to4 relay anycast", "RFC 7526", false},
	{netip.MustParsePrefix("192.88.99.2/32"), "6a44 relay anycast", "RFC 6751", false},
	{netip.MustParsePrefix("192.168.0.0/16"), "private use", "RFC 1918", false},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112 direct delegation", "RFC 7534", false},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking", "RFC 2544", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation (TEST-NET-2)", "RFC 5737", false},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation (TEST-NET-3)", "RFC 5737", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", "RFC 5771", true},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved", "RFC 1112", false},
	{netip.MustParsePrefix("255.255.255.255/32"), "limited broadcast", "RFC 8190", true},

	{netip.MustParsePrefix("::/128"), "unspecified address", "RFC 4291", true},
	{netip.MustParsePrefix("::1/128"), "loopback", "RFC 4291", false},
	{netip.MustParsePrefix("::ffff:0:0/96"), "IPv4-mapped", "RFC 4291", true},
	{netip.MustParsePrefix("64:ff9b::/96"), "IPv4/IPv6 translation", "RFC 6052", false},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local-use IPv4/IPv6 translation", "RFC 8215", false},
	{netip.MustParsePrefix("100::/64"), "discard-only", "RFC 6666", false},
	{netip.MustParsePrefix("100:0:0:1::/64"), "dummy prefix", "RFC 9780", false},
	{netip.MustParsePrefix("2001::/23"), "IETF protocol assignments", "RFC 2928", false},
	{netip.MustParsePrefix("2001::/32"), "Teredo", "RFC 4380", false},
	{netip.MustParsePrefix("2001:1::1/128"), "Port Control Protocol anycast", "RFC 7723", false},
	{netip.MustParsePrefix("2001:1::2/128"), "TURN anycast", "RFC 8155", false},
	{netip.MustParsePrefix("2001:1::3/128"), "DNS-SD registration anycast", "RFC 9665", false},
	{netip.MustParsePrefix("2001:2::/48"), "benchmarking", "RFC 5180", false},
	{netip.MustParsePrefix("2001:3::/32"), "AMT anycast", "RFC 7450", false},
	{netip.MustParsePrefix("2001:4:112::/48"), "AS112 anycast", "RFC 7535", false},
	{netip.MustParsePrefix("2001:10::/28"), "deprecated ORCHID", "RFC 4843", false},
	{netip.MustParsePrefix("2001:20::/28"), "ORCHIDv2", "RFC 7343", false},
	{netip.MustParsePrefix("2001:30::/28"), "drone remote ID", "RFC 9374", false},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation", "RFC 3849", false},
	{netip.MustParsePrefix("2002::/16"), "6to4", "RFC 3056", false},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112 direct delegation", "RFC 7534", false},
	{netip.MustParsePrefix("3fff::/20"), "documentation", "RFC 9637", false},
	{netip.MustParsePrefix("5f00::/16"), "segment routing identifiers", "RFC 9602", false},
	{netip.MustParsePrefix("fc00::/7"), "unique local", "RFC 4193", false},
	{netip.MustParsePrefix("fe80::/10"), "link-local", "RFC 4291", false},
	{netip.MustParsePrefix("fec0::/10"), "deprecated site-local", "RFC 3879", false},
	{netip.MustParsePrefix("ff00::/8"), "multicast", "RFC 4291", true},
}

// globalUnicast is the only IPv6 space from which IANA assigns addresses to
// hosts (RFC 4291 section 2.4 and the registry of IPv6 address space).
var globalUnicast = netip.MustParsePrefix("2000::/3")

// Find returns the smallest block that holds a, which has no scope zone.
func Find(a netip.Addr) (Block, bool) {
	var found Block
	for _, b := range blocks {
		if b.Prefix.Contains(a) && (!found.Prefix.IsValid() || b.Prefix.Bits() > found.Prefix.Bits()) {
			found = b
		}
	}
	switch {
	case found.Prefix.IsValid():
		return found, true
	case a.Is6() && !globalUnicast.Contains(a):
		return Block{Name: "reserved by the IETF", RFC: "RFC 4291"}, true
	}
	return Block{}, false
}
