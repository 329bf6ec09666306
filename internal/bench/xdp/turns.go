package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"nullspf/internal/peers"
)

// turn is what one build of nullspfd took in its turns at one load.
type turn struct {
	// time is the processor time of a reply in microseconds, program the part of the
	// program's process, rate the replies a second.
	time, program, rate []float64
}

// turns compares the sockets of two builds of nullspfd. Both run on the processor of
// the server, and are loaded in turn for a second each, over loopback by dnsperf, and
// over the wire by kxdpgun at each rate, with bursts and with queries one by one:
// whatever else happens on the machine happens to both. It prints medians of the rounds, and of what one build took to what the other
// did in the same round, with quartiles.
func (b *bench) turns(ctx context.Context, before string, rates []int, rounds int) error {
	w, err := peers.NewWire()
	if err != nil {
		return err
	}
	defer w.Close()
	napi, err := poll(w.Server, serverProcessor)
	if err != nil {
		return err
	}
	if _, err := poll(w.Client, loadProcessor); err != nil {
		return err
	}
	softirq, err := thread("ksoftirqd/"+strconv.Itoa(serverProcessor), nil)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	programs := []string{before, self}
	servers := make([]*server, len(programs))
	ports := make([]uint16, len(programs))
	for i, program := range programs {
		dir := filepath.Join(b.dir, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		ports[i] = address.Port() + uint16(i)
		if servers[i], err = startNullspfd(w, dir, program, ports[i], ""); err != nil {
			return err
		}
		defer servers[i].stop()
	}
	type load struct {
		name        string
		rate, burst int
	}
	loads := []load{{name: "loopback"}}
	for _, rate := range rates {
		loads = append(loads, load{fmt.Sprintf("wire, %d/s in bursts of %d", rate, burst), rate, burst})
	}
	loads = append(loads, load{"wire, one by one", slices.Min(rates), 1})
	results := make([][2]turn, len(loads))
	for round := range rounds + 1 {
		for l, load := range loads {
			for k := range servers {
				i := (k + round) % len(servers) // who comes first has it otherwise
				s := servers[i]
				if ctx.Err() != nil {
					return ctx.Err()
				}
				processes := []int{s.pid, napi, softirq}
				begin, err := takeTimes(processes)
				if err != nil {
					return err
				}
				var replies float64
				if load.burst == 0 {
					replies, err = b.loadLoopback(w, ports[i])
				} else {
					replies, err = b.load(w, ports[i], load.rate, load.burst, time.Second)
				}
				if err != nil {
					return err
				}
				end, err := takeTimes(processes)
				if err != nil {
					return err
				}
				if round == 0 {
					continue // warm up
				}
				t := &results[l][i]
				t.time = append(t.time, float64((end.all-begin.all).Nanoseconds())/1000/replies)
				t.program = append(t.program, float64((end.program-begin.program).Nanoseconds())/1000/replies)
				t.rate = append(t.rate, replies)
			}
		}
	}
	tw := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "load\tbuild\treplies/s\tus/reply\tprogram\tto before\tquartiles\t\n")
	for l, load := range loads {
		for i, build := range []string{"before", "this"} {
			t, base := results[l][i], results[l][0]
			ratios := make([]float64, len(t.time))
			for n := range ratios {
				ratios[n] = t.time[n] / base.time[n]
			}
			fmt.Fprintf(tw, "%s\t%s\t%.0f\t%.2f\t%.2f\t%.3f\t%.3f to %.3f\t\n", load.name, build, quantile(t.rate, 0.5), quantile(t.time, 0.5), quantile(t.program, 0.5),
				quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for i, s := range servers {
		n, err := s.stored()
		if err != nil {
			return fmt.Errorf("%s: %w", programs[i], err)
		}
		fmt.Fprintf(os.Stderr, "%s: %d events stored, none lost\n", programs[i], n)
	}
	return nil
}

// quantile is a value below which a part of the values lies.
func quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

var completedLine = regexp.MustCompile(`Queries completed: *([0-9]+)`)

// loadLoopback runs dnsperf for a second on the side of the server, and returns the
// number of replies.
func (b *bench) loadLoopback(w *peers.Wire, port uint16) (float64, error) {
	program, err := peers.Program("dnsperf")
	if err != nil {
		return 0, err
	}
	// A namespace has its processor.
	out, err := w.Server.Output("taskset", "-c", strconv.Itoa(loadProcessor), program, "-s", address.Addr().String(), "-p", strconv.Itoa(int(port)),
		"-d", b.queries, "-l", "1")
	if err != nil {
		return 0, err
	}
	return number(completedLine, out)
}
