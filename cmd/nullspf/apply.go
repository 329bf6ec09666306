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
	var dryRun bool
	var allowed int
	c := &cobra.Command{
		Use:   "apply",
		Short: "Write the zones, check them and reload the servers",
		Long: `Does what "nullspf zones" does, checks the output with the programs of the
nameservers, and reloads the running servers: BIND with rndc, NSD with nsd-control, Knot DNS
with knotc, nullspfd with "nullspf server reload". The key apply of the
configuration lists the servers and their control programs.

Each server reloads what has changed since it was last reloaded, so the next run
makes up for one that failed. If a check fails, nothing is reloaded.`,
		Example: `  # Add a domain. Which commands would follow?
  $ echo brand-new.example >>generic.txt
  $ nullspf apply --dry-run
  /etc/nullspf/build: 4 zones, 1 added
  nullspf server reload --socket /etc/nullspf/control.sock  # zones: 1 added; reload the configuration and the zones

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
			return a.apply(c.Context(), c.OutOrStdout(), allowed, dryRun)
		},
	}
	a.addOutputFlags(c)
	addAllowRemovals(c, &allowed)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the commands; write nothing and run nothing")
	return c
}

func (a *app) apply(ctx context.Context, w io.Writer, allowed int, dryRun bool) error {
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
	if dryRun {
		fmt.Fprintf(w, "%s: %s\n", b.Output, summary(b.plan, len(b.set.Entries)))
		for _, s := range steps {
			if err := named.Show(w, s.steps); err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.write(ctx, w); err != nil {
		return err
	}
	if len(steps) == 0 {
		fmt.Fprintln(w, "the servers are up to date")
		return nil
	}
	if err := checkServers(ctx, w, b.Named); err != nil {
		return fmt.Errorf("%w; nothing was reloaded", err)
	}
	for _, s := range steps {
		if err := named.Run(ctx, s.steps, w); err != nil {
			return fmt.Errorf("%w\n%s is not up to date; correct the cause and run apply again", err, s.what)
		}
		if err := zones.MarkApplied(b.Output, s.id, s.settings); err != nil {
			return err
		}
	}
	return nil
}

// serverSteps are the commands for one server.
type serverSteps struct {
	id       string // a file name
	what     string // for messages
	settings zones.Hash
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
		lag, err := b.plan.Lag(id, settings)
		if err != nil {
			return nil, err
		}
		if lag.Empty() {
			continue
		}
		if t.Server == named.Nullspfd && slices.Equal(t.Command, b.ReloadCommand()) && startsBySystemd(b.Named.Nullspfd.Control) {
			t.Command = nil
		}
		change := named.Change{Added: lag.Added, Removed: lag.Removed, Changed: lag.Changed, Config: lag.Settings, All: lag.Unknown}
		what := fmt.Sprintf("the %s %s (apply[%d])", t.Server, t.Role, i)
		all = append(all, serverSteps{id, what, settings, named.Steps(t, change, b.Named)})
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

// checkServers checks the output with the servers' programs and prints the
// results. The error is errCheck when one of them found a fault.
func checkServers(ctx context.Context, w io.Writer, s named.Settings) error {
	failed := false
	for _, r := range named.Check(ctx, s, s.Output) {
		printCheck(w, r)
		if r.Verdict == named.CheckFault {
			failed = true
			fmt.Fprintln(w, r.Output)
		}
	}
	if failed {
		return errCheck
	}
	return nil
}

func printCheck(w io.Writer, r named.CheckResult) {
	line := fmt.Sprintf("%-9s %-34s %s", r.Server, r.File, r.Verdict)
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	fmt.Fprintln(w, line)
}
