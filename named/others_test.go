package named

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// TestPowerDNSPrimary has a real PowerDNS serve the zones from its list, to BIND.
func TestPowerDNSPrimary(t *testing.T) {
	peers.Require(t, append(peers.PowerDNS.Programs(), peers.BIND.Programs()...)...)
	p := ports(t, 2)
	s := newSite(t, p[:1], p[1:], PowerDNS, BIND)
	s.settings.TSIG = nil
	s.build(testSet(t, threeZones))
	primary := peers.Run(t, peers.Config{Kind: peers.PowerDNS, Address: p[0], Include: []string{s.path("powerdns/primary.conf")},
		Options: "primary=yes\nallow-axfr-ips=127.0.0.1\nonly-notify=\nalso-notify=" + p[1].String()})
	s.serves(primary)
	secondary := s.start(BIND, p[1], "secondary.conf")
	s.serves(secondary)
	change := s.build(withAddress(testSet(t, append(threeZones[:2:2], "new.example")), threeZones[0]))
	s.apply(primary, RolePrimary, false, change)
	s.serves(primary)
	gone(t, primary, change.Removed)
}

// TestOtherSecondaries has a real YADIFA, with the key, and a real Unbound, without,
// transfer the zones from BIND.
func TestOtherSecondaries(t *testing.T) {
	for _, c := range []struct {
		software Server
		unsigned bool
		options  string
	}{{YADIFA, false, "    allow-notify nullspf-primary\n    allow-transfer none"}, {Unbound, true, ""}} {
		// Alone: a transfer that fails under load is tried again after minutes.
		t.Run(string(c.software), func(t *testing.T) {
			kind := peers.Kind(c.software)
			peers.Require(t, append(kind.Programs(), peers.BIND.Programs()...)...)
			p := ports(t, 3)
			s := newSite(t, []netip.AddrPort{p[0], p[2]}, p[1:2], BIND)
			s.settings.Primary.Secondaries = []Secondary{{Address: netip.AddrPortFrom(p[1].Addr(), p[1].Port()), Unsigned: c.unsigned, Software: c.software}}
			names := zoneNames(950)
			s.build(testSet(t, names))
			primary := s.start(BIND, p[0], "primary.conf")
			s.serves(primary)
			config := peers.Config{Kind: kind, Address: p[1], Options: c.options, Dir: t.TempDir(), Include: []string{s.path(string(c.software) + "/secondary.conf")}}
			secondary := peers.Run(t, config)
			s.serves(secondary)
			s.apply(primary, RolePrimary, false, s.build(withAddress(testSet(t, names), names[0])))
			s.serves(secondary)

			// The copies outlast a restart while the primary is down.
			if err := errors.Join(primary.Stop(), secondary.Stop()); err != nil {
				t.Fatal(err)
			}
			s.serves(peers.Run(t, config))
		})
	}
}

// TestYADIFAWithAnotherKey: with a wrong secret nothing is transferred.
func TestYADIFAWithAnotherKey(t *testing.T) {
	peers.Require(t, append(peers.YADIFA.Programs(), peers.BIND.Programs()...)...)
	p := ports(t, 2)
	s := newSite(t, p[:1], p[1:], BIND)
	s.settings.Primary.Secondaries = []Secondary{{Address: p[1], Software: YADIFA}}
	s.build(testSet(t, threeZones))
	primary := s.start(BIND, p[0], "primary.conf")
	s.serves(primary)
	key := s.path("yadifa/tsig.key")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), testSecret, "d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldCB3cm9uZyE=", 1)
	if err := os.WriteFile(key, []byte(wrong), 0o600); err != nil || wrong == string(text) {
		t.Fatal(err, wrong)
	}
	secondary := peers.Run(t, peers.Config{Kind: peers.YADIFA, Address: p[1], Options: "    allow-notify nullspf-primary\n    allow-transfer none", Include: []string{s.path("yadifa/secondary.conf")}})
	waitFor(t, func(context.Context) bool { return primary.Logged("BADSIG") }, "BIND does not refuse the wrong secret")
	time.Sleep(100 * time.Millisecond)
	if serial, ok := peers.Serial(t.Context(), secondary.Address, threeZones[0]); ok {
		t.Errorf("YADIFA serves serial number %d", serial)
	}
}
