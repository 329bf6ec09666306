// Command smtp compares nullspfd's SMTP listener with Postfix's smtpd that refuses
// every recipient: how many sessions each takes in a second, and its memory meanwhile.
//
//	go run ./internal/bench/smtp [-sessions 5000] [-rounds 3]
//
// Both run on the first processor, in turn, and smtp-source of Postfix on the others:
// 24 of them with 12 connections each, from 24 networks, because nullspfd lets no client
// have many more. Each session has one recipient, who is refused, and nullspfd stores
// each as an event. Memory is the proportional set size of all processes of a server.
//
// Postfix starts a process whenever a connection comes while none is free, and lets
// connections wait meanwhile: how many there are in the first seconds of a load depends
// on when the kernel lets which process run, and starting them is most of the work. Then
// few do all the work, because these clients answer at once. So both servers are measured
// in a steady state: each has first held, uncounted, as many sessions as two rounds have.
// In it, smtpd serves fewer sessions at once than nullspfd does. So memory is measured once
// more with as many sessions open at both, which wait after their recipient was refused.
//
// It needs root, for namespaces of its own. With -check it exits with 1 when nullspfd
// takes fewer sessions a second, or more than a tenth of the memory, under load or for
// the sessions that wait.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"nullspf/internal/peers"
)

func main() {
	os.Exit(peers.Isolated(func() int {
		if err := run(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
		return 0
	}))
}

func run() error {
	sessions := flag.Int("sessions", 5_000, "hold `N` sessions a round")
	rounds := flag.Int("rounds", 3, "measure each server `N` times")
	check := flag.Bool("check", false, "fail when a target is missed")
	flag.Parse()
	*sessions -= *sessions % clients
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The processes of Postfix run as a user of its own.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := addClients(ctx); err != nil {
		return err
	}
	ours, err := startNullspfd(ctx, dir)
	if err != nil {
		return err
	}
	defer ours.stop()
	theirs, err := startPostfix(ctx, dir)
	if err != nil {
		return err
	}
	defer theirs.stop()
	const warmUp = 2 // in rounds
	for _, s := range []*server{ours, theirs} {
		if _, err := s.measure(ctx, warmUp**sessions); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	results := make(map[*server][]result)
	for range *rounds {
		for _, s := range []*server{ours, theirs} {
			r, err := s.measure(ctx, *sessions)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			results[s] = append(results[s], r)
		}
	}
	// Processes that Postfix has started for these would serve later rounds.
	for _, s := range []*server{ours, theirs} {
		if s.held, err = s.hold(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := ours.stored(*sessions*(warmUp+*rounds) + clients*perClient); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "server\tsessions/s\tCPU µs/session\tprocesses\tMB before\tpeak MB\tMB of waiting sessions\t")
	for _, s := range []*server{ours, theirs} {
		r := median(results[s])
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%d\t%.1f\t%.1f\t%.1f\t\n", s.name, r.rate, r.cpu.Seconds()*1e6, r.processes, float64(s.before)/1e6, float64(r.peak)/1e6, float64(s.held)/1e6)
	}
	if err := w.Flush(); err != nil || !*check {
		return err
	}
	return compare(ours, theirs, median(results[ours]), median(results[theirs]))
}

// result is one measurement.
type result struct {
	// rate is in sessions a second, cpu the time of the processor for one.
	rate float64
	cpu  time.Duration
	// peak is the most memory, in bytes; what processes share counts once.
	peak uint64
	// processes is the most of them.
	processes int
}

// median is made of the medians of each.
func median(list []result) result {
	middle := func(less func(a, b result) int) result {
		sorted := slices.SortedFunc(slices.Values(list), less)
		return sorted[len(sorted)/2]
	}
	return result{
		rate: middle(func(a, b result) int { return int(a.rate - b.rate) }).rate,
		cpu:  middle(func(a, b result) int { return int(a.cpu - b.cpu) }).cpu,
		peak: middle(func(a, b result) int { return int(a.peak) - int(b.peak) }).peak,

		processes: middle(func(a, b result) int { return a.processes - b.processes }).processes,
	}
}

func compare(we, they *server, ours, theirs result) error {
	var missed []error
	if ours.rate < theirs.rate {
		missed = append(missed, fmt.Errorf("nullspfd takes %.0f sessions a second, smtpd %.0f", ours.rate, theirs.rate))
	}
	if ours.peak*10 > theirs.peak {
		missed = append(missed, fmt.Errorf("under load nullspfd takes %d bytes, more than a tenth of smtpd's %d", ours.peak, theirs.peak))
	}
	if we.held*10 > they.held {
		missed = append(missed, fmt.Errorf("with waiting sessions nullspfd takes %d bytes, more than a tenth of smtpd's %d", we.held, they.held))
	}
	return errors.Join(missed...)
}
