package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
)

// rowsOf reads the rows of all segments.
func rowsOf(t *testing.T, dir string) (rows []eventrow.Row) {
	t.Helper()
	v, err := Snapshot(dir, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, s := range v.Segments() {
		err := s.EachBatch(func(batch []eventrow.Row) error {
			for i := range batch {
				rows = append(rows, batch[i].Clone())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// TestRetainRaw: events lose their addresses when they are old enough, also when the
// limit is set by a reload; not before, and never more than that.
func TestRetainRaw(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	now := testTime
	s.Clock = func() time.Time { return now }
	for run := range 3 {
		j := mustOpen(t, s)
		putAll(t, j, 100*run+1, 100*run+100)
		waitUntil(t, "all is sealed", func() bool { return j.Stats().Pending == 0 && j.Stats().WALFiles == 0 })
		mustClose(t, j)
		now = now.Add(15 * 24 * time.Hour)
	}
	before := rowsOf(t, s.Dir)
	j := mustOpen(t, s)
	j.SetLimits(Limits{RetainRaw: 20 * 24 * time.Hour})
	waitUntil(t, "old events are anonymous", func() bool {
		n := uint64(0)
		for _, segment := range j.sealer.manifest.Load().Segments {
			if segment.Anonymous {
				n += segment.Rows
			}
		}
		return n == 200
	})
	mustClose(t, j)
	after := rowsOf(t, s.Dir)
	if len(after) != 300 || len(before) != 300 {
		t.Fatalf("%d events became %d", len(before), len(after))
	}
	names, err := openPseudonyms(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range after {
		want := before[i]
		if i < 200 {
			names.change(&want)
			if want == before[i] || want.RawName != "" || !strings.HasSuffix(want.Resolver, "/24") {
				t.Fatalf("nothing was taken out of %+v", want)
			}
		}
		if after[i] != want {
			t.Fatalf("event %d is\n%+v, want\n%+v", i, after[i], want)
		}
	}
	checkClean(t, s.Dir)
	if info, err := os.Stat(filepath.Join(s.Dir, keyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}

	text, err := os.ReadFile(filepath.Join(s.Dir, manifestName))
	if err != nil || !strings.HasPrefix(string(text), anonymousManifest+"\n") {
		t.Errorf("MANIFEST begins with %.30q, %v", text, err)
	}
	// A manifest that was lost is made anew, and knows what is anonymous.
	for _, name := range []string{manifestName, manifestName + copySuffix} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j = mustOpen(t, s)
	anonymous := 0
	for _, segment := range j.sealer.manifest.Load().Segments {
		if segment.Anonymous {
			anonymous++
		}
	}
	mustClose(t, j)
	if anonymous != 2 {
		t.Errorf("%d segments are anonymous in the new manifest", anonymous)
	}
}

// TestPseudonyms looks at what a change takes out of a row.
func TestPseudonyms(t *testing.T) {
	p := &pseudonyms{key: make([]byte, keySize)}
	row := eventrow.Row{
		TS: 1, Seq: 2, Kind: "exp", ClientIP: "2001:db8:1:2::3", SenderLocal: "j.doe", SenderDomain: "shop.example", ForgedDomain: "shop.example",
		HELO: "dsl-7.isp.example", Resolver: "198.51.100.53", ResolverPort: 4711, ClientSubnet: "2001:db8:1:2::/56", Attempt: true, Flags: "exists", RawName: "x",
	}
	p.change(&row)
	want := eventrow.Row{
		TS: 1, Seq: 2, Kind: "exp", ClientIP: "2001:db8:1::/48", SenderLocal: p.of("j.doe"), SenderDomain: "shop.example", ForgedDomain: "shop.example",
		HELO: p.of("dsl-7.isp.example"), Resolver: "198.51.100.0/24", ClientSubnet: "2001:db8:1::/48", Attempt: true, Flags: "exists",
	}
	if row != want {
		t.Errorf("got\n%+v, want\n%+v", row, want)
	}
	if p.change(&row); row != want {
		t.Errorf("the second change makes of it\n%+v", row)
	}
	other := &pseudonyms{key: append(make([]byte, keySize-1), 1)}
	if a, b := p.of("j.doe"), other.of("j.doe"); a == b || len(a) != pseudonymSize || a != p.of("j.doe") || a == p.of("j.dof") {
		t.Errorf("pseudonyms %q, %q, %q", a, b, p.of("j.dof"))
	}
	for _, helo := range []string{"ylmf-pc", "mail.example.org", ""} {
		row := eventrow.Row{HELO: helo, ClientSubnet: "192.0.0.0/16"}
		if p.change(&row); row.HELO != helo || row.ClientSubnet != "192.0.0.0/16" {
			t.Errorf("HELO %q becomes %q, the subnet %s", helo, row.HELO, row.ClientSubnet)
		}
	}
}
