package config

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/evidence/tier"
	"nullspf/named"
	"nullspf/zones"
)

var update = flag.Bool("update", false, "rewrite the expected errors")

// TestBroken loads every configuration of testdata/broken and compares its
// errors with the file "want" beside it.
func TestBroken(t *testing.T) {
	dirs, err := filepath.Glob("testdata/broken/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no broken configurations", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			keys, _ := filepath.Glob(filepath.Join(dir, "*.key"))
			for _, key := range keys {
				if err := os.Chmod(key, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, "nullspf.yaml")
			c, err := Load(path)
			if err == nil {
				err = c.ReadSecret()
			}
			if err == nil {
				t.Fatal("accepted")
			}
			abs, _ := filepath.Abs(dir)
			got := strings.NewReplacer(dir+"/", "", abs+"/", "").Replace(err.Error()) + "\n"
			want := filepath.Join(dir, "want")
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(text) {
				t.Errorf("got\n%swant\n%s", got, text)
			}
		})
	}
}

const small = `
nameservers: [NS1.example.net., ns2.example.net]
soa: {rname: host.master@example.net}
groups:
  Generic:
    list: list.txt
    ttl: 1d2h
    dkim: false
`

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parseText("/etc/nullspf/nullspf.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := parse(t, small+"geoip: {as: as.mmdb, country: /usr/share/country.mmdb}\n"+
		"evidence: {reporters: [Big.Example.], allow: [192.0.2.0/24, own.txt], public_resolvers: \"2001:db8::53\", expiry: 7d, cap: 10, allow_test_addresses: yes}\n")
	g := c.Groups[0]
	for _, v := range []struct {
		what      string
		got, want any
	}{
		{"output", c.Output, "/etc/nullspf/build"},
		{"scheme", c.Scheme, zones.DateSerial},
		{"group", g.Name, "generic"},
		{"list", g.Lists[0], zones.List{File: "/etc/nullspf/list.txt"}},
		{"primary's name", g.SOA.MName, dnsname.Name("ns1.example.net")},
		{"mailbox", g.SOA.RName, dnsname.Mailbox(`host\.master.example.net`)},
		{"refresh", g.SOA.Refresh, 2 * time.Hour},
		{"expire", g.SOA.Expire, 28 * 24 * time.Hour},
		{"ttl", g.TTL, 26 * time.Hour},
		{"mail", g.Mail, zones.NullMX},
		{"layout", g.SPF, "plain"},
		{"dkim", g.DKIM, false},
		{"wildcard SPF", g.WildcardSPF, zones.SPFOfDomain},
		{"wildcard MX", g.WildcardMX, true},
		{"DMARC", g.DMARC, "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s"},
		{"journal", c.Journals[0], "/etc/nullspf/var"},
		{"AS", c.GeoIP.AS, "/etc/nullspf/as.mmdb"},
		{"country", c.GeoIP.Country, "/usr/share/country.mmdb"},
		{"evidence", fmt.Sprintf("%+v", c.Evidence), fmt.Sprintf("%+v", tier.Settings{
			Allow:     []tier.Source{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Place: "evidence.allow[0]"}, {File: "/etc/nullspf/own.txt"}},
			Public:    []tier.Source{{Prefix: netip.MustParsePrefix("2001:db8::53/128"), Place: "evidence.public_resolvers[0]"}},
			Reporters: []string{"big.example"}, Expiry: 7 * 24 * time.Hour, Cap: 10, TestAddresses: true,
		})},
		{"catalog", c.Named.Catalog, dnsname.Name("")},
	} {
		if v.got != v.want {
			t.Errorf("%s: got %v, want %v", v.what, v.got, v.want)
		}
	}
}

func TestTrackingIsTheDefaultLayout(t *testing.T) {
	c := parse(t, small+"track: {zone: _spf.example.net}\n")
	if g := c.Groups[0]; g.SPF != "track" || !strings.Contains(g.SPFRecords["track"], "._spf.example.net") {
		t.Errorf("layout %s, records %v", g.SPF, g.SPFRecords)
	}
	if ns := c.Track.Nameservers; len(ns) != 2 || ns[0] != "ns1.example.net" {
		t.Errorf("the tracking zone has the nameservers %v", ns)
	}
}

func TestDaemon(t *testing.T) {
	n := parse(t, small).Named.Nullspfd
	if n.Retain != 400*24*time.Hour || n.MaxSize != 0 || n.Rate != 0 || n.Metrics.IsValid() || n.Health.IsValid() {
		t.Errorf("by default %+v", n)
	}
	n = parse(t, small+"nullspfd: {metrics: 127.0.0.1:9153, health: '[::1]:9154', retain: off, retain_raw: 30d, max_size: 20GB, rrl: 500}\n").Named.Nullspfd
	if n.Retain != 0 || n.RetainRaw != 720*time.Hour || n.MaxSize != 20e9 || n.Rate != 500 || n.Metrics.String() != "127.0.0.1:9153" || n.Health.String() != "[::1]:9154" {
		t.Errorf("%+v", n)
	}
	if n = parse(t, small+"nullspfd: {rrl: off, max_size: off, retain: 30d}\n").Named.Nullspfd; n.Rate != -1 || n.MaxSize != 0 || n.Retain != 720*time.Hour || n.SMTP != nil {
		t.Errorf("%+v", n)
	}
	n = parse(t, small+"nullspfd: {proxy: [192.0.2.24, 2001:db8:24::/64], dnsbl: {zone: bl.example.net, file: forgers.json}, smtp: {listen: ['192.0.2.26:25', '[2001:db8::26]:25'], mode: defer, at: data, tarpit: 20s, certificate: mx.crt, key: /etc/ssl/mx.key, connections: 500}}\n").Named.Nullspfd
	want := &named.SMTP{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.26:25"), netip.MustParseAddrPort("[2001:db8::26]:25")}, Mode: "defer", At: "data",
		Tarpit: 20 * time.Second, Certificate: "/etc/nullspf/mx.crt", Key: "/etc/ssl/mx.key", Connections: 500,
	}
	if !reflect.DeepEqual(n.SMTP, want) {
		t.Errorf("%+v\nwant %+v", n.SMTP, want)
	}
	if d := (named.DNSBL{Zone: "bl.example.net", File: "/etc/nullspf/forgers.json", Nameservers: n.DNSBL.Nameservers}); !reflect.DeepEqual(*n.DNSBL, d) || len(d.Nameservers) == 0 {
		t.Errorf("%+v", n.DNSBL)
	}
	if got := fmt.Sprint(n.Proxies); got != "[192.0.2.24/32 2001:db8:24::/64]" {
		t.Errorf("the proxies are %s", got)
	}
}

func TestMail(t *testing.T) {
	if m := parse(t, small+"postmaster: pm@mail.example.net\n").Mail; m.RejectSender || m.Postmaster != "pm@mail.example.net" || m.Dir != "/etc/nullspf/build" {
		t.Errorf("by default %+v", m)
	}
	if m := parse(t, small+"postmaster: pm@mail.example.net\nreject_sender: yes\n").Mail; !m.RejectSender {
		t.Errorf("%+v", m)
	}
}

func TestListFiles(t *testing.T) {
	c := parse(t, strings.Replace(small, "list: list.txt", `list: [a.txt, {file: b.csv, column: " Domain Name ", separator: semicolon}, {file: c.txt, separator: "\t"}, {file: d.csv, separator: auto}]`, 1))
	got := fmt.Sprintf("%q", c.Groups[0].Lists)
	want := `[{"/etc/nullspf/a.txt" "" '\x00'} {"/etc/nullspf/b.csv" "Domain Name" ';'} {"/etc/nullspf/c.txt" "" '\t'} {"/etc/nullspf/d.csv" "" '\x00'}]`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	c = parse(t, strings.Replace(small, "list: list.txt", "list: {file: b.csv, column: Domain}", 1))
	if l := c.Groups[0].Lists; len(l) != 1 || l[0].Column != "Domain" {
		t.Errorf("%q", l)
	}
}

func TestNullspfd(t *testing.T) {
	c := parse(t, small+"servers: [bind, nullspfd]\ntrack: {zone: _spf.example.net, listen: [\"127.0.0.1:5300\"]}\nnullspfd: {control: control.sock}\n")
	n := c.Named.Nullspfd
	if len(n.Listen) != 1 || n.Listen[0].String() != "127.0.0.1:5300" || n.Control != "/etc/nullspf/control.sock" {
		t.Errorf("got %+v", n)
	}
	if len(c.Apply) != 2 || strings.Join(c.Apply[1].Command, " ") != "nullspf server reload --socket /etc/nullspf/control.sock" {
		t.Errorf("apply has %+v", c.Apply)
	}
	c = parse(t, small+"track: {zone: _spf.example.net}\nnullspfd: {listen: 192.0.2.1}\nservers: nullspfd\napply: [{server: nullspfd, role: secondary}]\n")
	if l := c.Named.Track.Listen; len(l) != 1 || l[0].String() != "192.0.2.1:53" {
		t.Errorf("the tracking zone is answered at %v", l)
	}
	if len(c.Apply) != 1 || c.Apply[0].Command != nil || c.Apply[0].Role != named.RoleSecondary {
		t.Errorf("apply has %+v", c.Apply)
	}
}

func TestHandKept(t *testing.T) {
	c := parse(t, small+"handkept: [{zone: Bücher.example, file: hand/b.db}, {zone: c.example, file: /srv/c.db, group: Generic, directory: named}]\n")
	want := []zones.HandKept{
		{Name: "xn--bcher-kva.example", File: "/etc/nullspf/hand/b.db", Group: c.Groups[0]},
		{Name: "c.example", File: "/srv/c.db", Directory: "/etc/nullspf/named", Group: c.Groups[0]},
	}
	if !slices.Equal(c.HandKept, want) {
		t.Errorf("got %+v", c.HandKept)
	}
}

func TestDMARCReports(t *testing.T) {
	c := parse(t, small+`    dmarc: {policy: quarantine, rua: ["mailto:a@example.net", "mailto:b@reports.example"], ruf: "mailto:c@example.net"}
`)
	want := "v=DMARC1; p=quarantine; sp=quarantine; np=quarantine; adkim=s; aspf=s; rua=mailto:a@example.net,mailto:b@reports.example; ruf=mailto:c@example.net"
	if g := c.Groups[0]; g.DMARC != want || !slices.Equal(g.DMARCReportDomains, []dnsname.Name{"example.net", "reports.example"}) {
		t.Errorf("got %s to %v", g.DMARC, g.DMARCReportDomains)
	}
	if g := parse(t, small+"    dmarc: {publish: no}\n").Groups[0]; g.DMARC != "" {
		t.Errorf("published %s", g.DMARC)
	}
}

func TestFaultsNameTheLine(t *testing.T) {
	_, err := parseText("nullspf.yaml", []byte(small+"    txt:\n      - fine\n      - \"v=spf1 -all\"\nttl: soon\n"))
	var fault *Error
	if !errors.As(err, &fault) || fault.Line != 9 || fault.Key != "groups.generic.txt" {
		t.Errorf("first fault %+v", fault)
	}
	if !strings.Contains(err.Error(), "\nnullspf.yaml:12: ttl: ") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	f.Add(small + "track: {zone: _spf.example.net}\n")
	broken, _ := filepath.Glob("testdata/broken/*/nullspf.yaml")
	for _, path := range broken {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseText("nullspf.yaml", []byte(text))
		if (c == nil) == (err == nil) {
			t.Errorf("got %v beside the error %v", c, err)
		}
	})
}

// TestTSIGFile: the file says what the algorithm is, whichever other key
// stands before, or in a comment; without it hmac-sha256 holds.
func TestTSIGFile(t *testing.T) {
	const (
		secret    = "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE="
		old       = "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5IG9jdGV0cw=="
		statement = "key \"old\" { algorithm hmac-sha256; secret \"" + old + "\"; };\n# secret \"" + old + "\";\n" +
			"key \"XFR.example.net.\" {\n\talgorithm hmac-sha512;\n\tsecret \"" + secret + "\";\n};\n"
	)
	path := filepath.Join(t.TempDir(), "tsig.key")
	for _, c := range []struct{ file, algorithm, want, fault string }{
		{secret + "\n", "", "hmac-sha256", ""},
		{secret + "\n", "HMAC-SHA384", "hmac-sha384", ""},
		{statement, "", "hmac-sha512", ""},
		{statement, "hmac-sha512.", "hmac-sha512", ""},
		{statement, "hmac-sha256", "", "tsig.secret_file: " + path + ":3: key xfr.example.net: the file says hmac-sha512, the configuration hmac-sha256; make them agree"},
	} {
		if err := os.WriteFile(path, []byte(c.file), 0o640); err != nil {
			t.Fatal(err)
		}
		text := small + "tsig: {name: xfr.example.net, secret_file: " + path
		if c.algorithm != "" {
			text += ", algorithm: " + c.algorithm
		}
		got := parse(t, text+"}\n")
		err := got.ReadSecret()
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%v\nwant %s", err, c.fault)
			}
		case err != nil:
			t.Error(err)
		default:
			if k := got.Named.TSIG; k.Name != "xfr.example.net" || k.Algorithm != c.want || k.Secret != secret {
				t.Errorf("%+v, want %s", k, c.want)
			}
		}
	}
}

func TestWildcardSPF(t *testing.T) {
	for text, want := range map[string]string{
		"true": zones.SPFOfDomain, "no": "", "plain": "plain", "Exists": "exists",
	} {
		c := parse(t, small+"    wildcard_spf: "+text+"\ntrack: {zone: _spf.example.net}\n")
		if got := c.Groups[0].WildcardSPF; got != want {
			t.Errorf("%s: the wildcard has the layout %q, want %q", text, got, want)
		}
	}
}

// TestSecondaries: a secondary may transfer and is notified; without also_notify
// single addresses are.
func TestSecondaries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nullspf.yaml")
	if err := os.WriteFile(path, []byte(`nameservers: [ns1.example.net]
soa: {rname: hostmaster.example.net}
txt_ttl: 10m
groups: {generic: {list: list.txt}}
primary: {addresses: [192.0.2.1], allow_transfer: [192.0.2.7, 198.51.100.0/24]}
tsig: {name: xfr.example.net, secret_file: tsig.key}
secondaries:
  - {address: "192.0.2.2:5353", software: knot}
  - {address: 192.0.2.3, software: coredns, key: none}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Named.Primary
	if got, want := fmt.Sprint(p.AllowTransfer), "[192.0.2.7/32 198.51.100.0/24 192.0.2.2/32 192.0.2.3/32]"; got != want {
		t.Errorf("allow_transfer %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(p.AlsoNotify), "[192.0.2.2:5353 192.0.2.3:53 192.0.2.7:53]"; got != want {
		t.Errorf("also_notify %s, want %s", got, want)
	}
	if s := p.Secondaries; len(s) != 2 || s[0].Unsigned || s[0].Software != named.Knot || !s[1].Unsigned || s[1].Software != named.CoreDNS {
		t.Errorf("secondaries %+v", s)
	}
	if c.Groups[0].TXTTTL != 10*time.Minute {
		t.Errorf("txt_ttl %v", c.Groups[0].TXTTTL)
	}
}

// TestSOAOfAGroup has a group replace some fields of the SOA record.
func TestSOAOfAGroup(t *testing.T) {
	c := parse(t, small+"    soa: {mname: hidden.example.net, rname: dns@example.org, expire: 7d}\n  other: {list: other.txt}\n")
	soa := func(i int) zones.SOA { return c.Groups[i].SOA }
	want := soa(1)
	if want.MName != "ns1.example.net" || want.Expire != 28*24*time.Hour {
		t.Errorf("the other group has %+v", want)
	}
	want.MName, want.RName, want.Expire = "hidden.example.net", "dns.example.org", 7*24*time.Hour
	if got := soa(0); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
