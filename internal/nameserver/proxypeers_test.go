package nameserver

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// documented returns the example of a language in nullspf-corefile(5), for a proxy
// that listens at one address and asks another.
func documented(t *testing.T, language string, proxy, server netip.AddrPort) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/man/nullspf-corefile.5.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "```"+language+"\n")
	text, _, ended := strings.Cut(text, "```")
	if !found || !ended {
		t.Fatalf("nullspf-corefile(5) has no example of %s", language)
	}
	for from, to := range map[string]string{"198.51.100.53:53": proxy.String(), "192.0.2.53:53": server.String()} {
		if !strings.Contains(text, from) {
			t.Fatalf("%s is not in the example:\n%s", from, text)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// TestRealProxies starts dnsdist and HAProxy as nullspf-corefile(5) shows them:
// events have the address of the proxy's client.
func TestRealProxies(t *testing.T) {
	peers.Require(t, "dnsdist", "haproxy")
	proxy := netip.MustParseAddr("127.0.0.1") // that is where both ask from
	for _, p := range []struct {
		language string
		networks []string
		argv     func(file string) []string
	}{
		{"lua", []string{"udp", "tcp"}, func(file string) []string { return []string{"dnsdist", "--supervised", "-C", file} }},
		{"haproxy", []string{"tcp"}, func(file string) []string { return []string{"haproxy", "-db", "-f", file} }},
	} {
		t.Run(p.language, func(t *testing.T) {
			s := startServer(t, testConfig(func(c *Config) {
				c.Proxies = []netip.Prefix{netip.PrefixFrom(proxy, 32)}
			}), Options{})
			at, err := peers.FreePort(netip.MustParseAddr("127.0.0.2"))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "proxy.conf")
			if err := os.WriteFile(file, []byte(documented(t, p.language, at, s.address(t, false))), 0o600); err != nil {
				t.Fatal(err)
			}
			argv := p.argv(file)
			program, err := peers.Program(argv[0])
			if err != nil {
				t.Fatal(err)
			}
			log := new(logBuffer)
			cmd := exec.Command(program, argv[1:]...)
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			for _, network := range p.networks {
				client := netip.MustParseAddr("127.0.0.9")
				for begin := time.Now(); !askFrom(network, client, at); time.Sleep(50 * time.Millisecond) {
					if time.Since(begin) > 20*time.Second {
						t.Fatalf("%s over %s does not answer: %s", argv[0], network, log)
					}
				}
				// The health checks of dnsdist are events, too.
				events := slices.DeleteFunc(s.recorder.take(), func(e event) bool { return e.Qtype == dns.TypeSOA })
				if len(events) != 1 || events[0].Resolver.Addr() != client || events[0].Verified != (network == "tcp") {
					t.Errorf("%s over %s: events %+v", argv[0], network, events)
				}
			}
		})
	}
}

// askFrom asks a server from an address, and reports whether it answers.
func askFrom(network string, client netip.Addr, server netip.AddrPort) bool {
	var from net.Addr = &net.UDPAddr{IP: client.AsSlice()}
	if network == "tcp" {
		from = &net.TCPAddr{IP: client.AsSlice()}
	}
	c := dns.Client{Net: network, Timeout: time.Second, Dialer: &net.Dialer{LocalAddr: from, Timeout: time.Second}}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(exampleName, dns.TypeA), server.String())
	return err == nil && m.Rcode == dns.RcodeSuccess
}
