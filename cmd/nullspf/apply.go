package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"nullspf/internal/version"
	"nullspf/named"
	"nullspf/zones"
)

func (a *app) applyCommand() *cobra.Command {
	var dryRun, asJSON bool
	var allowed int
	c := &cobra.Command{
		Use:   "apply",
		Short: "Write the zones, check them and reload the servers",
		Long: `Does what "nullspf zones" does, checks the output with the programs of the
nameservers, and reloads the running servers: BIND with rndc, NSD with nsd-control, Knot DNS
with knotc, nullspfd with "nullspf server reload". The key apply of the
configuration lists the servers and their control programs.

Zones kept by hand, which the key handkept lists, are reloaded when a file of the
output directory that they include has changed and their serial number has risen
since; apply says where it has not.

Each server reloads what has changed since it was last reloaded, so the next run
makes up for one that failed. If a check fails, nothing is reloaded.`,
		Example: `  # Add a domain. Which commands would follow?
  $ echo brand-new.example >>generic.txt
  $ nullspf apply --dry-run
  would write /etc/nullspf/build: 4 zones, 1 added
  would run: nullspf server reload --socket /etc/nullspf/control.sock  # zones: 1 added; reload the configuration and the zones

  # Write, check and reload.
  $ nullspf apply
  /etc/nullspf/build: 4 zones, 1 added
  bind      named/primary.conf                 ok
  bind      named/secondary.conf               ok
  bind      named/secondary-catalog.conf       ok
  nullspfd  nullspfd/primary.Corefile          ok
  nullspfd  nullspfd/secondary.Corefile        ok
  nullspf server reload --socket /etc/nullspf/control.sock  # zones: 1 added; reload the configuration and the zones`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.apply(c.Context(), c.OutOrStdout(), allowed, dryRun, asJSON)
		},
	}
	a.addOutputFlags(c)
	addAllowRemovals(c, &allowed)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the commands; write nothing and run nothing")
	return c
}

// applyReport is what apply does, in JSON.
type applyReport struct {
	*buildReport
	DryRun  bool          `json:"dry_run"`
	Checks  []checkResult `json:"checks"`
	Servers []applyServer `json:"servers"`
}

// applyServer is a server that has to reload something.
type applyServer struct {
	Server string      `json:"server"`
	Role   string      `json:"role"`
	Steps  []applyStep `json:"steps"`
	Done   bool        `json:"done"`
}

type applyStep struct {
	Command []string `json:"command"`
	Why     string   `json:"why"`
}

func (a *app) apply(ctx context.Context, w io.Writer, allowed int, dryRun, asJSON bool) error {
	b, err := a.begin(ctx, dryRun)
	if err != nil {
		return err
	}
	defer b.end()
	if err := b.plan.CheckRemovals(allowed); err != nil {
		return err
	}
	steps, err := b.steps()
	if err != nil {
		return err
	}
	r := &applyReport{DryRun: dryRun, Checks: []checkResult{}, Servers: []applyServer{}}
	for _, s := range steps {
		server := applyServer{Server: string(s.target.Server), Role: s.target.Role, Steps: []applyStep{}}
		for _, step := range s.steps {
			server.Steps = append(server.Steps, applyStep{step.Argv, step.Why})
		}
		r.Servers = append(r.Servers, server)
	}
	out := w
	if asJSON {
		out = io.Discard
	}
	if dryRun {
		err = b.dryRun(out, r, steps)
	} else {
		err = b.apply(ctx, out, r, steps)
	}
	if asJSON && r.buildReport != nil {
		err = errors.Join(writeJSON(w, r), err)
	}
	return err
}

// dryRun tells what apply would do.
func (b *building) dryRun(w io.Writer, r *applyReport, steps []serverSteps) (err error) {
	if r.buildReport, err = b.report(); err != nil {
		return err
	}
	if err := b.printReport(w, r.buildReport, "would write "); err != nil {
		return err
	}
	for _, s := range steps {
		if err := named.Show(w, s.steps, "would run: "); err != nil {
			return err
		}
	}
	return nil
}

func (b *building) apply(ctx context.Context, w io.Writer, r *applyReport, steps []serverSteps) (err error) {
	if r.buildReport, err = b.write(ctx, w); err != nil {
		return err
	}
	if err := b.printReport(w, r.buildReport, ""); err != nil {
		return err
	}
	if len(steps) == 0 {
		fmt.Fprintln(w, "the servers are up to date")
		return nil
	}
	if r.Checks, err = checkServers(ctx, w, b.Named); err != nil {
		return fmt.Errorf("%w; nothing was reloaded", err)
	}
	for i, s := range steps {
		if err := named.Run(ctx, s.steps, w); err != nil {
			return fmt.Errorf("%w\n%s is not up to date; correct the cause and run apply again", err, s.what)
		}
		if err := zones.MarkApplied(b.Output, s.id, s.settings, s.handKept); err != nil {
			return err
		}
		r.Servers[i].Done = true
	}
	return nil
}

// serverSteps are the commands for one server.
type serverSteps struct {
	id       string // a file name
	what     string // for messages
	target   named.Target
	settings zones.Hash
	handKept []zones.HandKeptState
	steps    []named.Step
}

// steps returns what each server has to reload.
func (b *building) steps() ([]serverSteps, error) {
	settings, err := b.ServerFingerprint(version.String())
	if err != nil {
		return nil, err
	}
	var all []serverSteps
	for i, t := range b.Apply {
		id := fmt.Sprintf("%d-%s-%s", i+1, t.Server, t.Role)
		var handKept []zones.HandKeptState
		if t.Role == named.RolePrimary && t.Server != named.Nullspfd {
			handKept = b.handKept
		}
		lag, err := b.plan.Lag(id, settings, handKept)
		if err != nil {
			return nil, err
		}
		if lag.Empty() {
			continue
		}
		if t.Server == named.Nullspfd && slices.Equal(t.Command, b.ReloadCommand()) && startsBySystemd(b.Named.Nullspfd.Control) {
			t.Command = nil
		}
		change := named.Change{Added: lag.Added, Removed: lag.Removed, Changed: lag.Changed, HandKept: lag.HandKept, Config: lag.Settings, All: lag.Unknown}
		what := fmt.Sprintf("the %s %s (apply[%d])", t.Server, t.Role, i)
		all = append(all, serverSteps{id, what, t, settings, handKept, named.Steps(t, change, b.Named)})
	}
	return all, nil
}

// startsBySystemd reports whether nullspfd has no control socket yet, because it
// waits for its first zones, and can be started by systemd.
func startsBySystemd(socket string) bool {
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	return err == nil
}

var errCheck = errors.New("a server rejects its configuration")

// checkResult is the outcome of a check, in JSON.
type checkResult struct {
	Server  string `json:"server"`
	File    string `json:"file"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"`
	Output  string `json:"output,omitempty"`
}

// checkServers checks the output with the servers' programs and prints the
// results. The error is errCheck when one of them found a fault.
func checkServers(ctx context.Context, w io.Writer, s named.Settings) ([]checkResult, error) {
	var err error
	results := []checkResult{}
	for _, r := range named.Check(ctx, s, s.Output) {
		results = append(results, printCheck(w, r))
		if r.Verdict == named.CheckFault {
			err = errCheck
			fmt.Fprintln(w, r.Output)
		}
	}
	return results, err
}

func printCheck(w io.Writer, r named.CheckResult) checkResult {
	line := fmt.Sprintf("%-9s %-34s %s", r.Server, r.File, r.Verdict)
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	fmt.Fprintln(w, line)
	return checkResult{string(r.Server), r.File, string(r.Verdict), r.Reason, r.Output}
}
