package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"nullspf/internal/journal"
	"nullspf/internal/peers"
)

// moment is what a server that seals has done until a segment was completed.
type moment struct {
	cpu            time.Duration
	stored, sealed uint64
	segments       int
}

// loadSealing loads a server and measures it between two moments at which it has
// completed a segment, at least length apart: so about as many events are sealed as
// come, whatever the size of a journal file.
func (b *bench) loadSealing(ctx context.Context, s *server, at netip.AddrPort, length time.Duration) (r loadResult, err error) {
	before, err := peers.GroupTime(s.pid)
	if err != nil {
		return r, err
	}
	run, err := b.startLoad(ctx, at, length+2*sealTimeout)
	if err != nil {
		return r, err
	}
	first, err := s.sealedNext(ctx)
	var last moment
	if err == nil {
		if err = sleep(ctx, length); err == nil {
			last, err = s.sealedNext(ctx)
		}
	}
	// dnsperf ends and tells what it has measured.
	if e := run.cmd.Process.Signal(syscall.SIGINT); err == nil {
		err = e
	}
	r, e := run.wait()
	if err = errors.Join(err, e); err != nil {
		return r, err
	}
	after, err := peers.GroupTime(s.pid)
	if err != nil {
		return r, err
	}
	r.serverTime = after - before
	r.cpu = float64((last.cpu - first.cpu).Microseconds()) / float64(last.stored-first.stored)
	r.segments = last.segments - first.segments
	r.note = fmt.Sprintf(", %d segments of %d events sealed while %d came", r.segments, last.sealed-first.sealed, last.stored-first.stored)
	return r, nil
}

// sealTimeout is how long it may take until a segment is completed: a journal file is
// sealed after two and a half minutes, however little comes.
const sealTimeout = 4 * time.Minute

// sealedNext waits until the server completes a segment.
func (s *server) sealedNext(ctx context.Context) (m moment, err error) {
	path := filepath.Join(s.journal, "MANIFEST")
	changed := func() time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	segments := func() (n int, sealed uint64, err error) {
		v, err := journal.Snapshot(s.journal, journal.ReadOptions{})
		if err != nil {
			return 0, 0, err
		}
		for i := range v.Manifest.Segments {
			sealed += v.Manifest.Segments[i].Rows
		}
		return len(v.Manifest.Segments), sealed, v.Close()
	}
	before, _, err := segments()
	if err != nil {
		return m, err
	}
	seen := changed()
	for deadline := time.Now().Add(sealTimeout); time.Now().Before(deadline); {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return m, err
		}
		now := changed()
		if now.Equal(seen) {
			continue
		}
		seen = now
		if m.cpu, err = peers.GroupTime(s.pid); err != nil {
			return m, err
		}
		if m.stored, err = s.stored(); err != nil {
			return m, err
		}
		if m.segments, m.sealed, err = segments(); err != nil || m.segments > before {
			return m, err
		}
	}
	return m, fmt.Errorf("no segment was completed in %v", sealTimeout)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
