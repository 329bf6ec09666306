package xdp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Surroundings are what a machine knows of the networks around an interface.
type Surroundings struct {
	// Addresses are those of the interface and of its VLANs.
	Addresses []netip.Addr
	// Elsewhere are networks from which nothing can come in at the interface
	// (RFC 3704 section 2.2): all addresses of the machine, broadcast addresses,
	// and the networks at other interfaces that are not at this one as well.
	Elsewhere []netip.Prefix
}

// Surround looks at the interfaces of the machine. vlans are the IDs of VLANs
// whose frames are taken at the interface.
func Surround(name string, vlans []uint16) (*Surroundings, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("interfaces: %w", err)
	}
	here := []string{name}
	if f, err := os.Open("/proc/thread-self/net/vlan/config"); err == nil {
		here = append(here, vlanNames(f, name, vlans)...)
		_ = f.Close()
	}
	networks := make(map[string][]netip.Prefix)
	for _, i := range list {
		addresses, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of %s: %w", i.Name, err)
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				networks[i.Name] = append(networks[i.Name], p)
			}
		}
	}
	return surround(here, networks), nil
}

func surround(here []string, networks map[string][]netip.Prefix) *Surroundings {
	s := new(Surroundings)
	var own []netip.Prefix
	for _, name := range here {
		own = append(own, networks[name]...)
	}
	for _, p := range own {
		s.Addresses = append(s.Addresses, p.Addr())
	}
	for name, list := range networks {
		for _, p := range list {
			s.Elsewhere = append(s.Elsewhere, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
			if b, ok := broadcast(p); ok {
				s.Elsewhere = append(s.Elsewhere, netip.PrefixFrom(b, 32))
			}
			if !slices.Contains(here, name) && p.Bits() > 0 && !slices.ContainsFunc(own, p.Overlaps) {
				s.Elsewhere = append(s.Elsewhere, p.Masked())
			}
		}
	}
	slices.SortFunc(s.Elsewhere, netip.Prefix.Compare)
	s.Elsewhere = slices.Compact(s.Elsewhere)
	return s
}

// broadcast returns the broadcast address of an IPv4 network (RFC 919 section 7),
// if it has one (RFC 3021).
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a), true
}

// vlanNames reads which VLAN interfaces with one of some IDs are on an interface:
//
//	eth0.5         | 5  | eth0
func vlanNames(r io.Reader, name string, ids []uint16) (names []string) {
	for s := bufio.NewScanner(r); s.Scan(); {
		fields := strings.Split(s.Text(), "|")
		if len(fields) != 3 || strings.TrimSpace(fields[2]) != name {
			continue
		}
		id, err := strconv.ParseUint(strings.TrimSpace(fields[1]), 10, 16)
		if err == nil && slices.Contains(ids, uint16(id)) {
			names = append(names, strings.TrimSpace(fields[0]))
		}
	}
	return names
}
