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
		// damage makes BIND refuse the signed zone of every second zone, too.
		damage func(s *site, signed string)
	}{
		{"ixfr-from-differences", 3, false, nil},
		{"dnssec", 3, true, nil},
		{"many", maxSingle + 10, false, nil},
		{"many and dnssec", maxSingle + 10, true, nil},
		{"signed zone not written", 4, true, unwritten},
		{"many signed zones not written", maxSingle + 10, true, unwritten},
		{"old journal of the signed zone", 4, true, func(s *site, signed string) { s.restore(signed + journalSuffix) }},
		{"old signed zone", 4, true, func(s *site, signed string) { s.restore(signed) }},
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
			if tt.dnssec {
				// BIND writes signed zones later than it answers from them, and not at
				// its end.
				s.written(names)
			}
			if tt.damage != nil {
				s.keep(names)
			}
			s.apply(server, RolePrimary, false, change("two"))
			s.answers(server, "two")
			waitFor(t, func(context.Context) bool { return len(s.stale()) == 0 }, "journals do not follow the zones")
			if tt.damage != nil {
				s.rndc(server, "sync", "-clean")
				s.written(names)
				s.apply(server, RolePrimary, false, change("three"))
				s.answers(server, "three")
				waitFor(t, func(context.Context) bool { return s.journaled(names) }, "journals do not follow the zones")
			}
			before := s.serials(server)
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}

			change("four")
			c := change("five")
			if n := len(s.stale()); n != len(names) {
				t.Errorf("%d of %d journals are stale", n, len(names))
			}
			if tt.damage != nil {
				for i := 0; i < len(names); i += 2 {
					tt.damage(s, "zones/"+names[i]+".zone.signed")
				}
				if n := len(s.stale()); n != len(names)+len(names)/2 {
					t.Errorf("%d journals are stale, want %d: %v", n, len(names)+len(names)/2, s.stale())
				}
			}
			server = peers.Run(t, config)
			if m, err := peers.Query(t.Context(), server.Address, names[0], dns.TypeSOA, nil); err != nil || m.Rcode != dns.RcodeServerFailure {
				t.Fatalf("BIND loads a zone whose journal does not fit: %v, %v", m, err)
			}
			s.apply(server, RolePrimary, false, c)
			s.answers(server, "five")
			s.rise(server, before)
			if stale := s.stale(); len(stale) > 0 {
				t.Errorf("%d journals are stale after apply: %v", len(stale), stale[0])
			}
		})
	}
}

// TestSignedRefused: the zone file did not change while BIND did not run, or its
// journal fits, so that BIND reads it when it starts, and then refuses the signed
// zone alone. Only another start heals that.
func TestSignedRefused(t *testing.T) {
	peers.Require(t, peers.BIND.Programs()...)
	t.Parallel()
	p := ports(t, 1)
	s := newSite(t, p, p, BIND)
	s.settings.DNSSEC = true
	names := zoneNames(2)
	change := func(ttl string) Change {
		set := testSet(t, names)
		set.Groups[0].TXT = []string{ttl}
		return s.build(set)
	}
	config := peers.Config{Kind: peers.BIND, Address: p[0], Include: []string{s.conf(BIND, "primary.conf")}}
	change("one")
	server := peers.Run(t, config)
	s.answers(server, "one")
	s.written(names)
	before := s.serials(server)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	unwritten(s, "zones/"+names[0]+".zone.signed")
	c := change("two")
	server = peers.Run(t, config)
	if m, err := peers.Query(t.Context(), server.Address, names[0], dns.TypeSOA, nil); err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Fatalf("BIND loads a signed zone whose journal does not fit: %v, %v", m, err)
	}
	target := Target{Server: BIND, Role: RolePrimary, Command: server.Control()}
	err := Run(t.Context(), Steps(target, c, s.settings), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "BIND does not load "+names[0]) || !strings.Contains(err.Error(), "start named again") {
		t.Errorf("apply: %v", err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	server = peers.Run(t, config)
	s.answers(server, "two")
	s.rise(server, before)
	if err := Run(t.Context(), Steps(target, c, s.settings), io.Discard); err == nil {
		t.Error("the control program of the server that has ended succeeds")
	}
}

// unwritten is what is left when named is killed before it has written a signed
// zone.
func unwritten(s *site, signed string) {
	s.t.Helper()
	if err := os.Remove(s.path(signed)); err != nil {
		s.t.Fatal(err)
	}
}

// keep copies the signed zones and their journals, restore puts one back.
func (s *site) keep(names []string) {
	s.t.Helper()
	for _, name := range names {
		for _, suffix := range []string{signedSuffix, signedSuffix + journalSuffix} {
			file := s.path("zones/" + name + ".zone" + suffix)
			text, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file+".kept", text, 0o644)
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *site) restore(file string) {
	s.t.Helper()
	if err := os.Rename(s.path(file+".kept"), s.path(file)); err != nil {
		s.t.Fatal(err)
	}
}

// written waits until BIND has written all signed zones.
func (s *site) written(names []string) {
	s.t.Helper()
	for _, name := range names {
		waitFor(s.t, func(context.Context) bool {
			_, err := rawSerial(s.path("zones/" + name + ".zone" + signedSuffix))
			return err == nil
		}, "BIND does not write the signed zone %s", name)
	}
}

// journaled reports whether all zones have journals that fit.
func (s *site) journaled(names []string) bool {
	for _, name := range names {
		for _, signed := range []bool{false, true} {
			if j, ok := readJournal(s.path("zones"), name, signed); !ok || !j.fits() {
				return false
			}
		}
	}
	return true
}

// rndc runs a command of BIND's control program.
func (s *site) rndc(server *peers.Server, words ...string) {
	s.t.Helper()
	if _, err := (Step{Argv: append(slices.Clone(server.Control()), words...)}).output(s.t.Context(), stepTimeout); err != nil {
		s.t.Fatal(err)
	}
}

// rise waits until the serial numbers of all zones are above what they were.
func (s *site) rise(server *peers.Server, before map[string]uint32) {
	s.t.Helper()
	for name, was := range before {
		waitFor(s.t, func(ctx context.Context) bool {
			now, ok := peers.Serial(ctx, server.Address, name)
			return ok && serial.Greater(now, was)
		}, "%s: the serial number does not rise above %d", name, was)
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

// stale are the journals that do not fit.
func (s *site) stale() []Journal {
	s.t.Helper()
	stale, err := StaleJournals(s.settings.Output)
	if err != nil {
		s.t.Fatal(err)
	}
	return stale
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
	if want := "reload a.example\nsync -clean a.example\nreload a.example\nzonestatus a.example\n"; err != nil || string(text) != want {
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
	j, ok := readJournal(dir, "a.example", false)
	if !ok || j.First != 101 || j.Last != 107 || j.File != 110 || j.fits() {
		t.Errorf("%+v, %t", j, ok)
	}
	if want := "covers the serial numbers 101 to 107, the zone file has 110"; !strings.Contains(j.String(), want) {
		t.Errorf("%s: want %q", j, want)
	}
	for name, text := range map[string]string{"short": head[:20], "other": "a text that is not a journal, of 32 bytes or more", "empty": ""} {
		write("a.example.zone.jnl", text)
		if _, ok := readJournal(dir, "a.example", false); ok {
			t.Errorf("a journal that is %s is read", name)
		}
	}
}
