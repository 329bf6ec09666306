package nameserver

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"nullspf/internal/control"
	"nullspf/internal/peers"
	"nullspf/internal/secondary"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// await polls until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// secondaryConfig serves secondary zones.
func secondaryConfig(listen []netip.AddrPort, changes ...change) *Config {
	c := &Config{Blocks: []Block{{Secondary: true, Listen: listen, Limit: RateLimit{Rate: DefaultRate}}}}
	for _, change := range changes {
		change(c)
	}
	return c
}

// secondaryOf adds secondary zones, whose copies are kept in a directory.
func secondaryOf(store string, primaries []string, zones ...string) change {
	return func(c *Config) {
		g := secondary.Group{Zones: names(zones...), Store: store, Limits: xfr.DefaultLimits, Transfers: secondary.DefaultTransfers}
		for _, p := range primaries {
			g.Primaries = append(g.Primaries, xfr.Primary{Addr: netip.MustParseAddrPort(p)})
		}
		c.Secondary = append(c.Secondary, Secondary{Group: g})
	}
}

func names(texts ...string) (list []wire.Name) {
	for _, text := range texts {
		name, err := wire.ParseName(text)
		if err != nil {
			panic(err)
		}
		list = append(list, name)
	}
	return list
}

// TestSecondary has one server transfer the zones of another: with a catalog
// zone, a key and NOTIFY.
func TestSecondary(t *testing.T) {
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	site, g, _ := parkedSite(t)
	primaryAt, err := peers.FreePort(at.Addr())
	if err != nil {
		t.Fatal(err)
	}
	key := transferKey(t, "xfr", "hmac-sha256", transferSecret)
	primaryConfig := func() *Config {
		return transferConfig(t, site, func(c *Config) {
			c.Blocks[0].Listen = []netip.AddrPort{primaryAt}
			c.Transfer.Notify = []NotifyRule{{Addresses: []netip.AddrPort{at}, Key: key.Name}}
		})
	}
	store, socket := t.TempDir(), filepath.Join(t.TempDir(), "s")
	config := func() *Config {
		return secondaryConfig([]netip.AddrPort{at}, secondaryOf(store, []string{primaryAt.String()}, "missing.example"), func(c *Config) {
			c.Keys = xfr.Keys{key.Name: key}
			c.Secondary[0].Catalogs = names("catalog.invalid")
			c.Secondary[0].Primaries[0].Key = key
			c.Transfer = &Transfer{To: []TransferRule{{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Key: key.Name}}}
			c.Control = socket
		})
	}
	question := func(name string, qtype uint16) *dns.Msg {
		return exchange(t, "udp", at, new(dns.Msg).SetQuestion(name, qtype))
	}
	serves := func(name string, rcode int) func() bool {
		return func() bool { return question(name, dns.TypeSOA).Rcode == rcode }
	}
	t.Run("with primary", func(t *testing.T) {
		primary := startServer(t, primaryConfig(), Options{})
		startServer(t, config(), Options{})
		await(t, "the first transfers", serves("brand.example.", dns.RcodeSuccess))
		await(t, "the first transfers", serves("other.example.", dns.RcodeSuccess))
		for _, zone := range []string{"brand.example.", "catalog.invalid."} {
			ours, err := rightKey.transfer(t, at.String(), axfr(zone))
			theirs, err2 := rightKey.transfer(t, primaryAt.String(), axfr(zone))
			if diff := cmp.Diff(content(theirs), content(ours)); err != nil || err2 != nil || diff != "" {
				t.Errorf("%s: %v, %v\n%s", zone, err, err2, diff)
			}
		}
		for name, want := range map[string]int{
			"x.y.brand.example.":      dns.RcodeSuccess,
			"a._dmarc.brand.example.": dns.RcodeNameError,
			"missing.example.":        dns.RcodeServerFailure,
			"x.missing.example.":      dns.RcodeServerFailure,
			"none.example.":           dns.RcodeRefused,
		} {
			if r := question(name, dns.TypeMX); r.Rcode != want || r.Authoritative != (want == dns.RcodeSuccess || want == dns.RcodeNameError) {
				t.Errorf("%s: %v", name, r)
			}
		}
		if r := question("x.zones.catalog.invalid.", dns.TypePTR); len(r.Answer) > 0 {
			t.Errorf("members of the catalog zone are answered: %v", r)
		}

		// A change, an addition and a removal arrive by NOTIFY.
		g.TXT[0] = "This domain sends no email, never"
		site.Now = site.Now.Add(time.Minute)
		site.Lists[g] = "domain\nbrand.example\nthird.example\n"
		if err := site.Build(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := primary.reload(t, primaryConfig()); err != nil {
			t.Fatal(err)
		}
		await(t, "an addition", serves("third.example.", dns.RcodeSuccess))
		await(t, "a removal", serves("other.example.", dns.RcodeRefused))
		await(t, "a change", func() bool { return strings.Contains(question("brand.example.", dns.TypeTXT).String(), "never") })

		c := control.NewClient(socket)
		defer c.Close()
		var status *control.Status
		await(t, "transfers are counted", func() bool { // after they are served
			if status, err = c.Status(t.Context()); err != nil {
				t.Fatal(err)
			}
			return status.TransfersIn.Done >= 6 && status.Notifies.Received > 0 && len(status.TransfersIn.Failed) > 0
		})
		z, err := c.Zone(t.Context(), "brand.example")
		if err != nil || z.State != control.Serving || z.Catalog != "catalog.invalid" || z.Records < 5 || z.Refreshed.IsZero() || !z.Expires.After(z.Next) {
			t.Errorf("%+v, %v", z, err)
		}
		if z, err = c.Zone(t.Context(), "missing.example"); err != nil || z.State != control.Waiting || z.Error == "" {
			t.Errorf("%+v, %v", z, err)
		}
		if err := c.Retransfer(t.Context(), "brand.example"); err != nil {
			t.Error(err)
		}
		if err := c.Retransfer(t.Context(), "none.example"); !errors.Is(err, control.ErrUnknownZone) {
			t.Error(err)
		}
		await(t, "a transfer that was asked for", func() bool {
			again, err := c.Status(t.Context())
			return err == nil && again.TransfersIn.Done > status.TransfersIn.Done
		})

	})

	t.Run("without primary", func(t *testing.T) {
		s := startServer(t, config(), Options{})
		if r := question("third.example.", dns.TypeSOA); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
			t.Errorf("after a restart: %v", r)
		}
		if h := s.Health(); h.Status != "ok" {
			t.Errorf("%+v", h)
		}
	})

	old := time.Now().AddDate(-1, 0, 0)
	if err := os.Chtimes(filepath.Join(store, "third.example.zone"), time.Time{}, old); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, config(), Options{})
	if r := question("third.example.", dns.TypeSOA); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("an expired zone: %v", r)
	}
	if h := s.Health(); h.Status != "degraded" || len(h.Problems) != 1 || !strings.HasPrefix(h.Problems[0], "1 secondary zone has expired") {
		t.Errorf("%+v", h)
	}
}
