package named

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/zones"
)

// fileSerial reads the serial number of a zone file.
func fileSerial(t *testing.T, text []byte) uint32 {
	t.Helper()
	p := dns.NewZoneParser(bytes.NewReader(text), "", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if soa, is := rr.(*dns.SOA); is {
			return soa.Serial
		}
	}
	t.Fatalf("no SOA in\n%s", text)
	return 0
}

// manyZones are invented names, one of them of the greatest length.
func manyZones(n int) []string {
	const longest = 253
	names := []string{strings.Repeat("abc.", (longest-len("example"))/4) + "example"}
	for i := len(names); i < n; i++ {
		names = append(names, fmt.Sprintf("domain-%d.example", i))
	}
	return names
}

// withAddress gives one zone of a set an address, which changes its content.
func withAddress(set *zones.Set, name string) *zones.Set {
	set.Find(name).Override = &zones.Override{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}
	return set
}

// TestTransfer has real secondaries fetch all zones from real primaries, and
// follow when zones are added, removed and changed.
func TestTransfer(t *testing.T) {
	for _, tt := range []struct {
		primary, secondary Server
		terms              Terms
		relative           bool
		unsigned           bool
		many               bool // take the change for one of very many zones
	}{
		{primary: BIND, secondary: BIND, terms: OldTerms},
		{primary: BIND, secondary: BIND, terms: NewTerms, relative: true, unsigned: true, many: true},
		{primary: Knot, secondary: BIND, relative: true},
		{primary: NSD, secondary: BIND, terms: NewTerms},
		{primary: BIND, secondary: Knot},
		{primary: BIND, secondary: NSD, relative: true},
		{primary: Knot, secondary: NSD, unsigned: true, many: true},
		{primary: NSD, secondary: Knot, relative: true, unsigned: true, many: true},
	} {
		name := fmt.Sprintf("%s-%s-relative=%v-tsig=%v", tt.primary, tt.secondary, tt.relative, !tt.unsigned)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ports(t, 2)
			s := newSite(t, p[:1], p[1:], tt.primary)
			if tt.secondary != tt.primary {
				s.settings.Servers = append(s.settings.Servers, tt.secondary)
			}
			s.settings.Terms, s.settings.Relative = tt.terms, tt.relative
			if tt.unsigned {
				s.settings.TSIG = nil
			}
			names := manyZones(50)
			s.build(testSet(t, names))
			primary := s.start(tt.primary, p[0], "primary.conf")
			secondary := s.start(tt.secondary, p[1], "secondary.conf")
			s.serves(primary)
			s.serves(secondary)
			onlySecondariesTransfer(t, s, primary, secondary)

			// Two zones go, one comes, one changes.
			change := s.build(withAddress(testSet(t, append(names[2:], "new.example")), names[2]))
			if len(change.Added) != 1 || len(change.Removed) != 2 || len(change.Changed) != 1 {
				t.Fatalf("change = %+v; want 1 added, 2 removed, 1 changed", change)
			}
			all := change
			if tt.many {
				all.Changed = zoneNames(maxSingle + 1)
			}
			s.apply(primary, RolePrimary, false, all)
			s.serves(primary)
			s.apply(secondary, RoleSecondary, false, change)
			for _, server := range []*peers.Server{primary, secondary} {
				s.serves(server)
				gone(t, server, change.Removed)
			}

			// One zone changes.
			change = s.build(testSet(t, append(names[2:], "new.example")))
			if len(change.Changed) != 1 || len(change.Added)+len(change.Removed) > 0 {
				t.Fatalf("change = %+v; want 1 changed", change)
			}
			s.apply(primary, RolePrimary, false, change)
			s.apply(secondary, RoleSecondary, false, change)
			s.serves(primary)
			s.serves(secondary)
		})
	}
}

// TestTransferIPv6 has secondaries fetch the zones over IPv6.
func TestTransferIPv6(t *testing.T) {
	t.Parallel()
	peers.RequireIPv6(t)
	loopback := netip.IPv6Loopback()
	var p []netip.AddrPort
	for range 3 {
		a, err := peers.FreePort(loopback)
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, a)
	}
	s := newSite(t, p[:1], p[1:], BIND, NSD, Knot)
	s.settings.Primary.AllowTransfer = []netip.Prefix{netip.PrefixFrom(loopback, 128)}
	s.build(testSet(t, manyZones(10)))
	s.serves(s.start(Knot, p[0], "primary.conf"))
	bind := s.start(BIND, p[1], "secondary.conf")
	s.settings.Store = "secondary-nsd"
	s.build(s.set)
	s.serves(s.start(NSD, p[2], "secondary.conf"))
	s.serves(bind)
}

// onlySecondariesTransfer asks the servers for zones without having the right
// to it.
func onlySecondariesTransfer(t *testing.T, s *site, primary, secondary *peers.Server) {
	t.Helper()
	ctx := t.Context()
	zone := s.set.Entries[0].Name
	elsewhere := netip.MustParseAddr("127.0.0.2")
	var key *peers.Key
	if k := s.settings.TSIG; k != nil {
		key = &peers.Key{Name: string(k.Name), Algorithm: k.Algorithm, Secret: k.Secret}
		wrong := *key
		wrong.Secret = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3JvbmchISE="
		if rrs, err := peers.Transfer(ctx, primary.Address, loopback, zone, &wrong); err == nil {
			t.Errorf("a wrong key transfers %d records", len(rrs))
		}
		if rrs, err := peers.Transfer(ctx, primary.Address, loopback, zone, nil); err == nil {
			t.Errorf("a request without key transfers %d records", len(rrs))
		}
	}
	if rrs, err := peers.Transfer(ctx, primary.Address, elsewhere, zone, key); err == nil {
		t.Errorf("a request from an address that is not listed transfers %d records", len(rrs))
	}
	if rrs, err := peers.Transfer(ctx, primary.Address, loopback, zone, key); err != nil || len(rrs) < 5 {
		t.Errorf("a good request transfers %d records: %v", len(rrs), err)
	}
	if rrs, err := peers.Transfer(ctx, secondary.Address, loopback, zone, key); err == nil {
		t.Errorf("the secondary gives %d records to anybody", len(rrs))
	}
}

// TestWrongKey has a secondary with another secret get nothing.
func TestWrongKey(t *testing.T) {
	t.Parallel()
	p := ports(t, 3)
	s := newSite(t, p[:1], p[1:], BIND)
	s.build(testSet(t, manyZones(20)))
	primary := s.start(BIND, p[0], "primary.conf")

	other := newSite(t, p[:1], p[1:], BIND, Knot)
	other.settings.TSIG = &TSIG{Name: "xfr.example.net", Algorithm: "hmac-sha256", Secret: "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3JvbmchISE="}
	other.build(s.set)
	secondaries := []*peers.Server{other.start(BIND, p[1], "secondary.conf"), other.start(Knot, p[2], "secondary.conf")}
	s.serves(primary)
	for _, server := range secondaries {
		refused := map[peers.Kind]string{peers.BIND: "tsig ", peers.Knot: "TSIG"}[server.Kind]
		waitFor(t, func(context.Context) bool { return server.Logged(refused) },
			"%s does not say that the key is wrong:\n%s", server.Kind, server.Log())
		for i := range s.set.Entries {
			if _, ok := peers.Serial(t.Context(), server.Address, s.set.Entries[i].Name); ok {
				t.Errorf("%s has got %s in spite of the wrong key", server.Kind, s.set.Entries[i].Name)
			}
		}
	}
}
