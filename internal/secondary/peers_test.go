package secondary

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/peers"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// await polls until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// peerPrimary is a real server with zones a.test, b.test and a catalog zone.
type peerPrimary struct {
	*peers.Server
	config peers.Config
	dir    string
}

func (p *peerPrimary) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name+".zone"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// zoneText is a zone with the times of a SOA record.
func zoneText(serial int, times string) string {
	return fmt.Sprintf("@ 60 SOA ns1 h %d %s 60\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n* 60 TXT \"version %d\"\nodd 60 TYPE65280 \\# 3 010203\n", serial, times, serial)
}

func catalogText(serial int, members ...string) string {
	text := fmt.Sprintf("@ 60 SOA . . %d 3600 600 86400 60\n@ 60 NS invalid.\nversion 60 TXT \"2\"\n", serial)
	for _, m := range members {
		label, zone, _ := strings.Cut(m, "=")
		text += label + ".zones 60 PTR " + zone + ".\n"
	}
	return text
}

var peerZones = []string{"a.test", "b.test", "catalog.test"}

// startPrimary starts a primary of one kind.
func startPrimary(t *testing.T, kind peers.Kind, times string) *peerPrimary {
	t.Helper()
	peers.Require(t, kind.Programs()...)
	dir := t.TempDir()
	p := &peerPrimary{dir: dir}
	p.write(t, "a.test", zoneText(1, times))
	p.write(t, "b.test", zoneText(1, times))
	p.write(t, "catalog.test", catalogText(1, "one=a.test"))
	var b strings.Builder
	if kind == peers.Knot {
		b.WriteString("acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: transfer\nzone:\n")
	}
	for _, zone := range peerZones {
		file := filepath.Join(dir, zone+".zone")
		switch kind {
		case peers.BIND:
			fmt.Fprintf(&b, "zone %q { type primary; file %q; allow-transfer { any; }; ixfr-from-differences yes; notify no; };\n", zone, file)
		case peers.NSD:
			fmt.Fprintf(&b, "zone:\n  name: %s\n  zonefile: %s\n  provide-xfr: 127.0.0.0/8 NOKEY\n  store-ixfr: yes\n  create-ixfr: yes\n", zone, file)
		case peers.Knot:
			fmt.Fprintf(&b, "  - domain: %s\n    file: %s\n    acl: all\n    zonefile-load: difference\n    journal-content: changes\n", zone, file)
		}
	}
	p.write(t, "include", b.String())
	address, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	p.config = peers.Config{Kind: kind, Address: address, Include: []string{filepath.Join(dir, "include.zone")}, Dir: filepath.Join(dir, "state")}
	p.start(t)
	return p
}

func (p *peerPrimary) start(t *testing.T) {
	t.Helper()
	server, err := peers.Start(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	p.Server = server
	t.Cleanup(func() { _ = server.Stop() })
}

// reload has the primary read the file of a zone.
func (p *peerPrimary) reload(t *testing.T, zone, text string) {
	t.Helper()
	p.write(t, zone, text)
	command := append(p.Control(), map[peers.Kind]string{peers.BIND: "reload", peers.NSD: "reload", peers.Knot: "zone-reload"}[p.Kind], zone)
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// serial waits until the primary has a serial number.
func (p *peerPrimary) serial(t *testing.T, zone string, want uint32) {
	t.Helper()
	await(t, fmt.Sprintf("the primary has %s %d", zone, want), func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, ok := peers.Serial(ctx, p.Address, zone)
		return ok && got == want
	})
}

// short are bounds that let a test see zones expire.
var short = Bounds{
	MinRefresh: time.Second, MaxRefresh: time.Hour, MinRetry: time.Second / 2, MaxRetry: time.Hour,
	MaxExpire: time.Hour, FirstRetry: time.Second / 4, LastRetry: time.Second,
}

func runSecondary(t *testing.T, p *peerPrimary, store string, zones, catalogs []wire.Name) *Engine {
	t.Helper()
	s := New(Options{Logger: zerolog.New(zerolog.NewTestWriter(t)), Bounds: short})
	configure(t, s, Group{Zones: zones, Catalogs: catalogs, Primaries: []xfr.Primary{{Addr: p.Address}}, Store: store, Limits: xfr.DefaultLimits})
	return s
}

// TestRealPrimaries: the first transfer, a change with NOTIFY, a restart and
// the end without the primary, and its return with the same serial number.
func TestRealPrimaries(t *testing.T) {
	for _, kind := range []peers.Kind{peers.BIND, peers.NSD, peers.Knot} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := startPrimary(t, kind, "3600 1 3")
			store := t.TempDir()
			zones := []wire.Name{mustName(t, "a.test"), mustName(t, "b.test")}
			s := runSecondary(t, p, store, zones, nil)
			is := func(zone string, serial uint32) func() bool {
				return func() bool { return served(t, s, zone) == serial }
			}
			await(t, "the first transfers", func() bool { return is("a.test", 1)() && is("b.test", 1)() })

			p.reload(t, "a.test", zoneText(2, "1 1 3"))
			p.serial(t, "a.test", 2)
			if s.Notified(zones[0], p.Address, nil, 2, true) != 0 {
				t.Error("NOTIFY is refused")
			}
			await(t, "the change", is("a.test", 2))
			var text strings.Builder
			if err := zonestore.WriteText(&text, s.Table().Slot(zones[0]).Zone().Records); err != nil || !strings.Contains(text.String(), "version 2") || strings.Contains(text.String(), "version 1") {
				t.Errorf("%v\n%s", err, text.String())
			}

			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
			stop(t, s)
			s = runSecondary(t, p, store, zones, nil)
			defer func() { stop(t, s) }()
			if served(t, s, "a.test") != 2 || served(t, s, "b.test") != 1 {
				t.Error("not served from disk after a restart")
			}
			await(t, "the end of a zone without its primary", is("a.test", 0))
			if served(t, s, "b.test") != 1 {
				t.Error("a zone that has an hour has ended")
			}
			p.start(t)
			await(t, "the return", is("a.test", 2))
		})
	}
}

// TestRealCatalogs: members come, go and are reset.
func TestRealCatalogs(t *testing.T) {
	for _, kind := range []peers.Kind{peers.BIND, peers.NSD, peers.Knot} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := startPrimary(t, kind, "3600 1 86400")
			catalog := mustName(t, "catalog.test")
			s := runSecondary(t, p, t.TempDir(), nil, []wire.Name{catalog})
			defer stop(t, s)
			change := func(serial int, members ...string) {
				p.reload(t, "catalog.test", catalogText(serial, members...))
				p.serial(t, "catalog.test", uint32(serial))
				s.Notified(catalog, p.Address, nil, uint32(serial), true)
			}
			await(t, "the first member", func() bool { return served(t, s, "a.test") == 1 })
			change(2, "one=a.test", "two=b.test")
			// A zone is served before its transfer is counted.
			await(t, "the second member", func() bool { return served(t, s, "b.test") == 1 && s.Status().Transferred == 4 })
			change(3, "other=b.test")
			await(t, "a removed member", func() bool { return s.Table().Slot(mustName(t, "a.test")) == nil })
			await(t, "a reset member", func() bool { return s.Status().Transferred == 6 && served(t, s, "b.test") == 1 })
		})
	}
}
