package named

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// checkers are the programs that Check runs.
var checkers = []string{"named-checkconf", "nsd-checkconf", "nsd", "knotc"}

// TestCheck has the servers' own programs check all that is written.
func TestCheck(t *testing.T) {
	peers.Require(t, checkers...)
	programs := t.TempDir()
	if _, err := peers.BuildNullspfd(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, tt := range []struct {
		name   string
		change func(*Settings)
	}{
		{"old", func(*Settings) {}},
		{"new", func(s *Settings) { s.Terms = NewTerms }},
		{"relative", func(s *Settings) { s.Relative = true }},
		{"unsigned", func(s *Settings) { s.TSIG = nil }},
		{"listed", func(s *Settings) { s.Catalog = "" }},
		{"alone", func(s *Settings) { s.Catalog, s.Primary, s.TSIG = "", Primary{}, nil }},
		{"blanks", func(s *Settings) { s.Output += "/ü, a b" }},
		{"dnssec", func(s *Settings) { s.DNSSEC, s.Servers = true, []Server{BIND, Knot} }},
		{"knot", func(s *Settings) { s.Servers = []Server{Knot} }},
		{"nsd", func(s *Settings) { s.Servers = []Server{NSD} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &site{t: t, settings: testSettings()}
			s.settings.Output = t.TempDir()
			tt.change(&s.settings)
			if err := os.MkdirAll(s.settings.Output, 0o755); err != nil {
				t.Fatal(err)
			}
			names := manyZones(30)
			if s.settings.DNSSEC {
				names = names[1:] // without the one that is too long for BIND
			}
			s.build(testSet(t, names))
			for _, r := range Check(t.Context(), s.settings, s.settings.Output) {
				if want := expected(r); r.Verdict != want {
					t.Errorf("%s %s: %s, want %s: %s\n%s", r.Server, r.File, r.Verdict, want, r.Reason, r.Output)
				}
				if r.Verdict == NotChecked && r.Reason == "" || r.Verdict == CheckOK && r.Server != Knot && r.Server != Nullspfd && r.Output != "" {
					t.Errorf("%s %s: %+v", r.Server, r.File, r)
				}
			}
		})
	}
}

// expected is the verdict on a good file.
func expected(r CheckResult) Verdict {
	switch {
	case r.Server == NSD && r.File == "nsd/secondary-catalog.conf":
		if version, known := nsdVersion(context.Background()); known && version < nsdCatalogs {
			return NotChecked
		}
	case r.Server == NSD && r.File == "zones":
		return NotChecked
	}
	return CheckOK
}

// TestCheckFindsFaults breaks one file after the other.
func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	peers.Require(t, checkers...)
	s := &site{t: t, settings: testSettings()}
	s.settings.Output = t.TempDir()
	s.settings.Servers = []Server{BIND, NSD, Knot}
	s.build(testSet(t, manyZones(50)))
	const zone = "zones/domain-7.example.zone"
	for _, tt := range []struct {
		path, text string
		server     Server
		file       string
		output     string
	}{
		{zone, "@ IN SOA rubbish\x1b[31m\n", BIND, "named/primary.conf", "domain-7.example"},
		{zone, strings.Repeat("rubbish\n", 10000), BIND, "named/primary.conf", "domain-7.example"},
		{"named/primary.conf", "rubbish;\n", BIND, "named/primary.conf", "rubbish"},
		{"named/secondary.conf", "rubbish;\n", BIND, "named/secondary.conf", "rubbish"},
		{"named/tsig.key", "key;\n", BIND, "named/secondary.conf", "tsig.key"},
		{"named/secondary-catalog-options.conf", "zone x { };\n", BIND, "named/secondary-catalog.conf", "options"},
		{"nsd/primary.conf", "rubbish:\n", NSD, "nsd/primary.conf", "syntax error"},
		{"nsd/tsig.key", "", NSD, "nsd/secondary.conf", "xfr.example.net"},
		{"knot/primary.conf", "rubbish:\n", Knot, "knot/primary.conf", "primary.conf"},
		{"knot/tsig.key", "", Knot, "knot/secondary.conf", "secondary.conf"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			good, err := os.ReadFile(s.path(tt.path))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.path(tt.path), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			found := false
			for _, r := range Check(t.Context(), s.settings, s.settings.Output) {
				if len(r.Output) > tailLines*(tailWidth+1) || strings.Contains(r.Output, "\x1b") {
					t.Errorf("%s: output of %d bytes: %.200s", r.File, len(r.Output), r.Output)
				}
				if r.Server == tt.server && r.File == tt.file {
					found = r.Verdict == CheckFault && r.Reason != "" && strings.Contains(r.Output, tt.output)
					if !found {
						t.Errorf("%+v; want a fault with %q", r, tt.output)
					}
				}
			}
			if !found {
				t.Errorf("no fault of %s was found", tt.file)
			}
			if err := os.WriteFile(s.path(tt.path), good, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCheckWithoutPrograms says of every file that it was not checked.
func TestCheckWithoutPrograms(t *testing.T) {
	dirs := systemDirs
	systemDirs = nil
	t.Cleanup(func() { systemDirs = dirs })
	t.Setenv("PATH", t.TempDir())
	results := Check(t.Context(), testSettings(), t.TempDir())
	if len(results) == 0 {
		t.Error("no results")
	}
	for _, r := range results {
		if r.Verdict != NotChecked || r.Reason == "" {
			t.Errorf("%+v; want %q with a reason", r, NotChecked)
		}
	}
}

func TestCheckCancelled(t *testing.T) {
	peers.Require(t, checkers...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range Check(ctx, testSettings(), t.TempDir()) {
		if r.Verdict != NotChecked {
			t.Errorf("%+v; want %q", r, NotChecked)
		}
	}
}

func TestTail(t *testing.T) {
	out := &tail{skip: loaded}
	for i := range 1000 {
		fmt.Fprintf(out, "zone a/IN: loaded serial 1\nline %d\n\n", i)
	}
	fmt.Fprintf(out, "\x1b[1m%s\xff\nlast", strings.Repeat("x", 10000))
	lines := strings.Split(out.String(), "\n")
	if len(lines) != tailLines || lines[0] != "line 982" || lines[tailLines-1] != "last" {
		t.Errorf("%d lines: %q ... %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if long := lines[tailLines-2]; len(long) != tailWidth || !strings.HasPrefix(long, "?[1mxxx") {
		t.Errorf("long line of %d bytes: %.20q", len(long), long)
	}
}
