package loadtest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// useFiles makes a site use the files below its directory: the journal, published
// zones in build, copies of zones in good and catalog.
func (s *site) useFiles(t *testing.T, primary string) {
	t.Helper()
	s.journal = filepath.Join(s.dir, "var")
	block := func(store, what string) string {
		return fmt.Sprintf("\tsecondary {\n\t\t%s\n\t\tprimaries %s\n\t\tstore %s\n\t}\n", what, primary, filepath.Join(s.dir, store))
	}
	s.options = fmt.Sprintf("}\n.:%d {\n\tbind 127.0.0.1\n\tparked %s\n", s.at.Port(), filepath.Join(s.dir, "build")) +
		block("good", "zones "+goodZone) + block("catalog", "catalog "+catalogZone)
}

// filesOf lists what may be damaged, by kind.
func filesOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	kinds := make(map[string][]string)
	for kind, pattern := range map[string]string{
		"segment": "var/seg/*/*.parquet", "journal file": "var/journal/*.wal", "MANIFEST": "var/MANIFEST",
		"stored zone": "good/*.zone", "stored member": "catalog/z*.zone", "stored catalog zone": "catalog/catalog*.zone",
		"parked": "build/parked", "manifest": "build/manifest",
	} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no %s: %v", kind, err)
		}
		for _, path := range found {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				t.Fatal(err)
			}
			kinds[kind] = append(kinds[kind], rel)
		}
	}
	return kinds
}

// TestDamagedFiles changes a bit of one file of a daemon, of every kind, while no
// primary answers, and starts the daemon with 1 GB of memory. It answers from all
// that is whole, stores events and stops. What is published is checked before the
// start: there, the daemon says which file is damaged instead.
func TestDamagedFiles(t *testing.T) {
	peers.Require(t, "prlimit")
	r := torture.Start(t, 0)
	p := startHostilePrimary(t, r.Fork(1))
	whole := newSite(t)
	if err := os.CopyFS(filepath.Join(whole.dir, "build"), os.DirFS(publish(t))); err != nil {
		t.Fatal(err)
	}
	// A journal with segments and a journal file.
	if err := os.CopyFS(filepath.Join(whole.dir, "var"), os.DirFS("../forgerylog/testdata/version1")); err != nil {
		t.Fatal(err)
	}
	whole.useFiles(t, p.at.String())
	d := whole.start(t)
	member := "z0.new-1.test"
	others := []string{goodZone, member, publishedZones[0]}
	served := func(s *site, zone string) bool {
		_, is := peers.Serial(t.Context(), s.at, zone)
		return is
	}
	for _, zone := range others {
		waitFor(t, 20*time.Second, func() bool { return served(whole, zone) }, func() string { return zone + " is not served" })
	}
	explanation(t, whole)
	time.Sleep(200 * time.Millisecond)
	d.kill(t)
	kinds := filesOf(t, whole.dir)
	nobody, err := peers.FreePort(whole.at.Addr())
	if err != nil {
		t.Fatal(err)
	}

	names := slices.Sorted(maps.Keys(kinds))
	for n := 0; r.More(len(names)); n++ {
		kind := names[n%len(names)]
		path := kinds[kind][r.Rand.IntN(len(kinds[kind]))]
		s := newSite(t)
		s.layouts = whole.layouts
		// The shadow memory of the race detector counts as well.
		if !raceDetector {
			s.memory = 1 << 30
		}
		if err := os.CopyFS(s.dir, fileSystem(whole.dir, "var", "build", "good", "catalog")); err != nil {
			t.Fatal(err)
		}
		damaged := filepath.Join(s.dir, path)
		data, err := os.ReadFile(damaged)
		if err != nil {
			t.Fatal(err)
		}
		bit := r.Rand.IntN(8 * len(data))
		data[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(damaged, data, 0o600); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("%s, bit %d", path, bit)
		s.useFiles(t, nobody.String())
		s.configure(t, s.corefile())
		r.Count("bits of "+kind, 1)
		if strings.HasPrefix(path, "build/") {
			if out, err := s.command("-check").CombinedOutput(); err != nil {
				r.Count("damaged published files named", 1)
				if !strings.Contains(string(out), filepath.Base(path)) && !strings.Contains(string(out), filepath.Join(s.dir, "build")) {
					t.Errorf("%s: the file is not named: %s", what, out)
				}
				continue
			}
			t.Errorf("%s is not noticed: %q", what, data[max(0, bit/8-20):min(len(data), bit/8+20)])
		}
		d := s.start(t)
		explanation(t, s)
		for _, zone := range others {
			if strings.HasPrefix(filepath.Base(path), zone) || strings.HasPrefix(path, "build/") && zone == publishedZones[0] {
				continue
			}
			if !served(s, zone) {
				t.Errorf("%s: %s is not served", what, zone)
			}
		}
		m, err := peers.Query(t.Context(), s.at, trackingZone, dns.TypeSOA, nil)
		if err != nil || m.Rcode != dns.RcodeSuccess {
			t.Errorf("%s: the tracking zone: %v, %v", what, m, err)
		}
		waitFor(t, 5*time.Second, func() bool { return d.metrics(t).stored() > 0 }, func() string { return what + ": nothing is stored" })
		d.stop(t)
		if t.Failed() {
			t.Logf("%s:\n%s", what, d.logged())
		}
	}
}

// fileSystem is some directories of one.
func fileSystem(dir string, below ...string) fs.FS { return someDirectories{os.DirFS(dir), below} }

type someDirectories struct {
	fs.FS
	below []string
}

// ReadDir implements [fs.ReadDirFS].
func (s someDirectories) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	if name == "." {
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !slices.Contains(s.below, e.Name()) })
	}
	return entries, err
}
