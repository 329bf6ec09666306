package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// result is one measurement.
type result struct {
	// cpu is the server's time in microseconds a query.
	cpu float64
	// rate is in answers a second, latency in seconds.
	rate, latency float64
	lost          int
	// others is the part of both processors that other programs used
	// meanwhile: figures are good when it is small.
	others float64
	// start is the time from start to first answer; memory is in bytes, when
	// the load has ended.
	start  time.Duration
	memory uint64
	// segments are those that were sealed meanwhile.
	segments int
	note     string
}

func (r result) cpuTime() float64 { return r.cpu }

const (
	serverProcessor = 0
	loadProcessor   = 1
)

// bench holds what all measurements share.
type bench struct {
	dir string
	// queries is the file that dnsperf reads.
	queries  string
	echo     string
	nullspfd string
	dnsperf  string
	// startServer starts a server by its name.
	startServer func(ctx context.Context, name, dir string, at netip.AddrPort) (*server, error)
}

// prepare builds the programs and writes the queries.
func prepare(dir string, names int) (*bench, error) {
	b := &bench{
		dir:      dir,
		queries:  filepath.Join(dir, "queries"),
		echo:     filepath.Join(dir, "echo"),
		nullspfd: filepath.Join(dir, "nullspfd"),
	}
	b.startServer = b.start
	var err error
	if b.dnsperf, err = peers.Program("dnsperf"); err != nil {
		return nil, err
	}
	cc := exec.Command("cc", "-O2", "-o", b.echo, "internal/bench/dns/echo/echo.c")
	if out, err := cc.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the echo: %w\n%s", err, out)
	}
	build := exec.Command("go", "build", "-o", b.nullspfd, "./cmd/nullspfd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building nullspfd: %w\n%s", err, out)
	}
	return b, b.writeQueries(names)
}

// writeQueries writes different queries as SPF checks ask them.
func (b *bench) writeQueries(n int) error {
	f, err := os.Create(b.queries)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "%d.%d.%d.%d.in-addr.CL.shop%d.example.FD.1.%s A\n", 1+i%223, i/223%256, i/7%256, i%251, i, zone)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// disturbed is the part of the processors above which others disturb.
const disturbed = 0.03

// measureUndisturbed measures until nobody disturbs, up to a number of times,
// and returns the least disturbed result.
func (b *bench) measureUndisturbed(ctx context.Context, name string, length time.Duration, attempts int) (best result, err error) {
	for attempt := range max(attempts, 1) {
		r, err := b.measure(ctx, name, length)
		if err != nil {
			return r, err
		}
		if attempt == 0 || r.others < best.others {
			best = r
		}
		if best.others <= disturbed {
			break
		}
	}
	return best, nil
}

// measure starts a server, loads it and stops it.
func (b *bench) measure(ctx context.Context, name string, length time.Duration) (result, error) {
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return result{}, err
	}
	dir, err := os.MkdirTemp(b.dir, name)
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	// The server inherits the processor of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pin(serverProcessor); err != nil {
		return result{}, err
	}
	begin := time.Now()
	s, err := b.startServer(ctx, name, dir, at)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	start := time.Since(begin)
	if err := pin(loadProcessor); err != nil {
		return result{}, err
	}
	if _, err := b.load(ctx, at, time.Second); err != nil { // warm up
		return result{}, err
	}
	busyBefore, allBefore, err := machineTicks()
	if err != nil {
		return result{}, err
	}
	var r loadResult
	if s.journal != "" {
		r, err = b.loadSealing(ctx, s, at, length)
	} else {
		r, err = b.loadAlone(ctx, s, at, length)
	}
	if err != nil {
		return result{}, err
	}
	busyAfter, allAfter, err := machineTicks()
	if err != nil {
		return result{}, err
	}
	r.start = start
	if r.memory, _, err = peers.GroupMemory(s.pid); err != nil {
		return result{}, err
	}
	ours := (r.serverTime + r.loadTime).Seconds() * ticksPerSecond
	r.others = max(0, float64(busyAfter-busyBefore)-ours) / float64(allAfter-allBefore)
	if s.stored != nil {
		time.Sleep(100 * time.Millisecond)
		n, err := s.stored()
		if err != nil {
			return result{}, err
		}
		r.note += fmt.Sprintf(", %d events stored, none lost", n)
	}
	return r.result, nil
}

// pin binds the calling thread, and what it starts, to a processor.
func pin(processor int) error {
	var set unix.CPUSet
	set.Set(processor)
	return unix.SchedSetaffinity(0, &set)
}

// ticksPerSecond is that of /proc/stat on every Linux system (sysconf
// _SC_CLK_TCK).
const ticksPerSecond = 100

// machineTicks returns the time that all processors were busy, and all time.
func machineTicks() (busy, all uint64, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line)[1:] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat: %w", err)
		}
		// user nice system idle iowait irq softirq steal, then parts of these.
		switch {
		case i == 3 || i == 4:
			all += n
		case i < 8:
			all += n
			busy += n
		}
	}
	return busy, all, nil
}

// loadResult is what dnsperf says.
type loadResult struct {
	result
	seconds float64
	// loadTime is dnsperf's own CPU time, serverTime that of the server meanwhile.
	loadTime, serverTime time.Duration
}

// loadAlone loads a server and measures it from beginning to end.
func (b *bench) loadAlone(ctx context.Context, s *server, at netip.AddrPort, length time.Duration) (r loadResult, err error) {
	before, err := peers.GroupTime(s.pid)
	if err != nil {
		return r, err
	}
	if r, err = b.load(ctx, at, length); err != nil {
		return r, err
	}
	after, err := peers.GroupTime(s.pid)
	r.serverTime = after - before
	r.cpu = float64(r.serverTime.Microseconds()) / (r.rate * r.seconds)
	return r, err
}

// load runs dnsperf.
func (b *bench) load(ctx context.Context, at netip.AddrPort, length time.Duration) (loadResult, error) {
	run, err := b.startLoad(ctx, at, length)
	if err != nil {
		return loadResult{}, err
	}
	return run.wait()
}

// load is a running dnsperf.
type load struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func (b *bench) startLoad(ctx context.Context, at netip.AddrPort, length time.Duration) (*load, error) {
	l := &load{cmd: exec.CommandContext(ctx, b.dnsperf, "-s", at.Addr().String(), "-p", strconv.Itoa(int(at.Port())),
		"-d", b.queries, "-l", strconv.Itoa(int(length.Seconds())))}
	l.cmd.Stdout = &l.out
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("dnsperf: %w", err)
	}
	return l, nil
}

// wait waits until the load has ended.
func (l *load) wait() (r loadResult, err error) {
	if err := l.cmd.Wait(); err != nil {
		return r, fmt.Errorf("dnsperf: %w", err)
	}
	out := l.out.String()
	lost := 0.0
	for _, v := range []struct {
		label string
		value *float64
	}{
		{"Queries lost:", &lost}, {"Queries per second:", &r.rate},
		{"Run time (s):", &r.seconds}, {"Average Latency (s):", &r.latency},
	} {
		_, rest, ok := strings.Cut(out, v.label)
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			return r, fmt.Errorf("dnsperf does not say %q:\n%s", v.label, out)
		}
		if *v.value, err = strconv.ParseFloat(fields[0], 64); err != nil {
			return r, fmt.Errorf("dnsperf: %s %w", v.label, err)
		}
	}
	r.lost = int(lost)
	r.loadTime = l.cmd.ProcessState.UserTime() + l.cmd.ProcessState.SystemTime()
	return r, nil
}
