// Command dns compares what a query costs nullspfd, which stores an event
// for each, with a bare UDP echo, with NSD and Knot DNS, which log nothing, and
// with BIND, which logs queries.
//
//	go run ./internal/bench/dns [-seconds 10] [-rounds 3] [-servers echo,nullspfd] [-parked 900,100000,1000000]
//
// The server runs on the first processor, dnsperf on the second, over loopback
// UDP, with a million different names. What counts is the server's CPU time
// for a query; figures are only comparable within one run, and the median of
// several rounds is the result. What other programs do on the machine meanwhile
// makes figures worse; the column "others" tells how much that was, and -attempts
// repeats measurements that were disturbed. It needs dnsperf, a C compiler, and
// the other servers. With -check it exits with 1 when nullspfd misses a target:
// at most the echo, at most half of BIND, and at most NSD while it seals.
//
// Then it compares nullspfd, which answers for parked zones from templates, with
// the other servers, which load the zone files: the CPU time for a query, the
// time from start to first answer, and the memory for a zone. Of more than
// 200,000 zones only nullspfd is measured. The targets are at most 1.15 times
// NSD's CPU time, and for a million zones 3 s and 300 bytes a zone.
//
// nullspfd seals its journal into segments in the background, which costs CPU
// time for each event once more and can wait for quieter times. The line
// "nullspfd" is the server without it, "nullspfd+sealing" the program as it
// runs: it is measured from the moment when a segment is completed to another such
// moment, after at least the time of a round, so that as many events are sealed as
// come. The last column has how many segments that were.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"nullspf/internal/bench/unsealed"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	seconds := flag.Int("seconds", 10, "load each server for `N` seconds in each round")
	rounds := flag.Int("rounds", 3, "measure each server `N` times")
	parked := flag.String("parked", "900,100000,1000000", "also measure these numbers of parked zones")
	servers := flag.String("servers", strings.Join(allServers, ","), "measure these servers")
	names := flag.Int("names", 1_000_000, "ask for `N` different names")
	attempts := flag.Int("attempts", 3, "measure up to `N` times while others disturb")
	check := flag.Bool("check", false, "fail when a target is missed")
	serve := flag.String("serve", "", "be nullspfd with the configuration `FILE` and seal nothing")
	flag.Parse()
	if *serve != "" {
		return unsealed.Serve(*serve)
	}
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("two processors are needed, one for the server and one for the load")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := prepare(dir, *names)
	if err != nil {
		return err
	}
	plan := plan{rounds: *rounds, attempts: *attempts, length: time.Duration(*seconds) * time.Second}
	var missed []error
	if *servers != "" {
		list := strings.Split(*servers, ",")
		results, err := b.rounds(ctx, list, plan)
		if err != nil {
			return err
		}
		report(list, "echo", results)
		missed = append(missed, checkTargets(results))
	}
	for _, n := range strings.FieldsFunc(*parked, func(r rune) bool { return r == ',' }) {
		zones, err := strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("-parked: %w", err)
		}
		results, err := b.parked(ctx, zones, plan)
		if err != nil {
			return err
		}
		missed = append(missed, checkParked(zones, results))
	}
	if *check {
		return errors.Join(missed...)
	}
	return nil
}

// plan says how often and how long is measured.
type plan struct {
	rounds, attempts int
	length           time.Duration
}

// rounds measures each server once a round.
func (b *bench) rounds(ctx context.Context, list []string, p plan) (map[string][]result, error) {
	results := make(map[string][]result)
	for round := range p.rounds {
		for _, name := range list {
			r, err := b.measureUndisturbed(ctx, name, p.length, p.attempts)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d: %-16s %.3f us a query, %.0f queries/s, %d lost, %.0f%% used by others%s\n", round+1, name, r.cpu, r.rate, r.lost, r.others*100, r.note)
			results[name] = append(results[name], r)
		}
	}
	return results, nil
}

// report prints the medians, and their ratio to those of a server.
func report(list []string, base string, results map[string][]result) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "server\tCPU us/query\tof %s\tqueries/s\tlost\tlatency ms\tothers\tstart s\tMB\tsegments\t\n", base)
	other := median(results[base], result.cpuTime)
	for _, name := range list {
		rs := results[name]
		ratio := "-"
		if other > 0 {
			ratio = fmt.Sprintf("%.3f", median(rs, result.cpuTime)/other)
		}
		lost := 0
		for _, r := range rs {
			lost += r.lost
		}
		fmt.Fprintf(w, "%s\t%.3f\t%s\t%.0f\t%d\t%.3f\t%.0f%%\t%.2f\t%.1f\t%.0f\t\n", name, median(rs, result.cpuTime), ratio,
			median(rs, func(r result) float64 { return r.rate }), lost,
			median(rs, func(r result) float64 { return r.latency * 1000 }),
			median(rs, func(r result) float64 { return r.others * 100 }),
			median(rs, func(r result) float64 { return r.start.Seconds() }),
			median(rs, func(r result) float64 { return float64(r.memory) / 1e6 }),
			median(rs, func(r result) float64 { return float64(r.segments) }))
	}
	w.Flush()
}

func median(rs []result, value func(result) float64) float64 {
	if len(rs) == 0 {
		return 0
	}
	values := make([]float64, len(rs))
	for i, r := range rs {
		values[i] = value(r)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// checkTargets compares nullspfd with what was measured beside it.
func checkTargets(results map[string][]result) error {
	var missed []string
	for _, target := range []struct {
		ours, other string
		factor      float64
	}{{"nullspfd", "echo", 1}, {"nullspfd", "bind", 0.5}, {"nullspfd+sealing", "nsd", 1}} {
		ours, other := median(results[target.ours], result.cpuTime), median(results[target.other], result.cpuTime)
		if ours > 0 && other > 0 && ours > target.factor*other {
			missed = append(missed, fmt.Sprintf("%s %.3f us is more than %.2f times %s, %.3f us", target.ours, ours, target.factor, target.other, other))
		}
	}
	if len(results["nullspfd"]) == 0 {
		return fmt.Errorf("nullspfd was not measured")
	}
	for _, r := range results["nullspfd"] {
		if r.lost > 0 {
			missed = append(missed, fmt.Sprintf("%d queries lost", r.lost))
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("targets missed: %s", strings.Join(missed, "; "))
	}
	return nil
}
