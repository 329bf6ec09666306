package nameserver

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

const signedText = `$TTL 300
@ SOA ns1 hostmaster 7 7200 900 2419200 60
@ NS ns1
@ TXT "apex"
ns1 A 192.0.2.1
* TXT "wild"
a.ent TXT "below an empty non-terminal"
alias CNAME ns1
*.cname CNAME ns1
odd TYPE65280 \# 3 010203
`

// TestSignedZones transfers signed zones from a real primary and has a real
// validator check the answers, the negative ones too.
func TestSignedZones(t *testing.T) {
	peers.Require(t, "dnssec-signzone", "dnssec-keygen", "delv")
	peers.Require(t, peers.Knot.Programs()...)
	for name, arguments := range map[string][]string{"NSEC": nil, "NSEC3": {"-3", "aabb", "-H", "2"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "zone"), signedText)
			run := func(program string, args ...string) {
				t.Helper()
				cmd := exec.Command(program, args...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", program, err, out)
				}
			}
			run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "example")
			run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "example")
			run("dnssec-signzone", append(append([]string{"-S", "-q", "-O", "full", "-o", "example", "-f", "signed"}, arguments...), "zone")...)
			text, err := os.ReadFile(filepath.Join(dir, "signed"))
			if err != nil {
				t.Fatal(err)
			}
			m := regexp.MustCompile(`DNSKEY\s+257 3 13 ([A-Za-z0-9+/= ]+)`).FindSubmatch(text)
			if m == nil {
				t.Fatalf("no key in\n%s", text)
			}
			anchors := writeFile(t, filepath.Join(dir, "anchors"), fmt.Sprintf("trust-anchors { example. static-key 257 3 13 %q; };\n", m[1]))

			loopback := netip.MustParseAddr("127.0.0.1")
			at, err := peers.FreePort(loopback)
			if err != nil {
				t.Fatal(err)
			}
			conf := writeFile(t, filepath.Join(dir, "knot.conf"), fmt.Sprintf("acl:\n  - id: t\n    address: 127.0.0.1\n    action: transfer\nzone:\n  - domain: example\n    file: %q\n    acl: t\n", filepath.Join(dir, "signed")))
			peers.Run(t, peers.Config{Kind: peers.Knot, Address: at, Include: []string{conf}})
			s := startServer(t, secondaryConfig(listenAt("127.0.0.1"), secondaryOf(filepath.Join(dir, "store"), []string{at.String()}, "example"), unlimited), Options{})
			server := s.address(t, false)
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if r := exchange(t, "udp", server, new(dns.Msg).SetQuestion("example.", dns.TypeSOA)); r.Rcode == dns.RcodeSuccess {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the zone is not served")
				}
			}
			for _, c := range []struct{ question, want string }{
				{"example TXT", "; fully validated"},
				{"example DNSKEY", "; fully validated"},
				{"alias.example A", "; fully validated"},
				{"any.thing.example TXT", "; fully validated"},
				{"x.cname.example A", "; fully validated"},
				{"odd.example TYPE65280", "; fully validated"},
				{"ns1.example MX", "negative response, fully validated"},
				{"ent.example A", "negative response, fully validated"},
				{"any.thing.example A", "negative response, fully validated"},
				{"x.ns1.example A", "negative response, fully validated"},
				{"x.a.ent.example TXT", "negative response, fully validated"},
			} {
				args := append([]string{"@127.0.0.1", "-p", strconv.Itoa(int(server.Port())), "-a", anchors, "+root=example"}, strings.Fields(c.question)...)
				out, err := exec.Command("delv", args...).CombinedOutput()
				if err != nil || !strings.Contains(string(out), c.want) || !strings.HasPrefix(c.want, ";") && !strings.Contains(string(out), "; "+c.want) {
					t.Errorf("%s: %v; want %q\n%s", c.question, err, c.want, out)
				}
			}
		})
	}
}
