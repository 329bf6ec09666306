package peers

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	a, err := FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// zoneConf makes a zone file and what includes it into a configuration.
func zoneConf(t *testing.T, kind Kind) string {
	t.Helper()
	dir := t.TempDir()
	zone := filepath.Join(dir, "a.example.zone")
	if err := os.WriteFile(zone, []byte("$ORIGIN a.example.\n@ 60 IN SOA ns root 7 60 60 600 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	conf := map[Kind]string{
		BIND: `zone "a.example" { type master; file "` + zone + `"; allow-transfer { 127.0.0.1; }; };`,
		NSD:  "zone:\n\tname: a.example\n\tzonefile: \"" + zone + "\"\n\tprovide-xfr: 127.0.0.1 NOKEY\n",
		Knot: "acl:\n  - id: t\n    address: 127.0.0.1\n    action: transfer\nzone:\n  - domain: a.example\n    file: \"" + zone + "\"\n    acl: t\n",
	}[kind]
	path := filepath.Join(dir, "included.conf")
	if err := os.WriteFile(path, []byte(conf+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStartStop(t *testing.T) {
	for _, kind := range []Kind{BIND, NSD, Knot} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			Require(t, kind.Programs()...)
			ctx := t.Context()
			address := freePort(t)
			s, err := Start(ctx, Config{Kind: kind, Address: address, Include: []string{zoneConf(t, kind)}})
			if err != nil {
				t.Fatal(err)
			}
			if serial, ok := Serial(ctx, address, "a.example"); !ok || serial != 7 {
				t.Errorf("Serial = %d, %v; want 7\n%s", serial, ok, s.Log())
			}
			if serial, ok := Serial(ctx, address, "b.example"); ok {
				t.Errorf("Serial of a zone that is not served = %d", serial)
			}
			rrs, err := Transfer(ctx, address, loopback, "a.example", nil)
			if err != nil || len(rrs) != 4 {
				t.Errorf("Transfer = %v, %v; want 4 records", rrs, err)
			}
			if rrs, err := Transfer(ctx, address, netip.MustParseAddr("127.0.0.2"), "a.example", nil); err == nil {
				t.Errorf("Transfer from another address = %v; want an error", rrs)
			}
			if ready := map[Kind]string{BIND: "running", NSD: "started", Knot: "started"}[kind]; !s.Logged(ready) || s.Logged("no such text") {
				t.Errorf("the log does not hold %q:\n%s", ready, s.Log())
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if !free(address) {
				t.Errorf("%v is still in use", address)
			}
			// Children end with their parent; the system then has to reap them.
			for end := time.Now().Add(5 * time.Second); syscall.Kill(-s.PID(), 0) == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Errorf("processes of group %d are left", s.PID())
					break
				}
			}
			if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", s.Dir, err)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	Require(t, BIND.Programs()...)
	_, err := Start(t.Context(), Config{Kind: BIND, Address: freePort(t), Options: "no-such-option yes;"})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("Start with a fault in the configuration: %v", err)
	}
	if _, err := Start(t.Context(), Config{Kind: "other"}); err == nil {
		t.Error("Start of an unknown server: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Start(ctx, Config{Kind: BIND, Address: freePort(t)}); err == nil {
		t.Errorf("Start with a cancelled context: no error; %v", s.Stop())
	}
}

// fakeTB records what Require does.
type fakeTB struct {
	TB
	verdict string
}

func (f *fakeTB) Helper()                        {}
func (f *fakeTB) Skipf(format string, _ ...any)  { f.verdict = "skip" }
func (f *fakeTB) Fatalf(format string, _ ...any) { f.verdict = "fail" }

func TestRequire(t *testing.T) {
	for _, tt := range []struct{ variable, program, want string }{
		{"", "sh", ""},
		{"1", "sh", ""},
		{"", "no-such-program", "skip"},
		{"1", "no-such-program", "fail"},
	} {
		t.Setenv(requireVariable, tt.variable)
		f := &fakeTB{}
		Require(f, tt.program)
		if f.verdict != tt.want {
			t.Errorf("Require(%s) with %s=%s: %q, want %q", tt.program, requireVariable, tt.variable, f.verdict, tt.want)
		}
	}
}

func TestFreePort(t *testing.T) {
	a := freePort(t)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if free(a) {
		t.Errorf("free(%v) with a socket there", a)
	}
}

func TestQueryTruncated(t *testing.T) {
	server := &dns.Server{Net: "tcp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetReply(m))
	})}
	a := freePort(t)
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = tcp
	truncating := &dns.Server{PacketConn: udp, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg).SetReply(m)
		r.Truncated = true
		_ = w.WriteMsg(r)
	})}
	for _, s := range []*dns.Server{server, truncating} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	answer, err := Query(t.Context(), a, "a.example", dns.TypeSOA, nil)
	if err != nil || answer.Truncated {
		t.Errorf("Query = %v, %v", answer, err)
	}
}
