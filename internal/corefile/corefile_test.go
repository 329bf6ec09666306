package corefile

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nullspf/internal/dnsname"
	"nullspf/internal/nameserver"
	"nullspf/nolisting"
	"nullspf/spftrack"
)

func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each file begins with a comment that holds a part of the error.
func TestBadCorefiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.Corefile")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(string(text), "\n")
			want, ok := strings.CutPrefix(line, "# want: ")
			if !ok {
				t.Fatal("the file does not say what it wants")
			}
			c, err := Load(path)
			if err == nil {
				err = nameserver.Check(c)
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Dir(path)) {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		})
	}
}

// secret returns what a file with one secret holds.
func secret(t *testing.T, path string) nameserver.Secret {
	t.Helper()
	secrets, err := readSecrets(path)
	if err != nil || len(secrets) != 1 {
		t.Fatal(secrets, err)
	}
	return secrets[0]
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeFile(t, filepath.Join(dir, "secrets"), "e5e973e5a6b2a43f48e7dc849e37bfcf\n")
	writeFile(t, filepath.Join(dir, "old"), "dd3bdf9344b678b185a6f5cb60fca715\n")
	path := writeFile(t, filepath.Join(dir, "Corefile"), `
(common) {
    journal var {
        sync strict
        server ns1
        max_size 20GB
        retain 400d
        retain_raw 30d
    }
    cookies secrets old
    metrics 127.0.0.1:9153
    health 127.0.0.1:9153
    log
    errors
}
_SPF.Example.NET.:53, track.example:53 {
    bind 127.0.0.1 ::1
    spftrack {
        nameservers NS1.example.net. ns2._spf.example.net
        layouts track classic
        explain "Mail from %{d} is forged: this domain sends no email"
        ttl 90
        apex_ttl 1h30m
        txt "one" "two words"
        address ns2._spf.example.net 192.0.2.53
        address ns2._spf.example.net 2001:db8::53
    }
    rrl {
        rate 500
        exempt 192.0.2.0/24 2001:db8::1
    }
    import common
}
plain.example:5300 {
    spftrack {
        nameservers ns1.example.net
    }
    rrl off
    import common
    xdp eth0 eth1.1 {
        vlan 5 4094
    }
    xdp wan0
    proxy 192.0.2.7 2001:db8::/64
    smtp 192.0.2.25:25 [2001:db8::25]:25 {
        mode defer
        at data
        tarpit 20s
        tls mx.crt mx.key
        connections 500
    }
}
`)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	plainTrack := nameserver.DefaultTrack()
	plainTrack.Position = path + ":35"
	plainTrack.Nameservers = []dnsname.Name{"ns1.example.net"}
	want := &nameserver.Config{
		Path: path,
		Blocks: []nameserver.Block{
			{
				Position: path + ":16",
				Zones:    []dnsname.Name{"_spf.example.net", "track.example"},
				Listen:   []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("[::1]:53")},
				Track: nameserver.Track{
					Position:    path + ":18",
					Nameservers: []dnsname.Name{"ns1.example.net", "ns2._spf.example.net"},
					Addresses: map[dnsname.Name][]netip.Addr{
						"ns2._spf.example.net": {netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")},
					},
					Layouts: []spftrack.Layout{spftrack.Track, spftrack.Classic},
					Explain: "Mail from %{d} is forged: this domain sends no email",
					TTL:     90 * time.Second,
					ApexTTL: 90 * time.Minute,
					TXT:     []string{"one", "two words"},
				},
				Limit: nameserver.RateLimit{Rate: 500, Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}},
			},
			{
				Position: path + ":34",
				Zones:    []dnsname.Name{"plain.example"},
				XDP: []nameserver.XDP{
					{Position: path + ":40", Interface: "eth0", VLANs: []uint16{5, 4094}},
					{Position: path + ":40", Interface: "eth1.1", VLANs: []uint16{5, 4094}},
					{Position: path + ":43", Interface: "wan0"},
				},
				Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:5300"), netip.MustParseAddrPort("[::]:5300")},
				Track:  plainTrack,
			},
		},
		Journal: &nameserver.Journal{Dir: "var", Server: "ns1", Strict: true, MaxSize: 20e9, Retain: 400 * 24 * time.Hour, RetainRaw: 720 * time.Hour},
		Cookies: nameserver.Cookies{Secrets: []nameserver.Secret{secret(t, "secrets"), secret(t, "old")}},
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/64")},
		SMTP: &nameserver.SMTP{
			Position: path + ":45", Listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.25:25"), netip.MustParseAddrPort("[2001:db8::25]:25")},
			Mode: nolisting.Defer, At: nolisting.AtData, Tarpit: 20 * time.Second, Cert: "mx.crt", Key: "mx.key", Connections: 500,
		},
		Metrics: netip.MustParseAddrPort("127.0.0.1:9153"),
		Health:  netip.MustParseAddrPort("127.0.0.1:9153"),
		Log:     nameserver.LogAll,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const goodCorefile = `
_spf.example.net:0 {
    bind 127.0.0.1 ::1
    spftrack {
        nameservers ns1.example.net ns2._spf.example.net
        layouts track classic
        explain "Mail from %{d} is forged"
        ttl 60s
        apex_ttl 1h
        txt "tracking zone" "second \"text\" with \ in it"
        address ns2._spf.example.net 192.0.2.53 2001:db8::53
    }
    journal var
}
`

// FuzzCorefile gives any text to the parser: no panic, no value beside an
// error.
func FuzzCorefile(f *testing.F) {
	paths, err := filepath.Glob("testdata/bad/*.Corefile")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(goodCorefile)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") || strings.Contains(text, "cookies") {
			return // it reads other files
		}
		c, err := Load(writeFile(t, filepath.Join(dir, "Corefile"), text))
		if (c == nil) != (err != nil) {
			t.Fatalf("configuration %v, error %v", c, err)
		}
		if err != nil && strings.Contains(err.Error(), "cannot be read as a Corefile") {
			t.Fatal(err)
		}
		if err == nil {
			_ = nameserver.Check(c)
		}
	})
}

// TestKeyFiles: a key is chosen by name, and its algorithm is the file's.
func TestKeyFiles(t *testing.T) {
	const secret = "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE="
	dir := t.TempDir()
	path := filepath.Join(dir, "Corefile")
	alone := writeFile(t, filepath.Join(dir, "alone"), secret+"\n")
	keys := writeFile(t, filepath.Join(dir, "keys"),
		"key a { algorithm hmac-sha512; secret \""+secret+"\"; };\nkey b { algorithm hmac-sha256; secret \""+secret+"\"; };\n")
	for line, want := range map[string]string{
		"tsig a " + keys:                "hmac-sha512.",
		"tsig B. " + keys:               "hmac-sha256.",
		"tsig a hmac-sha512 " + keys:    "hmac-sha512.",
		"tsig c " + alone:               "hmac-sha256.",
		"tsig c HMAC-SHA384 " + alone:   "hmac-sha384.",
		"tsig a hmac-sha256 " + keys:    keys + ":1: key a: the file says hmac-sha512, the configuration hmac-sha256; make them agree",
		"tsig c " + keys:                keys + ": no key c in the file; its keys are a, b",
		"tsig a..b " + keys:             `key name "a..b": `,
		"tsig a hmac-sha256 x " + keys:  "write the name of the key",
		"tsig a " + filepath.Dir(alone): dir + ": not a regular file",
	} {
		c, err := Load(writeFile(t, path, "_spf.example.net:5300 {\n    spftrack {\n        nameservers ns1.example.net\n    }\n    "+line+"\n}\n"))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			for _, k := range c.Keys {
				got = k.Algorithm.String()
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s\nwant %s", line, got, want)
		}
	}
}
