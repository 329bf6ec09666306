package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/control"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// isolated runs the tests where port 53 is free and the addresses of the
// examples are those of this machine.
type isolated struct{ m *testing.M }

func (i isolated) Run() int {
	return peers.Isolated(func() int {
		if peers.Namespaces() == nil {
			// Without ip, the tests that need the addresses say so.
			for _, a := range []string{"192.0.2.1", "192.0.2.2", resolver.String()} {
				_ = exec.Command("ip", "address", "add", a+"/32", "dev", "lo").Run()
			}
		}
		var err error
		if programs, err = os.MkdirTemp("", "nullspf"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(programs)
		return i.m.Run()
	})
}

// programs is a directory for nullspfd, which is built when it is needed.
var programs string

var buildNullspfd = sync.OnceValues(func() (string, error) {
	return peers.BuildNullspfd(context.Background(), programs)
})

// resolver is the address from which receivers ask.
var resolver = netip.MustParseAddr("198.51.100.53")

// demoSite is a site with two nameservers, as the examples of the documents
// have it: the starter of nullspf init, or the example of 900 domains, with a
// tracking zone and nullspfd at 192.0.2.1 and 192.0.2.2.
type demoSite struct {
	dir, secondary     string
	primaryAt, otherAt netip.AddrPort
	program            string
}

// newSite writes the configuration of a site. Its files are:
//
//	etc                  nullspf.yaml, the list, tsig.key
//	etc/shop.example.db  a zone kept by hand
//	etc/registered.txt   what a registrar has
//	ns2                  the same configuration for the secondary
//	bin                  programs that the examples call
func newSite(t *testing.T, example bool) *demoSite {
	t.Helper()
	peers.RequireNamespaces(t)
	peers.Require(t, "ip")
	// 2026-11-20 12:00 UTC
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000")
	top := t.TempDir()
	s := &demoSite{
		dir: filepath.Join(top, "etc"), secondary: filepath.Join(top, "ns2"),
		primaryAt: netip.MustParseAddrPort("192.0.2.1:53"), otherAt: netip.MustParseAddrPort("192.0.2.2:53"),
	}
	bin := filepath.Join(top, "bin")
	for _, dir := range []string{s.dir, s.secondary, bin} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.program, err = buildNullspfd(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+programs+":"+os.Getenv("PATH"))
	writeText(t, filepath.Join(bin, "editor"), "#!/bin/sh\n", 0o755)
	config, list := siteConfig(t, example)
	for dir, at := range map[string]string{s.dir: "192.0.2.1", s.secondary: "192.0.2.2"} {
		writeText(t, filepath.Join(dir, "nullspf.yaml"), strings.ReplaceAll(config, "LISTEN", at), 0o644)
		writeText(t, filepath.Join(dir, "generic.txt"), list, 0o644)
		writeText(t, filepath.Join(dir, "tsig.key"), "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE=\n", 0o600)
	}
	writeText(t, filepath.Join(s.dir, "shop.example.db"), handKept, 0o644)
	writeText(t, filepath.Join(s.dir, "registered.txt"), "brand.example\nbrand-new.example\n", 0o644)
	return s
}

const handKept = `$TTL 3600
@    IN SOA  ns1.example.net. hostmaster.example.net. 1 7200 900 2419200 300
@    IN NS   ns1.example.net.
$INCLUDE build/include/generic.inc
www  IN A    192.0.2.80
`

// siteConfig returns the configuration and the list of a site.
func siteConfig(t *testing.T, example bool) (config, list string) {
	t.Helper()
	dir := "cmd/nullspf/starter/"
	values := []string{
		"# track:\n#   zone:", "track:\n  zone:", "\n#   nameservers:", "\n  nameservers:",
		"\n#   listen: [\"127.0.0.1:5300\"]", "\n  listen: [\"LISTEN:53\"]",
		"servers: [bind]", "servers: [bind, nullspfd]\napply: [{server: nullspfd}]",
		"# nullspfd: {control: /run/nullspf/control.sock}", "nullspfd: {control: control.sock}",
	}
	if example {
		dir = "examples/"
		values = []string{
			"output: ../build", "output: build", "listen: [\"127.0.0.1:5300\"]", "listen: [\"LISTEN:53\"]",
			"servers: [bind, nsd, knot, nullspfd]", "servers: [bind, nullspfd]\napply: [{server: nullspfd}]\nnullspfd: {control: control.sock}\n" +
				"tsig: {name: xfr.example.net, secret_file: tsig.key}", "journals: [../var]", "journals: [var]",
		}
	}
	config = readDocument(t, dir+"nullspf.yaml")
	for i := 0; i < len(values); i += 2 {
		if strings.Count(config, values[i]) != 1 {
			t.Fatalf("%snullspf.yaml has not exactly one %q", dir, values[i])
		}
		config = strings.Replace(config, values[i], values[i+1], 1)
	}
	return config, readDocument(t, dir+"generic.txt")
}

func writeText(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// place is the site as the documents show it.
func (s *demoSite) place() *place { return newPlace(s.dir, "/etc/nullspf", s.dir) }

// serve publishes the zones, starts both nameservers, and waits until the
// secondary has the zones.
func (s *demoSite) serve(t *testing.T) {
	t.Helper()
	for _, dir := range []string{s.dir, s.secondary} {
		if out, err := newPlace(dir).run(t.Context(), "nullspf zones && mkdir -p build/secondary"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, n := range []struct {
		at              netip.AddrPort
		dir, name, host string
	}{
		{s.primaryAt, s.dir, "primary", "ns1.example.net"},
		{s.otherAt, s.secondary, "secondary", "ns2.example.net"},
	} {
		corefile := filepath.Join(n.dir, "build", "nullspfd", n.name+".Corefile")
		// The name of the server must not be that of the machine.
		text := readFile(t, corefile)
		journal := "    journal " + filepath.Join(n.dir, "var") + " {\n"
		if !strings.Contains(text, journal) {
			t.Fatalf("%s has no %q", corefile, journal)
		}
		text = strings.Replace(text, journal, journal+"        server "+n.host+"\n", 1)
		corefile = filepath.Join(n.dir, "Corefile")
		writeText(t, corefile, text, 0o644)
		peers.Run(t, peers.Config{Kind: peers.Nullspfd, Address: n.at, Program: s.program, Include: []string{corefile}})
	}
	client := control.NewClient(filepath.Join(s.secondary, "control.sock"))
	defer client.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, err := client.Status(t.Context())
		if err == nil && transferred(status) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the secondary has not all zones: %+v, %v", status, err)
		}
	}
	if out, err := newPlace(s.dir).run(t.Context(), "nullspf apply"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// parents starts a server of the root and the zones above those of the site.
func (s *demoSite) parents(t *testing.T, at string) {
	t.Helper()
	dir := t.TempDir()
	const head = "$TTL 3600\n@ IN SOA a.example.net. hostmaster.example.net. 1 7200 900 2419200 300\n@ IN NS a.example.net.\n"
	example := head
	for _, name := range []string{"brand", "brand-shop", "xn--bcher-kva"} {
		example += name + " IN NS ns1.example.net.\n" + name + " IN NS ns2.example.net.\n"
	}
	conf := ""
	for zone, text := range map[string]string{
		".": head, "example": example, "example.net": head + "a IN A " + at + "\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2\n",
	} {
		path := filepath.Join(dir, "zone-"+zone)
		writeText(t, path, text, 0o644)
		conf += fmt.Sprintf("zone:\n\tname: %q\n\tzonefile: %q\n", zone, path)
	}
	writeText(t, filepath.Join(dir, "conf"), conf, 0o644)
	peers.Run(t, peers.Config{Kind: peers.NSD, Address: netip.MustParseAddrPort(at + ":53"), Include: []string{filepath.Join(dir, "conf")}})
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func transferred(s *control.Status) bool {
	for _, z := range s.Zones {
		if z.Kind == control.Secondary {
			return z.Serving > 0 && z.Waiting == 0
		}
	}
	return false
}

// forge has receivers ask about forged mail from some of the domains: the first
// sender is the busiest.
func (s *demoSite) forge(t *testing.T, domains ...string) {
	t.Helper()
	// One socket, so that one goroutine records the queries in order, at an
	// address that nothing else is asked from and that is therefore not limited.
	socket, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(resolver, 0)), net.UDPAddrFromAddrPort(s.primaryAt))
	if err != nil {
		t.Fatal(err)
	}
	conn := &dns.Conn{Conn: socket}
	defer conn.Close()
	hosts := []string{"203.0.113.10", "203.0.113.77", "198.51.100.25", "2001:db8:bad::9"}
	for h, ip := range hosts {
		for i := range 24 / (h + 1) {
			check := spftrack.Check{
				IP: netip.MustParseAddr(ip), HELO: "mx" + strconv.Itoa(h) + ".example.org",
				Sender: []string{"invoice", "ceo", "no-reply"}[i%3] + strconv.Itoa(i) + "@" + domains[(i*i+h)%len(domains)],
			}
			queries, err := spftrack.Queries(spftrack.Track, spftrack.Settings{Zone: "_spf.example.net"}, check)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range queries {
				if !strings.HasSuffix(q.Name, "._spf.example.net") {
					continue
				}
				m := new(dns.Msg).SetQuestion(q.Name+".", q.Type)
				if _, _, err := new(dns.Client).ExchangeWithConnContext(t.Context(), m, conn); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// An event is visible within a second.
	time.Sleep(time.Second)
}
