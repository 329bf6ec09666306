package named

import (
	"context"
	"io"

	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/serial"
)

// TestStaleJournals changes zones twice while BIND, which keeps journals of them,
// does not run. It then refuses to load them, until their journals are removed.
func TestStaleJournals(t *testing.T) {
	peers.Require(t, peers.BIND.Programs()...)
	for _, tt := range []struct {
		name   string
		zones  int
		dnssec bool
	}{
		{"ixfr-from-differences", 3, false},
		{"dnssec", 3, true},
		{"many", maxSingle + 10, false},
		{"many and dnssec", maxSingle + 10, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := ports(t, 1)
			s := newSite(t, p, p, BIND)
			s.settings.DNSSEC = tt.dnssec
			names := zoneNames(tt.zones)
			change := func(ttl string) Change {
				set := testSet(t, names)
				set.Groups[0].TXT = []string{ttl}
				return s.build(set)
			}
			config := peers.Config{Kind: peers.BIND, Address: p[0], Include: []string{s.conf(BIND, "primary.conf")}, Options: "ixfr-from-differences yes;"}
			change("one")
			server := peers.Run(t, config)
			s.answers(server, "one")
			s.apply(server, RolePrimary, false, change("two"))
			s.answers(server, "two")
			waitFor(t, func(context.Context) bool { return s.stale() == 0 }, "%d journals do not follow the zones", s.stale())
			before := s.serials(server)
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}

			change("three")
			c := change("four")
			if n := s.stale(); n != len(names) {
				t.Errorf("%d of %d journals are stale", n, len(names))
			}
			server = peers.Run(t, config)
			if m, err := peers.Query(t.Context(), server.Address, names[0], dns.TypeSOA, nil); err != nil || m.Rcode != dns.RcodeServerFailure {
				t.Fatalf("BIND loads a zone whose journal does not fit: %v, %v", m, err)
			}
			s.apply(server, RolePrimary, false, c)
			s.answers(server, "four")
			for name, now := range s.serials(server) {
				if !serial.Greater(now, before[name]) {
					t.Errorf("%s: the serial number goes from %d to %d", name, before[name], now)
				}
			}
			if n := s.stale(); n > 0 {
				t.Errorf("%d journals are stale after apply", n)
			}
		})
	}
}

// answers waits until a server has a text in all zones.
func (s *site) answers(server *peers.Server, text string) {
	s.t.Helper()
	for i := range s.set.Entries {
		name := s.set.Entries[i].Name
		waitFor(s.t, func(ctx context.Context) bool {
			m, err := peers.Query(ctx, server.Address, name, dns.TypeTXT, nil)
			return err == nil && slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
				txt, ok := rr.(*dns.TXT)
				return ok && txt.Txt[0] == text
			})
		}, "%s does not have the text %q of %s", server.Kind, text, name)
	}
}

// stale counts the journals that do not fit.
func (s *site) stale() int {
	s.t.Helper()
	stale, err := StaleJournals(s.settings.Output)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(stale)
}

// serials are the serial numbers that a server has.
func (s *site) serials(server *peers.Server) map[string]uint32 {
	serials := make(map[string]uint32)
	for i := range s.set.Entries {
		name := s.set.Entries[i].Name
		serials[name], _ = peers.Serial(s.t.Context(), server.Address, name)
	}
	return serials
}

// TestJournalElsewhere heals a zone whose files are on the server's machine only.
func TestJournalElsewhere(t *testing.T) {
	mark := t.TempDir() + "/mark"
	rndc := script(t, `echo "$@" >>`+mark+`
case "$*" in
*sync*) touch `+mark+`.synced ;;
reload*) test -e `+mark+`.synced || { echo "rndc: 'reload' failed: out of range" >&2; exit 1; } ;;
esac
`)
	s := testSettings()
	target := Target{Server: BIND, Role: RolePrimary, Command: []string{rndc}}
	if err := Run(t.Context(), Steps(target, Change{Changed: []string{"a.example"}}, s), io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(mark)
	if want := "reload a.example\nsync -clean a.example\nreload a.example\n"; err != nil || string(text) != want {
		t.Errorf("the commands were %q, %v, want %q", text, err, want)
	}
}

func TestReadJournal(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const head = ";BIND LOG V9.2\n\x00" + "\x00\x00\x00\x65\x00\x00\x02\x00\x00\x00\x00\x6b\x00\x00\x14\xee"
	write("a.example.zone", "$ORIGIN a.example.\n@ IN SOA ns1.example.net. h.example.net. 110 1 1 1 1\n")
	write("a.example.zone.jnl", head)
	j, ok := readJournal(dir, "a.example")
	if !ok || j.First != 101 || j.Last != 107 || j.File != 110 || j.fits() {
		t.Errorf("%+v, %t", j, ok)
	}
	if want := "covers the serial numbers 101 to 107, the zone file has 110"; !strings.Contains(j.String(), want) {
		t.Errorf("%s: want %q", j, want)
	}
	for name, text := range map[string]string{"short": head[:20], "other": "a text that is not a journal, of 32 bytes or more", "empty": ""} {
		write("a.example.zone.jnl", text)
		if _, ok := readJournal(dir, "a.example"); ok {
			t.Errorf("a journal that is %s is read", name)
		}
	}
}
