package named

import (
	"context"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// TestExpiry has the primary of real secondaries fail for longer than the SOA's expire
// time (RFC 1035 section 3.3.13), come back with the same serial number, and then with
// a new one: the manual says what each does.
func TestExpiry(t *testing.T) {
	t.Parallel()
	program, err := nullspfd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		software Server
		unsigned bool
		// expires: it stops answering. recovers: it answers when the primary is back
		// with the same serial number.
		expires, recovers bool
	}{
		{software: PowerDNS},
		{software: YADIFA, expires: true, recovers: true},
		{software: CoreDNS, unsigned: true, expires: true},
		{software: Unbound, unsigned: true, expires: true, recovers: true},
	} {
		t.Run(string(tt.software), func(t *testing.T) {
			t.Parallel()
			o := &other{server: tt.software, catalog: tt.software == PowerDNS || tt.software == CoreDNS}
			peers.Require(t, peers.Kind(o.server).Programs()...)
			p := ports(t, 2)
			s := newSite(t, p[:1], p[1:], Nullspfd)
			s.settings.Catalog = "catalog.example.net"
			s.settings.Primary.Secondaries = []Secondary{{Address: p[1], Unsigned: tt.unsigned, Software: o.server}}
			set := testSet(t, threeZones)
			const expire = 3 * time.Second
			set.Groups[0].SOA.Refresh, set.Groups[0].SOA.Retry, set.Groups[0].SOA.Expire = time.Second, time.Second, expire
			s.build(set)
			primary := s.startNullspfd(program, RolePrimary, p[0])
			secondary := peers.Run(t, o.configure(s, RoleSecondary, p[1]))
			s.serves(secondary)
			fails := func(ctx context.Context) bool {
				m, err := peers.Query(ctx, secondary.Address, threeZones[0], dns.TypeSOA, nil)
				return err == nil && m.Rcode == dns.RcodeServerFailure
			}
			if err := primary.Stop(); err != nil {
				t.Fatal(err)
			}
			if tt.expires {
				waitFor(t, fails, "%s answers after the expire time", o.server)
			} else if time.Sleep(3 * expire); fails(t.Context()) {
				t.Errorf("%s does not answer after the expire time", o.server)
			}
			primary = s.startNullspfd(program, RolePrimary, p[0])
			if tt.recovers || !tt.expires {
				s.serves(secondary)
			} else if time.Sleep(2 * expire); !fails(t.Context()) {
				t.Errorf("%s answers again with the same serial number", o.server)
			}
			s.reload(primary, s.build(withAddress(set, threeZones[0])))
			waitFor(t, func(ctx context.Context) bool {
				serial, ok := peers.Serial(ctx, secondary.Address, threeZones[0])
				return ok && serial == s.serial(threeZones[0])
			}, "%s does not answer with a new serial number", o.server)
		})
	}
}
