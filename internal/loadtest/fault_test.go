package loadtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/torture"
	"nullspf/spftrack"
)

// fault is a trouble with the disk that comes and goes.
type fault struct {
	name string
	// reason is that of lost events, and what health tells.
	reason string
	// damages: the system takes what it has not synced to disk for written, and
	// then does not keep it. So events of the last second before the fault may be
	// damaged, and those of the time of the fault.
	damages bool
	// begin and end it.
	begin, end func(t *testing.T, d *daemon)
}

const (
	// faultRate fills the ring of a daemon with one worker in less than two
	// seconds, 8 MiB with 260 bytes an event.
	faultRate = 20000
	// calm is how long the load is measured without fault, faulty how long a
	// fault lasts at least.
	calm   = 700 * time.Millisecond
	faulty = 1500 * time.Millisecond
	// maxFaulty bounds it.
	maxFaulty = 60 * time.Second
	// resumed is how soon the daemon must store again after a fault.
	resumed = 10 * time.Second
)

// faultLoad asks long names over UDP, and some over TCP.
func faultLoad(t *testing.T, s *site, book *ledger, rate int) *load {
	t.Helper()
	l := newLoad(t)
	for range 4 {
		l.udp(s.at, rate/4, book.add(t, 40*rate, shape{pattern: longPattern, qtype: dns.TypeTXT}))
	}
	l.tcp(s.at, rate/40, book.add(t, 40*rate, shape{pattern: expPattern, qtype: dns.TypeTXT}))
	return l
}

// bearFaults runs a daemon under load through faults: it answers as before,
// counts what it loses by the right reason, says so, stores again as soon as
// it can, and everything is accounted for in the end.
func bearFaults(t *testing.T, s *site, rate int, faults ...fault) {
	run := torture.Start(t, 0)
	s.procs = 1
	d := s.start(t)
	book := new(ledger)
	l := faultLoad(t, s, book, rate)
	time.Sleep(calm / 3)
	began := now()
	time.Sleep(calm)
	ended := now()
	time.Sleep(drainTime)
	before := measure(book.streams, began, ended)
	t.Logf("before: %s", &before)
	reasons := make(map[string]bool)
	// kept is until when events were on disk, whatever failed later.
	kept := int64(0)
	for _, f := range faults {
		t.Logf("%s", f.name)
		if f.damages {
			book.torn = true
			kept = now() - int64(2*time.Second)
		}
		worst := d.bear(t, f, book, &before)
		run.Count("faults", 1)
		run.Figure(f.name+": slowest answer", "%s", worst.Round(time.Millisecond))
		reasons[f.reason] = true
	}
	began = now()
	time.Sleep(calm)
	ended = now()
	drops := l.end()
	after := measure(book.streams, began, ended)
	t.Logf("after: %s", &after)
	after.fullSpeed(t, &before)

	m := d.settled(t)
	run.Count("queries answered", int(m.answered()))
	run.Count("events stored", int(m.stored()))
	run.Count("lost and counted", int(m.lost("")))
	none := newOddCounts(t)
	m.reconcile(t, book, none, none, drops)
	explained := uint64(0)
	for reason := range reasons {
		explained += m.lost(reason)
	}
	if m.lost("") != explained {
		t.Errorf("%d events are lost, %d of them for the reasons of the faults", m.lost(""), explained)
	}
	d.stop(t)
	if kept != 0 {
		uncache(t, s.journal)
	}
	has := book.read(t, s.journal)
	damaged := has.holes()
	if damaged > 0 && kept == 0 {
		t.Errorf("%d numbers are missing in the journal", damaged)
	}
	if has.events+damaged != m.stored() {
		t.Errorf("the journal holds %d events, %d are damaged, %d were stored", has.events, damaged, m.stored())
	}
	if n, _ := has.missing(book.streams, ended); drops == 0 && uint64(n) != m.lost("")+damaged {
		t.Errorf("%d answered queries are not in the journal, %d were counted as lost, %d are damaged", n, m.lost(""), damaged)
	}
	if kept == 0 {
		checkDir(t, s.journal)
		return
	}
	if n, _ := has.missing(book.streams, kept); n > 0 {
		t.Errorf("%d events are missing that were on disk", n)
	}
	// What is damaged keeps nobody from starting, and costs no more.
	s.start(t).stop(t)
	if again := book.read(t, s.journal); has.vanished(again) > 0 {
		t.Errorf("%d events have vanished at the next start", has.vanished(again))
	}
	t.Logf("%d events damaged", damaged)
}

// bear takes a daemon through a fault, and returns the slowest answer over UDP.
func (d *daemon) bear(t *testing.T, f fault, book *ledger, before *measurement) (worst time.Duration) {
	start := d.metrics(t)
	f.begin(t, d)
	began := now()
	time.Sleep(faulty)
	// From the first loss on, all that the ring can take up is taken up.
	waitFor(t, maxFaulty, func() bool { return d.metrics(t).lost("") > start.lost("")+1000 },
		func() string { return "no events are lost:\n" + d.metrics(t).text() })
	for _, want := range []string{"events cannot be stored (" + f.reason + ")", "queries are still answered", "lost within the last minute"} {
		waitFor(t, 2*time.Second, func() bool { return strings.Contains(strings.Join(d.health(t).Problems, "\n"), want) },
			func() string { return fmt.Sprintf("health does not say %q: %+v", want, d.health(t)) })
	}
	ended := now()
	f.end(t, d)

	at := d.metrics(t)
	waitFor(t, resumed, func() bool {
		m := d.metrics(t)
		return m.stored() > at.stored()+1000 && !strings.Contains(strings.Join(d.health(t).Problems, "\n"), "cannot be stored")
	}, func() string { return "nothing is stored again: " + strings.Join(d.health(t).Problems, "\n") })
	again := time.Duration(now() - ended)
	// Late answers count too.
	time.Sleep(drainTime)
	m := d.metrics(t)
	lost := m.lost("") - start.lost("")
	if right := m.lost(f.reason) - start.lost(f.reason); right != lost {
		t.Errorf("of %d lost events, %d were lost by %s:\n%s", lost, right, f.reason, m.text())
	}
	for _, transport := range []spftrack.Transport{spftrack.TransportUDP, spftrack.TransportTCP} {
		var streams []*stream
		for _, s := range book.streams {
			if s.transport == transport {
				streams = append(streams, s)
			}
		}
		during := measure(streams, began, ended)
		t.Logf("during, %s: %s", transport, &during)
		if transport == spftrack.TransportUDP {
			during.fullSpeed(t, before)
			worst = during.worst
		}
	}
	t.Logf("%d events lost, all well %s after the fault", lost, again.Round(time.Millisecond))
	return worst
}
