package nameserver

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// Every query that is answered under load, over UDP and TCP, through
// reloads, is in the journal once, in both sync modes.
func TestJournal(t *testing.T) {
	for sync, strict := range map[string]bool{"interval": false, "strict": true} {
		t.Run(sync, func(t *testing.T) {
			t.Chdir(t.TempDir())
			read := func() (*Config, error) {
				c := testConfig(func(c *Config) { c.Journal = &Journal{Dir: "var", Server: "test", Strict: strict} })
				withoutIPv6(c)
				return c, nil
			}
			config, _ := read()
			s, err := Start(config, Options{Logger: zerolog.Nop(), Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			ts := &testServer{Server: s}
			l := startLoad(t, ts.address(t, false), 8, exampleName)
			for range 5 {
				time.Sleep(50 * time.Millisecond)
				if err := s.Reload(read); err != nil {
					t.Error(err)
				}
			}
			asked := l.end()
			// One odd query, which takes the slow path.
			m := new(dns.Msg)
			m.SetQuestion(exampleName, dns.TypeA)
			m.Extra = []dns.RR{&dns.NULL{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNULL, Class: dns.ClassINET}}, &dns.NULL{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNULL, Class: dns.ClassINET}}}
			exchange(t, "udp", ts.address(t, false), m)
			asked++
			counts := ts.settled(t)
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			stats := s.recorder.Stats()
			for reason, n := range stats.Lost {
				if n > 0 {
					t.Errorf("%d events lost: %s", n, reason)
				}
			}
			if asked < 100 || counts.Tracked != asked || stats.Stored != asked {
				t.Errorf("%d queries sent, %d events counted, %d stored", asked, counts.Tracked, stats.Stored)
			}
			if got := storedEvents(t, "var"); got != asked {
				t.Errorf("%d queries sent, %d events in the journal", asked, got)
			}
		})
	}
}

// storedEvents reads a journal back.
func storedEvents(t *testing.T, dir string) (n uint64) {
	t.Helper()
	view, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for _, s := range view.Manifest.Segments {
		n += s.Rows
	}
	err = view.Tail(func(e *spftrack.Event) error {
		n++
		if e.Zone != "_spf.example.net" || e.Server != "test" || e.Forged != "shop.example" || e.Kind != spftrack.KindExists {
			t.Fatalf("event %+v", e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Without a journal, events are counted as lost, and health says so.
func TestNoJournal(t *testing.T) {
	s := startServer(t, testConfig(func(c *Config) { c.Journal = nil }), Options{})
	exchange(t, "udp", s.address(t, false), answerCases[0].query())
	c := s.settled(t)
	if h := s.Health(); c.Tracked != 1 || h.Lost["unconfigured"] != 1 || h.Status != "degraded" {
		t.Errorf("%+v, %+v", c, h)
	}
}
