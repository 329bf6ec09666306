//go:build !race

// The race detector takes memory of its own.

package loadtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/torture"
)

// memory returns the resident memory of a process in MiB, now and at most.
func (d *daemon) memory(t *testing.T) (rss, peak int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		n, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "VmRSS:":
			rss = n >> 10
		case "VmHWM:":
			peak = n >> 10
		}
	}
	if rss == 0 || peak == 0 {
		t.Fatalf("no memory in\n%s", status)
	}
	return rss, peak
}

// resetPeak begins a new measurement of the peak.
func (d *daemon) resetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.cmd.Process.Pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// connect opens TCP connections from many addresses, more than the daemon
// takes, and leaves each in the middle of a query.
func connect(t *testing.T, random *rand.Rand, s *site) (opened []net.Conn) {
	t.Helper()
	for range 1200 {
		dialer := net.Dialer{
			Timeout:   5 * time.Second,
			LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(random.IntN(256)), byte(random.IntN(256)), byte(1+random.IntN(254)))},
		}
		conn, err := dialer.Dial("tcp4", s.at.String())
		if err != nil {
			t.Fatal(err)
		}
		// The daemon may have closed it.
		_, _ = conn.Write([]byte{0, 100, 1, 2, 3})
		opened = append(opened, conn)
	}
	return opened
}

// TestMemoryUnderFlood floods the daemon from all of 127.0.0.0/8, and with
// connections that stay open. Its memory is bounded, and what it has after some
// floods is enough for further ones.
func TestMemoryUnderFlood(t *testing.T) {
	r := torture.Start(t, 0)
	cases := []struct {
		name  string
		shape shape
		// bound is in MiB.
		bound int
		// flood is how many queries each of two and more floods has at least.
		// From all but the last one, memory is as full as it gets.
		flood int
	}{
		// The daemon begins with some 20 MiB. Each worker has a table of rates
		// of 1 MiB, the slow path room for 512 messages of 4 KiB, and 1000 TCP
		// connections have 16 KiB each and the kernel's memory is not ours. The
		// garbage collector may take as much again. Ten long floods end at 150 MiB.
		{"no events", shape{pattern: barePattern, change: func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }}, longer(120, 200), longer(80_000, 1_000_000)},
		// Each worker, and one more, has a ring of 8 MiB. The sealer remembers
		// a million attempts in each of two tables, some 200 MiB, after millions
		// of events; 65,536 events that wait for their pairs, some 50 MiB; and a
		// row group of 122,880 rows with its dictionaries, some 100 MiB. The
		// garbage collector may take as much again.
		{"events", shape{}, longer(300, 1000), longer(150_000, 1_000_000)},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := r.Part(t, len(cases)-i)
			s := newSite(t)
			d := s.start(t)
			began, _ := d.memory(t)
			var peaks []int
			for r.More(2) || len(peaks) < 2 {
				d.resetPeak(t)
				r.Count("queries", int(d.flood(t, r, c.shape, c.flood)))
				rss, peak := d.memory(t)
				t.Logf("%d MiB at most, %d MiB after the flood", peak, rss)
				peaks = append(peaks, peak)
			}
			t.Logf("%d MiB before the floods", began)
			if worst := slices.Max(peaks); worst > c.bound {
				t.Errorf("%d MiB, more than %d", worst, c.bound)
			}
			// Short floods of events do not fill the sealer's tables.
			r.Figure(c.name+": most memory", "%d MiB", slices.Max(peaks))
			full := c.shape.change != nil || len(peaks) > 3
			if last, before := peaks[len(peaks)-1], peaks[len(peaks)-2]; full && last > before+before/5+10 {
				t.Errorf("the last flood took more memory than the one before: %d MiB", peaks)
			}
			d.stop(t)
			checkDir(t, s.journal)
		})
	}
}

// longer is a number for "make test" and one for "make torture".
func longer(short, long int) int {
	if torture.Asked() {
		return long
	}
	return short
}

// flood floods a daemon until it has received a number of queries, and
// accounts for all of them.
func (d *daemon) flood(t *testing.T, r *torture.Run, shape shape, queries int) (arrived uint64) {
	t.Helper()
	before := d.metrics(t)
	l := newLoad(t)
	book := new(ledger)
	sent := []*atomic.Int64{l.flood(d.at, book.add(t, 0, shape)), l.flood(d.at, book.add(t, 0, shape))}
	connections := connect(t, r.Rand, d.site)
	open := uint64(0)
	// Under the flood, the daemon accepts them later than the kernel does.
	waitFor(t, 10*time.Second, func() bool {
		open = d.metrics(t).sum("nullspfd_tcp_connections")
		return open >= uint64(longer(500, 100))
	}, func() string { return fmt.Sprintf("%d connections are open", open) })
	if open > 1000 {
		t.Errorf("%d connections are open", open)
	}
	var m metrics
	waitFor(t, 5*time.Minute, func() bool {
		m = d.metrics(t)
		return m.received(udp) > before.received(udp)+uint64(queries)
	}, func() string { return "the flood is too slow:\n" + m.text() })
	for _, c := range connections {
		_ = c.Close()
	}
	l.end()
	m = d.settled(t)
	arrived = m.received(udp) + m.socketDrops() - before.received(udp) - before.socketDrops()
	if total := sent[0].Load() + sent[1].Load(); arrived != uint64(total) {
		t.Errorf("%d messages were sent, %d have arrived", total, arrived)
	}
	t.Logf("%d messages, %d of them dropped by the kernel, %d by the daemon; %d events lost", arrived,
		m.socketDrops()-before.socketDrops(), m.dropped()-before.dropped(), m.lost("")-before.lost(""))
	return arrived
}
