package main

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

const (
	serverProcessor = 0
	loadProcessor   = 1
)

// result is one measurement.
type result struct {
	// rate is in replies a second, time what one costs in microseconds, program the
	// part of it that the server's own process takes.
	rate, time, program float64
	// others is the part of the server's processor that other programs used.
	others float64
	note   string
}

func (r result) replies() float64 { return r.rate }

// burst is the number of queries that kxdpgun sends at a time.
const burst = 32

// bench holds what all measurements share.
type bench struct {
	dir string
	// queries is the file that kxdpgun reads.
	queries string
}

// prepare writes the queries, as SPF checks ask them.
func prepare(dir string, names int) (*bench, error) {
	b := &bench{dir: dir, queries: filepath.Join(dir, "queries")}
	f, err := os.Create(b.queries)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range names {
		fmt.Fprintf(w, "%d.%d.%d.%d.in-addr.CL.shop%d.example.FD.1.%s A\n", 1+i%223, i/223%256, i/7%256, i%251, i, zone)
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return b, f.Close()
}

// measure measures a server at each rate, up to a number of times until nobody
// disturbs. The least disturbed results count.
func (b *bench) measure(ctx context.Context, name string, rates []int, attempts int, length time.Duration) (list []result, err error) {
	for _, rate := range rates {
		var best result
		for attempt := range attempts {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r, err := b.measureOnce(name, rate, length)
			if err != nil {
				return nil, err
			}
			if attempt == 0 || r.others < best.others {
				best = r
			}
			if best.others <= disturbed {
				break
			}
		}
		list = append(list, best)
	}
	return list, nil
}

// disturbed is the part of the server's processor above which others disturb.
const disturbed = 0.03

// measureOnce starts a server at one end of a new wire, and loads it from the other.
func (b *bench) measureOnce(name string, rate int, length time.Duration) (r result, err error) {
	w, err := peers.NewWire()
	if err != nil {
		return r, err
	}
	defer w.Close()
	napi, err := poll(w.Server, serverProcessor)
	if err != nil {
		return r, err
	}
	if _, err := poll(w.Client, loadProcessor); err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp(b.dir, "server")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	s, err := start(w, name, dir)
	if err != nil {
		return r, err
	}
	defer s.stop()
	softirq, err := thread("ksoftirqd/"+strconv.Itoa(serverProcessor), nil)
	if err != nil {
		return r, err
	}
	if _, err := b.load(w, address.Port(), rate, burst, time.Second); err != nil { // warm up
		return r, err
	}
	processes := []int{s.pid, napi, softirq}
	before, err := takeTimes(processes)
	if err != nil {
		return r, err
	}
	begin := time.Now()
	replies, err := b.load(w, address.Port(), rate, burst, length)
	if err != nil {
		return r, err
	}
	took := time.Since(begin)
	after, err := takeTimes(processes)
	if err != nil {
		return r, err
	}
	all := after.all - before.all
	r.rate = replies / length.Seconds()
	r.time = float64(all.Microseconds()) / replies
	r.program = float64((after.program - before.program).Microseconds()) / replies
	r.others = max(0, float64(after.busy-before.busy-all)/float64(took))
	if s.stored != nil {
		n, err := s.stored()
		if err != nil {
			return r, err
		}
		r.note = fmt.Sprintf(", %d events stored, none lost", n)
	}
	return r, nil
}

// times are what processes, of which the first is the server, and a processor have
// used.
type times struct{ program, all, busy time.Duration }

func takeTimes(processes []int) (t times, err error) {
	for i, pid := range processes {
		used, err := processTime(pid)
		if err != nil {
			return t, err
		}
		if t.all += used; i == 0 {
			t.program = used
		}
	}
	t.busy, err = busyTime(serverProcessor)
	return t, err
}

// poll has a thread of the kernel poll the interface of a namespace, on a
// processor, and returns its ID; what goes to the network stack does so on that
// processor, too. What is started in the namespace later runs there.
func poll(n *peers.Netns, processor int) (int, error) {
	const command = `mount -t sysfs sysfs /sys && cd /sys/class/net/eth0 && echo 1 > threaded && printf %%x %d > queues/rx-0/rps_cpus`
	known := make(map[int]bool)
	_, _ = thread("napi/eth0-", known) // all that there are
	// Without generic receive offload the interface is not polled before it has an
	// XDP program.
	if err := n.Do(func() error { return peers.Ethtool("eth0", unix.ETHTOOL_SGRO, 1) }); err != nil {
		return 0, err
	}
	if _, err := n.Output("unshare", "-m", "sh", "-c", fmt.Sprintf(command, 1<<processor)); err != nil {
		return 0, err
	}
	pid, err := thread("napi/eth0-", known)
	if err != nil {
		return 0, err
	}
	if err := pin(pid, processor); err != nil {
		return 0, err
	}
	return pid, n.Do(func() error { return pin(0, processor) })
}

// priority is that of all that takes part: others disturb less, but for other sessions
// where the kernel groups those (sched(7), autogroup).
const priority = -20

// pin binds a thread, and what it starts, to a processor.
func pin(thread, processor int) error {
	var set unix.CPUSet
	set.Set(processor)
	if err := unix.SchedSetaffinity(thread, &set); err != nil {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, thread, priority)
}

// thread finds a thread of the kernel by the beginning of its name. It is none of
// those that are known, and becomes known.
func thread(name string, known map[int]bool) (found int, err error) {
	paths, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), name) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil || known[pid] {
			continue
		}
		found = pid
		if known != nil {
			known[pid] = true
		}
	}
	if found == 0 {
		return 0, fmt.Errorf("there is no thread %s", name)
	}
	return found, nil
}

// processTime is the time that the threads of a process have used.
func processTime(pid int) (sum time.Duration, err error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		used, _, _ := strings.Cut(string(text), " ") // in ns
		n, err := strconv.ParseInt(used, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// busyTime is the time that a processor was busy.
func busyTime(processor int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	_, line, _ := strings.Cut(string(text), fmt.Sprintf("\ncpu%d ", processor))
	// user nice system idle iowait irq softirq, then others.
	fields := strings.Fields(line)
	if len(fields) < 7 {
		return 0, fmt.Errorf("/proc/stat has no processor %d", processor)
	}
	return ticks(append(fields[:3:3], fields[5:7]...))
}

// ticks adds up times of /proc, which are in hundredths of a second on every Linux
// system (sysconf _SC_CLK_TCK).
func ticks(fields []string) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc: %w", err)
		}
		sum += time.Duration(n) * (time.Second / 100)
	}
	return sum, nil
}

var repliesLine = regexp.MustCompile(`total replies: *([0-9]+)`)

// load runs kxdpgun, which asks the server at a port, some queries at a time, and
// returns the number of replies. The kernel may still be busy with the socket of the run
// before, which kxdpgun says and ends without an error.
func (b *bench) load(w *peers.Wire, port uint16, rate, burst int, length time.Duration) (float64, error) {
	program, err := peers.Program("kxdpgun")
	if err != nil {
		return 0, err
	}
	for attempt := 0; ; attempt++ {
		out, err := w.Client.Output(program, "-t", strconv.Itoa(int(length.Seconds())), "-Q", strconv.Itoa(rate), "-b", strconv.Itoa(burst),
			"-p", strconv.Itoa(int(port)), "-i", b.queries, "-I", "eth0", "-F", strconv.Itoa(loadProcessor), address.Addr().String())
		if err != nil {
			return 0, err
		}
		if strings.Contains(out, "resource is busy") && attempt < 10 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		return number(repliesLine, out)
	}
}

// number is the first submatch of an expression in what a program says: a number
// above zero.
func number(line *regexp.Regexp, out string) (float64, error) {
	m := line.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("no %s in\n%s", line, out)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if n == 0 {
		return 0, fmt.Errorf("%s is 0 in\n%s", line, out)
	}
	return n, err
}

// address is that of the server.
var address = netip.MustParseAddrPort("192.0.2.1:53")
