package named

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/zones"
)

// fullSet makes a set of zones that have every record.
func fullSet(t *testing.T, names []string) *zones.Set {
	t.Helper()
	set := testSet(t, names)
	for _, g := range set.Groups {
		g.A, g.WWW, g.DKIM, g.WildcardMX, g.WildcardSPF = []netip.Addr{netip.MustParseAddr("192.0.2.80")}, true, true, true, zones.SPFOfDomain
		g.TXT, g.DMARC = []string{"All mail from {domain} is forged"}, "v=DMARC1; p=reject; rua=mailto:dmarc@example.net"
	}
	return set
}

// advised returns the lines that the header of a file wants in another one.
func advised(t *testing.T, path, after string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	found := false
	for s := bufio.NewScanner(f); s.Scan(); {
		line, isComment := strings.CutPrefix(strings.TrimLeft(s.Text(), "/-#"), " ")
		text, indented := strings.CutPrefix(line, "    ")
		switch {
		case strings.TrimSpace(line) == after:
			found = true
		case found && indented:
			lines = append(lines, text)
		case found && len(lines) > 0 || !isComment && s.Text() != "//" && s.Text() != "--" && s.Text() != "#":
			return strings.Join(lines, "\n")
		}
	}
	t.Fatalf("%s has no lines after %q", path, after)
	return ""
}

// other is a server of another software.
type other struct {
	server  Server
	catalog bool
	config  peers.Config
}

// configure gives the configuration of a secondary, or with the role of a primary
// that of a primary.
func (o *other) configure(s *site, role string, address netip.AddrPort) peers.Config {
	s.t.Helper()
	c := peers.Config{Kind: peers.Kind(o.server), Address: address, Dir: s.t.TempDir()}
	switch o.server {
	case PowerDNS:
		file := "powerdns/primary.conf"
		if role == RoleSecondary {
			file = powerdnsFile(o.catalog)
		}
		if s.settings.TSIG != nil {
			c.Include = append(c.Include, s.path("powerdns/tsig.key"))
		}
		c.Include = append(c.Include, s.path(file))
		c.Options = advised(s.t, s.path(file), "In pdns.conf:") + "\nxfr-cycle-interval=1"
	case YADIFA:
		file := s.path("yadifa/" + role + ".conf")
		c.Include = []string{file}
		after := "and in its section main:"
		if role == RolePrimary {
			after = "and in its section main, for secondaries that transfer many zones at once:"
		}
		c.Options = advised(s.t, file, after)
	case CoreDNS:
		c.Include = []string{s.path("coredns/" + role + ".Corefile")}
	case Unbound:
		c.Include = []string{s.path("unbound/secondary.conf")}
	}
	o.config = c
	return c
}

// TestOtherSecondaries has PowerDNS, by catalog zone and by list, and YADIFA, with the
// key, and Unbound and CoreDNS, without, be secondaries of nullspfd: zones arrive,
// answers are those of nullspfd, zones come, change and go, and the copies outlast a
// restart while the primary is down.
func TestOtherSecondaries(t *testing.T) {
	program, err := nullspfd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		unsigned bool
		others   []*other
	}{
		{"with-key", false, []*other{{server: PowerDNS, catalog: true}, {server: PowerDNS}, {server: YADIFA}}},
		{"without-key", true, []*other{{server: Unbound}, {server: CoreDNS, catalog: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, o := range tt.others {
				peers.Require(t, peers.Kind(o.server).Programs()...)
			}
			p := ports(t, 1+len(tt.others))
			s := newSite(t, p[:1], p[1:], Nullspfd)
			s.settings.Catalog = "catalog.example.net"
			for i, o := range tt.others {
				s.settings.Primary.Secondaries = append(s.settings.Primary.Secondaries, Secondary{Address: p[i+1], Unsigned: tt.unsigned, Software: o.server})
			}
			names := zoneNames(950)
			s.build(fullSet(t, names))
			primary := s.startNullspfd(program, RolePrimary, p[0])
			s.serves(primary)
			var all sync.WaitGroup
			secondaries := make([]*peers.Server, len(tt.others))
			for i, o := range tt.others {
				c := o.configure(s, RoleSecondary, p[i+1])
				all.Go(func() { secondaries[i] = peers.Run(t, c) })
			}
			all.Wait()
			for _, server := range secondaries {
				s.serves(server)
				sameAnswers(t, primary, server, names[:8])
			}

			// Two zones go, one comes, one changes.
			change := s.build(withAddress(fullSet(t, append(slices.Clone(names[2:]), "new.example")), names[2]))
			s.reload(primary, change)
			s.serves(primary)
			for i, o := range tt.others {
				s.apply(secondaries[i], RoleSecondary, o.catalog, change)
				if o.server == YADIFA {
					secondaries[i] = s.restartIfStuck(secondaries[i], o.config, "new.example")
				}
				s.serves(secondaries[i])
				gone(t, secondaries[i], change.Removed)
			}

			err := primary.Stop()
			for i, o := range tt.others {
				if o.server != CoreDNS { // keeps no copies
					err = errors.Join(err, secondaries[i].Stop())
					secondaries[i] = peers.Run(t, o.config)
					s.serves(secondaries[i])
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// restartIfStuck restarts a YADIFA that has forgotten to transfer a zone which a reload
// added: of 2.6.4 one thread may ask for the transfer before another has noted that the
// zone may be transferred. Only a restart helps, as the manual says.
func (s *site) restartIfStuck(server *peers.Server, config peers.Config, zone string) *peers.Server {
	s.t.Helper()
	stuck := false
	waitFor(s.t, func(ctx context.Context) bool {
		_, ok := peers.Serial(ctx, server.Address, zone)
		stuck = !ok && server.Logged("invalid status for '"+zone+".'")
		return ok || stuck
	}, "YADIFA neither serves %s nor says why", zone)
	if !stuck {
		return server
	}
	s.t.Logf("YADIFA has forgotten to transfer %s: restarted", zone)
	if err := server.Stop(); err != nil {
		s.t.Fatal(err)
	}
	return peers.Run(s.t, config)
}

// TestOtherPrimaries has PowerDNS, CoreDNS and YADIFA be the primary of nullspfd and
// BIND, which have the key, and of one without it, by address.
func TestOtherPrimaries(t *testing.T) {
	program, err := nullspfd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		software Server
		zones    int
		// follow: zones change. YADIFA notifies of all zones when it has started, one in a
		// second or two, and of changes after that.
		follow bool
	}{{PowerDNS, 950, true}, {CoreDNS, 950, true}, {YADIFA, 950, false}, {YADIFA, 4, true}} {
		t.Run(fmt.Sprintf("%s-%d", tt.software, tt.zones), func(t *testing.T) {
			software := tt.software
			peers.Require(t, append(peers.Kind(software).Programs(), peers.BIND.Programs()...)...)
			p := ports(t, 3)
			s := newSite(t, p[:1], p[1:], software, Nullspfd, BIND)
			s.settings.Catalog = "catalog.example.net"
			unsigned := netip.MustParseAddr("127.0.0.2")
			s.settings.Primary.AllowTransfer = append(s.settings.Primary.AllowTransfer, netip.PrefixFrom(unsigned, 32))
			s.settings.Primary.Secondaries = []Secondary{
				{Address: p[1], Software: Nullspfd}, {Address: p[2], Software: BIND},
				{Address: netip.AddrPortFrom(unsigned, p[1].Port()), Unsigned: true, Software: Unbound},
			}
			names := zoneNames(tt.zones)
			s.build(fullSet(t, names))
			o := &other{server: software}
			primary := peers.Run(t, o.configure(s, RolePrimary, p[0]))
			s.serves(primary)
			secondaries := []*peers.Server{s.startSecondary(program, Nullspfd, p[1])}
			if tt.follow {
				secondaries = append(secondaries, s.startSecondary(program, BIND, p[2]))
			}
			for _, server := range secondaries {
				s.serves(server)
			}
			sameAnswers(t, secondaries[0], primary, names[:min(8, len(names))])

			key := &peers.Key{Name: "xfr.example.net", Algorithm: "hmac-sha256", Secret: testSecret}
			wrong := &peers.Key{Name: "xfr.example.net", Algorithm: "hmac-sha256", Secret: wrongSecret}
			for _, c := range []struct {
				from string
				key  *peers.Key
				want bool
			}{
				{"127.0.0.1", key, true}, {"127.0.0.1", nil, false}, {"127.0.0.1", wrong, false}, {"127.0.0.2", nil, true},
				{"127.0.0.3", nil, false}, {"127.0.0.3", wrong, false},
				{"127.0.0.3", key, software != CoreDNS}, // whoever has the key
			} {
				for _, zone := range []string{names[0], "catalog.example.net"} {
					rrs, err := transfer(t.Context(), primary.Address, netip.MustParseAddr(c.from), zone, c.key)
					if got := err == nil && len(rrs) > 0; got != c.want {
						t.Errorf("%s from %s, key %t: transfer %t, %v", zone, c.from, c.key != nil, got, err)
					}
				}
			}

			// Two zones go, one comes, one changes.
			if !tt.follow {
				return
			}
			change := s.build(withAddress(fullSet(t, append(slices.Clone(names[2:]), "new.example")), names[2]))
			s.apply(primary, RolePrimary, false, change)
			for _, server := range append([]*peers.Server{primary}, secondaries...) {
				s.serves(server)
				gone(t, server, change.Removed)
			}
		})
	}
}

// transfer is peers.Transfer, again when the connection was reset, which is neither yes nor no:
// YADIFA 2.6.4 does so now and then; its log says "too many active connections" meanwhile.
func transfer(ctx context.Context, server netip.AddrPort, from netip.Addr, zone string, key *peers.Key) (rrs []dns.RR, err error) {
	for range 50 {
		if rrs, err = peers.Transfer(ctx, server, from, zone, key); !errors.Is(err, syscall.ECONNRESET) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return rrs, err
}

const wrongSecret = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3JvbmchISE="

// TestOthersWithAnotherKey: with a wrong secret nothing is transferred.
func TestOthersWithAnotherKey(t *testing.T) {
	for _, o := range []*other{{server: PowerDNS, catalog: true}, {server: PowerDNS}, {server: YADIFA}} {
		t.Run(fmt.Sprintf("%s-catalog=%v", o.server, o.catalog), func(t *testing.T) {
			t.Parallel()
			peers.Require(t, append(peers.Kind(o.server).Programs(), peers.BIND.Programs()...)...)
			p := ports(t, 2)
			s := newSite(t, p[:1], p[1:], BIND)
			s.settings.Catalog = "catalog.example.net"
			s.settings.Primary.Secondaries = []Secondary{{Address: p[1], Software: o.server}}
			s.build(testSet(t, threeZones))
			primary := s.start(BIND, p[0], "primary.conf")
			s.serves(primary)
			key := s.path(string(o.server) + "/tsig.key")
			text, err := os.ReadFile(key)
			if err != nil {
				t.Fatal(err)
			}
			wrong := strings.Replace(string(text), testSecret, wrongSecret, 1)
			if err := os.WriteFile(key, []byte(wrong), 0o600); err != nil || wrong == string(text) {
				t.Fatal(err, wrong)
			}
			secondary := peers.Run(t, o.configure(s, RoleSecondary, p[1]))
			waitFor(t, func(context.Context) bool { return primary.Logged("BADSIG") }, "BIND does not refuse the wrong secret")
			time.Sleep(100 * time.Millisecond)
			if serial, ok := peers.Serial(t.Context(), secondary.Address, threeZones[0]); ok {
				t.Errorf("%s serves serial number %d", o.server, serial)
			}
		})
	}
}
