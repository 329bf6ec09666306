package web

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/peers"
)

// TestHAProxy: behind examples/web/haproxy.cfg, viewers are who HAProxy says, from where it
// says, whatever they claim.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	peers.Require(t, "haproxy")
	program, err := peers.Program("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	s := settings(log(t))
	logged := new(lines)
	s.Logger = zerolog.New(logged)
	s.Access = Access{
		Users: []User{{Name: "alice", Role: All}, {Name: "bob", Role: Pseudonymised}},
		Proxy: Proxy{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Header: "X-Remote-User"},
		Hosts: []string{"pages.example.net"},
	}
	server := httptest.NewServer(pages(t, s))
	defer server.Close()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := peers.Certificate(t, dir, "pages.example.net")
	var pem []byte
	for _, file := range []string{cert, key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pem = append(pem, text...)
	}
	example, err := os.ReadFile("../../examples/web/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"bind :8443", "bind "+at.String(), "/etc/haproxy/pages.pem", filepath.Join(dir, "pages.pem"), "server web 127.0.0.1:8480", "server web "+server.Listener.Addr().String(),
	).Replace(string(example))
	for name, content := range map[string][]byte{"pages.pem": pem, "haproxy.cfg": []byte(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := new(lines)
	cmd := exec.Command(program, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", at.String()); err == nil {
			_ = conn.Close()
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("HAProxy does not listen: ", said)
		}
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).DialContext,
	}}
	for _, c := range []struct {
		name, password string
		code           int
		want, not      string
	}{
		{"alice", "correct horse battery staple", 200, "203.0.113.4", "~"},
		{"bob", "correct horse battery staple", 200, "~", "203.0.113.4"},
		{"alice", "wrong", 401, "", "203.0.113."},
		{"", "", 401, "", "203.0.113."},
	} {
		r := request(t, http.MethodGet, fmt.Sprintf("https://%s/api/v1/top?since=24h", at), nil, "X-Remote-User", "alice", "x-remote-user", "alice", "X-Forwarded-For", "192.0.2.66")
		r.Host = "pages.example.net"
		if c.name != "" {
			r.SetBasicAuth(c.name, c.password)
		}
		a := ask(t, client, r)
		if a.StatusCode != c.code || !strings.Contains(a.body, c.want) || strings.Contains(a.body, c.not) {
			t.Errorf("%s: %s %s", c.name, a.Status, a.body)
		}
	}
	list := audited(t, logged)
	if len(list) != 2 || list[0]["user"] != "alice" || list[1]["user"] != "bob" || list[1]["address"] != "127.0.0.9" {
		t.Error(list)
	}
}
