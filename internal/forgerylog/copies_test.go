package forgerylog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
)

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// TestCopiesCountOnce gives copies of a journal, made at different times, beside
// it: every event counts once, in whatever order they are named.
func TestCopiesCountOnce(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	checks := tenChecks()
	write(t, s, checks[:3]...)
	unsealed := copyDir(t, s.Dir)
	again := copyDir(t, s.Dir)
	write(t, sealSoon(s), checks[3:6]...)
	sealed := copyDir(t, s.Dir)
	write(t, s, checks[6:]...)
	want := eventsOf(t, open(s.Dir), Query{Packets: true}, 0)
	for name, dirs := range map[string][]string{
		"unsealed": {unsealed, again}, "sealed": {s.Dir, sealed}, "old and new": {s.Dir, unsealed}, "new last": {unsealed, s.Dir},
		"all": {again, sealed, s.Dir, unsealed},
	} {
		e := open(dirs...)
		var notes []string
		e.notes = func(note string) { notes = append(notes, note) }
		n := len(want)
		if name == "unsealed" {
			n = len(eventsOf(t, open(unsealed), Query{Packets: true}, 0))
		}
		rows := eventsOf(t, e, Query{Packets: true}, 0)
		if len(rows) != n {
			t.Errorf("%s: %d events, want %d", name, len(rows), n)
		}
		common := dirs[0] + " and " + dirs[1] + " are copies of one journal; what both have of events 1 to "
		if len(notes) != len(dirs)-1 || !strings.HasPrefix(notes[0], common) || !strings.HasSuffix(notes[0], " counts once") {
			t.Errorf("%s: %q", name, notes)
		}
		for i := range rows {
			if rows[i].Seq != want[i].Seq || rows[i].RawName != want[i].RawName {
				t.Errorf("%s: row %d is %+v", name, i, rows[i])
			}
		}
		if newest := eventsOf(t, e, Query{Packets: true}, 4); len(newest) != 4 || newest[3].Seq != int64(n) || newest[0].Seq != int64(n-3) {
			t.Errorf("%s: the newest are %v", name, seqs(newest))
		}
		r, err := e.Top(t.Context(), Query{Packets: true}, ByResolver, 9)
		if err != nil || r.Total != uint64(n) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestSameServerName: two journals whose servers have the same name by mistake are
// two journals.
func TestSameServerName(t *testing.T) {
	t.Parallel()
	one, two := testSettings(t.TempDir()), testSettings(t.TempDir())
	write(t, one, tenChecks()...)
	later := tenChecks()
	for i := range later {
		later[i].at += time.Second
	}
	write(t, sealSoon(two), later...)
	if rows := eventsOf(t, open(one.Dir, two.Dir), Query{Packets: true}, 0); len(rows) != 30 {
		t.Errorf("%d events, want 30", len(rows))
	}
}

// TestFollowCopies shows each event once while a copy lies beside its journal.
func TestFollowCopies(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, s, tenChecks()...)
	copied := copyDir(t, s.Dir)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	started := make(chan struct{})
	var got []int64
	done := make(chan error, 1)
	go func() {
		begun := false
		done <- open(copied, s.Dir).Follow(ctx, Query{Packets: true}, 0, func(rows []eventrow.Row) error {
			if !begun {
				begun = true
				close(started)
			}
			for i := range rows {
				if got = append(got, rows[i].Seq); len(got) == 2 {
					cancel()
				}
			}
			return nil
		})
	}()
	<-started
	j, err := journal.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	next := check{at: time.Hour, ip: "192.0.2.7", local: "x", domain: "shop.example", helo: "y"}
	put(t, j, next.packets()...)
	<-done
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "followed", got, []int64{16, 17})
}

// TestDamagedJournalFile changes each byte of the blocks of a wal file: what is
// lost is named, with file and range, and counted; the rest is shown.
func TestDamagedJournalFile(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	checks := tenChecks()
	for i := range checks[:4] {
		write(t, s, checks[i])
	}
	whole := len(eventsOf(t, open(s.Dir), Query{Packets: true}, 0))
	paths, err := filepath.Glob(filepath.Join(s.Dir, "journal", "*.wal"))
	if err != nil || len(paths) != 4 {
		t.Fatal(paths, err)
	}
	good, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	const header = 2 * 4096
	for at := header; at < len(good); at++ {
		data := append([]byte(nil), good...)
		data[at] ^= 8
		if err := os.WriteFile(paths[1], data, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		err := open(s.Dir).Events(t.Context(), Query{Packets: true}, 0, func(*eventrow.Row) error { n++; return nil })
		p := incomplete(t, err)
		if len(p) != 1 || !strings.Contains(p[0].Error(), paths[1]+": damaged: bytes ") || n < whole-2 || n > whole {
			t.Fatalf("byte %d: %d of %d events, %v", at, n, whole, p)
		}
		if n < whole && !strings.Contains(p[0].Error(), "events 3 to 4") {
			t.Fatalf("byte %d: %v", at, p)
		}
	}
	stats, err := open(s.Dir).Stats(t.Context())
	if incomplete(t, err); stats[0].Events != uint64(whole) {
		t.Errorf("%+v", stats)
	}
	data := append([]byte(nil), good...)
	data[header+60] ^= 8
	if err := os.WriteFile(paths[1], data, 0o600); err != nil {
		t.Fatal(err)
	}
	if stats, _ = open(s.Dir).Stats(t.Context()); stats[0].Gaps[journal.GapDamaged] != 2 || stats[0].Events != uint64(whole-2) {
		t.Errorf("%+v", stats)
	}
}
