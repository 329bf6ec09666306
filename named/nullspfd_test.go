package named

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"nullspf/internal/peers"
)

// startNullspfd starts nullspfd at an address with the Corefile of a role.
func (s *site) startNullspfd(program, role string, address netip.AddrPort) *peers.Server {
	s.t.Helper()
	s.settings.Nullspfd.Listen = []netip.AddrPort{address}
	s.settings.Store = "secondary-" + strconv.Itoa(int(address.Port()))
	s.build(s.set)
	text, err := os.ReadFile(s.path(corefilePath(role)))
	if err != nil {
		s.t.Fatal(err)
	}
	// The next Corefile has another address.
	path := filepath.Join(s.t.TempDir(), "Corefile")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		s.t.Fatal(err)
	}
	c := peers.Config{Kind: peers.Nullspfd, Address: address, Include: []string{path}, Program: program}
	if s.settings.Relative {
		c.WorkDir = s.settings.Output
	}
	return peers.Run(s.t, c)
}

// reload makes a nullspfd primary follow a change.
func (s *site) reload(server *peers.Server, c Change) {
	s.t.Helper()
	target := Target{Server: Nullspfd, Role: RolePrimary, Command: []string{"kill", "-HUP", strconv.Itoa(server.PID())}}
	if err := Run(s.t.Context(), Steps(target, c, s.settings), io.Discard); err != nil {
		s.t.Fatalf("%v\n%s", err, server.Log())
	}
}

// TestNullspfd has nullspfd with its generated Corefiles be the primary of
// every software, itself included, and the secondary of every one. All follow
// when zones are added, removed and changed.
func TestNullspfd(t *testing.T) {
	t.Parallel()
	program, err := nullspfd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		primary            Server
		secondaries        []Server
		relative, unsigned bool
	}{
		{primary: Nullspfd, secondaries: []Server{BIND, Knot, Nullspfd, NSD}},
		{primary: Nullspfd, secondaries: []Server{Nullspfd}, relative: true, unsigned: true},
		{primary: BIND, secondaries: []Server{Nullspfd}},
		{primary: Knot, secondaries: []Server{Nullspfd}, unsigned: true},
		{primary: NSD, secondaries: []Server{Nullspfd}, relative: true},
	} {
		t.Run(fmt.Sprintf("%s-relative=%v-tsig=%v", tt.primary, tt.relative, !tt.unsigned), func(t *testing.T) {
			t.Parallel()
			p := ports(t, 1+len(tt.secondaries))
			s := newSite(t, p[:1], p[1:], Servers...)
			s.settings.Catalog, s.settings.Relative = "catalog.example.net", tt.relative
			if tt.unsigned {
				s.settings.TSIG = nil
			}
			names := manyZones(50)
			if len(tt.secondaries) > 1 {
				names = manyZones(950)
			}
			s.build(testSet(t, names))
			var primary *peers.Server
			if tt.primary == Nullspfd {
				primary = s.startNullspfd(program, RolePrimary, p[0])
			} else {
				primary = s.start(tt.primary, p[0], "primary.conf")
			}
			s.serves(primary)
			var secondaries []*peers.Server
			for i, server := range tt.secondaries {
				secondaries = append(secondaries, s.startSecondary(program, server, p[i+1]))
			}
			for _, server := range secondaries {
				s.serves(server)
				onlySecondariesTransfer(t, s, primary, server)
			}

			// Two zones go, one comes, one changes.
			change := s.build(withAddress(testSet(t, append(slices.Clone(names[2:]), "new.example")), names[2]))
			if tt.primary == Nullspfd {
				s.reload(primary, change)
			} else {
				s.apply(primary, RolePrimary, false, change)
			}
			s.serves(primary)
			for _, server := range secondaries {
				if server.Kind == peers.NSD {
					s.apply(server, RoleSecondary, false, change)
				}
				s.serves(server)
				gone(t, server, change.Removed)
			}
		})
	}
}

// startSecondary starts a secondary, with the catalog zone unless it is an NSD
// that may be too old for it.
func (s *site) startSecondary(program string, server Server, address netip.AddrPort) *peers.Server {
	s.t.Helper()
	if server == Nullspfd {
		return s.startNullspfd(program, RoleSecondary, address)
	}
	file := "secondary-catalog.conf"
	if server == NSD {
		file = "secondary.conf"
	}
	s.settings.Store = "secondary-" + string(server)
	s.build(s.set)
	return s.start(server, address, file)
}
