package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// result is one measurement.
type result struct {
	// time is that from the start until all zones are served.
	time time.Duration
	// peak and memory are in bytes, memory when all has settled.
	peak, memory uint64
	cpu          time.Duration
	unanswered   int
}

// settle is how long a server is left alone before its memory counts.
const settle = 5 * time.Second

// measure starts a secondary and waits until it serves all zones.
func (b *bench) measure(ctx context.Context, kind peers.Kind) (r result, err error) {
	at, err := peers.FreePort(b.loopback)
	if err != nil {
		return r, err
	}
	b.site.Listen = []netip.AddrPort{at}
	b.site.Store = filepath.Join(b.dir, "store-"+string(kind))
	if err := os.MkdirAll(b.site.Store, 0o755); err != nil {
		return r, err
	}
	if err := b.site.Build(ctx); err != nil {
		return r, err
	}
	output := b.site.Output()
	c := peers.Config{Kind: kind, Address: at, WorkDir: output, Program: b.program}
	switch kind {
	case peers.Nullspfd:
		c.Include = []string{filepath.Join(output, "nullspfd", "secondary.Corefile")}
	case peers.NSD:
		c.Include = []string{filepath.Join(output, "nsd", "secondary.conf")}
		c.Options = "rrl-ratelimit: 0\n\txfrd-reload-timeout: 1\n"
	default:
		return r, errors.New("no such secondary; there are nullspfd and nsd")
	}
	begin := time.Now()
	s, err := peers.Start(ctx, c)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	sample := func() error {
		m, _, err := peers.GroupMemory(s.PID())
		r.peak = max(r.peak, m)
		return err
	}
	if r.unanswered, err = waitServed(ctx, at, b.names, sample); err != nil {
		return r, fmt.Errorf("%w\n%s", err, s.Log())
	}
	r.time = time.Since(begin)
	if r.cpu, err = peers.GroupTime(s.PID()); err != nil {
		return r, err
	}
	select {
	case <-ctx.Done():
		return r, ctx.Err()
	case <-time.After(settle):
	}
	r.memory, _, err = peers.GroupMemory(s.PID())
	return r, err
}

// Limits of the wait: all zones must be served within patience; a query
// that is not answered within answerTime is counted.
const (
	patience   = 20 * time.Minute
	answerTime = time.Second
	window     = 100
	sampleTime = 250 * time.Millisecond
)

// waitServed asks for the SOA of the zones, a window at a time, until all are
// served. It returns how many queries were not answered at all.
func waitServed(ctx context.Context, at netip.AddrPort, names []string, sample func() error) (unanswered int, err error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	buf := make([]byte, 4096)
	deadline, sampled := time.Now().Add(patience), time.Time{}
	for first := 0; first < len(names); {
		if err := ctx.Err(); err != nil {
			return unanswered, err
		}
		if time.Now().After(deadline) {
			return unanswered, fmt.Errorf("%d of %d zones are served after %v", first, len(names), patience)
		}
		if sample != nil && time.Since(sampled) > sampleTime {
			sampled = time.Now()
			if err := sample(); err != nil {
				return unanswered, err
			}
		}
		last := min(first+window, len(names))
		served, missing, err := askWindow(conn, buf, names[first:last])
		if err != nil {
			return unanswered, err
		}
		unanswered += missing
		if served == last-first {
			first = last
			continue
		}
		time.Sleep(20 * time.Millisecond)
	}
	return unanswered, nil
}

// askWindow asks for some zones and returns how many at the start of the list
// are served, and how many queries were not answered.
func askWindow(conn *net.UDPConn, buf []byte, names []string) (served, missing int, err error) {
	for i, name := range names {
		m := new(dns.Msg).SetQuestion(name+".", dns.TypeSOA)
		m.Id = uint16(i)
		b, err := m.Pack()
		if err != nil {
			return 0, 0, err
		}
		if _, err := conn.Write(b); err != nil {
			return 0, 0, err
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, 0, err
	}
	answered := make([]bool, len(names))
	ok := make([]bool, len(names))
	for missing = len(names); missing > 0; {
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		i := int(binary.BigEndian.Uint16(buf))
		if n < 12 || i >= len(names) || answered[i] {
			continue
		}
		answered[i] = true
		missing--
		ok[i] = buf[3]&0x0f == dns.RcodeSuccess && binary.BigEndian.Uint16(buf[6:]) == 1
	}
	for served < len(ok) && ok[served] {
		served++
	}
	return served, missing, nil
}
