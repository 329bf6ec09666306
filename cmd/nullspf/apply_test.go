package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// pair is a configuration whose domains a real primary and a real BIND
// secondary serve.
type pair struct {
	t                  *testing.T
	kind               peers.Kind // of the primary
	dir                string
	primary, secondary *peers.Server
	// more is added to the configuration.
	more string
}

const pairConfig = `
nameservers: [ns1.example.net]
soa: {rname: hostmaster.example.net}
groups:
  generic: {list: generic.txt, txt: "%s"}
  special: {list: special.txt, txt: "%s"}
primary: {addresses: ["%v"], allow_transfer: [127.0.0.1], also_notify: ["%v"]}
tsig: {name: xfr.example.net, secret_file: tsig.key}
servers: [bind, nsd, knot]
apply:
  - {server: %s, role: primary, command: [%s]}
  - {server: bind, role: secondary, command: [%s]}
`

// configure writes the configuration with the texts of the two groups.
func (p *pair) configure(generic, special string) {
	p.write("nullspf.yaml", fmt.Sprintf(pairConfig, generic, special, p.primary.Address, p.secondary.Address,
		p.kind, strings.Join(p.primary.Control(), ", "), strings.Join(p.secondary.Control(), ", "))+p.more)
}

func (p *pair) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// nullspf runs a command and returns its output.
func (p *pair) nullspf(args ...string) (string, error) {
	var out bytes.Buffer
	root := rootCommand()
	root.SetArgs(append(args, "-c", filepath.Join(p.dir, "nullspf.yaml")))
	root.SetOut(&out)
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

// newPair builds two groups and starts the servers.
func newPair(t *testing.T, kind peers.Kind) *pair {
	peers.Require(t, append(kind.Programs(), "named", "rndc", "named-checkconf")...)
	p := &pair{t: t, kind: kind, dir: t.TempDir()}
	address := func() netip.AddrPort {
		a, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	p.primary = &peers.Server{Config: peers.Config{Address: address()}}
	p.secondary = &peers.Server{Config: peers.Config{Address: address()}}
	p.write("tsig.key", "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==\n")
	p.write("special.txt", "special.example\n")
	var list strings.Builder
	for i := range 30 {
		fmt.Fprintf(&list, "d%02d.example\n", i)
	}
	p.write("generic.txt", list.String())
	p.configure("one", "one")
	if out, err := p.nullspf("zones"); err != nil {
		t.Fatal(err, out)
	}
	if err := os.MkdirAll(filepath.Join(p.dir, "build", "secondary"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(s *peers.Server, kind peers.Kind, files ...string) *peers.Server {
		for i, f := range files {
			files[i] = filepath.Join(p.dir, f)
		}
		return peers.Run(t, peers.Config{Kind: kind, Address: s.Address, Include: files})
	}
	subdir := map[peers.Kind]string{peers.BIND: "named", peers.NSD: "nsd", peers.Knot: "knot"}[kind]
	var primary, secondary []string
	if kind == peers.BIND {
		primary, secondary = []string{"hand-primary.conf"}, []string{"hand-secondary.conf"}
		p.writeHandKept(1)
		p.write(primary[0], fmt.Sprintf("zone \"hand.example\" { type master; file \"%s/hand.db\"; allow-transfer { 127.0.0.1; }; notify explicit; also-notify { 127.0.0.1 port %d; }; };\n",
			p.dir, p.secondary.Address.Port()))
		p.write(secondary[0], fmt.Sprintf("zone \"hand.example\" { type slave; file \"%s/hand.bin\"; masters { 127.0.0.1 port %d; }; };\n",
			p.dir, p.primary.Address.Port()))
	}
	p.primary = run(p.primary, kind, append(primary, "build/"+subdir+"/primary.conf")...)
	p.secondary = run(p.secondary, peers.BIND, append(secondary, "build/named/secondary.conf")...)
	p.configure("one", "one")
	return p
}

// writeHandKept writes a zone that is kept by hand, with a serial number.
func (p *pair) writeHandKept(serial int) {
	p.write("hand.db", fmt.Sprintf("$TTL 300\n@ SOA ns1.example.net. hostmaster.example.net. %d 7200 900 2419200 300\n@ NS ns1.example.net.\n$INCLUDE %s/build/include/special.inc\n", serial, p.dir))
}

// wait waits until both servers have a serial number of a zone, or none.
func (p *pair) wait(zone string, serial uint32, served bool) {
	p.t.Helper()
	for _, s := range []*peers.Server{p.primary, p.secondary} {
		deadline := time.Now().Add(30 * time.Second)
		for {
			got, ok := peers.Serial(p.t.Context(), s.Address, zone)
			if ok == served && (!served || got == serial) {
				break
			}
			if time.Now().After(deadline) {
				p.t.Fatalf("%v has serial %d of %s (%t), want %d (%t)", s.Address, got, zone, ok, serial, served)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// TestApply changes one text and checks that one zone is reloaded and that its
// new serial number reaches the secondary; then it adds and removes a zone.
func TestApply(t *testing.T) {
	for kind, reload := range map[peers.Kind]string{
		peers.BIND: " reload special.example ", peers.NSD: " reload special.example ", peers.Knot: " zone-reload special.example ",
	} {
		t.Run(string(kind), func(t *testing.T) { testApply(t, kind, reload) })
	}
}

func testApply(t *testing.T, kind peers.Kind, reload string) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000") // 2026-11-20
	p := newPair(t, kind)
	p.wait("special.example", 2026112000, true)

	// What the servers have read is not known: they reload everything.
	if out, err := p.nullspf("apply"); err != nil || !strings.Contains(out, "reload everything") {
		t.Fatal(err, out)
	}
	if out, err := p.nullspf("apply"); err != nil || !strings.Contains(out, "the servers are up to date") {
		t.Fatal(err, out)
	}

	p.configure("one", "two")
	out, err := p.nullspf("apply", "--dry-run")
	if err != nil || !strings.Contains(out, reload) {
		t.Fatal(err, out)
	}
	p.wait("special.example", 2026112000, true)

	if out, err = p.nullspf("apply"); err != nil {
		t.Fatal(err, out)
	}
	if strings.Count(out, "  # ") != 1 || !strings.Contains(out, reload) {
		t.Errorf("one reload of special.example was to be done:\n%s", out)
	}
	p.wait("special.example", 2026112001, true)
	p.wait("d00.example", 2026112000, true)

	p.write("special.txt", "special.example\nnew.example\n")
	p.write("generic.txt", strings.Replace(string(mustRead(t, p.dir, "generic.txt")), "d07.example\n", "", 1))
	if out, err = p.nullspf("apply"); err != nil {
		t.Fatal(err, out)
	}
	p.wait("new.example", 2026112000, true)
	p.wait("d07.example", 0, false)

	for i := range 30 {
		if i != 7 {
			p.wait(fmt.Sprintf("d%02d.example", i), 2026112000, true)
		}
	}
	if out, err = p.nullspf("verify"); err != nil {
		t.Error(err, out)
	}
}

// TestApplyHandKept changes a text of a group whose records a zone kept by hand
// includes: the zone is reloaded, and transferred, when its serial number rises.
func TestApplyHandKept(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000")
	p := newPair(t, peers.BIND)
	p.wait("hand.example", 1, true)
	apply := func(generic, special string, want ...string) {
		t.Helper()
		p.more = "handkept: [{zone: hand.example, file: hand.db, group: special}]\n"
		p.configure(generic, special)
		out, err := p.nullspf("apply")
		if err != nil {
			t.Fatal(err, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in\n%s", w, out)
			}
		}
		if got := strings.Count(out, "hand.example"); got != len(want) {
			t.Errorf("hand.example is named %d times, want %d:\n%s", got, len(want), out)
		}
	}
	apply("one", "one")
	apply("two", "one")
	const raise = "raise the serial number 1 in "
	apply("two", "two", raise)
	apply("two", "two", raise)
	p.wait("hand.example", 1, true)
	p.writeHandKept(2)
	apply("two", "two", " reload hand.example ")
	p.wait("hand.example", 2, true)
	for _, s := range []*peers.Server{p.primary, p.secondary} {
		m := new(dns.Msg).SetQuestion("hand.example.", dns.TypeTXT)
		r, err := dns.Exchange(m, s.Address.String())
		if err != nil || !strings.Contains(fmt.Sprint(r.Answer), `"two"`) {
			t.Errorf("%v: %v, %v", s.Address, r, err)
		}
	}
	apply("two", "two")

	// With the number raised beforehand, one run does it all.
	p.writeHandKept(3)
	apply("two", "three", " reload hand.example ")
	p.wait("hand.example", 3, true)
}

// TestApplyReloadsNothingAfterAFault breaks what the servers would read.
func TestApplyReloadsNothingAfterAFault(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000")
	p := newPair(t, peers.BIND)
	p.wait("special.example", 2026112000, true)
	if out, err := p.nullspf("apply"); err != nil {
		t.Fatal(err, out)
	}

	p.configure("one", "two")
	p.write("special.txt", "special.example\nnew.example\n")
	if out, err := p.nullspf("zones"); err != nil {
		t.Fatal(err, out)
	}
	// A disk that loses bits does so without a new modification time.
	conf := filepath.Join(p.dir, "build", "named", "primary.conf")
	text := mustRead(t, p.dir, "build", "named", "primary.conf")
	broken := bytes.Replace(text, []byte("zone \"new.example\""), []byte("zoen \"new.example\""), 1)
	if err := os.WriteFile(conf, broken, 0o644); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(conf, past, past); err != nil {
		t.Fatal(err)
	}
	out, err := p.nullspf("apply")
	if err == nil || !strings.Contains(err.Error(), "nothing was reloaded") || strings.Contains(out, " reload ") {
		t.Errorf("got %v\n%s", err, out)
	}
	p.wait("special.example", 2026112000, true)
}

func mustRead(t *testing.T, elem ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
