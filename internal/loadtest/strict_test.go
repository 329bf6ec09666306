package loadtest

import (
	"testing"
	"time"

	"nullspf/internal/peers"
)

// TestStrictOnFrozenDisk: where answers wait for the disk, they go on without
// it when it hangs, as soon as that is known; nothing is lost as long as there
// is room.
func TestStrictOnFrozenDisk(t *testing.T) {
	dir := peers.MountExt4(t, "256M")
	s := siteOn(t, dir)
	s.journalOptions = "sync strict"
	s.procs = 1
	d := s.start(t)
	book := new(ledger)
	l := newLoad(t)
	l.udp(s.at, 1000, book.add(t, 60_000, shape{}))
	l.tcp(s.at, 200, book.add(t, 60_000, shape{}))
	time.Sleep(time.Second)
	thaw := peers.Freeze(t, dir)
	frozen := now()
	time.Sleep(6 * time.Second)
	ended := now()
	thaw()
	time.Sleep(time.Second)
	drops := l.end()
	// Noticing takes a second, and so does a wait that had begun.
	const known = int64(3 * time.Second)
	first := measure(book.streams, frozen, frozen+known)
	then := measure(book.streams, frozen+known, ended)
	t.Logf("at first: %s", &first)
	t.Logf("then: %s", &then)
	if then.answered != then.sent || then.worst > worstLatency || first.worst > 4*time.Second {
		t.Error("answers wait for a disk that hangs")
	}
	m := d.settled(t)
	none := newOddCounts(t)
	m.reconcile(t, book, none, none, drops)
	d.stop(t)
	has := book.read(t, s.journal)
	if n, _ := has.missing(book.streams, now()); n > 0 || has.events != m.stored() || m.lost("") > 0 {
		t.Errorf("%d events are missing; the journal holds %d, %d were stored, %d lost", n, has.events, m.stored(), m.lost(""))
	}
	checkDir(t, s.journal)
}
