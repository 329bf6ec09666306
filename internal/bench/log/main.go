// Command log compares queries of the forgery log with DuckDB, which reads the
// same segments:
//
//	go run ./internal/bench/log -generate DIR -events N   write a journal of N events
//	go run ./internal/bench/log DIR                       ask both
//	go run ./internal/bench/log -seal                     seal a million events
//
// Each has two threads and 2 GB of memory, and each question is asked of a new
// process: "cold" when none of the files is in memory, "warm" when all are. What
// is measured is the question without the start of the process: processor time,
// wall time, and the most memory of the process. Figures are medians. The last
// events of the journal are in a wal file, which DuckDB does not read: for the
// comparison of the answers, which must be the same, a directory without that file
// is asked once more.
//
// With -seal the peer is what DuckDB takes to write a Parquet file, with zstd, of the rows of
// a segment that it has in memory: less than sealing is, which reads wal files, parses names and
// marks attempts before it writes. Of both, it is the second time of a process that counts: the
// first has new memory.
//
// It needs Node.js and npm, and installs DuckDB into a temporary directory, or
// into the one that -duckdb names. With -check it exits with 1 when a target is
// missed.
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
	generated := flag.String("generate", "", "write a journal into `DIR` first")
	n := flag.Int("events", 20_000_000, "write `N` events")
	rounds := flag.Int("rounds", 5, "ask each question `N` times")
	only := flag.String("only", "", "ask the questions whose names hold `TEXT`")
	duckdb := flag.String("duckdb", "", "install DuckDB into `DIR`, and keep it")
	alone := flag.Bool("alone", false, "do not ask DuckDB")
	sealed := flag.Bool("seal", false, "measure sealing")
	check := flag.Bool("check", false, "fail when a target is missed")
	asked := flag.String("ask", "", "be the process that is measured, and ask the question called `NAME`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir := flag.Arg(0)
	if *generated != "" {
		if err := generate(*generated, *n); err != nil || flag.NArg() == 0 {
			return err
		}
	}
	if *sealed {
		return compareSealing(ctx, *duckdb, *rounds)
	}
	if flag.NArg() != 1 {
		return errors.New("name the directory of a journal; see go doc ./internal/bench/log")
	}
	if *asked != "" {
		return answer(ctx, dir, *asked)
	}
	b, err := newBench(ctx, dir, *duckdb, *alone)
	if err != nil {
		return err
	}
	defer b.close()
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "| question\t| processor time, warm\t| DuckDB\t| part\t| wall, warm\t| DuckDB\t| part\t| wall, cold\t| DuckDB\t| memory\t| DuckDB\t| target\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	var missed []error
	for _, q := range questions() {
		if !strings.Contains(q.name, *only) {
			continue
		}
		row, miss, err := b.measure(ctx, &q, *rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		missed = append(missed, miss)
		fmt.Fprintln(t, row)
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if *check {
		return errors.Join(missed...)
	}
	return nil
}
