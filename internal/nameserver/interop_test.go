package nameserver

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// unboundConf makes Unbound a resolver that asks nobody but our server.
const unboundConf = `server:
	interface: %[1]s
	port: %[2]d
	access-control: 127.0.0.0/8 allow
	do-daemonize: no
	use-syslog: no
	username: ""
	chroot: ""
	directory: %[3]q
	pidfile: ""
	do-not-query-localhost: no
	qname-minimisation: yes
	%[5]s
	module-config: "iterator"
	num-threads: 1
remote-control:
	control-enable: no
stub-zone:
	name: "_spf.example.net"
	stub-addr: %[4]s
`

// startUnbound starts a resolver and returns its address.
func startUnbound(t *testing.T, server netip.AddrPort, options string) netip.AddrPort {
	t.Helper()
	peers.Require(t, "unbound")
	program, err := peers.Program("unbound")
	if err != nil {
		t.Fatal(err)
	}
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stub := fmt.Sprintf("%s@%d", server.Addr(), server.Port())
	conf := writeFile(t, filepath.Join(dir, "unbound.conf"), fmt.Sprintf(unboundConf, at.Addr(), at.Port(), dir, stub, options))
	cmd := exec.Command(program, "-d", "-c", conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("log of Unbound:\n%s", text)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		m := new(dns.Msg)
		m.SetQuestion("localhost.", dns.TypeA)
		if _, _, err := (&dns.Client{Timeout: 200 * time.Millisecond}).Exchange(m, at.String()); err == nil {
			return at
		} else if time.Now().After(deadline) {
			t.Fatalf("Unbound does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A real resolver, which minimises names and randomises case, comes to the
// answers that checks need.
func TestUnbound(t *testing.T) {
	for name, options := range map[string]string{
		"minimising":        "",
		"strict and random": "qname-minimisation-strict: yes\n\tuse-caps-for-id: yes",
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, testConfig(), Options{})
			at := startUnbound(t, s.address(t, false), options)
			ask := func(qname string, qtype uint16) *dns.Msg {
				t.Helper()
				m := new(dns.Msg)
				m.SetQuestion(qname, qtype)
				m.SetEdns0(1232, false)
				r, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, at.String())
				if err != nil || r.Rcode != dns.RcodeSuccess {
					t.Fatalf("%s: %v, %v", qname, r, err)
				}
				return r
			}
			for _, qname := range []string{exampleName, strings.ReplaceAll(exampleName, "shop", "other"), "2001.db8.CL.x.FD.1._spf.example.net."} {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
					if r := ask(qname, qtype); len(r.Answer) != 0 || len(r.Ns) != 1 || r.Ns[0].Header().Rrtype != dns.TypeSOA {
						t.Errorf("%s: want NODATA, got %v", qname, r)
					}
				}
			}
			r := ask("mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net.", dns.TypeTXT)
			if len(r.Answer) != 1 || r.Answer[0].(*dns.TXT).Txt[0] != "Mail from %{d} is forged" {
				t.Errorf("want the explanation, got %v", r)
			}
			// The whole name arrived, whatever came before it.
			whole := 0
			for _, e := range s.recorder.take() {
				if n, _, err := dns.UnpackDomainName(e.Name, 0); err == nil && strings.EqualFold(n, exampleName) && e.Qtype == dns.TypeA {
					whole++
				}
			}
			if whole == 0 {
				t.Error("no event has the whole name")
			}
		})
	}
}

// Other servers with our secret make cookies that we accept.
func TestCookiesOfPeers(t *testing.T) {
	const secret = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	s := startServer(t, testConfig(func(c *Config) { c.Cookies.Secrets = []Secret{mustSecret(t, secret)} }), Options{})
	for _, c := range []struct {
		kind          peers.Kind
		options, zone string
	}{
		{peers.BIND, "answer-cookie yes;\ncookie-algorithm siphash24;\ncookie-secret \"" + secret + "\";\n", "zone \"x.example\" { type primary; file %q; };\n"},
		{peers.Knot, "", "mod-cookies:\n  - id: default\n    secret: 0x" + secret + "\ntemplate:\n  - id: default\n    global-module: mod-cookies/default\nzone:\n  - domain: x.example\n    file: %q\n"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			dir := t.TempDir()
			zone := writeFile(t, filepath.Join(dir, "zone"), "@ 60 SOA @ @ 1 7200 900 2419200 60\n@ 60 NS ns1.example.net.\n")
			conf := writeFile(t, filepath.Join(dir, "conf"), fmt.Sprintf(c.zone, zone))
			at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
			if err != nil {
				t.Fatal(err)
			}
			p := peers.Run(t, peers.Config{Kind: c.kind, Address: at, Include: []string{conf}, Options: c.options})
			cookie := askForCookie(t, p.Address, "x.example.", "2464c4abcf10c957")
			_ = s.recorder.take()
			if got := askForCookie(t, s.address(t, false), exampleName, cookie); got != cookie {
				t.Errorf("cookie %s is renewed: %s", cookie, got)
			}
			if events := s.recorder.take(); len(events) != 1 || !events[0].Verified {
				t.Errorf("the cookie of %s is not accepted: %+v", c.kind, events)
			}
		})
	}
}

// askForCookie sends a cookie and returns the one that comes back.
func askForCookie(t *testing.T, at netip.AddrPort, qname, cookie string) string {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(qname, dns.TypeA)
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}}
	r := exchange(t, "udp", at, m)
	if opt := r.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok && len(c.Cookie) == 2*cookieSize {
				return c.Cookie
			}
		}
	}
	t.Fatalf("no server cookie from %v: %v", at, r)
	return ""
}
