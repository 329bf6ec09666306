package named

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/zones"
)

// signedRRset asks for an RRset and returns its records when it is signed with
// a key of the zone, verified here.
func signedRRset(ctx context.Context, server *peers.Server, zone string, qtype uint16) []dns.RR {
	answer, err := peers.Query(ctx, server.Address, zone, qtype, nil)
	if err != nil {
		return nil
	}
	keys, err := peers.Query(ctx, server.Address, zone, dns.TypeDNSKEY, nil)
	if err != nil {
		return nil
	}
	var rrset []dns.RR
	var signature *dns.RRSIG
	for _, rr := range answer.Answer {
		if sig, ok := rr.(*dns.RRSIG); ok {
			signature = sig
			continue
		}
		rrset = append(rrset, rr)
	}
	for _, rr := range keys.Answer {
		key, ok := rr.(*dns.DNSKEY)
		if ok && signature != nil && len(rrset) > 0 && signature.KeyTag == key.KeyTag() && signature.Verify(key, rrset) == nil {
			return rrset
		}
	}
	return nil
}

// zoneFiles reads all zone files of the output directory.
func (s *site) zoneFiles() map[string][]byte {
	s.t.Helper()
	files := make(map[string][]byte)
	for i := range s.set.Entries {
		name := zones.ZoneFile(s.set.Entries[i].Name)
		text, err := os.ReadFile(s.path("zones/" + name))
		if err != nil {
			s.t.Fatal(err)
		}
		files[name] = text
	}
	return files
}

// longestSigned is a name as long as BIND can sign.
func longestSigned(s *Settings) string {
	const end = "example"
	n := maxSigned - len(s.keys()) - len(end)
	if n%2 == 1 {
		return "aa." + strings.Repeat("a.", (n-3)/2) + end
	}
	return strings.Repeat("a.", n/2) + end
}

// TestDNSSEC has real primaries sign the zones. A secondary gets the signed
// zones, changes come through, and the zone files stay as they were written.
func TestDNSSEC(t *testing.T) {
	for _, server := range []Server{BIND, Knot} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			p := ports(t, 2)
			s := newSite(t, p[:1], p[1:], BIND, Knot)
			s.settings.DNSSEC, s.settings.Catalog = true, "catalog.example.net"
			names := manyZones(10)
			names[0] = longestSigned(&s.settings)
			s.build(testSet(t, names))
			primary := s.start(server, p[0], "primary.conf")
			secondary := s.start(BIND, p[1], "secondary.conf")
			servers := []*peers.Server{primary, secondary}
			for _, server := range servers {
				for _, name := range names {
					waitFor(t, func(ctx context.Context) bool { return signedRRset(ctx, server, name, dns.TypeNS) != nil },
						"%s does not serve %.40s with signatures", server.Kind, name)
				}
			}
			for name, text := range s.zoneFiles() {
				if bytes.Contains(text, []byte("RRSIG")) {
					t.Errorf("%s has changed:\n%s", name, text)
				}
			}

			change := s.build(withAddress(testSet(t, append(names[:9:9], "new.example")), names[1]))
			s.apply(primary, RolePrimary, false, change)
			waitFor(t, func(ctx context.Context) bool { return signedRRset(ctx, primary, "new.example", dns.TypeSOA) != nil },
				"%s does not serve the new zone with signatures", primary.Kind)
			s.apply(secondary, RoleSecondary, false, change)
			written := s.zoneFiles()
			want := netip.MustParseAddr("192.0.2.80")
			for _, server := range servers {
				waitFor(t, func(ctx context.Context) bool {
					rrset := signedRRset(ctx, server, names[1], dns.TypeA)
					return len(rrset) == 1 && rrset[0].(*dns.A).A.Equal(want.AsSlice())
				}, "%s does not serve the new address of %s", server.Kind, names[1])
				waitFor(t, func(ctx context.Context) bool { return signedRRset(ctx, server, "new.example", dns.TypeSOA) != nil },
					"%s does not serve the new zone with signatures", server.Kind)
				gone(t, server, change.Removed)
			}
			for name, text := range s.zoneFiles() {
				if !bytes.Equal(text, written[name]) {
					t.Errorf("%s has changed:\n%s", name, text)
				}
			}
			if c := s.build(s.set); len(c.Added)+len(c.Changed)+len(c.Removed) > 0 {
				t.Errorf("after signing, a build finds changes: %+v", c)
			}
			if keys, err := filepath.Glob(s.path("keys/*.private")); err != nil || server == BIND && len(keys) < len(names) {
				t.Errorf("%d keys in the directory of keys, %v", len(keys), err)
			}
		})
	}
}
