// Command xfr compares nullspfd as a secondary with NSD: the time until all
// zones of a primary are served for the first time, and the memory then.
//
//	go run ./internal/bench/xfr [-zones 100000] [-primary knot] [-secondaries nullspfd,nsd]
//
// The primary is BIND or Knot DNS, on loopback, with zones that have 20 records
// each. It starts once; the secondaries are measured one after the other.
// nullspfd learns of the zones from the catalog zone, NSD from its
// configuration, since NSD before 4.9 knows no catalog zones. While it
// transfers, every secondary is asked for the zones that it does not serve yet;
// "unanswered" counts queries that got no answer at all. With -check it exits
// with 1 when nullspfd is slower than NSD, takes more memory, or leaves
// queries unanswered.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"nullspf/internal/peers"
	"nullspf/internal/testsite"
	"nullspf/named"
	"nullspf/zones"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	n := flag.Int("zones", 100_000, "transfer `N` zones")
	primary := flag.String("primary", string(peers.Knot), "transfer from `SERVER`, bind or knot")
	secondaries := flag.String("secondaries", "nullspfd,nsd", "measure these servers")
	check := flag.Bool("check", false, "fail when a target is missed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := prepare(ctx, dir, *n, peers.Kind(*primary))
	if err != nil {
		return err
	}
	defer b.stop()
	results := make(map[string]result)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "secondary\tzones\tseconds\tzones/s\tpeak MB\tMB\tCPU s\tunanswered\t")
	for _, name := range strings.Split(*secondaries, ",") {
		r, err := b.measure(ctx, peers.Kind(name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		results[name] = r
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.0f\t%.0f\t%.0f\t%.1f\t%d\t\n", name, *n, r.time.Seconds(),
			float64(*n)/r.time.Seconds(), float64(r.peak)/1e6, float64(r.memory)/1e6, r.cpu.Seconds(), r.unanswered)
	}
	if err := w.Flush(); err != nil || !*check {
		return err
	}
	return compare(results["nullspfd"], results["nsd"])
}

// compare holds nullspfd against NSD.
func compare(ours, nsd result) error {
	var missed []error
	if ours.time > nsd.time {
		missed = append(missed, fmt.Errorf("nullspfd takes %v, NSD %v", ours.time, nsd.time))
	}
	if ours.memory > nsd.memory {
		missed = append(missed, fmt.Errorf("nullspfd takes %d bytes, NSD %d", ours.memory, nsd.memory))
	}
	if ours.unanswered > 0 {
		missed = append(missed, fmt.Errorf("nullspfd left %d queries unanswered", ours.unanswered))
	}
	return errors.Join(missed...)
}

// bench is a primary with its zones.
type bench struct {
	dir      string
	names    []string
	site     *testsite.Site
	program  string
	primary  *peers.Server
	loopback netip.Addr
}

// prepare publishes the zones and starts the primary.
func prepare(ctx context.Context, dir string, n int, kind peers.Kind) (*bench, error) {
	b := &bench{dir: dir, loopback: netip.MustParseAddr("127.0.0.1")}
	var list strings.Builder
	list.WriteString("domain\n")
	for i := range n {
		b.names = append(b.names, testsite.ManyName(i))
		fmt.Fprintln(&list, testsite.ManyName(i))
	}
	at, err := peers.FreePort(b.loopback)
	if err != nil {
		return nil, err
	}
	b.site = &testsite.Site{
		Dir: dir, Now: time.Now(), Catalog: "catalog.invalid", Store: filepath.Join(dir, "store"),
		Servers: []named.Server{named.BIND, named.Knot, named.NSD, named.Nullspfd},
		Primary: &named.Primary{
			Addresses:     []netip.AddrPort{at},
			AllowTransfer: []netip.Prefix{netip.PrefixFrom(b.loopback, 32)},
			// Nobody is there: what counts is the first transfer.
			AlsoNotify: []netip.AddrPort{netip.AddrPortFrom(b.loopback, 9)},
		},
		Lists: map[*zones.Group]string{testsite.Group("generic"): list.String()},
	}
	if b.program, err = peers.BuildNullspfd(ctx, dir); err != nil {
		return nil, err
	}
	if err := b.site.Build(ctx); err != nil {
		return nil, err
	}
	directory := string(kind)
	if kind == peers.BIND {
		directory = "named"
	}
	b.primary, err = peers.Start(ctx, peers.Config{Kind: kind, Address: at, WorkDir: b.site.Output(), Include: []string{filepath.Join(b.site.Output(), directory, "primary.conf")}})
	if err != nil {
		return nil, err
	}
	if _, err := waitServed(ctx, at, b.names, nil); err != nil {
		return nil, errors.Join(err, b.primary.Stop())
	}
	return b, nil
}

func (b *bench) stop() { _ = b.primary.Stop() }
