package loadtest

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// fileCalls are the system calls that nullspfd makes for files alone. The others,
// read and write, are traced for single files.
var fileCalls = []string{
	"openat", "fdatasync", "fsync", "rename,renameat,renameat2", "unlink,unlinkat", "mkdir,mkdirat",
	"ftruncate", "fallocate", "lseek", "pwrite64", "pread64", "newfstatat,statx,fstat", "getdents64", "fchmod,fchmodat", "flock",
}

// TestErrorAtEachCall lets one kind of system call after the other fail with EIO
// while the daemon answers, begins another journal file and seals the last one.
// Answers go on; storing resumes; in the end every event is stored or counted.
func TestErrorAtEachCall(t *testing.T) {
	peers.Require(t, "strace")
	r := torture.Start(t, 0)
	s := newSite(t)
	s.procs = 1
	// A segment has a quarter of that: one is sealed every few seconds.
	s.journalOptions = "max_size 64MB"
	d := s.start(t)
	book := new(ledger)
	l := newLoad(t)
	rate := slower(6000)
	limit := rate * (int(r.Left().Seconds()) + 120)
	l.udp(s.at, rate, book.add(t, limit, shape{pattern: longPattern, qtype: dns.TypeTXT}))
	l.tcp(s.at, rate/10, book.add(t, limit, shape{pattern: expPattern, qtype: dns.TypeTXT}))
	calls := r.Rand.Perm(len(fileCalls))
	worst := time.Duration(0)
	for n := 0; r.More(5); n++ {
		call := fileCalls[calls[n%len(calls)]]
		began := now()
		detach := trace(t, d, "-e", "trace="+call, "-e", "inject="+call+":error=EIO")
		// A change of layouts makes the journal begin another file.
		s.layouts = []string{"track", "track classic"}[n%2]
		s.configure(t, s.corefile())
		d.signal(t, syscall.SIGHUP)
		time.Sleep(300 * time.Millisecond)
		detach()
		ended := now()
		d.signal(t, syscall.SIGHUP)
		waitFor(t, resumed, func() bool {
			h := d.health(t)
			return !strings.Contains(strings.Join(h.Problems, "\n"), "cannot be stored")
		}, func() string {
			return fmt.Sprintf("after EIO from %s, nothing is stored again: %+v", call, d.health(t))
		})
		time.Sleep(drainTime)
		during := measure(book.streams, began, ended)
		worst = max(worst, during.worst)
		if during.answered < during.sent {
			t.Errorf("EIO from %s: %s", call, &during)
		}
		r.Count("faults", 1)
	}
	drops := l.end()
	m := d.settled(t)
	none := newOddCounts(t)
	m.reconcile(t, book, none, none, drops)
	d.stop(t)
	has := book.read(t, s.journal)
	if has.events != m.stored() {
		t.Errorf("the journal holds %d events, %d were stored, %d lost", has.events, m.stored(), m.lost(""))
	}
	if n, _ := has.missing(book.streams, now()); drops == 0 && uint64(n) != m.lost("") {
		t.Errorf("%d answered queries are not in the journal, %d events were counted as lost", n, m.lost(""))
	}
	checkDir(t, s.journal)
	r.Count("queries answered", int(m.answered()))
	r.Count("events stored", int(m.stored()))
	r.Count("lost and counted", int(m.lost("")))
	r.Figure("slowest answer", "%s", worst.Round(time.Millisecond))
	// An openat of the Corefile at least.
	said := strings.Count(d.logged(), "input/output error")
	r.Count("errors logged", said)
	if said == 0 && torture.Asked() {
		t.Error("nothing has failed")
	}
}
