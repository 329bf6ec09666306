package nameserver

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/control"
)

// controlledServer starts a server with a control socket, where a reload loads
// what the function returns.
func controlledServer(t *testing.T, config func(...change) *Config, load func() (*Config, error)) (*testServer, *control.Client) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	s := startServer(t, config(func(c *Config) { c.Control = socket }), Options{Version: "1.2", Load: load})
	c := control.NewClient(socket)
	t.Cleanup(c.Close)
	return s, c
}

func TestControlStatus(t *testing.T) {
	_, _, config := parkedSite(t)
	var next *Config
	s, c := controlledServer(t, config, func() (*Config, error) {
		if next == nil {
			return nil, errors.New("Corefile: rubbish")
		}
		return next, nil
	})
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[control.Kind]int{control.Tracking: 1, control.Parked: 2, control.Catalog: 1}
	for _, n := range status.Zones {
		if want[n.Kind] != n.Serving || n.Waiting+n.Expired != 0 {
			t.Errorf("%+v, want %v", n, want)
		}
		delete(want, n.Kind)
	}
	if len(want) > 0 || status.Version != "1.2" || status.PID != os.Getpid() || len(status.Listen) != 2 || time.Since(status.Started) > time.Minute {
		t.Errorf("%+v; missing: %v", status, want)
	}

	if err := c.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "Corefile:") {
		t.Errorf("reload of a broken configuration: %v", err)
	}
	status, err = c.Status(t.Context())
	if err != nil || status.Reloads.Failed != 1 || status.Reloads.Error == "" || len(status.Problems) != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	// The reload takes away the socket at which it was asked for.
	next = config()
	withoutIPv6(next)
	if err := c.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	// It goes once the answer has left.
	await(t, "the socket is gone", func() bool {
		_, err := c.Status(t.Context())
		return errors.As(err, new(*control.SocketError))
	})
	if n := s.reloads.Load(); n != 1 {
		t.Errorf("%d reloads", n)
	}
}

func TestControlZones(t *testing.T) {
	_, _, config := parkedSite(t)
	_, c := controlledServer(t, config, nil)
	var list []string
	err := c.Zones(t.Context(), control.Filter{}, func(z *control.Zone) error {
		list = append(list, string(z.Kind)+" "+z.Name)
		return nil
	})
	if got := strings.Join(list, ", "); err != nil || got != "tracking _spf.example.net, parked brand.example, parked other.example, catalog catalog.invalid" {
		t.Errorf("%s, %v", got, err)
	}
	for name, kind := range map[string]control.Kind{
		"BRAND.example.": control.Parked, "catalog.invalid": control.Catalog, "_spf.example.net": control.Tracking,
	} {
		z, err := c.Zone(t.Context(), name)
		if err != nil || z.Kind != kind || z.State != control.Serving || z.Name != strings.ToLower(strings.TrimSuffix(name, ".")) {
			t.Errorf("%s: %+v, %v", name, z, err)
		}
		if err := c.Retransfer(t.Context(), name); !errors.Is(err, control.ErrNotApplicable) {
			t.Errorf("retransfer of %s: %v", name, err)
		}
	}
	var text bytes.Buffer
	if err := c.ZoneText(t.Context(), "brand.example", &text); err != nil || !strings.HasPrefix(text.String(), "brand.example.\t") || !strings.Contains(text.String(), "v=DMARC1") {
		t.Errorf("%s, %v", &text, err)
	}
	if err := c.ZoneText(t.Context(), "_spf.example.net", &text); !errors.Is(err, control.ErrNotApplicable) {
		t.Errorf("text of a tracking zone: %v", err)
	}
	for _, name := range []string{"none.example", strings.Repeat("x", 70), ".", "www.brand.example"} {
		if _, err := c.Zone(t.Context(), name); !errors.Is(err, control.ErrUnknownZone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestControlNotify(t *testing.T) {
	_, _, config := parkedSite(t)
	_, c := controlledServer(t, config, nil)
	if err := c.Notify(t.Context(), "brand.example"); !errors.Is(err, control.ErrNotApplicable) || !strings.Contains(err.Error(), "nobody is to be notified") {
		t.Errorf("without secondaries: %v", err)
	}

	secondary, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer secondary.Close()
	at := netip.MustParseAddrPort(secondary.LocalAddr().String())
	_, c = controlledServer(t, func(changes ...change) *Config {
		return config(append(changes, func(c *Config) {
			c.Transfer = &Transfer{
				To:     []TransferRule{{Prefixes: []netip.Prefix{netip.PrefixFrom(at.Addr(), 32)}}},
				Notify: []NotifyRule{{Addresses: []netip.AddrPort{at}}},
			}
		})...)
	}, nil)
	told := make(chan string, 100)
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := secondary.ReadFrom(b)
			m := new(dns.Msg)
			if err != nil || m.Unpack(b[:n]) != nil {
				return
			}
			told <- m.Question[0].Name
			m.Response = true
			if answer, err := m.Pack(); err == nil {
				_, _ = secondary.WriteTo(answer, from)
			}
		}
	}()
	// At the start, it is told of all.
	seen := make(map[string]bool)
	for len(seen) < 3 {
		seen[<-told] = true
	}
	if err := c.Notify(t.Context(), "other.example"); err != nil {
		t.Fatal(err)
	}
	if name := <-told; name != "other.example." {
		t.Errorf("told of %s", name)
	}
	if z, err := c.Zone(t.Context(), "other.example"); err != nil || len(z.Secondaries) != 1 || z.Secondaries[0] != secondary.LocalAddr().String() {
		t.Errorf("%+v, %v", z, err)
	}
	if err := c.Notify(t.Context(), "_spf.example.net"); !errors.Is(err, control.ErrNotApplicable) {
		t.Errorf("a tracking zone: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s, err := c.Status(t.Context())
		if err == nil && s.Notifies.Acknowledged == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", s, err)
		}
	}
}

// TestParkedNeedsNoJournal: without a tracking zone there are no events.
func TestParkedNeedsNoJournal(t *testing.T) {
	site, _, _ := parkedSite(t)
	log := new(logBuffer)
	s, err := Start(parkedConfig(site), Options{Logger: zerolog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	if h := s.Health(); h.Status != "ok" {
		t.Errorf("%+v", h)
	}
	if err := s.Stop(); err != nil || strings.Contains(log.String(), "journal") || strings.Contains(log.String(), "error") {
		t.Errorf("%v\n%s", err, log)
	}
}

// TestControlFailure: a socket that cannot be made fails the start and changes
// nothing.
func TestControlFailure(t *testing.T) {
	c := testConfig(func(c *Config) { c.Journal, c.Control = nil, "/nonexistent/socket" })
	withoutIPv6(c)
	if s, err := Start(c, Options{}); err == nil {
		t.Error("started", s.Stop())
	}
}
