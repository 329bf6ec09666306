// Command apply measures "nullspf apply" with running primaries:
//
//	go run ./internal/bench/apply -nullspf bin/nullspf [-n 950,10000] [-servers bind,nsd,knot]
//
// It prints a table for docs/performance.md: the wall time of apply after a text
// of all zones has changed, after one zone has, and after one was added; and
// that of one control command, for one zone and for all.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"nullspf/internal/peers"
)

// config has the text of all zones, that of one zone, the server and the words
// of its control command.
const config = `nameservers: [ns1.example.net, ns2.example.net]
soa: {rname: hostmaster.example.net}
groups:
  generic: {list: generic.txt, a: [192.0.2.80], www: true, txt: ["%s"]}
  single: {list: single.txt, txt: ["%s"]}
servers: [%s]
apply:
  - {server: %[3]s, role: primary, command: ["%s"]}
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	sizes := flag.String("n", "950", "publish `N` zones; several, separated by commas")
	servers := flag.String("servers", "bind,nsd,knot", "measure these servers")
	program := flag.String("nullspf", "bin/nullspf", "the `PROGRAM`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	abs, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer w.Flush()
	fmt.Fprintln(w, "zones\tserver\tall changed\tone changed\tone added\treload of one\treload of all\t")
	for size := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		for name := range strings.SplitSeq(*servers, ",") {
			if err := measure(ctx, w, abs, peers.Kind(name), n); err != nil {
				return fmt.Errorf("%s, %d zones: %w", name, n, err)
			}
		}
	}
	return nil
}

// bench is a directory with a configuration.
type bench struct {
	ctx     context.Context
	dir     string
	program string
	server  *peers.Server
}

func measure(ctx context.Context, w *tabwriter.Writer, program string, kind peers.Kind, n int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, dir: dir, program: program, server: &peers.Server{Config: peers.Config{Kind: kind}}}
	if err := b.lists(n); err != nil {
		return err
	}
	if _, err := b.nullspf("zones", "one", "one"); err != nil {
		return err
	}
	address, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return err
	}
	directory := map[peers.Kind]string{peers.BIND: "named", peers.NSD: "nsd", peers.Knot: "knot"}[kind]
	b.server, err = peers.Start(ctx, peers.Config{Kind: kind, Address: address, Include: []string{filepath.Join(dir, "build", directory, "primary.conf")}})
	if err != nil {
		return err
	}
	defer func() { _ = b.server.Stop() }()
	if _, err := b.nullspf("apply", "one", "one"); err != nil {
		return err
	}
	all, err := b.nullspf("apply", "two", "one")
	if err != nil {
		return err
	}
	one, err := b.nullspf("apply", "two", "two")
	if err != nil {
		return err
	}
	if err := b.lists(n + 1); err != nil {
		return err
	}
	added, err := b.nullspf("apply", "two", "two")
	if err != nil {
		return err
	}
	single := map[peers.Kind][]string{peers.BIND: {"reload", "z1.example"}, peers.NSD: {"reload", "z1.example"}, peers.Knot: {"-b", "zone-reload", "z1.example"}}
	reloadOne, err := b.control(single[kind])
	if err != nil {
		return err
	}
	reloadAll, err := b.control([]string{"reload"})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d\t%s\t%.2f\t%.2f\t%.2f\t%.3f\t%.3f\t\n", n, kind, all.Seconds(), one.Seconds(), added.Seconds(), reloadOne.Seconds(), reloadAll.Seconds())
	return nil
}

// lists writes lists of n names.
func (b *bench) lists(n int) error {
	var list strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&list, "z%d.example\n", i)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "generic.txt"), []byte(list.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, "single.txt"), []byte("single.example\n"), 0o644)
}

// nullspf runs a command with the given texts in the configuration.
func (b *bench) nullspf(command, generic, single string) (time.Duration, error) {
	text := fmt.Sprintf(config, generic, single, b.server.Kind, strings.Join(b.server.Control(), `", "`))
	path := filepath.Join(b.dir, "nullspf.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return 0, err
	}
	return timed(exec.CommandContext(b.ctx, b.program, command, "-c", path))
}

func (b *bench) control(words []string) (time.Duration, error) {
	argv := append(b.server.Control(), words...)
	program, err := peers.Program(argv[0])
	if err != nil {
		return 0, err
	}
	return timed(exec.CommandContext(b.ctx, program, argv[1:]...))
}

func timed(cmd *exec.Cmd) (time.Duration, error) {
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return time.Since(begin), nil
}
