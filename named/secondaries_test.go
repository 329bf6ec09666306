package named

import (
	"net/netip"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// TestUnsignedSecondary has real primaries give zones to a secondary with the key,
// and to one without it, by address.
func TestUnsignedSecondary(t *testing.T) {
	for _, server := range []Server{BIND, NSD, Knot} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			p := ports(t, 2)
			s := newSite(t, p[:1], p[1:], server)
			s.settings.Catalog = "catalog.example.net"
			unsigned := netip.MustParseAddr("127.0.0.2")
			s.settings.Primary.AllowTransfer = append(s.settings.Primary.AllowTransfer, netip.PrefixFrom(unsigned, 32))
			s.settings.Primary.Secondaries = []Secondary{{Address: p[1], Software: Knot}, {Address: netip.AddrPortFrom(unsigned, p[1].Port()), Unsigned: true, Software: Unbound}}
			s.build(testSet(t, threeZones))
			primary := s.start(server, p[0], "primary.conf")
			s.serves(primary)
			key := &peers.Key{Name: "xfr.example.net", Algorithm: "hmac-sha256", Secret: testSecret}
			for _, c := range []struct {
				from string
				key  *peers.Key
				want bool
			}{
				{"127.0.0.1", key, true}, {"127.0.0.1", nil, false}, {"127.0.0.2", nil, true}, {"127.0.0.3", key, false}, {"127.0.0.3", nil, false},
			} {
				for _, zone := range []string{threeZones[0], "catalog.example.net"} {
					rrs, err := peers.Transfer(t.Context(), primary.Address, netip.MustParseAddr(c.from), zone, c.key)
					if got := err == nil && len(rrs) > 0; got != c.want {
						t.Errorf("%s from %s, key %t: transfer %t, %v", zone, c.from, c.key != nil, got, err)
					}
				}
			}
		})
	}
}

// TestKeylessOnly: with secondaries that all lack the key, nobody needs it.
func TestKeylessOnly(t *testing.T) {
	s := testSettings()
	s.Primary.AllowTransfer = s.Primary.AllowTransfer[:1]
	s.Primary.AlsoNotify = s.Primary.AlsoNotify[:1]
	s.Primary.Secondaries = []Secondary{{Address: s.Primary.AlsoNotify[0], Unsigned: true}}
	text := render(t, s, testSet(t, threeZones))
	for _, want := range []string{
		"acl nullspf-transfer { nullspf-unsigned; };", "\tprovide-xfr: 192.0.2.2 NOKEY", "acl: nullspf-unsigned\n", "        to 192.0.2.2\n        notify 192.0.2.2\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
}

// TestCatalogProperty: allow-transfer.ext is for BIND.
func TestCatalogProperty(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.2:53")
	for _, c := range []struct {
		servers     []Server
		secondaries []Secondary
		want        bool
	}{
		{Servers, nil, true},
		{[]Server{NSD, Nullspfd}, nil, false},
		{[]Server{NSD}, []Secondary{{Address: at, Software: BIND}}, true},
		{Servers, []Secondary{{Address: at, Software: YADIFA}, {Address: at, Software: Knot}}, false},
		{Servers, []Secondary{{Address: at, Software: YADIFA}, {Address: at}}, true},
	} {
		s := testSettings()
		s.Servers, s.Primary.Secondaries = c.servers, c.secondaries
		if got := strings.Contains(render(t, s, testSet(t, threeZones)), "allow-transfer.ext"); got != c.want {
			t.Errorf("servers %v, secondaries %v: property %t", c.servers, c.secondaries, got)
		}
	}
}

// TestSignedParent: a domain and its parent are not both signed.
func TestSignedParent(t *testing.T) {
	s := testSettings()
	s.Servers, s.DNSSEC = []Server{BIND}, true
	set := testSet(t, []string{"brand.example", "a.shop.brand.example"})
	_, err := Files(s, set)
	if want := "dnssec: a.shop.brand.example and brand.example are both on a list"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	s.DNSSEC = false
	if _, err := Files(s, set); err != nil {
		t.Error(err)
	}
}
