package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/journal"
	"nullspf/internal/keypair"
	"nullspf/internal/peers"
	"nullspf/internal/web"
)

// TestWebServes: with a certificate and a user, the pages are served by TLS to who has logged
// in, and with the next certificate when the files change.
func TestWebServes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := journal.Create(filepath.Join(dir, "var"), "ns1.example.net")
	if err == nil {
		err = c.Close(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	const password = "correct horse battery"
	hash, err := web.NewHash([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	peers.Certificate(t, dir, "first.example.net")
	file := filepath.Join(dir, "nullspf.yaml")
	writeText(t, filepath.Join(dir, "list.txt"), "example.com\n", 0o644)
	writeText(t, file, "nameservers: [ns1.example.net]\nsoa: {rname: hostmaster.example.net}\ngroups: {generic: {list: list.txt}}\n"+
		"web: {listen: '127.0.0.1:0', certificate: mx.crt, key: mx.key, pseudonym_key: KEY, users: [{name: alice, role: pseudonymised, hash: "+string(hash)+"}]}\n", 0o600)
	// A process of its own, which lowers its priority.
	cmd := exec.CommandContext(t.Context(), os.Args[0], "web", "-c", file)
	cmd.Args[0], cmd.Stderr = "nullspf", os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	base := strings.TrimSuffix(strings.TrimSpace(line), "/")
	if err != nil || !strings.HasPrefix(base, "https://127.0.0.1:") {
		t.Fatal(line, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	get := func(path string) (*http.Response, string) {
		t.Helper()
		response, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	if r, body := get("/servers"); r.Request.URL.Path != "/login" || !strings.Contains(body, `autocomplete="current-password"`) {
		t.Errorf("%s: %s", r.Request.URL, body)
	}
	r, err := client.PostForm(base+"/login", url.Values{"name": {"alice"}, "password": {password}, "next": {"/servers"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r, body := get("/servers"); r.Request.URL.Path != "/servers" || !strings.Contains(body, "alice, pseudonymised") || r.TLS.PeerCertificates[0].DNSNames[0] != "first.example.net" {
		t.Errorf("%s: %s", r.Request.URL, body)
	}
	peers.Certificate(t, dir, "second.example.net")
	time.Sleep(keypair.CheckEvery)
	if r, _ := get("/servers"); r.TLS.PeerCertificates[0].DNSNames[0] != "second.example.net" {
		t.Errorf("the certificate of %s", r.TLS.PeerCertificates[0].DNSNames)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestFairListener: who holds all connections loses some to others.
func TestFairListener(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const most = 20
	listener := newFairListener(inner, most, func(netip.Addr) bool { return false })
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go func() { _ = serve(ctx, listener, http.NotFoundHandler(), nil, zerolog.Nop()) }()
	dial := func(from string) net.Conn {
		t.Helper()
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	for range 3 * most {
		dial("127.0.0.1")
	}
	for range most / 2 {
		conn := dial("127.0.9.1")
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if n := listener.open.Counts(); n.Open != most || n.Evicted == 0 {
		t.Errorf("%+v", n)
	}
}

// TestPagesWeighByTheClock: pages and reports tell tiers by the clock, whatever time builds
// are made for.
func TestPagesWeighByTheClock(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000") // before the events
	dir := t.TempDir()
	file := filepath.Join(dir, "nullspf.yaml")
	writeText(t, filepath.Join(dir, "list.txt"), "shop.example\n", 0o644)
	writeText(t, file, "nameservers: [ns1.example.net]\nsoa: {rname: hostmaster.example.net}\ngroups: {generic: {list: list.txt}}\n", 0o644)
	build := exec.CommandContext(t.Context(), os.Args[0], "zones", "-c", file)
	build.Args[0] = "nullspf"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	events := filepath.Join(dir, "events")
	writeText(t, events, "1m 192.0.2.53/tcp A 203.0.113.7.in-addr.CL.shop.example.FD.1\n", 0o644)
	if err := writeFixture(filepath.Join(dir, "var"), events, "ns1.example.net", false, 0); err != nil {
		t.Fatal(err)
	}
	a, f := &app{configPath: file}, &logFlags{journals: []string{filepath.Join(dir, "var")}}
	forger := netip.MustParseAddr("203.0.113.7")
	why, err := a.whyOf(nil, f)(t.Context(), forger)
	if err != nil || why.Tier != "claimed" || len(why.Lines) == 0 || !strings.Contains(why.Lines[0], "1 that count") {
		t.Errorf("%+v, %v", why, err)
	}
	if tiers, err := a.tiersOf(nil, f)(t.Context(), []netip.Addr{forger}); err != nil || tiers[forger] != "claimed" {
		t.Errorf("%v, %v", tiers, err)
	}
}

// TestListenTaken: where another program listens, that is told with what to do.
func TestListenTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := rootCommand()
	c.SetArgs([]string{"web", "--journal", dir, "--listen", taken.Addr().String()})
	if err := c.ExecuteContext(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "address already in use; name another address with --listen or web.listen") {
		t.Error(err)
	}
}
