package special

import (
	"net/netip"
	"testing"
)

func TestFind(t *testing.T) {
	tests := map[string]string{
		"5.5.0.1": "", "9.255.255.255": "", "11.0.0.0": "", "100.63.255.255": "", "100.128.0.0": "",
		"172.15.255.255": "", "172.32.0.0": "", "192.0.1.0": "", "192.0.3.0": "", "198.17.255.255": "",
		"198.20.0.0": "", "223.255.255.255": "",
		"10.0.0.0": "10.0.0.0/8", "10.255.255.255": "10.0.0.0/8",
		"100.64.0.0": "100.64.0.0/10", "100.127.255.255": "100.64.0.0/10",
		"172.16.0.0": "172.16.0.0/12", "172.31.255.255": "172.16.0.0/12",
		"192.0.0.1": "192.0.0.0/29", "192.0.0.9": "192.0.0.9/32", "192.0.0.255": "192.0.0.0/24",
		"192.88.99.1": "192.88.99.0/24", "192.88.99.2": "192.88.99.2/32",
		"198.19.255.255": "198.18.0.0/15", "255.255.255.254": "240.0.0.0/4",
		"2a00::1": "", "2001:200::1": "", "2001:db9::1": "", "2620:4f:8001::": "", "2003::": "", "3fff:1000::": "",
		"2001::1": "2001::/32", "2001:1::": "2001::/23", "2001:1::3": "2001:1::3/128", "2001:1ff:ffff::": "2001::/23",
		"2001:2f::": "2001:20::/28", "2001:db8:ffff::": "2001:db8::/32", "3fff:fff::1": "3fff::/20",
		"64:ff9b::1": "64:ff9b::/96", "64:ff9b:1::1": "64:ff9b:1::/48", "100::1": "100::/64", "100:0:0:1::": "100:0:0:1::/64",
		"fd00::1": "fc00::/7", "fe80::1": "fe80::/10", "ff00::": "ff00::/8",
		"::2": "invalid Prefix", "1fff::": "invalid Prefix", "4000::": "invalid Prefix",
	}
	for text, want := range tests {
		b, ok := Find(netip.MustParseAddr(text))
		switch {
		case ok != (want != ""):
			t.Errorf("%s: special is %v", text, ok)
		case ok && b.Prefix.String() != want:
			t.Errorf("%s: got block %s, want %s", text, b.Prefix, want)
		}
	}
}

// TestBlocks checks that each block is written by its first address, once,
// and is found.
func TestBlocks(t *testing.T) {
	seen := make(map[netip.Prefix]bool)
	for _, b := range blocks {
		if b.Prefix != b.Prefix.Masked() || seen[b.Prefix] || b.Name == "" || b.RFC == "" {
			t.Errorf("block %s is wrong", b.Prefix)
		}
		seen[b.Prefix] = true
		if _, ok := Find(b.Prefix.Addr()); !ok {
			t.Errorf("block %s is not found", b.Prefix)
		}
	}
}
