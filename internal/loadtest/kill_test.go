package loadtest

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/torture"
)

// TestKill kills the daemon at random moments while it answers, writes, seals
// and reloads, and starts it anew on the same directory. What was answered 100 ms
// before, or longer on a machine where others make it wait, is in the journal; in strict mode all that was answered.
func TestKill(t *testing.T) {
	r := torture.Start(t, 0)
	modes := []struct {
		sync   string
		margin time.Duration // on a machine where nobody makes nullspfd wait
		rounds int
		rate   int
	}{
		{"interval", 100 * time.Millisecond, 12, slower(8000)},
		{"strict", 0, 3, slower(2000)},
	}
	for i, mode := range modes {
		t.Run(mode.sync, func(t *testing.T) {
			r := r.Part(t, len(modes)-i)
			s := newSite(t)
			s.journalOptions = "sync " + mode.sync
			l := new(ledger)
			var before *stored
			round := 0
			for ; r.More(mode.rounds); round++ {
				first := len(l.streams)
				worst, stop := torture.Stalls(t)
				killed := killedRound(t, s, l, mode.rate, r.Rand)
				stop()
				margin := mode.margin
				if margin > 0 {
					margin += 3 * worst()
				}
				has := l.read(t, s.journal)
				if n, oldest := has.missing(l.streams[first:], sinceEpoch(killed)-int64(margin)); n > 0 {
					t.Errorf("round %d: %d events are missing that were answered up to %s before the kill", round, n, margin+oldest)
				}
				if before != nil {
					if n := before.vanished(has); n > 0 {
						t.Fatalf("%d events have vanished", n)
					}
				}
				checkDir(t, s.journal)
				before = has
			}
			// The last start tidies up.
			s.start(t).stop(t)
			has := l.read(t, s.journal)
			if n := before.vanished(has); n > 0 {
				t.Errorf("%d events have vanished", n)
			}
			checkDir(t, s.journal)
			var sent, answered uint64
			for _, st := range l.streams {
				sent += uint64(st.sent.Load())
				answered += uint64(st.answered.Load())
			}
			if answered < uint64(20*round) {
				t.Errorf("only %d queries were answered", answered)
			}
			r.Count("kills, "+mode.sync, round)
			r.Count("queries answered", int(answered))
			r.Count("events stored", int(has.events))
			t.Logf("%d rounds: %d queries, %d answered, %d events stored", round, sent, answered, has.events)
		})
	}
}

// killedRound runs a daemon under load for a random time, and returns when it
// was killed.
func killedRound(t *testing.T, s *site, l *ledger, rate int, random *rand.Rand) (at time.Time) {
	t.Helper()
	s.layouts = "track classic"
	d := s.start(t)
	load := newLoad(t)
	load.tolerant = true
	const life = 500 * time.Millisecond
	limit := rate * 4
	// Ports come again in later rounds, so streams never do.
	load.udp(s.at, rate/3, l.add(t, limit, shape{}))
	load.udp(s.at, rate/3, l.add(t, limit, shape{pattern: expPattern, qtype: dns.TypeTXT}))
	// On the slow path, because of a second record.
	load.udp(s.at, rate/6, l.add(t, limit, shape{change: func(m *dns.Msg) {
		m.SetEdns0(1232, false)
		m.Extra = append(m.Extra, &dns.A{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{192, 0, 2, 1}})
	}}))
	load.tcp(s.at, rate/6, l.add(t, limit, shape{pattern: barePattern}))
	time.Sleep(50*time.Millisecond + time.Duration(random.Int64N(int64(life/2))))
	// A change of layouts makes the journal begin another file.
	s.layouts = "track"
	s.configure(t, s.corefile())
	d.signal(t, syscall.SIGHUP)
	time.Sleep(time.Duration(random.Int64N(int64(life / 2))))
	at = d.kill(t)
	load.end()
	return at
}
