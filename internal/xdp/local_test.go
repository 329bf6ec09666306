package xdp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestSurround(t *testing.T) {
	s := surround([]string{"eth0", "eth0.7"}, map[string][]netip.Prefix{
		"lo":     prefixes("127.0.0.1/8", "::1/128", "198.51.100.53/32"),
		"eth0":   prefixes("192.0.2.1/25", "2001:db8::1/64", "fe80::1/64"),
		"eth0.7": prefixes("203.0.113.1/31"),
		"eth1":   prefixes("10.1.2.3/16", "192.0.2.2/24", "2001:db8:1::1/64", "fe80::2/64"),
		"tun0":   prefixes("10.9.0.1/0"),
	})
	var addresses []string
	for _, a := range s.Addresses {
		addresses = append(addresses, a.String())
	}
	if got := strings.Join(addresses, " "); got != "192.0.2.1 2001:db8::1 fe80::1 203.0.113.1" {
		t.Error(got)
	}
	want := prefixes(
		// Networks elsewhere; 192.0.2.0/24 and fe80::/64 are here, too.
		"127.0.0.0/8", "10.1.0.0/16", "2001:db8:1::/64",
		// Broadcast addresses.
		"127.255.255.255/32", "192.0.2.127/32", "192.0.2.255/32", "10.1.255.255/32", "255.255.255.255/32",
		// Our own.
		"127.0.0.1/32", "::1/128", "198.51.100.53/32", "192.0.2.1/32", "2001:db8::1/128", "fe80::1/128", "203.0.113.1/32",
		"10.1.2.3/32", "192.0.2.2/32", "2001:db8:1::1/128", "fe80::2/128", "10.9.0.1/32")
	slices.SortFunc(want, netip.Prefix.Compare)
	if !slices.Equal(s.Elsewhere, want) {
		t.Errorf("got  %v\nwant %v", s.Elsewhere, want)
	}
}

func TestVLANNames(t *testing.T) {
	const text = `VLAN Dev name	 | VLAN ID
Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD
eth0.5         | 5  | eth0
office         | 7  | eth0
eth1.7         | 7  | eth1
broken         | x  | eth0
`
	if got := vlanNames(strings.NewReader(text), "eth0", []uint16{7, 9}); !slices.Equal(got, []string{"office"}) {
		t.Error(got)
	}
}
