package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/peers"
	"nullspf/internal/testsite"
	"nullspf/named"
	"nullspf/zones"
)

// parkedServers serve parked zones; of more than maxFiles zones only the first.
var parkedServers = []string{"nullspfd", "nsd", "knot", "bind"}

const maxFiles = 200_000

// parked publishes n zones and measures the servers that serve them.
func (b *bench) parked(ctx context.Context, n int, p plan) (map[string][]result, error) {
	dir, err := os.MkdirTemp(b.dir, "parked")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	list := parkedServers
	if n > maxFiles {
		list = list[:1]
		err = testsite.Many(ctx, dir, n)
	} else {
		var names strings.Builder
		for i := range n {
			fmt.Fprintln(&names, testsite.ManyName(i))
		}
		site := &testsite.Site{
			Dir: dir, Now: time.Now(), Servers: []named.Server{named.BIND, named.NSD, named.Knot},
			Lists: map[*zones.Group]string{testsite.Group("generic"): "domain\n" + names.String()},
		}
		err = site.Build(ctx)
	}
	if err != nil {
		return nil, err
	}
	site := &bench{dir: dir, queries: filepath.Join(dir, "queries"), nullspfd: b.nullspfd, dnsperf: b.dnsperf}
	output := filepath.Join(dir, "build")
	site.startServer = func(ctx context.Context, name, dir string, at netip.AddrPort) (*server, error) {
		return site.startParked(ctx, name, output, dir, n, at)
	}
	if err := site.writeParkedQueries(n); err != nil {
		return nil, err
	}
	fmt.Printf("\n%d parked zones\n", n)
	results, err := site.rounds(ctx, list, p)
	if err != nil {
		return nil, err
	}
	report(list, "nsd", results)
	return results, nil
}

// writeParkedQueries writes what receivers of forged mail ask, and some of what
// else is asked, about random zones.
func (b *bench) writeParkedQueries(n int) error {
	f, err := os.Create(b.queries)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 1))
	kinds := []string{"%s TXT", "%s TXT", "%s TXT", "_dmarc.%s TXT", "%s MX", "%s MX", "%s A", "www.%s A", "x.%s AAAA", "a._dmarc.%s TXT"}
	for range 500_000 {
		fmt.Fprintf(w, kinds[random.IntN(len(kinds))]+"\n", testsite.ManyName(random.IntN(n)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (b *bench) startParked(ctx context.Context, name, output, dir string, n int, at netip.AddrPort) (*server, error) {
	if name == "nullspfd" {
		conf := filepath.Join(dir, "Corefile")
		text := fmt.Sprintf(".:%d {\n    bind %s\n    parked %s\n    rrl off\n}\n", at.Port(), at.Addr(), strconv.Quote(output))
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return launch(ctx, exec.Command(b.nullspfd, "-conf", conf), at, dir)
	}
	kind, directory, options := peers.Kind(name), name, ""
	switch kind {
	case peers.BIND:
		directory = "named"
	case peers.NSD:
		options = "rrl-ratelimit: 0\n"
	}
	p, err := peers.Start(ctx, peers.Config{
		Kind: kind, Address: at, Dir: dir, WorkDir: output, Options: options,
		Include: []string{filepath.Join(output, directory, "primary.conf")},
	})
	if err != nil {
		return nil, err
	}
	s := &server{pid: p.PID(), stop: func() { _ = p.Stop() }}
	// Some answer before they have their zones.
	for {
		if _, ok := peers.Serial(ctx, at, testsite.ManyName(n-1)); ok {
			return s, nil
		}
		select {
		case <-ctx.Done():
			s.stop()
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// checkParked compares nullspfd with its targets.
func checkParked(zones int, results map[string][]result) error {
	ours := results["nullspfd"]
	cpu, nsd := median(ours, result.cpuTime), median(results["nsd"], result.cpuTime)
	if nsd > 0 && cpu > 1.15*nsd {
		return fmt.Errorf("%d parked zones: %.3f us a query is more than 1.15 times NSD, %.3f us", zones, cpu, nsd)
	}
	if zones != 1_000_000 {
		return nil
	}
	if start := median(ours, func(r result) float64 { return r.start.Seconds() }); start > 3 {
		return fmt.Errorf("%d parked zones: %.2f s from start to first answer; the target is 3 s", zones, start)
	}
	if size := median(ours, func(r result) float64 { return float64(r.memory) }) / 1e6; size > 300 {
		return fmt.Errorf("%d parked zones: %.0f bytes a zone; the target is 300", zones, size)
	}
	return nil
}
