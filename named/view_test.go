package named

import (
	"os"
	"path/filepath"
	"testing"

	"nullspf/internal/peers"
)

// TestView has the zones of two real BIND servers in views.
func TestView(t *testing.T) {
	for _, file := range []string{"secondary.conf", "secondary-catalog.conf"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			peers.Require(t, append(peers.BIND.Programs(), "named-checkconf")...)
			p := ports(t, 2)
			s := newSite(t, p[:1], p[1:], BIND)
			s.settings.View, s.settings.Catalog = "outside", "catalog.example.net"
			s.build(testSet(t, threeZones))
			for _, r := range Check(t.Context(), s.settings, s.settings.Output) {
				if r.Verdict != CheckOK {
					t.Errorf("%+v", r)
				}
			}
			c := &checker{Settings: &s.settings, root: s.settings.Output}
			start := func(role, file string, i int) *peers.Server {
				conf := filepath.Join(t.TempDir(), role)
				text := c.bindView(role, s.path("named/"+file)) + "view \"other\" { match-clients { none; }; };\n"
				if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return peers.Run(t, peers.Config{Kind: peers.BIND, Address: p[i], Include: []string{conf}})
			}
			primary := start(RolePrimary, "primary.conf", 0)
			secondary := start(RoleSecondary, file, 1)
			s.serves(primary)
			s.serves(secondary)
			catalog := file != "secondary.conf"
			change := s.build(withAddress(testSet(t, append(threeZones[:2:2], "new.example")), threeZones[0]))
			s.apply(primary, RolePrimary, false, change)
			s.serves(primary)
			s.apply(secondary, RoleSecondary, catalog, change)
			s.serves(secondary)
			gone(t, secondary, change.Removed)
		})
	}
}
