package named

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// zoneNames are n invented names.
func zoneNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("z%d.example", i)
	}
	return names
}

func TestSteps(t *testing.T) {
	members := Change{Added: []string{"new.example"}, Removed: []string{"old.example"}}
	changed := Change{Changed: []string{"a.example", "b.example"}}
	both := Change{Added: members.Added, Changed: changed.Changed}
	many := Change{Changed: zoneNames(maxSingle + 1)}
	mostBoth := Change{Removed: members.Removed, Changed: zoneNames(maxRefresh + 1)}
	manyBoth := Change{Removed: members.Removed, Changed: many.Changed}
	config := Change{Config: true}
	handKept := Change{Changed: []string{"a.example"}, HandKept: []string{"x.example", "y.example"}}
	for _, tt := range []struct {
		name   string
		target Target
		change Change
		want   []string
	}{
		{"nothing", Target{Server: BIND, Role: RolePrimary}, Change{}, nil},
		{"members", Target{Server: BIND, Role: RolePrimary}, members, []string{"rndc reconfig", "rndc reload catalog.example.net"}},
		{"changed", Target{Server: BIND, Role: RolePrimary}, changed, []string{"rndc reload a.example", "rndc reload b.example"}},
		{"both", Target{Server: BIND, Role: RolePrimary}, both,
			[]string{"rndc reconfig", "rndc reload a.example", "rndc reload b.example", "rndc reload catalog.example.net"}},
		{"many", Target{Server: BIND, Role: RolePrimary}, many, []string{"rndc reload"}},
		{"many and members", Target{Server: BIND, Role: RolePrimary}, manyBoth, []string{"rndc reload"}},
		{"configuration", Target{Server: BIND, Role: RolePrimary}, config, []string{"rndc reconfig"}},
		{"unknown", Target{Server: BIND, Role: RolePrimary}, Change{All: true, Changed: changed.Changed}, []string{"rndc reload"}},
		{"nsd unknown", Target{Server: NSD, Role: RolePrimary}, Change{All: true}, []string{"nsd-control reconfig", "nsd-control reload"}},
		{"knot unknown", Target{Server: Knot, Role: RolePrimary}, Change{All: true}, []string{"knotc reload"}},
		{"nullspfd unknown", Target{Server: Nullspfd, Role: RolePrimary}, Change{All: true}, []string{"systemctl reload nullspfd"}},
		{"command", Target{Server: BIND, Role: RolePrimary, Command: []string{"rndc", "-c", "/etc/my rndc.conf"}}, config,
			[]string{"rndc -c '/etc/my rndc.conf' reconfig"}},
		{"members at a secondary", Target{Server: BIND, Role: RoleSecondary}, members, []string{"rndc reconfig"}},
		{"changed at a secondary", Target{Server: BIND, Role: RoleSecondary}, many, nil},
		{"both at a secondary", Target{Server: BIND, Role: RoleSecondary}, both,
			[]string{"rndc reconfig", "rndc refresh a.example", "rndc refresh b.example"}},
		{"many and members at a secondary", Target{Server: BIND, Role: RoleSecondary}, mostBoth, []string{"rndc reconfig"}},
		{"both at a consumer", Target{Server: BIND, Role: RoleSecondary, Catalog: true}, both, nil},
		{"members at a consumer", Target{Server: BIND, Role: RoleSecondary, Catalog: true}, members, nil},
		{"configuration at a consumer", Target{Server: BIND, Role: RoleSecondary, Catalog: true}, config, []string{"rndc reconfig"}},
		{"nsd members", Target{Server: NSD, Role: RolePrimary}, members,
			[]string{"nsd-control reconfig", "nsd-control reload catalog.example.net"}},
		{"nsd changed", Target{Server: NSD, Role: RolePrimary}, changed,
			[]string{"nsd-control reload"}},
		{"nsd one changed", Target{Server: NSD, Role: RolePrimary}, Change{Changed: []string{"a.example"}}, []string{"nsd-control reload a.example"}},
		{"nsd both", Target{Server: NSD, Role: RolePrimary}, both, []string{"nsd-control reconfig", "nsd-control reload"}},
		{"nsd many", Target{Server: NSD, Role: RolePrimary}, manyBoth, []string{"nsd-control reconfig", "nsd-control reload"}},
		{"nsd secondary", Target{Server: NSD, Role: RoleSecondary}, both, []string{"nsd-control reconfig"}},
		{"knot members", Target{Server: Knot, Role: RolePrimary}, both, []string{"knotc reload"}},
		{"knot changed", Target{Server: Knot, Role: RolePrimary}, changed, []string{"knotc -b zone-reload a.example b.example"}},
		{"knot many", Target{Server: Knot, Role: RolePrimary}, many, []string{"knotc reload"}},
		{"knot secondary", Target{Server: Knot, Role: RoleSecondary}, members, []string{"knotc reload"}},
		{"knot secondary, changed", Target{Server: Knot, Role: RoleSecondary}, changed, nil},
		{"kept by hand", Target{Server: BIND, Role: RolePrimary}, handKept, []string{"rndc reload a.example", "rndc reload x.example", "rndc reload y.example"}},
		{"nsd, kept by hand", Target{Server: NSD, Role: RolePrimary}, handKept, []string{"nsd-control reload"}},
		{"nsd, one kept by hand", Target{Server: NSD, Role: RolePrimary}, Change{HandKept: []string{"x.example"}}, []string{"nsd-control reload x.example"}},
		{"knot, kept by hand", Target{Server: Knot, Role: RolePrimary}, handKept, []string{"knotc -b zone-reload a.example", "knotc -b zone-reload x.example y.example"}},
		{"powerdns, kept by hand", Target{Server: PowerDNS, Role: RolePrimary}, Change{HandKept: handKept.HandKept}, []string{"pdns_control bind-reload-now x.example y.example"}},
		{"nullspfd, kept by hand", Target{Server: Nullspfd, Role: RolePrimary}, Change{HandKept: handKept.HandKept}, nil},
		{"secondary, kept by hand", Target{Server: BIND, Role: RoleSecondary}, handKept, nil},
		{"unknown and kept by hand", Target{Server: BIND, Role: RolePrimary}, Change{All: true, HandKept: handKept.HandKept}, []string{"rndc reload"}},
		{"nullspfd", Target{Server: Nullspfd, Role: RolePrimary}, changed, []string{"systemctl reload nullspfd"}},
		{"nullspfd members", Target{Server: Nullspfd, Role: RolePrimary}, members, []string{"systemctl reload nullspfd"}},
		{"nullspfd secondary, members", Target{Server: Nullspfd, Role: RoleSecondary}, members, nil},
		{"nullspfd secondary, configuration", Target{Server: Nullspfd, Role: RoleSecondary}, config, []string{"systemctl reload nullspfd"}},
		{"nullspfd secondary", Target{Server: Nullspfd, Role: RoleSecondary}, changed, nil},
		{"powerdns", Target{Server: PowerDNS, Role: RolePrimary}, changed, []string{"pdns_control bind-reload-now a.example b.example"}},
		{"powerdns members", Target{Server: PowerDNS, Role: RolePrimary}, members,
			[]string{"pdns_control rediscover", "pdns_control bind-reload-now catalog.example.net"}},
		{"powerdns both", Target{Server: PowerDNS, Role: RolePrimary}, both,
			[]string{"pdns_control rediscover", "pdns_control bind-reload-now a.example b.example catalog.example.net"}},
		{"powerdns many", Target{Server: PowerDNS, Role: RolePrimary}, manyBoth, []string{"pdns_control rediscover", "pdns_control reload"}},
		{"powerdns unknown", Target{Server: PowerDNS, Role: RolePrimary}, Change{All: true}, []string{"pdns_control rediscover", "pdns_control reload"}},
		{"powerdns secondary", Target{Server: PowerDNS, Role: RoleSecondary}, both,
			[]string{"sqlite3 -bail /var/lib/powerdns/pdns.sqlite3 '.read /srv/nullspf/build/powerdns/tsig.key' '.read /srv/nullspf/build/powerdns/secondary.sql'"}},
		{"powerdns secondary, changed", Target{Server: PowerDNS, Role: RoleSecondary}, changed, nil},
		{"powerdns secondary, command", Target{Server: PowerDNS, Role: RoleSecondary, Command: []string{"ssh", "ns2", "sqlite3", "db"}}, members,
			[]string{"ssh ns2 sqlite3 db '.read /srv/nullspf/build/powerdns/tsig.key' '.read /srv/nullspf/build/powerdns/secondary.sql'"}},
		{"powerdns consumer", Target{Server: PowerDNS, Role: RoleSecondary, Catalog: true}, both, nil},
		{"powerdns consumer unknown", Target{Server: PowerDNS, Role: RoleSecondary, Catalog: true}, Change{All: true},
			[]string{"sqlite3 -bail /var/lib/powerdns/pdns.sqlite3 '.read /srv/nullspf/build/powerdns/tsig.key' '.read /srv/nullspf/build/powerdns/secondary-catalog.sql'"}},
		{"coredns finds zone files by itself", Target{Server: CoreDNS, Role: RolePrimary}, both, nil},
		{"coredns configuration", Target{Server: CoreDNS, Role: RolePrimary}, config, []string{"systemctl reload coredns"}},
		{"coredns unknown", Target{Server: CoreDNS, Role: RolePrimary}, Change{All: true}, []string{"systemctl reload coredns"}},
		{"coredns secondary", Target{Server: CoreDNS, Role: RoleSecondary}, members, nil},
		{"coredns secondary, configuration", Target{Server: CoreDNS, Role: RoleSecondary}, config, []string{"systemctl reload coredns"}},
		{"yadifa", Target{Server: YADIFA, Role: RolePrimary}, changed, []string{"systemctl reload yadifa"}},
		{"yadifa members", Target{Server: YADIFA, Role: RolePrimary}, members, []string{"systemctl reload yadifa"}},
		{"yadifa secondary", Target{Server: YADIFA, Role: RoleSecondary}, members, []string{"systemctl reload yadifa"}},
		{"yadifa secondary, changed", Target{Server: YADIFA, Role: RoleSecondary}, changed, nil},
		{"unbound", Target{Server: Unbound, Role: RoleSecondary}, members, []string{"unbound-control reload"}},
		{"unbound changed", Target{Server: Unbound, Role: RoleSecondary}, changed, nil},
		{"nullspfd command", Target{Server: Nullspfd, Role: RoleSecondary, Command: []string{"kill", "-HUP", "17"}}, config, []string{"kill -HUP 17"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range Steps(tt.target, tt.change, testSettings()) {
				got = append(got, s.String())
				if s.Why == "" {
					t.Errorf("%s: no explanation", s)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("steps = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestShow folds steps with the same purpose.
func TestShow(t *testing.T) {
	steps := Steps(Target{Server: BIND, Role: RolePrimary}, Change{Added: []string{"new.example"}, Changed: zoneNames(maxSingle)}, testSettings())
	var out bytes.Buffer
	if err := Show(&out, steps, ""); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+maxShown+1+1 || lines[1+maxShown] != fmt.Sprintf("and %d more", maxSingle-maxShown) || !strings.Contains(lines[len(lines)-1], "catalog zone") {
		t.Errorf("output:\n%s", out.String())
	}
}

// TestShellQuote has a shell read commands back.
func TestShellQuote(t *testing.T) {
	for _, word := range []string{"plain", "a.b-c_d/e", "", "two words", "it's", `"$HOME" \ ; & |`, "line\nbreak", "*?[x]{a,b}~", "#", "ü"} {
		out, err := exec.Command("sh", "-c", Step{Argv: []string{"printf", "%s", word}}.String()).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q comes back as %q, %v", word, out, err)
		}
	}
}

// script writes a program.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	step := func(words ...string) Step { return Step{Argv: words, Why: "a test"} }
	good := step("sh", "-c", "echo x >>"+mark)
	bad := step(script(t, "echo what is wrong >&2; exit 3"))
	var out bytes.Buffer
	err := Run(t.Context(), []Step{good, bad, good, good}, &out)
	if err == nil {
		t.Fatal("no error of a command that fails")
	}
	for _, want := range []string{bad.Argv[0], "exit status 3", "what is wrong", "2 more steps"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not hold %q", err, want)
		}
	}
	if text, err := os.ReadFile(mark); err != nil || string(text) != "x\n" {
		t.Errorf("after the failure, the mark holds %q, %v", text, err)
	}
	if want := good.String() + "  # a test\n" + bad.String() + "  # a test\n"; out.String() != want {
		t.Errorf("output = %q, want %q", out.String(), want)
	}
	if err := Run(t.Context(), []Step{good}, &out); err != nil {
		t.Error(err)
	}
	if err := Run(t.Context(), []Step{step("no-such-program")}, &out); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("Run of a missing program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, []Step{good}, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a cancelled context: %v", err)
	}
}

func TestStepTimeout(t *testing.T) {
	start := time.Now()
	_, err := Step{Argv: []string{script(t, "echo begins; exec sleep 60")}}.output(t.Context(), 300*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "more than 300ms") || !strings.Contains(err.Error(), "begins") {
		t.Errorf("run of a command that hangs: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a limit of 300 ms took %v", took)
	}
}
