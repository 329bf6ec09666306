package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	_ "nullspf/internal/corefile" // what nullspfd is built from
	"nullspf/internal/dnsname"
	"nullspf/internal/peers"
	"nullspf/named"
	"nullspf/spftrack"
	"nullspf/zones"
)

// parent is the zone in which all others lie. It is signed with DNSSEC; the
// others are not.
const parent = "example"

// policy is what a group of forged domains publishes.
type policy struct {
	name   string
	layout spftrack.Layout
	// zone is the tracking zone, of this policy alone; "" for none.
	zone string
	// layouts are those that the zone's Corefile names.
	layouts []spftrack.Layout
}

var policies = []*policy{
	{name: "plain", layout: spftrack.Plain},
	{"beacon", spftrack.Beacon, "_spf.beacon.example", []spftrack.Layout{spftrack.Beacon}},
	{"track", spftrack.Track, "_spf.track.example", []spftrack.Layout{spftrack.Track}},
	{"mixed", spftrack.Track, "_spf.mixed.example", []spftrack.Layout{spftrack.Track, spftrack.Classic}},
	{"exists", spftrack.Exists, "_spf.exists.example", []spftrack.Layout{spftrack.Exists}},
	{"classic", spftrack.Classic, "_spf.classic.example", []spftrack.Layout{spftrack.Track, spftrack.Classic}},
}

// tracking are the policies that have a tracking zone.
var tracking = policies[1:]

// explanation is the text at exp= names. libspf2 takes a space for the
// beginning of a macro, so that spaces have to be written as macros.
const explanation = "Mail%_from%_%{d}%_is%_forged"

// site is everything that lies behind a resolver: the forged domains and their
// parent at BIND, the tracking zones at nullspfd.
type site struct {
	dir     string
	journal string
	forged  *peers.Server
	track   *peers.Server
	// anchor is the DNSKEY record of the parent.
	anchor string
}

// newSite starts a site with forged domains by policy.
func newSite(t *testing.T, domains map[*policy][]string) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	s.journal = filepath.Join(s.dir, "var")
	s.startTrack(t)
	s.startForged(t, domains)
	return s
}

// write writes a file of the site and returns its path.
func (s *site) write(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// startTrack starts nullspfd.
func (s *site) startTrack(t *testing.T) {
	t.Helper()
	program, err := peers.BuildNullspfd(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	at := freePort(t, local(1, 1))
	var corefile strings.Builder
	for _, p := range tracking {
		fmt.Fprintf(&corefile, `%s:%d {
	bind %s
	spftrack {
		nameservers ns1.example.net ns2.example.net
		layouts %s
		explain %q
	}
	journal %s
}
`, p.zone, at.Port(), at.Addr(), strings.Trim(fmt.Sprint(p.layouts), "[]"), explanation, s.journal)
	}
	s.track = peers.Run(t, peers.Config{
		Kind: peers.Nullspfd, Address: at, Program: program,
		Include: []string{s.write(t, "Corefile", corefile.String())},
	})
}

// startForged publishes the forged domains and starts BIND with them.
func (s *site) startForged(t *testing.T, domains map[*policy][]string) {
	t.Helper()
	output := filepath.Join(s.dir, "build")
	set := s.zoneSet(t, domains)
	files, err := named.Files(named.Settings{Output: output, Servers: []named.Server{named.BIND}}, set)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := zones.NewPlan(t.Context(), set, output, zones.Options{Scheme: zones.UnixTime, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(t.Context(), files, zones.Hash{}); err != nil {
		t.Fatal(err)
	}
	s.forged = peers.Run(t, peers.Config{
		Kind: peers.BIND, Address: freePort(t, local(0, 1)),
		Include: []string{filepath.Join(output, "named/primary.conf"), s.parentConf(t, set)},
		// Resolvers must not learn the nameservers' names, which lead nowhere.
		Options: fmt.Sprintf("minimal-responses yes;\nkey-directory %q;", s.dir),
	})
	s.waitSigned(t)
}

// zoneSet makes a group of each policy.
func (s *site) zoneSet(t *testing.T, domains map[*policy][]string) *zones.Set {
	t.Helper()
	var groups []*zones.Group
	for _, p := range policies {
		record, err := spftrack.Record(p.layout, spftrack.Settings{Zone: dnsname.Name(p.zone)})
		if err != nil {
			t.Fatal(err)
		}
		layout := string(p.layout)
		groups = append(groups, &zones.Group{
			Name:  p.name,
			Lists: []zones.List{{File: s.write(t, p.name+".txt", strings.Join(domains[p], "\n")+"\n")}},
			SOA: zones.SOA{MName: "ns1.example.net", RName: "hostmaster.example.net",
				Refresh: time.Hour, Retry: time.Minute, Expire: 24 * time.Hour, Minimum: time.Minute},
			Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"}, TTL: time.Hour,
			A: []netip.Addr{netip.MustParseAddr("192.0.2.80")}, WWW: true,
			Mail: zones.NullMX, MX: map[zones.MailMode][]zones.MX{zones.NullMX: {{}}},
			SPF: layout, SPFRecords: map[string]string{layout: record},
			TXT:   []string{"This domain sends no email", "All mail claiming to be from {domain} is forged"},
			DMARC: "v=DMARC1; p=reject", DKIM: true,
		})
	}
	set, _, err := zones.ReadLists(groups)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// parentConf writes the parent, which delegates all other zones without DS
// records, and what includes it into named.conf.
func (s *site) parentConf(t *testing.T, set *zones.Set) (path string) {
	t.Helper()
	var zone strings.Builder
	zone.WriteString("$TTL 3600\n@ IN SOA ns1.example.net. hostmaster.example.net. 1 7200 900 2419200 300\n@ IN NS ns1.example.net.\n")
	for _, e := range set.Entries {
		zone.WriteString(e.Name + ". IN NS ns1.example.net.\n")
	}
	for _, p := range tracking {
		zone.WriteString(p.zone + ". IN NS ns1.example.net.\n")
	}
	return s.write(t, "parent.conf", fmt.Sprintf("zone %q { type master; file %q; dnssec-policy default; inline-signing yes; };\n",
		parent, s.write(t, "parent.zone", zone.String())))
}

// waitSigned waits until the parent is signed, and learns its key.
func (s *site) waitSigned(t *testing.T) {
	t.Helper()
	waitFor(t, "BIND does not sign "+parent, func() bool {
		for _, qtype := range []uint16{dns.TypeSOA, dns.TypeDNSKEY} {
			answer, err := peers.Query(t.Context(), s.forged.Address, parent, qtype, nil)
			if err != nil || len(answer.Answer) < 2 {
				return false
			}
			if key, ok := answer.Answer[0].(*dns.DNSKEY); ok {
				s.anchor = strings.ReplaceAll(key.String(), "\t", " ")
			}
		}
		return s.anchor != ""
	})
}
