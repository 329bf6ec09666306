package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

type bench struct {
	program, dir string
	rounds       int
	out          *tabwriter.Writer
	missed       []error
	// clients are addresses, the most frequent first.
	clients []string
}

// period is 90 of the 92 days that internal/bench/log generates.
const period = "since=2026-08-03&until=2026-11-01"

const lastWeek = "since=2026-10-25&until=2026-11-01"

const overview = "/?" + period

// rareAddr has one attempt, in the middle of the log.
const rareAddr = "192.0.2.199"

// row writes a row of the table; a target of 0 is none.
func (b *bench) row(what string, figure, target float64, unit string) {
	format := "%.0f %s"
	if unit == "s" {
		format = "%.3f %s"
	}
	text := ""
	if target > 0 {
		text = fmt.Sprintf(format, target, unit)
		if figure > target {
			text += ": missed"
			b.missed = append(b.missed, fmt.Errorf("%s misses its target", what))
		}
	}
	fmt.Fprintf(b.out, "| %s\t| "+format+"\t| %s\t|\n", what, figure, unit, text)
	b.out.Flush()
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// repeat asks for a page again, and returns the medians.
func (b *bench) repeat(ctx context.Context, s *server, target string) (first, end time.Duration, err error) {
	var firsts, ends []time.Duration
	for range b.rounds {
		p, err := s.get(ctx, target)
		if err != nil {
			return 0, 0, err
		}
		firsts, ends = append(firsts, p.first), append(ends, p.end)
	}
	return median(firsts), median(ends), nil
}

func (b *bench) pages(ctx context.Context) error {
	fmt.Fprintf(b.out, "| \t| measured\t| target\t|\n|---\t|---\t|---\t|\n")
	if err := b.dropFiles(); err != nil {
		return err
	}
	s, err := b.start(ctx, processors)
	if err != nil {
		return err
	}
	defer s.stop()
	p, err := s.get(ctx, overview)
	if err != nil {
		return err
	}
	b.row("overview of 90 days, first byte, cold", p.first.Seconds(), 1, "s")
	b.row("the same, end, cold", p.end.Seconds(), 0, "s")
	first, end, err := b.repeat(ctx, s, overview)
	if err != nil {
		return err
	}
	b.row("the same, first byte, warm", first.Seconds(), 0.15, "s")
	b.row("the same, end, warm", end.Seconds(), 0, "s")
	return b.forgers(ctx, s)
}

// findClients asks who the most frequent clients are.
func (b *bench) findClients(ctx context.Context) error {
	s, err := b.start(ctx, processors)
	if err != nil {
		return err
	}
	defer s.stop()
	p, err := s.get(ctx, "/api/v1/top?by=ip&n=10000&"+period)
	if err != nil {
		return err
	}
	var ranking struct {
		Values []struct {
			Value string `json:"value"`
		} `json:"values"`
	}
	if err := json.Unmarshal(p.body, &ranking); err != nil {
		return err
	}
	for _, r := range ranking.Values {
		b.clients = append(b.clients, r.Value)
	}
	if len(b.clients) < 10_000 {
		return fmt.Errorf("the log has only %d clients", len(b.clients))
	}
	return nil
}

// forgers measures pages of one client.
func (b *bench) forgers(ctx context.Context, s *server) error {
	for _, f := range []struct {
		what, client string
		target       float64
	}{
		{"page of a client with one attempt", rareAddr, 0.1},
		{"page of the 10,000th client", b.clients[9999], 0.1},
		{"page of the 1,000th client", b.clients[999], 0.1},
		{"page of the first client", b.clients[0], 0.1},
	} {
		week, err := s.get(ctx, "/?ip="+url.QueryEscape(f.client)+"&"+lastWeek)
		if err != nil {
			return err
		}
		b.row(f.what+", seven days, end, new", week.end.Seconds(), f.target, "s")
		target := "/?ip=" + url.QueryEscape(f.client) + "&" + period
		p, err := s.get(ctx, target)
		if err != nil {
			return err
		}
		b.row("the same, 90 days, end, new", p.end.Seconds(), f.target, "s")
		_, end, err := b.repeat(ctx, s, target)
		if err != nil {
			return err
		}
		b.row("the same, end, warm", end.Seconds(), f.target, "s")
	}
	return nil
}

// browser measures pages with Chromium.
func (b *bench) browser(ctx context.Context) error {
	s, err := b.start(ctx, processors)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, f := range []struct{ what, target string }{
		{"overview of 90 days", overview}, {"page of the 1,000th client", "/?ip=" + url.QueryEscape(b.clients[999]) + "&" + period},
		{"almost empty page", "/downloads"},
	} {
		for _, when := range []string{"new", "warm"} {
			rounds := "1"
			if when == "warm" {
				rounds = fmt.Sprint(b.rounds)
			}
			out, err := exec.CommandContext(ctx, "node", filepath.Join("internal", "web", "testdata", "browser", "measure.mjs"), s.base+f.target, rounds).Output()
			if err != nil {
				return fmt.Errorf("measure.mjs: %w", err)
			}
			var m struct {
				LCP, Load     float64
				Bytes, Script float64
			}
			if err := json.Unmarshal(out, &m); err != nil {
				return err
			}
			b.row(f.what+", largest contentful paint, "+when, m.LCP/1000, 0.5, "s")
			b.row("the same, loaded", m.Load/1000, 0, "s")
			if when == "warm" {
				b.row("the same, weight", m.Bytes/1000, 150, "kB")
				b.row("the same, script", m.Script/1000, 60, "kB")
			}
		}
	}
	return nil
}

const viewers = 20

// viewers measures the memory while several look at different things.
func (b *bench) viewers(ctx context.Context) error {
	s, err := b.start(ctx, processors)
	if err != nil {
		return err
	}
	defer s.stop()
	b.look(ctx, s, 3)
	peak, err := s.status("VmHWM")
	if err != nil {
		return err
	}
	b.row(fmt.Sprintf("memory with %d viewers, most", viewers), float64(peak)/1e6, 512, "MB")
	return nil
}

// look has viewers look at pages that differ, each at n of them.
func (b *bench) look(ctx context.Context, s *server, n int) {
	var running sync.WaitGroup
	for v := range viewers {
		running.Go(func() {
			for i := range n {
				k := v*n + i
				target := []string{
					"/?" + period, fmt.Sprintf("/?since=2026-08-03&until=2026-10-%02d", 1+k%28), "/?ip=" + url.QueryEscape(b.clients[k*7]) + "&" + period,
					"/top?by=sender&" + period, "/events?" + period, fmt.Sprintf("/?domain=shop-%03d&since=2026-10-01&until=2026-10-%02d", 5*(k%100), 2+k%28),
				}[k%6]
				// A viewer who is told that the machine is busy tries the next page.
				_, _ = s.get(ctx, target)
			}
		})
	}
	running.Wait()
}

// leaving measures the work that goes on when a viewer has left.
func (b *bench) leaving(ctx context.Context) error {
	s, err := b.start(ctx, processors)
	if err != nil {
		return err
	}
	defer s.stop()
	leaving, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	// A part of a HELO name: summaries do not tell.
	if _, err := s.get(leaving, "/api/v1/top?by=ip&helo=a&packets=1&"+period); leaving.Err() == nil {
		return fmt.Errorf("the answer was there before the viewer left: %v", err)
	}
	during, err := s.processorTime()
	if err != nil {
		return err
	}
	// What was begun ends with the block that is being read.
	time.Sleep(500 * time.Millisecond)
	before, err := s.processorTime()
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	after, err := s.processorTime()
	if err != nil {
		return err
	}
	b.row("processor time of two seconds while a viewer waits", during.Seconds(), 0, "s")
	b.row("processor time of two seconds after he left", (after - before).Seconds(), 0.1, "s")
	return nil
}

// besideDNS measures nullspfd without and with viewers.
func (b *bench) besideDNS(ctx context.Context) error {
	for _, with := range []bool{false, true} {
		watching, cancel := context.WithCancel(ctx)
		var looking sync.WaitGroup
		if with {
			s, err := b.start(watching, "1")
			if err != nil {
				cancel()
				return err
			}
			looking.Go(func() {
				defer s.stop()
				for watching.Err() == nil {
					b.look(watching, s, 3)
				}
			})
		}
		cmd := exec.CommandContext(ctx, "go", "run", "./internal/bench/dns", "-servers", "nullspfd", "-parked", "", "-rounds", "3", "-seconds", "6", "-attempts", "1")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		cancel()
		looking.Wait()
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
		}
		what := "nullspfd alone"
		if with {
			what = "nullspfd, while viewers look at a nullspf web on the other processor"
		}
		if _, err := fmt.Fprintf(os.Stdout, "\n%s:\n\n", what); err != nil {
			return err
		}
		if _, err := os.Stdout.Write(out); err != nil {
			return err
		}
	}
	return nil
}
