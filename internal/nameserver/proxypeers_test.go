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

// TestSMTPBehindHAProxy: with both versions of the header, events have the address of
// HAProxy's client; its own health checks are none.
func TestSMTPBehindHAProxy(t *testing.T) {
	peers.Require(t, "haproxy")
	program, err := peers.Program("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, testConfig(withSMTP(netip.MustParseAddrPort("127.0.0.1:0")), func(c *Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}), Options{})
	for _, send := range []string{"send-proxy-v2 check check-send-proxy inter 100ms", "send-proxy"} {
		at, err := peers.FreePort(netip.MustParseAddr("127.0.0.2"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "haproxy.cfg")
		text := "defaults\n mode tcp\n timeout connect 2s\n timeout client 1m\n timeout server 1m\nlisten mail\n bind " + at.String() +
			"\n server a " + s.smtpAddress(t).String() + " " + send + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		log := new(logBuffer)
		cmd := exec.Command(program, "-db", "-f", file)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		waitListening(t, at, log)
		time.Sleep(300 * time.Millisecond) // some checks
		before := s.smtp.Stats().Sessions
		client := netip.MustParseAddr("127.0.0.9")
		if got := sayFrom(t, client, at, smtpCommands...); got != "220 250 250 451 221" {
			t.Errorf("%s: answers %s", send, got)
		}
		for end := time.Now().Add(5 * time.Second); s.smtp.Stats().Sessions == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		events := s.recorder.take()
		if last := len(events) - 1; last < 0 || events[last].Resolver.Addr() != client {
			t.Errorf("%s: events %+v", send, events)
		}
		if n := s.smtp.Stats(); n.Sessions != before+1 || n.Proxy != 0 {
			t.Errorf("%s: %+v, %d sessions before", send, n, before)
		}
	}
}

// waitListening waits until connections to an address are accepted.
func waitListening(t *testing.T, at netip.AddrPort, log *logBuffer) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", at.String()); err == nil {
			_ = conn.Close()
			return
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("nobody listens at %s: %s", at, log)
		}
	}
}
