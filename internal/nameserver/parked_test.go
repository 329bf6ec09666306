package nameserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/testsite"
	"nullspf/zones"
)

// parkedSite publishes some zones and returns the site, and a configuration that
// serves them beside a tracking zone.
func parkedSite(t *testing.T) (s *testsite.Site, g *zones.Group, config func(...change) *Config) {
	t.Helper()
	g = testsite.Group("generic")
	s = &testsite.Site{
		Dir: t.TempDir(), Catalog: "catalog.invalid", Now: time.Unix(1_800_000_000, 0),
		Lists: map[*zones.Group]string{g: "domain\nbrand.example\nother.example\n"},
	}
	if err := s.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, g, func(changes ...change) *Config {
		return testConfig(append([]change{listening("::1"), parked(s.Output())}, changes...)...)
	}
}

// parked adds a block with the parked zones of a directory.
func parked(dir string) change {
	return func(c *Config) {
		c.Blocks = append(c.Blocks, Block{Parked: true, Listen: listenAt("127.0.0.1"), Limit: RateLimit{Rate: DefaultRate}})
		c.Parked = &Parked{Dir: dir}
	}
}

// parkedConfig serves the parked zones of a site and nothing else.
func parkedConfig(s *testsite.Site, changes ...change) *Config {
	c := new(Config)
	for _, change := range append([]change{parked(s.Output())}, changes...) {
		change(c)
	}
	return c
}

// unlimited switches the rate limit off.
func unlimited(c *Config) {
	for i := range c.Blocks {
		c.Blocks[i].Limit.Rate = 0
	}
}

func TestParkedServed(t *testing.T) {
	_, _, config := parkedSite(t)
	s := startServer(t, config(), Options{})
	at := s.address(t, false)
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			qname     string
			qtype     uint16
			rcode     int
			aa        bool
			answer    int
			authority int
		}{
			{"BRAND.example.", dns.TypeTXT, dns.RcodeSuccess, true, 4, 0},
			{"x.brand.example.", dns.TypeMX, dns.RcodeSuccess, true, 2, 0},
			{"x.brand.example.", dns.TypeA, dns.RcodeSuccess, true, 0, 1},
			{"x._dmarc.other.example.", dns.TypeA, dns.RcodeNameError, true, 0, 1},
			{"none.example.", dns.TypeA, dns.RcodeRefused, false, 0, 0},
			{"brand.example.", dns.TypeDS, dns.RcodeSuccess, true, 0, 1},
		} {
			m := new(dns.Msg).SetQuestion(c.qname, c.qtype)
			m.SetEdns0(1232, true)
			r := exchange(t, network, at, m)
			if r.Rcode != c.rcode || r.Authoritative != c.aa || len(r.Answer) != c.answer || len(r.Ns) != c.authority || r.Truncated || r.IsEdns0() == nil {
				t.Errorf("%s %s %s: %v", network, c.qname, dns.TypeToString[c.qtype], r)
			}
		}
	}
	if n := s.zoneCounts(); n["parked"] != 2 || n["tracking"] != 1 {
		t.Errorf("zones: %v", n)
	}
	if events := s.recorder.take(); len(events) != 0 {
		t.Errorf("queries for parked zones are events: %v", events)
	}
}

// 100 reloads, each with changed zones, cost no query; each version is
// served, and transferred, as a whole.
func TestParkedReloadUnderLoad(t *testing.T) {
	site, g, _ := parkedSite(t)
	s := startServer(t, transferConfig(t, site), Options{Workers: 2})
	at := s.address(t, false)
	l := startLoad(t, at, 8, "www.brand.example.")
	stop := make(chan struct{})
	var transfers sync.WaitGroup
	transferred := 0
	transfers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			rrs, err := rightKey.transfer(t, at.String(), axfr("brand.example."))
			if err != nil || len(rrs) < 10 || rrs[0].String() != rrs[len(rrs)-1].String() {
				t.Errorf("transfer %d: %v, %v", transferred, rrs, err)
				return
			}
			transferred++
		}
	})
	for i := range 100 {
		g.TXT = []string{fmt.Sprintf("version %d of {domain}", i)}
		site.Now = site.Now.Add(time.Second)
		if err := site.Build(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.reload(t, transferConfig(t, site)); err != nil {
			t.Fatal(err)
		}
		r := exchange(t, "udp", at, new(dns.Msg).SetQuestion("brand.example.", dns.TypeTXT))
		want := fmt.Sprintf(`"version %d of brand.example"`, i)
		if len(r.Answer) != 2 || !strings.Contains(fmt.Sprint(r.Answer), want) {
			t.Fatalf("answer %v, want %s", r.Answer, want)
		}
	}
	asked := l.end()
	close(stop)
	transfers.Wait()
	c := s.settled(t)
	if got := c.UDP.Received + c.TCP.Received; got != asked+100+uint64(transferred) || c.UDP.Dropped+c.TCP.Dropped != 0 || asked < 1000 || transferred < 10 {
		t.Errorf("%d queries and %d transfers asked, %+v", asked, transferred, c)
	}
	if n := strings.Count(s.log.String(), `"changed":2`); n != 100 {
		t.Errorf("%d reloads tell of two changed zones", n)
	}
}

// A directory that is being written is not loaded; the old zones stay.
func TestParkedReloadRefused(t *testing.T) {
	site, _, config := parkedSite(t)
	s := startServer(t, config(), Options{})
	if err := os.WriteFile(filepath.Join(site.Output(), "manifest"), []byte("brand.example\tgeneric\t1\t0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t, config()); !errors.Is(err, zones.ErrUnderWay) {
		t.Errorf("reload: %v", err)
	}
	r := exchange(t, "udp", s.address(t, false), new(dns.Msg).SetQuestion("other.example.", dns.TypeSOA))
	if len(r.Answer) != 1 {
		t.Errorf("the old zone is gone: %v", r)
	}
}
