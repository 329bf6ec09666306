package blocklist

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
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

// The programs for which lists are written read them here, and are asked about clients
// that are listed, beside those, and elsewhere.

type client struct {
	address string
	listed  bool
}

var clients = []client{
	{"203.0.113.7", true}, {"203.0.113.8", false}, {"203.0.113.6", false}, {"203.0.113.0", true}, {"203.0.113.255", true}, {"198.51.100.1", false},
	{"2001:db8:7::25", true}, {"2001:db8:7::ffff:ffff:ffff:ffff", true}, {"2001:db8:7:1::25", false}, {"2001:db8:6:ffff::25", false}, {"2001:db8:8:1::1", true}, {"2001:db8:8::1", false},
}

const reasonOf7 = "forged brand.example, shop.example, a.example and 1 more, last 2026-11-27"

// listFiles writes the test list in all formats and returns their directory, which
// everybody may read.
func listFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range Formats {
		if _, _, err := f.Replace(filepath.Join(dir, f.Name), testList(), 100, 0); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// output runs a program to its end.
func output(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	program, err := peers.Program(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, argv[1:]...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// start runs a program in the foreground until the test ends, and returns its output.
func start(t *testing.T, dir string, argv ...string) *bytes.Buffer {
	t.Helper()
	program, err := peers.Program(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, program, argv[1:]...)
	c.Dir = dir
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = c.Wait() })
	return &out
}

func port(t *testing.T) netip.AddrPort {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

// reverseName is the name below a block list that is asked for about an address.
func reverseName(address string) string {
	a := netip.MustParseAddr(address)
	if a.Is4() {
		return dnsblKey(&Entry{Prefix: netip.PrefixFrom(a, 32)}) + ".bl.example.net."
	}
	return nibbles(a.AsSlice()) + ".bl.example.net."
}

// askList asks a nameserver about all clients.
func askList(t *testing.T, at netip.AddrPort) {
	t.Helper()
	for _, c := range append([]client{{"127.0.0.2", true}, {"::ffff:127.0.0.2", true}, {"127.0.0.1", false}}, clients...) {
		name := reverseName(c.address)
		m, err := peers.Query(t.Context(), at, name, dns.TypeA, nil)
		if err != nil {
			t.Fatal(err)
		}
		listed := len(m.Answer) == 1 && strings.HasSuffix(m.Answer[0].String(), "\t127.0.0.2")
		if listed != c.listed || !listed && m.Rcode != dns.RcodeNameError {
			t.Errorf("%s: %s", c.address, m)
		}
	}
	m, err := peers.Query(t.Context(), at, reverseName("203.0.113.7"), dns.TypeTXT, nil)
	if err != nil || len(m.Answer) != 1 || !strings.Contains(m.Answer[0].String(), `"`+reasonOf7+`"`) {
		t.Errorf("TXT: %v, %v", m, err)
	}
}

func TestRbldnsd(t *testing.T) {
	t.Parallel()
	peers.Require(t, "rbldnsd")
	dir, at := listFiles(t), port(t)
	log := start(t, dir, "rbldnsd", "-n", "-u", "nobody", "-b", fmt.Sprintf("%s/%d", at.Addr(), at.Port()),
		"bl.example.net:ip4trie:rbldnsd-ip4trie", "bl.example.net:ip6trie:rbldnsd-ip6trie")
	eventually(t, "rbldnsd", func() bool {
		_, err := peers.Query(t.Context(), at, "bl.example.net.", dns.TypeSOA, nil)
		return err == nil
	})
	askList(t, at)
	m, err := peers.Query(t.Context(), at, "bl.example.net.", dns.TypeNS, nil)
	if err != nil || len(m.Answer) != 2 {
		t.Errorf("NS: %v, %v", m, err)
	}
	if text := log.String(); strings.Contains(text, "warn") || strings.Contains(text, "invalid") || strings.Contains(text, "ignored") {
		t.Errorf("rbldnsd says\n%s", text)
	}
}

func TestZoneFile(t *testing.T) {
	t.Parallel()
	peers.Require(t, append(peers.BIND.Programs(), "named-checkzone")...)
	dir, at := listFiles(t), port(t)
	if out := output(t, dir, "named-checkzone", "bl.example.net", "dnsbl"); strings.Contains(out, "warn") {
		t.Error(out)
	}
	include := filepath.Join(dir, "zone.conf")
	if err := os.WriteFile(include, fmt.Appendf(nil, "zone \"bl.example.net\" { type primary; file \"%s/dnsbl\"; };\n", dir), 0o644); err != nil {
		t.Fatal(err)
	}
	peers.Run(t, peers.Config{Kind: peers.BIND, Address: at, Include: []string{include}})
	askList(t, at)
}

// inNamespace runs a shell script in a network namespace of its own, in which all clients
// have their addresses.
func inNamespace(t *testing.T, dir, script string) string {
	t.Helper()
	peers.RequireRoot(t, "a network namespace")
	peers.Require(t, "unshare", "ip")
	setup := "set -e; ip link set lo up; "
	for _, c := range clients {
		setup += "ip address add " + c.address + " dev lo; "
	}
	return output(t, dir, "unshare", "-n", "sh", "-c", setup+script)
}

// TestResponsePolicy: BIND answers clients that are listed with NXDOMAIN, and queries about
// names that have listed addresses, too.
func TestResponsePolicy(t *testing.T) {
	t.Parallel()
	peers.Require(t, "named", "named-checkzone", "dig")
	dir := listFiles(t)
	if out := output(t, dir, "named-checkzone", "rpz.example.net", "rpz"); strings.Contains(out, "warn") {
		t.Error(out)
	}
	zone := "$TTL 60\n@ IN SOA ns.invalid. h.invalid. 1 60 60 60 60\n@ IN NS ns.invalid.\nok IN A 192.0.2.1\n"
	script := `named -g -n 1 -c named.conf >log 2>&1 & named=$!
until dig +tries=1 +time=1 -p 5300 @127.0.0.1 ok.test A >/dev/null; do kill -0 $named; sleep 0.1; done
`
	some := slices.Concat(clients[:3], clients[6:7], clients[8:9])
	for i, c := range some {
		rrtype, server := "A", "127.0.0.1"
		if strings.Contains(c.address, ":") {
			rrtype, server = "AAAA", "::1"
		}
		zone += fmt.Sprintf("n%d IN %s %s\n", i, rrtype, c.address)
		script += fmt.Sprintf("echo client %d $(dig +noall +comments -b %s -p 5300 @%s ok.test A | grep -o 'status: [A-Z]*')\n", i, c.address, server)
		script += fmt.Sprintf("echo name %d $(dig +noall +comments -p 5300 @127.0.0.1 n%d.test %s | grep -o 'status: [A-Z]*')\n", i, i, rrtype)
	}
	conf := fmt.Sprintf(`options {
	directory "%[1]s"; pid-file none; session-keyfile "%[1]s/session.key"; managed-keys-directory "%[1]s";
	listen-on port 5300 { 127.0.0.1; }; listen-on-v6 port 5300 { ::1; };
	allow-query { any; }; allow-recursion { any; }; dnssec-validation no; empty-zones-enable no;
	response-policy { zone "rpz.example.net"; };
};
controls { };
zone "rpz.example.net" { type primary; file "rpz"; allow-query { none; }; };
zone "test" { type primary; file "test.zone"; };
`, dir)
	for name, text := range map[string]string{"named.conf": conf, "test.zone": zone} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := inNamespace(t, dir, script+"kill $named; wait $named")
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	for i, c := range some {
		status := "NOERROR"
		if c.listed {
			status = "NXDOMAIN"
		}
		for _, line := range []string{fmt.Sprintf("client %d status: %s\n", i, status), fmt.Sprintf("name %d status: %s\n", i, status)} {
			if !strings.Contains(out, line) {
				t.Errorf("%s: want %q in\n%s", c.address, line, out)
			}
		}
	}
	if bytes.Contains(log, []byte("invalid rpz")) || bytes.Contains(log, []byte("rpz: warning")) {
		t.Errorf("named says\n%s", log)
	}
}

func TestPostfix(t *testing.T) {
	t.Parallel()
	peers.Require(t, "postmap")
	dir := listFiles(t)
	for _, c := range clients {
		cmd := exec.CommandContext(t.Context(), "postmap", "-q", c.address, "cidr:"+filepath.Join(dir, "postfix"))
		out, err := cmd.CombinedOutput()
		if text := string(out); (err == nil) != c.listed || c.listed && !strings.HasPrefix(text, "REJECT This address forged ") || !c.listed && text != "" {
			t.Errorf("%s: %v, %s", c.address, err, out)
		}
	}
}

// TestSendmail has makemap build a database, and looks for the keys for which sendmail
// asks: an address, and its groups with fewer and fewer of them.
func TestSendmail(t *testing.T) {
	t.Parallel()
	program := peers.Makemap(t)
	dir := listFiles(t)
	if err := os.WriteFile(filepath.Join(dir, "empty.cf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	input, err := os.Open(filepath.Join(dir, "sendmail"))
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	build := exec.CommandContext(t.Context(), program, "-C", "empty.cf", "hash", "access")
	build.Dir, build.Stdin = dir, input
	if out, err := build.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("makemap: %v\n%s", err, out)
	}
	dump := exec.CommandContext(t.Context(), program, "-C", "empty.cf", "-u", "hash", "access")
	dump.Dir = dir
	out, err := dump.Output()
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		table[key] = value
	}
	for _, c := range clients {
		prefix, parts, separator := "connect:", strings.Split(c.address, "."), "."
		if a := netip.MustParseAddr(c.address); a.Is6() {
			prefix, parts, separator = "connect:ipv6:", nil, ":"
			b := a.As16()
			for i := 0; i < len(b); i += 2 {
				parts = append(parts, fmt.Sprintf("%x", int(b[i])<<8|int(b[i+1])))
			}
		}
		value, found := "", false
		for ; !found && len(parts) > 0; parts = parts[:len(parts)-1] {
			value, found = table[prefix+strings.Join(parts, separator)]
		}
		if found != c.listed || found && !strings.HasPrefix(value, "ERROR:5.7.1:550 This address forged ") {
			t.Errorf("%s: %q, %v", c.address, value, found)
		}
	}
}

func TestNftables(t *testing.T) {
	t.Parallel()
	peers.Require(t, "nft")
	dir := listFiles(t)
	rules := `add table inet nullspf
add set inet nullspf forgers4 { type ipv4_addr; flags timeout; }
add chain inet nullspf input { type filter hook input priority 0; }
add rule inet nullspf input ip saddr @forgers4 counter
`
	if err := os.WriteFile(filepath.Join(dir, "rules"), []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	script := "nft -c -f nftables; nft -f rules; nft -f nftables; nft -f nftables; nft list chain inet nullspf input\n"
	for i, c := range clients {
		set := "forgers4"
		if strings.Contains(c.address, ":") {
			set = "forgers6"
		}
		script += fmt.Sprintf("nft get element inet nullspf %s '{ %s }' >/dev/null 2>&1 && echo %d listed || echo %d not\n", set, c.address, i, i)
	}
	checkLines(t, inNamespace(t, dir, script), "saddr @forgers4 counter")
}

func TestIPSet(t *testing.T) {
	t.Parallel()
	peers.Require(t, "ipset")
	dir := listFiles(t)
	script := "ipset restore <ipset; ipset restore <ipset; ipset list forgers4 | grep 203.0.113.7\n"
	for i, c := range clients {
		set := "forgers4"
		if strings.Contains(c.address, ":") {
			set = "forgers6"
		}
		script += fmt.Sprintf("ipset test %s %s >/dev/null 2>&1 && echo %d listed || echo %d not\n", set, c.address, i, i)
	}
	checkLines(t, inNamespace(t, dir, script), reasonOf7)
}

// checkLines looks for a line about each client, and for another text.
func checkLines(t *testing.T, out, other string) {
	t.Helper()
	for i, c := range clients {
		want := fmt.Sprintf("\n%d not\n", i)
		if c.listed {
			want = fmt.Sprintf("\n%d listed\n", i)
		}
		if !strings.Contains("\n"+out, want) {
			t.Errorf("%s: want %q in\n%s", c.address, want, out)
		}
	}
	if !strings.Contains(out, other) {
		t.Errorf("no %q in\n%s", other, out)
	}
}

// get asks an HTTP server with a header.
func get(t *testing.T, method, url, header, value, body string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(header, value)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	peers.Require(t, "haproxy")
	dir, at := listFiles(t), port(t)
	conf := fmt.Sprintf(`defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend ask
	bind %s
	http-request return status 200 content-type text/plain lf-string "%%[req.hdr(x-client),map_ip(haproxy,none)]"
`, at)
	if err := os.WriteFile(filepath.Join(dir, "haproxy.cfg"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := output(t, dir, "haproxy", "-c", "-f", "haproxy.cfg"); strings.Contains(out, "WARN") {
		t.Error(out)
	}
	start(t, dir, "haproxy", "-db", "-f", "haproxy.cfg")
	url := "http://" + at.String()
	eventually(t, "HAProxy", func() bool { _, err := get(t, http.MethodGet, url, "X-Client", "192.0.2.1", ""); return err == nil })
	for _, c := range clients {
		text, err := get(t, http.MethodGet, url, "X-Client", c.address, "")
		if err != nil || strings.HasPrefix(text, "forged ") != c.listed || !c.listed && text != "none" {
			t.Errorf("%s: %q, %v", c.address, text, err)
		}
	}
}

func TestRspamd(t *testing.T) {
	t.Parallel()
	peers.Require(t, "rspamd")
	dir, at := listFiles(t), port(t)
	conf := fmt.Sprintf(`options {
	pidfile = "%[1]s/pid"; url_tld = "%[1]s/suffixes"; filters = ""; tempdir = "%[1]s"; hs_cache_dir = "%[1]s"; control_socket = "%[1]s/control";
	dns { nameserver = ["127.0.0.1:%[2]d"]; }
}
logging { type = "console"; level = "info"; }
lua = "/usr/share/rspamd/rules/rspamd.lua";
actions { reject = 15; }
worker "normal" { bind_socket = "%[3]s"; count = 1; }
modules { path = "/usr/share/rspamd/plugins/multimap.lua"; }
multimap { FORGER { type = "ip"; map = "file://%[1]s/rspamd"; symbol = "FORGER"; score = 3.0; } }
`, dir, port(t).Port(), at)
	for name, text := range map[string]string{"rspamd.conf": conf, "suffixes": "com\nexample\nnet\norg\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := start(t, dir, "rspamd", "-f", "-i", "-c", "rspamd.conf")
	url := "http://" + at.String() + "/checkv2"
	ask := func(client string) (string, error) {
		return get(t, http.MethodPost, url, "IP", client, "From: a@b.example\r\nSubject: x\r\n\r\nx\r\n")
	}
	eventually(t, "rspamd", func() bool { text, err := ask("203.0.113.7"); return err == nil && strings.Contains(text, `"FORGER"`) })
	for _, c := range clients {
		text, err := ask(c.address)
		if err != nil || strings.Contains(text, `"FORGER"`) != c.listed || !strings.Contains(text, `"action"`) {
			t.Errorf("%s: %v\n%s", c.address, err, text)
		}
	}
	if strings.Contains(log.String(), "invalid map") {
		t.Errorf("rspamd says\n%s", log)
	}
}
