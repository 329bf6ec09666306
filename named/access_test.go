package named

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// TestAccess compares what is said about files with what users can do with them.
func TestAccess(t *testing.T) {
	peers.RequireRoot(t, "giving files away")
	peers.Require(t, "named", "setpriv", "test")
	who, err := user.Lookup("bind")
	if err != nil {
		t.Fatal(err)
	}
	bind, err := accountOf(who)
	if err != nil {
		t.Fatal(err)
	}
	dir := open(t)
	for _, owner := range [][2]int{{0, 0}, {bind.id, 0}, {0, bind.groups[0]}, {4001, 4002}} {
		for _, mode := range []os.FileMode{0o600, 0o640, 0o644, 0o400, 0o060, 0o004, 0o666, 0o000} {
			path := filepath.Join(dir, "file")
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, owner[0], owner[1]), os.Chmod(path, mode)); err != nil {
				t.Fatal(err)
			}
			for flag, need := range map[string]os.FileMode{"-r": 4, "-w": 2} {
				may := exec.Command("setpriv", "--reuid=bind", "--regid=bind", "--init-groups", "test", flag, path).Run() == nil
				if lacks := bind.lacks(path, need); (lacks == "") != may {
					t.Errorf("owner %v, mode %v, test %s: %t, but %q", owner, mode, flag, may, lacks)
				}
			}
		}
	}
}

// open makes a directory that everybody may enter.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCheckAccess(t *testing.T) {
	peers.RequireRoot(t, "giving files away")
	peers.Require(t, "named")
	bind, err := user.Lookup("bind")
	if err != nil {
		t.Fatal(err)
	}
	who, err := accountOf(bind)
	if err != nil {
		t.Fatal(err)
	}
	p := ports(t, 1)
	s := newSite(t, p, p, BIND)
	s.settings.Output, s.settings.DNSSEC = open(t), true
	s.build(testSet(t, threeZones))
	target := Target{Server: BIND, Role: RolePrimary}
	var got []string
	for _, r := range CheckAccess(s.settings, target, s.settings.Output) {
		got = append(got, r.File+": "+r.Reason)
	}
	for i, want := range []string{"named/tsig.key: user bind may not read it (mode 0600)", "zones: user bind may not write to it (mode 0755)", "keys: user bind may not write to it"} {
		if len(got) != 3 || !strings.HasPrefix(got[i], want) || !strings.Contains(got[i], "chgrp bind "+s.settings.Output) {
			t.Errorf("warnings: %q, want %q", got, want)
		}
	}
	for _, path := range []string{"named/tsig.key", "zones", "keys"} {
		if err := errors.Join(os.Chown(s.path(path), -1, who.groups[0]), os.Chmod(s.path(path), 0o770)); err != nil {
			t.Fatal(err)
		}
	}
	if r := CheckAccess(s.settings, target, s.settings.Output); len(r) > 0 {
		t.Errorf("warnings after chgrp: %+v", r)
	}
	if err := os.Chmod(s.settings.Output, 0o700); err != nil {
		t.Fatal(err)
	}
	r := CheckAccess(s.settings, target, s.settings.Output)
	if len(r) != 1 || !strings.Contains(r[0].Reason, "which may not enter "+s.settings.Output+" (mode 0700)") {
		t.Errorf("warnings: %+v", r)
	}
}
