// Run is "make torture": it runs scenarios, one after the other, and prints a
// table with what each has counted and measured.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"nullspf/internal/torture"
)

func main() {
	total := flag.Duration("time", 10*time.Minute, "how long all scenarios take together")
	names := flag.String("scenario", "", "names of scenarios, separated by blanks or commas; all but those on request by default")
	seed := flag.String("seed", "", "the seed that a run has printed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	failed, err := run(ctx, *total, *names, *seed)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

// choose returns the scenarios of names.
func choose(names string) (chosen []torture.Scenario, err error) {
	fields := strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	var known []string
	for _, s := range torture.Scenarios {
		known = append(known, s.Name)
		if slices.Contains(fields, s.Name) || len(fields) == 0 && s.Weight > 0 {
			s.Weight = max(s.Weight, 1)
			chosen = append(chosen, s)
		}
	}
	for _, name := range fields {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no scenario %q; there are: %s", name, strings.Join(known, " "))
		}
	}
	return chosen, nil
}

// run runs scenarios, each with its share of the time that is left.
func run(ctx context.Context, total time.Duration, names, seed string) (failed bool, err error) {
	scenarios, err := choose(names)
	if err != nil {
		return false, err
	}
	if seed == "" {
		seed = strconv.FormatUint(rand.Uint64()>>1, 10)
	}
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	// Compiling takes nobody's time.
	for _, s := range scenarios {
		if err := compile(ctx, dir, s); err != nil {
			return false, err
		}
	}
	weights := 0
	for _, s := range scenarios {
		weights += s.Weight
	}
	end := time.Now().Add(total)
	var rows []string
	for _, s := range scenarios {
		share := max(time.Until(end), 0) * time.Duration(s.Weight) / time.Duration(weights)
		weights -= s.Weight
		fmt.Printf("== %s, %s\n", s.Name, share.Round(time.Second))
		began := time.Now()
		results, runErr := runScenario(ctx, dir, s, share, seed)
		outcome := "passed"
		if runErr != nil {
			failed, outcome = true, "FAILED"
			fmt.Printf("%v\nTo repeat: make torture SCENARIO=%s TORTURE_SEED=%s TORTURE=%s\n", runErr, s.Name, seed, time.Since(began).Round(time.Second))
		}
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		if len(results) == 0 {
			results = []torture.Result{{}}
		}
		first := fmt.Sprintf("%s\t%s\t%s", s.Name, outcome, time.Since(began).Round(time.Second))
		for _, r := range results {
			fmt.Println(r)
			rows = append(rows, fmt.Sprintf("%s\t%s", first, r))
			first = "\t\t"
		}
	}
	fmt.Println()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SCENARIO\tRESULT\tTIME\tCOUNTS AND FIGURES")
	for _, row := range rows {
		fmt.Fprintln(table, row)
	}
	if err := table.Flush(); err != nil {
		return failed, err
	}
	fmt.Println("TORTURE_SEED=" + seed)
	return failed, nil
}

// binary is the path of the compiled tests of a scenario.
func binary(dir string, s torture.Scenario) string {
	return filepath.Join(dir, strings.ReplaceAll(s.Package, "/", "-")+".test")
}

func compile(ctx context.Context, dir string, s torture.Scenario) error {
	path := binary(dir, s)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", path, "nullspf/"+s.Package).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot compile the tests of %s: %w\n%s", s.Package, err, out)
	}
	return nil
}

// grace is how long a scenario may take beyond its share: the first round of each
// of its tests is always run to its end.
const grace = 10 * time.Minute

// runScenario runs the tests of a scenario. The error holds what they say.
func runScenario(ctx context.Context, dir string, s torture.Scenario, share time.Duration, seed string) (results []torture.Result, err error) {
	where, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "nullspf/"+s.Package).Output()
	if err != nil {
		return nil, err
	}
	resultsPath := filepath.Join(dir, s.Name)
	cmd := exec.CommandContext(ctx, binary(dir, s), "-test.run", "^("+strings.Join(s.Tests, "|")+")$", "-test.v", "-test.timeout", (share + grace).String())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = strings.TrimSpace(string(where))
	cmd.Env = append(os.Environ(),
		torture.TimeVariable+"="+(share/time.Duration(len(s.Tests))).String(),
		torture.SeedVariable+"="+seed,
		torture.ResultVariable+"="+resultsPath)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	} else if ran := strings.Count(string(out), "\n--- PASS: ") + strings.Count(string(out), "\n--- FAIL: "); ran < len(s.Tests) {
		err = fmt.Errorf("%d of %d tests have run:\n%s", ran, len(s.Tests), out)
	}
	f, openErr := os.Open(resultsPath)
	if openErr != nil {
		return nil, errors.Join(err, openErr)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r torture.Result
		if jsonErr := json.Unmarshal(lines.Bytes(), &r); jsonErr != nil {
			return results, errors.Join(err, jsonErr)
		}
		results = append(results, r)
	}
	return results, err
}
