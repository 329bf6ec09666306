// Command xdp compares how many queries nullspfd and Knot DNS answer beside the
// kernel, by AF_XDP, and over sockets, and what a reply costs.
//
//	go run ./internal/bench/xdp [-seconds 4] [-rounds 3] [-rates 150000,250000,350000,500000] [-servers knot+xdp,knot,nullspfd+xdp,nullspfd]
//
// Two network namespaces are joined by a pair of Ethernet interfaces; the server
// runs on the first processor, kxdpgun on the second. Each end's interface is polled
// by a thread of the kernel on the processor of that end, and what it hands to the
// network stack is handled there (RPS): so the server's processor pays for all that
// arrives at the server, as with a network card whose interrupts it takes. The time of
// a reply is all of that: the server, the thread of its interface, and ksoftirqd. What
// other programs do on the machine meanwhile makes figures worse; the column "others"
// is the part of the server's processor that they took, and -attempts repeats
// measurements that were disturbed.
//
// Each server is loaded at each rate. What counts is the median of the rounds at the
// rate at which it gave most replies. nullspfd stores an event for each query, and
// seals nothing meanwhile; what sealing costs shows "make bench-dns". With -check it
// exits with 1 when a target is missed: 1.15 times the replies of Knot DNS with XDP a
// second and 0.85 times its time, and 1.7 times the replies of our own sockets.
//
//	go run ./internal/bench/xdp -before PROGRAM [-rounds 20] [-rates 80000,400000]
//
// compares the sockets of nullspfd with those of another build of this benchmark, or
// of bench/dns: see turns.go.
package main

import (
	"cmp"
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

var allServers = []string{"knot+xdp", "knot", "nullspfd+xdp", "nullspfd"}

func run() error {
	seconds := flag.Int("seconds", 4, "load each server for `N` seconds at each rate")
	rounds := flag.Int("rounds", 3, "measure each server `N` times")
	rateList := flag.String("rates", "150000,250000,350000,500000", "send these numbers of queries a second")
	servers := flag.String("servers", strings.Join(allServers, ","), "measure these servers")
	names := flag.Int("names", 200_000, "ask for `N` different names")
	attempts := flag.Int("attempts", 3, "measure up to `N` times while others disturb")
	check := flag.Bool("check", false, "fail when a target is missed")
	before := flag.String("before", "", "compare the sockets of nullspfd with those of the build `PROGRAM` of this benchmark")
	serve := flag.String("serve", "", "be nullspfd with the configuration `FILE` and seal nothing")
	flag.Parse()
	if *serve != "" {
		return unsealed.Serve(*serve)
	}
	if runtime.NumCPU() < 2 {
		return errors.New("two processors are needed, one for the server and one for the load")
	}
	var rates []int
	for _, text := range strings.Split(*rateList, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-rates: %w", err)
		}
		rates = append(rates, n)
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
	if *before != "" {
		return b.turns(ctx, *before, rates, *rounds)
	}
	list := strings.Split(*servers, ",")
	results := make(map[string]map[int][]result)
	for round := range *rounds {
		for _, name := range list {
			if results[name] == nil {
				results[name] = make(map[int][]result)
			}
			some, err := b.measure(ctx, name, rates, *attempts, time.Duration(*seconds)*time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for i, r := range some {
				fmt.Fprintf(os.Stderr, "round %d: %-13s %d queries/s: %.0f replies/s, %.2f us a reply (program %.2f), %.0f%% used by others%s\n", round+1, name, rates[i], r.rate, r.time, r.program, r.others*100, r.note)
				results[name][rates[i]] = append(results[name][rates[i]], r)
			}
		}
	}
	best := make(map[string]result)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "server\tqueries/s\treplies/s\tus/reply\tprogram\tothers\t\n")
	for _, name := range list {
		rate := slices.MaxFunc(rates, func(a, b int) int {
			return cmp.Compare(median(results[name][a], result.replies), median(results[name][b], result.replies))
		})
		rs := results[name][rate]
		r := result{rate: median(rs, result.replies), time: median(rs, func(r result) float64 { return r.time })}
		best[name] = r
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.0f%%\t\n", name, rate, r.rate, r.time,
			median(rs, func(r result) float64 { return r.program }), median(rs, func(r result) float64 { return r.others * 100 }))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if *check {
		return checkTargets(best)
	}
	return nil
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
func checkTargets(best map[string]result) error {
	ours, knot, sockets := best["nullspfd+xdp"], best["knot+xdp"], best["nullspfd"]
	var missed []error
	for _, target := range []struct {
		what      string
		got, want float64
	}{
		{"replies a second of nullspfd with XDP, to Knot DNS with XDP", ours.rate / knot.rate, 1.15},
		{"time of Knot DNS with XDP, to nullspfd with XDP", knot.time / ours.time, 1 / 0.85},
		{"replies a second of nullspfd with XDP, to its sockets", ours.rate / sockets.rate, 1.7},
	} {
		if !(target.got >= target.want) {
			missed = append(missed, fmt.Errorf("%s: %.2f, less than %.2f", target.what, target.got, target.want))
		}
	}
	return errors.Join(missed...)
}
