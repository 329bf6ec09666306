package named

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/zones"
)

// catalogText writes the catalog zone of lists of names.
func catalogText(t *testing.T, lists ...[]string) string {
	t.Helper()
	s := testSettings()
	s.Servers, s.Primary.Secondaries = nil, []Secondary{{Address: s.Primary.AlsoNotify[0], Software: BIND}}
	files, err := Files(s, testSet(t, lists...))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || files[0].Path != "catalog.zone" || files[0].Zone != string(s.Catalog) {
		t.Fatalf("files = %+v; want the catalog zone only", files)
	}
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	if err := files[0].Write(w, 7); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestCatalogZone reads the catalog zone as RFC 9432 demands it.
func TestCatalogZone(t *testing.T) {
	got := make(map[string][]string)
	p := dns.NewZoneParser(strings.NewReader(catalogText(t, []string{"one.example", "two.example"}, []string{"three.example"})), "", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if rr.Header().Class != dns.ClassINET || rr.Header().Ttl != 0 {
			t.Errorf("%v: class or TTL", rr)
		}
		text := strings.TrimPrefix(rr.String(), rr.Header().String())
		got[rr.Header().Name] = append(got[rr.Header().Name], text)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"catalog.example.net.":                    "[invalid. invalid. 7 3600 600 2147483646 0 invalid.]",
		"version.catalog.example.net.":            `["2"]`,
		"allow-transfer.ext.catalog.example.net.": "[!1:0.0.0.0/0 !2:::/0]",
	}
	for _, name := range []string{"one.example", "two.example", "three.example"} {
		want[string(zones.AppendMember(nil, name))+".zones.catalog.example.net."] = "[" + name + ".]"
	}
	for name, text := range want {
		if fmt.Sprint(got[name]) != text {
			t.Errorf("%s: %v, want %v", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d names, want %d: %v", len(got), len(want), got)
	}
}

// TestMemberLabels holds member labels to what they were in earlier versions:
// consumers drop and fetch again zones whose label changes.
func TestMemberLabels(t *testing.T) {
	for name, want := range map[string]string{
		"one.example":     "v958shd3hfa7ruvvqd4miqnd6k",
		"two.example.com": "dq1noe7ies4qv34cl0ln94pcvs",
	} {
		got := string(zones.AppendMember(nil, name))
		if got != want || len(got) != zones.MemberLength {
			t.Errorf("label of %s = %s, want %s", name, got, want)
		}
	}
	alone := catalogText(t, []string{"one.example"})
	together := catalogText(t, []string{"a.example", "one.example", "z.example"})
	for line := range strings.Lines(alone) {
		if !strings.Contains(together, line) {
			t.Errorf("%q changes when other zones come", line)
		}
	}
}

// TestCatalogProvisions has real servers consume the catalog zone, and follow
// when zones are added and removed. All of them do so at the same time, because
// BIND waits for five seconds between two versions of a catalog zone.
//
// NSD consumes catalog zones from version 4.9; with an older one, nothing but
// the golden files tells what its configuration for that is.
func TestCatalogProvisions(t *testing.T) {
	t.Parallel()
	names := manyZones(30)
	consumers := []Server{BIND, Knot}
	if version, _ := nsdVersion(t.Context()); version >= nsdCatalogs {
		consumers = append(consumers, NSD)
	} else {
		t.Logf("NSD is missing or too old to consume a catalog zone: its configuration is not proven")
	}
	var all []*provision
	for _, tt := range []struct {
		primary Server
		terms   Terms
		tsig    bool
	}{
		{BIND, OldTerms, true},
		{BIND, NewTerms, false},
		{Knot, NewTerms, true},
		{NSD, OldTerms, true},
	} {
		p := ports(t, 1+len(consumers))
		s := newSite(t, p[:1], p[1:], BIND, Knot, NSD)
		s.settings.Terms, s.settings.Catalog = tt.terms, "catalog.example.net"
		if !tt.tsig {
			s.settings.TSIG = nil
		}
		s.build(testSet(t, names[:20], names[20:]))
		v := &provision{site: s, primary: s.start(tt.primary, p[0], "primary.conf")}
		for i, server := range consumers {
			// Each consumer has a store of its own: they share this machine.
			s.settings.Store = "secondary-" + string(server)
			s.build(s.set)
			v.consumers = append(v.consumers, s.start(server, p[i+1], "secondary-catalog.conf"))
		}
		all = append(all, v)
	}
	for _, v := range all {
		for _, server := range v.consumers {
			v.serves(server)
			onlySecondariesTransfer(t, v.site, v.primary, server)
		}
		catalogIsPrivate(t, v.site, v.primary, v.consumers)
		v.change = v.build(withAddress(testSet(t, append(slices.Clone(names[2:20]), "new.example"), names[20:]), names[2]))
		v.apply(v.primary, RolePrimary, false, v.change)
	}
	for _, v := range all {
		for _, server := range v.consumers {
			v.apply(server, RoleSecondary, true, v.change)
			v.serves(server)
			gone(t, server, v.change.Removed)
			if server.Kind == peers.BIND && server.Logged("invalid record in catalog zone") {
				t.Errorf("BIND calls records of the catalog zone invalid:\n%s", server.Log())
			}
		}
	}
}

// provision is a primary with consumers of its catalog zone.
type provision struct {
	*site
	primary   *peers.Server
	consumers []*peers.Server
	change    Change
}

// catalogIsPrivate asks for the catalog zone without having the right to it.
func catalogIsPrivate(t *testing.T, s *site, primary *peers.Server, consumers []*peers.Server) {
	t.Helper()
	for _, server := range append(consumers, primary) {
		if rrs, err := peers.Transfer(t.Context(), server.Address, netip.MustParseAddr("127.0.0.2"), string(s.settings.Catalog), nil); err == nil {
			t.Errorf("%s gives %d records of the catalog zone to anybody", server.Kind, len(rrs))
		}
		if s.settings.TSIG == nil && server == primary || server.Kind == peers.Knot {
			continue
		}
		if serial, ok := peers.Serial(t.Context(), server.Address, string(s.settings.Catalog)); ok {
			t.Errorf("%s answers queries on the catalog zone: serial number %d", server.Kind, serial)
		}
	}
}
