package loadtest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
	"nullspf/spftrack"
)

// TestStopUnderLoad stops the daemon in order while it answers: what was
// answered is stored, and nothing else.
func TestStopUnderLoad(t *testing.T) {
	r := torture.Start(t, 0)
	s := newSite(t)
	book := new(ledger)
	rate := slower(12000)
	slowest := time.Duration(0)
	for r.More(3) {
		d := s.start(t)
		first := len(book.streams)
		l := newLoad(t)
		l.tolerant = true
		l.mixedLoad(t, s, book, rate, 3*rate)
		time.Sleep(400 * time.Millisecond)
		took := d.stop(t)
		l.end()
		has := book.read(t, s.journal)
		if _, answered := book.totals(spftrack.TransportUDP); answered == 0 {
			t.Error("nothing was answered")
		}
		n, oldest := has.missing(book.streams[first:], now())
		if n > 0 {
			t.Errorf("%d answered queries are not stored, answered up to %s ago", n, oldest)
		}
		checkDir(t, s.journal)
		r.Count("stops", 1)
		slowest = max(slowest, took)
		t.Logf("stopped in %s; the journal has %d events", took.Round(time.Millisecond), has.events)
	}
	r.Figure("slowest stop", "%s", slowest.Round(time.Millisecond))
}

// TestStopAmongReloads: the signal to stop is not lost among many to reload,
// while the file system of the Corefile is slow.
func TestStopAmongReloads(t *testing.T) {
	peers.Require(t, "strace")
	s := newSite(t)
	d := s.start(t)
	defer trace(t, d, "-P", filepath.Join(s.dir, "Corefile"), "-e", "trace=openat", "-e", "inject=openat:delay_enter=50000")()
	for i := range 100 {
		d.signal(t, []os.Signal{syscall.SIGHUP, syscall.SIGUSR1}[i%2])
		time.Sleep(2 * time.Millisecond)
	}
	d.signal(t, syscall.SIGTERM)
	d.waitExit(t, 15*time.Second)
}
