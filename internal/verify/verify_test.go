package verify

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/peers"
	"nullspf/internal/serial"
	"nullspf/zones"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// published is an output directory and what it was made from.
type published struct {
	dir     string
	set     *zones.Set
	serials map[string]uint32
}

func testGroup(list string) *zones.Group {
	return &zones.Group{
		Name:  "generic",
		Lists: []zones.List{{File: list}},
		SOA: zones.SOA{
			MName: "ns1.example.net", RName: "hostmaster.example.net",
			Refresh: 2 * time.Hour, Retry: 15 * time.Minute, Expire: 28 * 24 * time.Hour, Minimum: 5 * time.Minute,
		},
		Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"},
		TTL:         time.Hour,
		A:           []netip.Addr{netip.MustParseAddr("192.0.2.80")},
		WWW:         true,
		Mail:        zones.NullMX,
		MX: map[zones.MailMode][]zones.MX{
			zones.NullMX:     {{}},
			zones.Postmaster: {{Host: "mail8.example.net", Preference: 10}, {Host: "mail9.example.net", Preference: 10}},
		},
		SPF: "track",
		SPFRecords: map[string]string{
			"plain": "v=spf1 -all",
			"track": "v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net",
		},
		TXT:         []string{"This domain sends no email", `All "mail" from {domain} is \forged`},
		DMARC:       "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:{domain}@example.net",
		DKIM:        true,
		WildcardSPF: zones.SPFOfDomain,
		WildcardMX:  true,
	}
}

// publish builds the zones of a list.
func publish(t testing.TB, change func(*zones.Group), names ...string) *published {
	t.Helper()
	list := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte("domain,mail,spf,a\n"+strings.Join(names, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := testGroup(list)
	if change != nil {
		change(g)
	}
	set, _, err := zones.ReadLists([]*zones.Group{g})
	if err != nil {
		t.Fatal(err)
	}
	p := &published{dir: t.TempDir(), set: set, serials: make(map[string]uint32)}
	plan, err := zones.NewPlan(t.Context(), set, p.dir, zones.Options{Scheme: zones.DateSerial, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(t.Context(), nil, zones.Hash{}); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(p.dir, "manifest"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(manifest)) {
		f := strings.Split(line, "\t")
		serial, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		p.serials[f[0]] = uint32(serial)
	}
	return p
}

func (p *published) serial(name string) (uint32, bool) {
	s, ok := p.serials[name]
	return s, ok
}

// run collects the findings as "zone server check name have: reason", servers
// by their number.
func (p *published) run(t testing.TB, s Settings) ([]string, []Finding, Summary) {
	t.Helper()
	var findings []Finding
	sum, err := Run(t.Context(), s, p.set, p.serial, func(f Finding) { findings = append(findings, f) })
	if err != nil {
		t.Fatal(err)
	}
	if sum.Findings != len(findings) {
		t.Errorf("the summary counts %d findings, there are %d", sum.Findings, len(findings))
	}
	var lines []string
	for _, f := range sorted(findings) {
		n := slices.IndexFunc(s.Servers, func(a netip.AddrPort) bool { return a.String() == f.Server })
		lines = append(lines, fmt.Sprintf("%s %d %s %s [%s]: %s", f.Zone, n, f.Check, f.Name, f.Have, f.Reason))
	}
	return lines, findings, sum
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("findings:\n%s\nwant:\n%s", g, w)
	}
}

// serve starts a real server with the zones of an output directory, except some.
func serve(t testing.TB, kind peers.Kind, dir string, extra string, except ...string) netip.AddrPort {
	t.Helper()
	peers.Require(t, kind.Programs()...)
	files, err := filepath.Glob(filepath.Join(dir, "zones", "*.zone"))
	if err != nil {
		t.Fatal(err)
	}
	var conf strings.Builder
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".zone")
		switch {
		case slices.Contains(except, name):
		case kind == peers.BIND:
			fmt.Fprintf(&conf, "zone %q { type master; file %q; %s };\n", name, path, extra)
		default:
			fmt.Fprintf(&conf, "zone:\n\tname: %q\n\tzonefile: %q\n", name, path)
		}
	}
	path := filepath.Join(t.TempDir(), "zones.conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	address, err := peers.FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	return peers.Run(t, peers.Config{Kind: kind, Address: address, Include: []string{path}}).Address
}

// copyOf copies an output directory, in which zone files are to be changed.
func (p *published) copyOf(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func edit(t *testing.T, dir, zone, from, to string) {
	t.Helper()
	path := filepath.Join(dir, "zones", zone+".zone")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s lacks %q:\n%s", path, from, text)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAllRight has both servers serve what was planned, with overrides, and an
// answer that is too large for UDP.
func TestAllRight(t *testing.T) {
	t.Parallel()
	for _, kind := range []peers.Kind{peers.BIND, peers.NSD} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := publish(t, func(g *zones.Group) {
				for c := range 4 {
					g.TXT = append(g.TXT, strings.Repeat(string(rune('a'+c))+"ä", 300))
				}
			}, "a.example,,,", "b.example,postmaster,plain,", "c.example,,,198.51.100.1", "xn--bcher-kva.example,,,")
			server := serve(t, kind, p.dir, "")
			done := 0
			lines, _, sum := p.run(t, Settings{
				Servers: []netip.AddrPort{server, server}, Retries: 2,
				Progress: func(n, _ int) { done = n },
			})
			wantLines(t, lines, nil)
			n := len(p.set.Entries)
			if sum.Checked != n || sum.Unanswered != 0 || len(sum.Servers) != 1 || sum.Servers[0].Checked != n || sum.Servers[0].Queries < uint64(7*n) || done != n {
				t.Errorf("summary %+v, done %d", sum, done)
			}
		})
	}
}

// TestDeviations has one server that is right and one with every fault.
func TestDeviations(t *testing.T) {
	t.Parallel()
	for _, kind := range []peers.Kind{peers.BIND, peers.NSD} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			right := map[peers.Kind]peers.Kind{peers.BIND: peers.NSD, peers.NSD: peers.BIND}[kind]
			testDeviations(t, kind, right)
		})
	}
}

func testDeviations(t *testing.T, kind, right peers.Kind) {
	names := []string{"cname", "dmarc", "good", "lame.sub", "missing", "mx", "newer", "ns", "older", "servfail", "spf", "spfless", "www"}
	var rows []string
	for _, n := range names {
		rows = append(rows, n+".example,,,")
	}
	p := publish(t, nil, rows...)
	serial := p.serials["good.example"]
	older, newer := fmt.Sprint(serial-1), fmt.Sprint(serial+1)
	dir := p.copyOf(t)
	edit(t, dir, "cname.example", "www             IN A     192.0.2.80\nwww             IN MX    0 .\nwww             IN TXT", "www IN CNAME other.example.net.\nw IN TXT")
	edit(t, dir, "dmarc.example", "_dmarc", "_gone")
	edit(t, dir, "mx.example", "@               IN MX    0 .", "@ IN MX 10 Mail.Example.NET.")
	edit(t, dir, "newer.example", fmt.Sprint(serial), newer)
	edit(t, dir, "ns.example", "NS    ns2.", "NS    ns3.")
	edit(t, dir, "older.example", fmt.Sprint(serial), older)
	edit(t, dir, "servfail.example", "SOA", "NOSOA")
	edit(t, dir, "spf.example", "@               IN TXT   \"This", "@ IN TXT \"V=SPF1 \\027]0;x\\007 ?all\"\n@ IN TXT \"This")
	edit(t, dir, "spfless.example", "@               IN TXT   \"v=spf1", "@ IN TXT \"v=spf2")
	edit(t, dir, "www.example", "www             IN MX    0 .", "www IN MX 0 mail.example.net.")
	sub := "$TTL 60\n@ IN SOA ns1.example.net. root 1 60 60 60 60\n@ NS ns1.example.net.\nlame NS ns1.example.net.\n"
	if err := os.WriteFile(filepath.Join(dir, "zones", "sub.example.zone"), []byte(sub), 0o644); err != nil {
		t.Fatal(err)
	}
	wrong := serve(t, kind, dir, "", "missing.example", "lame.sub.example")
	servers := []netip.AddrPort{wrong, serve(t, right, p.dir, "")}

	lines, findings, sum := p.run(t, Settings{Servers: servers, Retries: 1, Timeout: 3 * time.Second})
	spf := strings.Replace(testGroup("").SPFRecords["track"], "v=spf1", "", 1)
	wantLines(t, lines, []string{
		"cname.example 0 mx www.cname.example [CNAME other.example.net.]: the records are not as planned",
		"cname.example 0 spf www.cname.example []: the record is missing",
		`dmarc.example 0 dmarc _dmarc.dmarc.example ["v=spf1` + spf + `"]: the records are not as planned`,
		"lame.sub.example 0 served lame.sub.example []: the answer is not authoritative: AA is not set",
		"missing.example 0 served missing.example []: the server answers REFUSED",
		"mx.example 0 mx mx.example [10 mail.example.net.]: the records are not as planned",
		"newer.example 0 serial newer.example [" + newer + "]: the serial number is higher than in the manifest",
		"ns.example 0 ns ns.example [ns1.example.net., ns3.example.net.]: the records are not as planned",
		"older.example 0 serial older.example [" + older + "]: the serial number is lower than in the manifest",
		"servfail.example 0 served servfail.example []: the server answers SERVFAIL",
		`spf.example 0 spf spf.example ["V=SPF1 \027]0;x\007 ?all", "v=spf1` + spf + `"]: 2 SPF records: every SPF check results in permerror (RFC 7208 section 4.5)`,
		"spfless.example 0 spf spfless.example []: the record is missing",
		"www.example 0 mx www.www.example [0 mail.example.net.]: the records are not as planned",
	})
	if sum.Checked != len(names) || sum.Unanswered != 0 || sum.Servers[0].Findings != len(lines) || sum.Servers[1].Findings != 0 {
		t.Errorf("summary %+v", sum)
	}
	for _, f := range findings {
		if f.Check == CheckDMARC && f.Want != `"v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc.example@example.net"` {
			t.Errorf("want %s", f.Want)
		}
	}
	var table strings.Builder
	if err := WriteTable(&table, findings, 10, false); err != nil {
		t.Fatal(err)
	}
	wantPrintable(t, table.String())

	lines, _, _ = p.run(t, Settings{Servers: servers, Retries: 1, SignedSerials: true})
	wantLines(t, slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, " serial ") }), []string{
		fmt.Sprintf("newer.example 1 serial newer.example [%d]: another server has a higher serial number", serial),
		"older.example 0 serial older.example [" + older + "]: the serial number is lower than in the manifest",
	})
}

// TestSignedZone has the primary sign the zone, which gives it serial numbers
// that the manifest does not know.
func TestSignedZone(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "signed.example,,,")
	dir := p.copyOf(t)
	server := serve(t, peers.BIND, dir, "dnssec-policy default; inline-signing yes; key-directory \""+dir+"\";")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		served, _ := peers.Serial(t.Context(), server, "signed.example")
		if serial.Greater(served, p.serials["signed.example"]) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the zone is not signed after 10 s")
		}
	}
	settings := Settings{Servers: []netip.AddrPort{server}, Retries: 2}
	lines, _, _ := p.run(t, settings)
	if len(lines) != 1 || !strings.Contains(lines[0], "the serial number is higher than in the manifest") {
		t.Errorf("findings %q", lines)
	}
	settings.SignedSerials = true
	lines, _, _ = p.run(t, settings)
	wantLines(t, lines, nil)
}

// TestManifestLacksZone compares the servers with each other where there is
// nothing else to compare with.
func TestManifestLacksZone(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.example,,,", "b.example,,,")
	dir := p.copyOf(t)
	serial := p.serials["a.example"]
	edit(t, dir, "a.example", fmt.Sprint(serial), "7")
	servers := []netip.AddrPort{serve(t, peers.NSD, p.dir, ""), serve(t, peers.NSD, dir, "")}
	p.serials = nil
	lines, _, _ := p.run(t, Settings{Servers: servers, Retries: 2})
	const lacks = " []: the zone is not in the manifest; run nullspf zones to write it"
	wantLines(t, lines, []string{
		"a.example -1 serial a.example" + lacks,
		"a.example 1 serial a.example [7]: another server has a higher serial number",
		"b.example -1 serial b.example" + lacks,
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	server := netip.MustParseAddrPort("127.0.0.1:53")
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{Settings{}, "no servers are given"},
		{Settings{Servers: []netip.AddrPort{{}}}, "invalid AddrPort is not an address with port"},
		{Settings{Servers: []netip.AddrPort{netip.AddrPortFrom(loopback, 0)}}, "127.0.0.1:0 is not an address with port"},
		{Settings{Servers: []netip.AddrPort{server}, Concurrency: maxConcurrency + 1}, "the concurrency is 4097; it must be between 1 and 4096"},
		{Settings{Servers: []netip.AddrPort{server}, Timeout: -1}, "the timeout is -1ns; it must be positive"},
		{Settings{Servers: []netip.AddrPort{server}, Retries: -1}, "the number of retries is -1; it must not be negative"},
	} {
		if _, err := Run(context.Background(), c.s, nil, nil, nil); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.s, err, c.want)
		}
	}
}

// TestShares adds up what the servers get.
func TestShares(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ concurrency, servers, want int }{{64, 2, 64}, {65, 3, 65}, {7, 2, 7}, {1, 1, 1}, {1, 3, 3}} {
		s := Settings{Concurrency: c.concurrency, Servers: make([]netip.AddrPort, c.servers)}
		sum := 0
		for i := range c.servers {
			sum += s.share(i)
		}
		if sum != c.want {
			t.Errorf("%d for %d servers: %d", c.concurrency, c.servers, sum)
		}
	}
}
