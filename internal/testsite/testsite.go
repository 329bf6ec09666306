// Package testsite publishes zones for tests and benchmarks, as "nullspf zones"
// does, with every kind of record.
package testsite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/named"
	"nullspf/zones"
)

// Site is a list of domains with its output directory.
type Site struct {
	// Dir is the directory of the lists; the output directory is Dir/build.
	Dir string
	// Lists are CSV lists by group, header included.
	Lists map[*zones.Group]string
	// Catalog is the name of the catalog zone, "" for none.
	Catalog dnsname.Name
	// Primary is where secondaries fetch the zones, Listen where nullspfd
	// answers, Store where secondaries keep their copies. TSIG signs transfers.
	Primary *named.Primary
	Listen  []netip.AddrPort
	Store   string
	TSIG    *named.TSIG
	// Servers are those for which configurations are written.
	Servers []named.Server
	// Now is the clock of the serial numbers.
	Now time.Time
}

// Output returns the output directory.
func (s *Site) Output() string { return filepath.Join(s.Dir, "build") }

// Build writes the output directory.
func (s *Site) Build(ctx context.Context) error {
	var groups []*zones.Group
	for g, text := range s.Lists {
		path := filepath.Join(s.Dir, g.Name+".csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		g.Lists = []zones.List{{File: path}}
		groups = append(groups, g)
	}
	set, _, err := zones.ReadLists(groups)
	if err != nil {
		return err
	}
	settings := named.Settings{Output: s.Output(), Servers: s.Servers, Catalog: s.Catalog}
	settings.Store, settings.TSIG, settings.Nullspfd.Listen = s.Store, s.TSIG, s.Listen
	switch {
	case s.Primary != nil:
		settings.Primary = *s.Primary
	case s.Catalog != "":
		at := netip.MustParseAddrPort("127.0.0.1:53")
		settings.Primary = named.Primary{
			Addresses:     []netip.AddrPort{at},
			AllowTransfer: []netip.Prefix{netip.PrefixFrom(at.Addr(), 32)},
			AlsoNotify:    []netip.AddrPort{at},
		}
	}
	files, err := named.Files(settings, set)
	if err != nil {
		return err
	}
	plan, err := zones.NewPlan(ctx, set, s.Output(), zones.Options{Scheme: zones.UnixTime, Now: func() time.Time { return s.Now }})
	if err != nil {
		return err
	}
	// Another place of the site is another set of files.
	place := sha256.Sum256(fmt.Append(nil, s.Listen, s.Store))
	if err := plan.Write(ctx, files, zones.Hash(place[:len(zones.Hash{})])); err != nil {
		return fmt.Errorf("testsite: %w", err)
	}
	return nil
}

// Group returns a group that uses every kind of record.
func Group(name string) *zones.Group {
	return &zones.Group{
		Name: name,
		SOA: zones.SOA{
			MName: "ns1.example.net", RName: "hostmaster.example.net",
			Refresh: 2 * time.Hour, Retry: 15 * time.Minute, Expire: 28 * 24 * time.Hour, Minimum: 5 * time.Minute,
		},
		Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"},
		TTL:         time.Hour,
		A:           []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("192.0.2.81")},
		AAAA:        []netip.Addr{netip.MustParseAddr("2001:db8::80")},
		WWW:         true,
		Mail:        zones.Postmaster,
		MX: map[zones.MailMode][]zones.MX{
			zones.NullMX:     {{}},
			zones.Postmaster: {{Host: "mail8.example.net", Preference: 10}, {Host: "mail9.example.net", Preference: 10}},
			zones.Nolisting:  {{Host: "dead.example.net", Preference: 5}, {Host: "mail8.example.net", Preference: 10}},
		},
		SPF: "track",
		SPFRecords: map[string]string{
			"plain":  "v=spf1 -all",
			"track":  "v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net",
			"beacon": "v=spf1 -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net",
		},
		TXT: []string{
			"This domain sends no email",
			"Null SPF is for tracking purposes only",
			"All mail claiming to be from {domain} is forged",
		},
		DMARC:       "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc@example.net",
		DKIM:        true,
		WildcardSPF: "plain",
		WildcardMX:  true,
	}
}

// Plain returns a group with the least that a zone can have.
func Plain(name string) *zones.Group {
	g := Group(name)
	g.A, g.AAAA, g.WWW = nil, nil, false
	g.Mail, g.SPF, g.DMARC = zones.NullMX, "plain", ""
	g.TXT, g.DKIM, g.WildcardSPF, g.WildcardMX = nil, false, "", false
	return g
}
