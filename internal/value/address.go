package value

import (
	"fmt"
	"net/netip"
)

// dnsPort is the port of an address that is written without one.
const dnsPort = 53

// ParseAddr reads an IP address. One without IPv6 zone, which means nothing on
// another machine; an IPv4 address in IPv6 form becomes IPv4.
func ParseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("not an IP address: %q; write 192.0.2.1 or 2001:db8::1", text)
	}
	return a.Unmap(), nil
}

// ParsePrefix reads a prefix, or an address as the prefix of itself alone.
// Bits behind the length are an error: 192.0.2.1/24 may mean that address, or
// its network.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("not a prefix: %q; write 192.0.2.0/24, 2001:db8::/32, or an address", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("not a prefix: %q has bits set behind its length; write %s, or %s for the address alone", text, p.Masked(), p.Addr())
	}
	return p, nil
}

// ParseEndpoint reads the address of a server with an optional port, which is
// [dnsPort] when there is none. The port is not 0.
func ParseEndpoint(text string) (netip.AddrPort, error) {
	if a, err := ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, dnsPort), nil
	}
	e, err := ParseAddrPort(text)
	if err != nil || e.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("not an address: %q; write 192.0.2.1, 192.0.2.1:5300 or [2001:db8::1]:5300", text)
	}
	return e, nil
}

// ParseAddrPort reads an address and a port. Port 0 is one that the system
// chooses.
func ParseAddrPort(text string) (netip.AddrPort, error) {
	e, err := netip.ParseAddrPort(text)
	if err != nil || e.Addr().Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("not an address and port: %q; write 127.0.0.1:PORT or [::1]:PORT", text)
	}
	return netip.AddrPortFrom(e.Addr().Unmap(), e.Port()), nil
}
