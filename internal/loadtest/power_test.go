package loadtest

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// unsynced is how long before a loss of power an event may have been answered that
// is lost with it: a second until the journal is synced, and what a busy machine
// takes.
const unsynced = 2 * time.Second

// TestPowerLoss takes the power away while the daemon answers, writes and seals:
// the file system is shut down at once, without what it has not synced.
// What was answered a second before is there after that, and answers go on.
func TestPowerLoss(t *testing.T) {
	peers.RequireRoot(t, "shutting down file systems")
	r := torture.Start(t, 0)
	kinds := []struct{ name, mkfs string }{{"ext4", "mkfs.ext4 -q"}, {"xfs", "mkfs.xfs -q"}}
	for i, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			r := r.Part(t, len(kinds)-i)
			peers.Require(t, "xfs_io")
			image := filepath.Join(t.TempDir(), "image")
			dir := peers.Mount(t, "truncate -s 400M "+image, kind.mkfs+" "+image, "mount -o loop "+image+" DIR")
			s := siteOn(t, dir)
			book := &ledger{torn: true}
			var before *stored
			worst := time.Duration(0)
			for r.More(2) {
				first := len(book.streams)
				off := s.powerOff(t, r, dir, image, book)
				has := book.read(t, s.journal)
				_, oldest := has.missing(book.streams[first:], off)
				worst = max(worst, oldest)
				if oldest > unsynced {
					t.Errorf("an event is lost that was answered %s before", oldest)
				}
				if before != nil && before.vanished(has) > 0 {
					t.Errorf("%d events have vanished", before.vanished(has))
				}
				before = has
				r.Count("losses of power, "+kind.name, 1)
			}
			// The last start tidies up.
			s.start(t).stop(t)
			has := book.read(t, s.journal)
			if n := before.vanished(has); n > 0 {
				t.Errorf("%d events have vanished at the next start", n)
			}
			// Of what was not synced, a later part may have reached the disk and an
			// earlier one not: that is named.
			report, err := journal.CheckDir(t.Context(), s.journal)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range report.Problems {
				if r.Count("ranges without their bytes, named", 1); !strings.Contains(fmt.Sprint(problem), ".wal: ") || !strings.Contains(fmt.Sprint(problem), "damaged") {
					t.Errorf("journal: %s", problem)
				}
			}
			r.Count("events stored", int(has.events))
			r.Figure("oldest loss, "+kind.name, "%s", worst.Round(time.Millisecond))
		})
	}
}

// powerOff runs a daemon under load for a random time and takes the power away. It
// returns when, in ns since epoch; the file system is mounted again.
func (s *site) powerOff(t *testing.T, r *torture.Run, dir, image string, book *ledger) (off int64) {
	t.Helper()
	s.layouts = "track classic"
	d := s.start(t)
	l := newLoad(t)
	l.tolerant = true
	rate := slower(4000)
	l.udp(s.at, rate/2, book.add(t, 10*rate, shape{}))
	l.udp(s.at, rate/2, book.add(t, 10*rate, shape{pattern: expPattern, qtype: dns.TypeTXT}))
	time.Sleep(700*time.Millisecond + time.Duration(r.Rand.Int64N(int64(700*time.Millisecond))))
	// A change of layouts makes the journal begin another file, and seal the last.
	s.layouts = "track"
	s.configure(t, s.corefile())
	d.signal(t, syscall.SIGHUP)
	time.Sleep(time.Duration(r.Rand.Int64N(int64(700 * time.Millisecond))))
	off = now()
	run(t, "xfs_io", "-x", "-c", "shutdown", dir)
	time.Sleep(600 * time.Millisecond)
	ended := now()
	time.Sleep(drainTime)
	if h := d.health(t); h.Status == "ok" || !strings.Contains(strings.Join(h.Problems, "\n"), "queries are still answered") {
		t.Errorf("without file system, health is %+v", h)
	}
	during := measure(book.streams[len(book.streams)-2:], off, ended)
	if during.answered < during.sent || during.sent == 0 {
		t.Errorf("without file system: %s", &during)
	}
	d.kill(t)
	l.end()
	run(t, "umount", dir)
	run(t, "mount", "-o", "loop", image, dir)
	return off
}
