package loadtest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// resident is the memory of the daemon, in MiB.
func (d *daemon) resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			n, _ := strconv.Atoi(fields[1])
			return n >> 10
		}
	}
	t.Fatalf("no memory in\n%s", status)
	return 0
}

// samples are what is measured in the course of a soak.
type samples struct {
	at     []float64 // hours
	values []float64
}

func (s *samples) add(at time.Duration, value float64) {
	s.at, s.values = append(s.at, at.Hours()), append(s.values, value)
}

// slope is by how much the values of the second half rise in an hour, by least
// squares: the first half fills caches and tables.
func (s *samples) slope() float64 {
	at, values := s.at[len(s.at)/2:], s.values[len(s.values)/2:]
	var n, x, y, xx, xy float64
	for i := range at {
		n++
		x += at[i]
		y += values[i]
		xx += at[i] * at[i]
		xy += at[i] * values[i]
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

// TestSoak keeps a daemon under mixed load. Two hours tell something.
func TestSoak(t *testing.T) {
	s := newSite(t)
	s.soak(t, s.start(t), torture.Start(t, time.Second), slower(6000), func(int) {})
}

// TestXDPSoak does so with a daemon that answers beside the kernel, most of the time.
func TestXDPSoak(t *testing.T) {
	r := torture.Start(t, time.Second)
	s := newXDPSite(t)
	d := s.start(t)
	s.soak(t, d, r, slower(1500), func(round int) {
		s.options = withXDP
		if round%3 == 0 {
			s.options = withoutXDP
		}
		s.configure(t, s.corefile())
	})
	out, err := peers.Command("ip", "link", "show", "wire").CombinedOutput()
	if err != nil || strings.Contains(string(out), "xdp") {
		t.Errorf("after the end the interface is\n%s%v", out, err)
	}
}

// soak keeps a daemon under mixed load, with odd messages and reloads, and looks at the
// slopes of memory, goroutines and descriptors. change comes before each reload.
func (s *site) soak(t *testing.T, d *daemon, r *torture.Run, rate int, change func(round int)) {
	long := r.Left() > time.Hour
	began := time.Now()
	var memory, goroutines, descriptors samples
	for round := 0; r.More(1); round++ {
		// A client remembers all that it has asked, so it is replaced.
		span := min(max(r.Left(), time.Second), 2*time.Minute)
		book := new(ledger)
		l := newLoad(t)
		l.from = s.clients
		l.mixedLoad(t, s, book, rate, rate*int(span.Seconds()+10)/4)
		l.oddUDP(s.at, rate/8, newOddCounts(t))
		for end := time.Now().Add(span); time.Now().Before(end); {
			time.Sleep(min(span/5, 10*time.Second))
			memory.add(time.Since(began), float64(d.resident(t)))
			goroutines.add(time.Since(began), float64(d.metrics(t)["go_goroutines"]))
			descriptors.add(time.Since(began), float64(d.descriptors(t)))
		}
		l.end()
		change(round)
		d.signal(t, syscall.SIGHUP)
		r.Count("reloads", 1)
	}
	m := d.settled(t)
	beside := uint64(m["nullspfd_xdp_received_total"])
	if s.clients != nil && beside < m.received()/3 {
		t.Errorf("%d of %d queries were received beside the kernel", beside, m.received())
	}
	if m.received() != m.answered()+m.dropped() {
		t.Errorf("%d queries received, %d answered, %d dropped", m.received(), m.answered(), m.dropped())
	}
	r.Count("queries received", int(m.received()))
	r.Count("beside the kernel", int(beside))
	r.Count("answered", int(m.answered()))
	r.Count("dropped", int(m.dropped()))
	r.Count("events stored", int(m.stored()))
	r.Count("events lost", int(m.lost("")))
	for _, c := range []struct {
		what, unit string
		of         *samples
		// most is the largest slope of a long soak, bound the largest value.
		most, bound float64
	}{
		{"memory", "MiB", &memory, 30, 1000},
		{"goroutines", "goroutines", &goroutines, 5, 200},
		{"descriptors", "descriptors", &descriptors, 5, 200},
	} {
		worst := slices.Max(c.of.values)
		r.Figure(c.what, "%.0f %s at most, %+.1f an hour", worst, c.unit, c.of.slope())
		if !raceDetector && worst > c.bound || long && c.of.slope() > c.most {
			t.Errorf("%s: %.0f %s at most, %+.1f an hour: %v", c.what, worst, c.unit, c.of.slope(), c.of.values)
		}
	}
	d.stop(t)
	checkDir(t, s.journal)
}
