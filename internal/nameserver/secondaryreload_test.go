package nameserver

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// Reloads of a secondary, which change what it has zones from and how it
// serves them, cost no query.
func TestSecondaryReloadUnderLoad(t *testing.T) {
	site, _, _ := parkedSite(t)
	from := startServer(t, parkedConfig(site, func(c *Config) {
		c.Transfer = &Transfer{To: []TransferRule{{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}}
	}), Options{}).address(t, false)
	store, other := t.TempDir(), t.TempDir()
	variant := func(i int) *Config {
		c := secondaryConfig(listenAt("127.0.0.1"), secondaryOf(store, []string{from.String()}), func(c *Config) {
			c.Secondary[0].Catalogs = names("catalog.invalid")
		})
		switch i % 4 {
		case 1:
			secondaryOf(other, []string{"127.0.0.1:9"}, "unreachable.example")(c)
		case 2:
			c.Log = LogErrors
		case 3:
			unlimited(c)
		}
		return c
	}
	s := startServer(t, variant(0), Options{Workers: 2})
	own := s.address(t, false)
	await(t, "the zone is served", func() bool {
		return exchange(t, "udp", own, new(dns.Msg).SetQuestion("brand.example.", dns.TypeSOA)).Rcode == dns.RcodeSuccess
	})
	before := s.settled(t)
	l := startLoad(t, own, 8, "www.brand.example.")
	for i := 0; i < 100 || l.asked.Load() < 500 && !t.Failed(); i++ {
		if err := s.reload(t, variant(i)); err != nil {
			t.Fatal(err)
		}
	}
	asked := l.end()
	c := s.settled(t)
	got := c.UDP.Answered + c.TCP.Answered - before.UDP.Answered - before.TCP.Answered
	if got != asked || c.UDP.Dropped+c.TCP.Dropped != 0 {
		t.Errorf("%d queries sent, %d answered: %+v", asked, got, c)
	}
}
