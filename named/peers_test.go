package named

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nullspf/internal/peers"
	"nullspf/zones"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// waitTimeout is how long a server may take to follow a change. A BIND
// secondary that asks for a new zone before its primary serves it asks again
// after a minute.
const waitTimeout = 3 * time.Minute

// site is an output directory with servers that read it.
type site struct {
	t        *testing.T
	settings Settings
	set      *zones.Set
	minute   time.Duration // that passes between builds
}

// newSite makes the settings of a primary and secondaries on loopback. All of
// them send from 127.0.0.1.
func newSite(t *testing.T, primary, secondaries []netip.AddrPort, servers ...Server) *site {
	t.Helper()
	return &site{t: t, settings: Settings{
		Output: t.TempDir(), Servers: servers,
		Primary: Primary{
			Addresses:     primary,
			AllowTransfer: []netip.Prefix{netip.PrefixFrom(loopback, 32)},
			AlsoNotify:    secondaries,
		},
		TSIG: &TSIG{Name: "xfr.example.net", Algorithm: "hmac-sha256", Secret: testSecret},
	}}
}

// build makes the output directory hold a set, as the program does, and returns
// what has changed.
func (s *site) build(set *zones.Set) Change {
	s.t.Helper()
	s.set = set
	s.minute += time.Minute
	now := time.Now().Add(s.minute)
	files, err := Files(s.settings, set)
	if err != nil {
		s.t.Fatal(err)
	}
	plan, err := zones.NewPlan(s.t.Context(), set, s.settings.Output, zones.Options{Scheme: zones.UnixTime, Now: func() time.Time { return now }})
	if err != nil {
		s.t.Fatal(err)
	}
	var c Change
	for change := range plan.Changes {
		switch change.Kind {
		case zones.Added:
			c.Added = append(c.Added, change.Name)
		case zones.Changed:
			c.Changed = append(c.Changed, change.Name)
		case zones.Removed:
			c.Removed = append(c.Removed, change.Name)
		}
	}
	settings := sha256.Sum256(fmt.Appendf(nil, "%+v %+v %+v", s.settings, s.settings.TSIG, s.settings.Track))
	if err := plan.Write(s.t.Context(), files, zones.Hash(settings[:len(zones.Hash{})])); err != nil {
		s.t.Fatal(err)
	}
	for _, dir := range []string{or(s.settings.Store, "secondary"), "keys"} {
		if err := os.MkdirAll(filepath.Join(s.settings.Output, dir), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	return c
}

func (s *site) path(name string) string { return filepath.Join(s.settings.Output, name) }

// serial returns the serial number in the file of a zone.
func (s *site) serial(zone string) uint32 {
	s.t.Helper()
	text, err := os.ReadFile(s.path("zones/" + zones.ZoneFile(zone)))
	if err != nil {
		s.t.Fatal(err)
	}
	return fileSerial(s.t, text)
}

// serves waits until a server has all zones of the set with the serial
// numbers of their files.
func (s *site) serves(server *peers.Server) {
	s.t.Helper()
	for i := range s.set.Entries {
		name := s.set.Entries[i].Name
		want := s.serial(name)
		waitFor(s.t, func(ctx context.Context) bool {
			got, ok := peers.Serial(ctx, server.Address, name)
			return ok && got == want
		}, "%s at %v does not serve %.40s with serial number %d", server.Kind, server.Address, name, want)
	}
}

// gone waits until a server has none of some zones any more.
func gone(t *testing.T, server *peers.Server, names []string) {
	t.Helper()
	for _, name := range names {
		waitFor(t, func(ctx context.Context) bool {
			_, ok := peers.Serial(ctx, server.Address, name)
			return !ok
		}, "%s at %v still serves %s", server.Kind, server.Address, name)
	}
}

// waitFor polls a condition until it holds.
func waitFor(t *testing.T, condition func(context.Context) bool, format string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	for !condition(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf(format, args...)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// apply makes a server follow a change.
func (s *site) apply(server *peers.Server, role string, catalog bool, c Change) {
	s.t.Helper()
	target := Target{Server: Server(server.Kind), Role: role, Command: server.Control(), Catalog: catalog}
	if err := Run(s.t.Context(), Steps(target, c, s.settings), io.Discard); err != nil {
		s.t.Fatalf("%v\n%s", err, server.Log())
	}
}

// conf returns the path of a server's configuration in the output directory.
func (s *site) conf(server Server, file string) string {
	directory := map[Server]string{BIND: "named", NSD: "nsd", Knot: "knot"}[server]
	return s.path(directory + "/" + file)
}

// start starts a server with one file of the output directory.
func (s *site) start(server Server, address netip.AddrPort, file string) *peers.Server {
	s.t.Helper()
	c := peers.Config{Kind: peers.Kind(server), Address: address, Include: []string{s.conf(server, file)}}
	if server == BIND && file == "secondary-catalog.conf" {
		c.Options = `include "` + s.conf(BIND, "secondary-catalog-options.conf") + `";`
	}
	if s.settings.Relative {
		c.WorkDir = s.settings.Output
		if server == NSD && s.settings.TSIG != nil {
			c.Include = append([]string{s.conf(NSD, "tsig.key")}, c.Include...)
		}
	}
	return peers.Run(s.t, c)
}

// ports returns free addresses.
func ports(t *testing.T, n int) []netip.AddrPort {
	t.Helper()
	var list []netip.AddrPort
	for len(list) < n {
		a, err := peers.FreePort(loopback)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
