// Command web measures nullspf web with a large forgery log, such as internal/bench/log
// generates:
//
//	go run ./internal/bench/web [-nullspf bin/nullspf] DIR
//
// It starts the program on two processors and asks for pages over HTTP, and with Chromium.
// "Cold" is the first page of a new process when no file of the log is in memory; "warm" a page
// that was asked for before; "new" a page that was not, of a process that has answered others.
// First byte and end are times from the request on. The weight is that of everything the
// browser loads for a page, without compression.
//
// The largest contentful paint counts from the begin of the navigation, in a new context, where
// nothing of the page is in the cache. The tab has shown an image of the same server before, as a
// browser has that somebody uses: Chromium starts a process for a new tab, which in a headless
// one comes after the begin of the first navigation and takes a fifth of a second.
//
// Then twenty viewers look at different pages at once, which shows the memory; a viewer leaves
// while he waits for a long answer, which shows that the work ends; and with -only dns, nullspfd
// is measured as make bench-dns does, on the first processor, first without, then with viewers of
// a nullspf web on the second, which is that of the load, too.
//
// It needs Chromium, Node.js, and the packages of internal/web/testdata/browser. With -check it
// exits with 1 when a target is missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	program := flag.String("nullspf", "bin/nullspf", "measure the program `FILE`")
	rounds := flag.Int("rounds", 5, "ask for each page `N` times")
	only := flag.String("only", "pages,browser,viewers,leaving", "measure these; dns is nullspfd beside viewers, which needs dnsperf")
	check := flag.Bool("check", false, "fail when a target is missed")
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("name the directory of a journal; see go doc ./internal/bench/web")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{program: *program, dir: flag.Arg(0), rounds: *rounds}
	b.out = tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	defer b.out.Flush()
	if err := b.findClients(ctx); err != nil {
		return err
	}
	measures := map[string]func(context.Context) error{"pages": b.pages, "browser": b.browser, "viewers": b.viewers, "leaving": b.leaving, "dns": b.besideDNS}
	for _, name := range strings.Split(*only, ",") {
		measure := measures[name]
		if measure == nil {
			return fmt.Errorf("-only: nothing is called %q", name)
		}
		if err := measure(ctx); err != nil {
			return err
		}
	}
	if *check {
		return errors.Join(b.missed...)
	}
	return nil
}
