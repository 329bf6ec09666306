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
// In it, smtpd serves fewer sessions at once than nullspfd does.
//
// So memory is measured twice more. Once the same clients are far away: what they and the
// server send takes 50 ms, one way, as over the Internet. And once with as many sessions
// open at both, which wait after their recipient was refused.
//
// It needs root, for namespaces of its own. With -check it exits with 1 when nullspfd
// takes fewer sessions a second from either place, or more than a tenth of the memory with
// clients at either place or for the sessions that wait.
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
	servers := []*server{ours, theirs}
	if err := leaveFirst(); err != nil {
		return err
	}
	near, err := turns(ctx, servers, func(s *server) uint16 { return s.port }, *rounds, *sessions)
	if err != nil {
		return err
	}
	ways := make(map[*server]uint16)
	for _, s := range servers {
		port, end, err := s.farAway(ctx)
		if err != nil {
			return err
		}
		defer end()
		ways[s] = port
	}
	far, err := turns(ctx, servers, func(s *server) uint16 { return ways[s] }, *rounds, *sessions)
	if err != nil {
		return err
	}
	// Processes that Postfix has started for these would serve later rounds.
	for _, s := range servers {
		if s.held, err = s.hold(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := ours.stored(2**sessions*(warmUp+*rounds) + clients*perClient); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "server\tclients\tsessions/s\tCPU µs/session\tprocesses\tMB before\tpeak MB\tMB of waiting sessions\t")
	for _, s := range servers {
		for _, row := range []struct {
			clients string
			result
		}{{"near", near[s]}, {fmt.Sprintf("%s away", delay), far[s]}} {
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%d\t%.1f\t%.1f\t%.1f\t\n", s.name, row.clients, row.rate, row.cpu.Seconds()*1e6,
				row.processes, float64(s.before)/1e6, float64(row.peak)/1e6, float64(s.held)/1e6)
		}
	}
	if err := w.Flush(); err != nil || !*check {
		return err
	}
	return errors.Join(
		atLeast("sessions a second of near clients", near[ours].rate, near[theirs].rate),
		atLeast("sessions a second of far clients", far[ours].rate, far[theirs].rate),
		atMostATenth("near clients", near[ours].peak, near[theirs].peak),
		atMostATenth("far clients", far[ours].peak, far[theirs].peak),
		atMostATenth("waiting sessions", ours.held, theirs.held))
}

// warmUp is how many rounds come first, together, that do not count.
const warmUp = 2

// turns measures servers in turn at ports, and returns the medians.
func turns(ctx context.Context, servers []*server, port func(*server) uint16, rounds, sessions int) (map[*server]result, error) {
	results := make(map[*server][]result)
	for round := range 1 + rounds {
		n := sessions
		if round == 0 {
			n *= warmUp
		}
		for _, s := range servers {
			r, err := s.measure(ctx, port(s), n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 {
				results[s] = append(results[s], r)
			}
		}
	}
	medians := make(map[*server]result)
	for s, list := range results {
		medians[s] = median(list)
	}
	return medians, nil
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

func atLeast(what string, ours, theirs float64) error {
	if ours < theirs {
		return fmt.Errorf("%s: nullspfd takes %.0f, smtpd %.0f", what, ours, theirs)
	}
	return nil
}

func atMostATenth(whose string, ours, theirs uint64) error {
	if ours*10 > theirs {
		return fmt.Errorf("memory of %s: nullspfd takes %d bytes, more than a tenth of smtpd's %d", whose, ours, theirs)
	}
	return nil
}
