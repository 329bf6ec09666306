package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// quick is the time-out in tests in which some answers come and some do not.
const quick = 200 * time.Millisecond

func manyRows(n int) []string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("z%03d.example,,,", i)
	}
	return rows
}

// TestSilentServers has a server that never answers beside one that does.
func TestSilentServers(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(50)...)
	right := serveFake(t, func(q *dns.Msg) [][]byte { return [][]byte{pack(t, p.answer(t, q))} }, nil)
	mute := serveFake(t, func(*dns.Msg) [][]byte { return nil }, nil)
	closed, err := peers.FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what    string
		server  netip.AddrPort
		retries int
		want    string
	}{
		{"mute", mute.address, 1, "no answer within 200ms, tried 2 times, for 5 zones in a row; 50 of 50 zones were not checked"},
		{"closed port", closed, 0, "connection refused, tried 1 time, for 5 zones in a row; 50 of 50 zones were not checked"},
		{"no way", netip.MustParseAddrPort("[fe80::1%nowhere]:53"), 1, "cannot send queries to the server: "},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			lines, _, sum := p.run(t, Settings{
				Servers: []netip.AddrPort{c.server, right.address}, Concurrency: 14, Timeout: quick, Retries: c.retries,
			})
			if len(lines) != 1 || !strings.Contains(lines[0], " 0 answer  []: "+c.want) {
				t.Errorf("findings %q, want %q", lines, c.want)
			}
			if sum.Checked != 0 || sum.Unanswered != 50 || sum.Servers[0].Unanswered != 50 || sum.Servers[1].Checked != 50 {
				t.Errorf("summary %+v", sum)
			}
			if n := sum.Servers[0].Queries; n > 2*7*5 || c.server == mute.address && int64(n) != mute.queries.Load() {
				t.Errorf("%d queries to a silent server, which got %d", n, mute.queries.Load())
			}
		})
	}
}

// TestServerFallsSilent has a server cease to answer half-way.
func TestServerFallsSilent(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(50)...)
	var n atomic.Int64
	s := serveFake(t, func(q *dns.Msg) [][]byte {
		if n.Add(1) > 7*20 {
			return nil
		}
		return [][]byte{pack(t, p.answer(t, q))}
	}, nil)
	lines, _, sum := p.run(t, Settings{Servers: []netip.AddrPort{s.address}, Concurrency: 7, Timeout: quick})
	wantLines(t, lines, []string{" 0 answer  []: no answer within 200ms, tried 1 time, for 5 zones in a row; 30 of 50 zones were not checked"})
	if sum.Checked != 20 || sum.Unanswered != 30 {
		t.Errorf("summary %+v", sum)
	}
}

// TestSilenceAboutSome has a server that never answers about some zones, or
// only to some queries.
func TestSilenceAboutSome(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(10)...)
	s := serveFake(t, func(q *dns.Msg) [][]byte {
		name, rrtype := q.Question[0].Name, q.Question[0].Qtype
		switch {
		case strings.HasSuffix(name, "z003.example."), strings.HasSuffix(name, "z009.example."),
			name == "z005.example." && rrtype == dns.TypeMX, name == "z006.example." && rrtype == dns.TypeSOA:
			return nil
		}
		return [][]byte{pack(t, p.answer(t, q))}
	}, nil)
	for _, concurrency := range []int{1, 20} {
		lines, _, sum := p.run(t, Settings{Servers: []netip.AddrPort{s.address}, Concurrency: concurrency, Timeout: quick})
		const no = " []: no answer within 200ms, tried 1 time"
		wantLines(t, lines, []string{
			"z003.example 0 served z003.example" + no,
			"z005.example 0 mx z005.example" + no,
			"z006.example 0 served z006.example" + no,
			"z009.example 0 served z009.example" + no,
		})
		if sum.Checked != 7 || sum.Unanswered != 3 {
			t.Errorf("summary %+v", sum)
		}
	}
}

// TestLossyServer loses every query once.
func TestLossyServer(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(1)...)
	var n atomic.Int64
	s := serveFake(t, func(q *dns.Msg) [][]byte {
		if n.Add(1)%2 == 1 {
			return nil
		}
		return [][]byte{pack(t, p.answer(t, q))}
	}, nil)
	lines, _, _ := p.run(t, Settings{Servers: []netip.AddrPort{s.address}, Concurrency: 1, Timeout: quick, Retries: 1})
	wantLines(t, lines, nil)
}

// TestConcurrency checks that no more queries wait than are allowed, and that
// those are made use of.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(20)...)
	for _, n := range []int{1, 3, 20} {
		s := serveFake(t, func(q *dns.Msg) [][]byte {
			time.Sleep(3 * time.Millisecond)
			return [][]byte{pack(t, p.answer(t, q))}
		}, nil)
		lines, _, _ := p.run(t, Settings{Servers: []netip.AddrPort{s.address}, Concurrency: n, Timeout: 10 * time.Second})
		wantLines(t, lines, nil)
		if high := int(s.highest.Load()); high > n || high < (n+1)/2 {
			t.Errorf("%d queries waited at a time, %d were allowed", high, n)
		}
	}
}

// TestCancel ends a run that waits for answers.
func TestCancel(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(10)...)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	sum, err := Run(ctx, Settings{Servers: []netip.AddrPort{conn.LocalAddr().(*net.UDPAddr).AddrPort()}, Timeout: time.Minute},
		p.set, p.serial, func(f Finding) { t.Errorf("finding %+v", f) })
	if !errors.Is(err, context.DeadlineExceeded) || sum.Unanswered != 10 || time.Since(start) > 30*time.Second {
		t.Errorf("%v after %v, summary %+v", err, time.Since(start), sum)
	}
}

// TestRefusedAtOnce: an address at which nobody listens costs no time, whatever the
// timeout.
func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, manyRows(20)...)
	closed, err := peers.FreePort(loopback)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	lines, _, _ := p.run(t, Settings{Servers: []netip.AddrPort{closed}, Timeout: time.Minute, Retries: 2})
	if took := time.Since(start); took > 20*time.Second || len(lines) != 1 || !strings.Contains(lines[0], "connection refused, tried 3 times") {
		t.Errorf("after %v: %q", took, lines)
	}
}
