package loadtest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// TestReloadUnderLoad changes the configuration again and again, with both
// signals: no query and no event is lost, and a broken file changes
// nothing.
func TestReloadUnderLoad(t *testing.T) {
	r := torture.Start(t, 0)
	s := newSite(t)
	d := s.start(t)
	book := new(ledger)
	oddUDP, oddTCP := newOddCounts(t), newOddCounts(t)
	l := newLoad(t)
	rate := slower(9000)
	l.mixedLoad(t, s, book, rate, 60*rate+int(r.Left().Seconds())*rate/4)
	l.oddUDP(s.at, rate/10, oddUDP)
	l.oddTCP(s.at, slower(300), oddTCP)
	changes := []func(*site){
		func(s *site) { s.explain = "changed" },
		func(s *site) { s.layouts = "track" },
		func(s *site) { s.bind = "127.0.0.2" },
		func(s *site) { s.options = "rrl off\n\terrors" },
		func(s *site) { s.options = "cookies off" },
		func(s *site) { s.options = "smtp 127.0.0.1:0 {\n\t\tmode refuse\n\t}" },
		func(s *site) {
			s.options = "}\nanother.example:" + fmt.Sprint(s.at.Port()) + " {\n\tbind 127.0.0.1\n\tspftrack {\n\t\tnameservers ns1.example.org\n\t}"
		},
	}
	broken := []func(string) string{
		func(string) string { return "" },
		func(text string) string { return strings.Replace(text, "spftrack", "spftracks", 1) },
		func(text string) string { return strings.Replace(text, "journal "+s.journal, "journal elsewhere", 1) },
		func(text string) string { return strings.Replace(text, "bind 127.0.0.1", "bind 192.0.2.1", 1) },
		func(text string) string { return text[:len(text)/2] },
	}
	signals := []os.Signal{syscall.SIGHUP, syscall.SIGUSR1}
	var done, failed uint64
	for i := 0; r.More(20); i++ {
		changed := *s
		changes[i%len(changes)](&changed)
		changed.explain += fmt.Sprintf(" %d", i)
		time.Sleep(20 * time.Millisecond)
		d.reload(t, changed.corefile(), signals[i%2], "done", &done)
		if got := explanation(t, s); got != changed.explain {
			t.Errorf("reload %d: the explanation is %q, want %q", i, got, changed.explain)
		}
		if i%2 == 0 {
			continue
		}
		d.reload(t, broken[i/2%len(broken)](s.corefile()), signals[i/2%2], "failed", &failed)
		if got := explanation(t, s); got != changed.explain {
			t.Errorf("reload %d: after a broken file the explanation is %q, want %q", i, got, changed.explain)
		}
		if problems := strings.Join(d.health(t).Problems, "\n"); !strings.Contains(problems, "reload: ") {
			t.Errorf("health does not tell of the broken file: %s", problems)
		}
	}
	drops := l.end()
	m := d.settled(t)
	// The explanations were asked for by hand.
	byHand := done + failed
	m[`nullspfd_queries_received_total{transport="udp"}`] -= byHand
	m[`nullspfd_queries_answered_total{answer="zone",transport="udp"}`] -= byHand
	m[`nullspfd_events_total`] -= byHand
	m[`nullspfd_events_stored_total`] -= byHand
	m.reconcile(t, book, oddUDP, oddTCP, drops)
	if m.lost("") != 0 || m.socketDrops() != 0 || m.sum("nullspfd_send_errors_total") != 0 || m.dropped(`"busy"`) != 0 {
		t.Errorf("queries or events were lost:\n%s", m.text())
	}
	// Ten lines of one kind in ten seconds.
	if n := strings.Count(d.logged(), `"message":"reload failed`); uint64(n) > failed || uint64(n) < min(failed, 10) {
		t.Errorf("the log tells of %d broken files, not of %d", n, failed)
	}
	d.stop(t)
	checkDir(t, s.journal)
	r.Count("reloads", int(done))
	r.Count("refused", int(failed))
	r.Count("events stored", int(m.stored()))
	t.Logf("%d reloads, %d refused; %d events", done, failed, m.stored())
}

// reload gives the daemon another configuration, and waits until it was taken
// or refused once more.
func (d *daemon) reload(t *testing.T, text string, signal os.Signal, result string, count *uint64) {
	t.Helper()
	*count++
	d.configure(t, text)
	d.signal(t, signal)
	reloads := func() uint64 { return d.metrics(t).sum("nullspfd_reloads_total", `"`+result+`"`) }
	waitFor(t, 10*time.Second, func() bool { return reloads() >= *count },
		func() string { return "the reload is not " + result + ":\n" + d.metrics(t).text() })
	if got := reloads(); got != *count {
		t.Fatalf("%d reloads are %s, not %d", got, result, *count)
	}
}

// explanation asks for the text at an exp= name.
func explanation(t *testing.T, s *site) string {
	t.Helper()
	answer, err := peers.Query(t.Context(), s.at, "by.hand.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2."+trackingZone, dns.TypeTXT, nil)
	if err != nil || len(answer.Answer) != 1 {
		t.Fatalf("%v, %v", answer, err)
	}
	return strings.Join(answer.Answer[0].(*dns.TXT).Txt, "")
}
