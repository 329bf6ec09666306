package config

import (
	"fmt"
	"net/netip"
)

// defaultPort is that of DNS.
const defaultPort = 53

// ParseEndpoint reads an IP address with an optional port, 53 when there is
// none: "192.0.2.1", "192.0.2.1:5300", "2001:db8::1", "[2001:db8::1]:5300".
func ParseEndpoint(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.AddrPortFrom(a.Unmap(), defaultPort), nil
	}
	e, err := netip.ParseAddrPort(text)
	if err != nil || e.Addr().Zone() != "" || e.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address; write 192.0.2.1, 192.0.2.1:5300 or [2001:db8::1]:5300", text)
	}
	return netip.AddrPortFrom(e.Addr().Unmap(), e.Port()), nil
}
