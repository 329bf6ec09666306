package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"nullspf/internal/forgerylog"
)

func (a *app) logStatsCommand(f *logFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "stats",
		Short: "Show how many events each journal folder holds and lacks",
		Long: `Shows of each journal folder how many events it holds, from when, and their size
on disk; how many have expired; and how many are missing and why. Lost events
were answered but not stored, as far as nullspfd has noted it; it does so once a
minute. Gaps are numbers without events: reserved by a run that was killed, or
damaged since.`,
		Example: `  $ nullspf log stats
  /etc/nullspf/var
    server       ns1.example.net
    events       100, 50 attempts among them
    first        2026-11-27T13:48:47.890Z
    last         2026-11-27T13:48:47.895Z
    sealed       0 in 0 segments of 0 B
    not sealed   100 in files of 19.1 kB
    expired      0
    lost         0
    gaps         0`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			format, err := forgerylog.ParseFormat(f.format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			engine, err := a.forgeryLog(c, f)
			if err != nil {
				return err
			}
			list, err := engine.Stats(c.Context())
			if !answered(err) {
				return err
			}
			return errors.Join(forgerylog.WriteStats(c.OutOrStdout(), format, list), err)
		},
	}
	f.addFormat(c)
	return c
}

func (a *app) logCheckCommand(f *logFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Verify the files of journal folders",
		Long: `Reads everything in the journal folders and verifies sums, numbers and order of
the events, also while nullspfd writes. It changes nothing. A problem means that
events are missing or wrong; a note, the remains of a mishap that cost nothing
more; a gap, numbers without events for a reason that is known. The exit code is
1 when there are problems.`,
		Example: `  $ nullspf log check
  /etc/nullspf/var: 0 events in 0 segments, 100 events in 1 file not sealed; no problem

  # Check a copy before it is used.
  $ nullspf log check --journal ns2/var`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			engine, err := a.forgeryLog(c, f)
			if err != nil {
				return err
			}
			list, err := engine.Check(c.Context())
			if err != nil {
				return err
			}
			if err := forgerylog.WriteReport(c.OutOrStdout(), list); err != nil {
				return err
			}
			for _, r := range list {
				if len(r.Problems) > 0 {
					return statusError(exitError)
				}
			}
			return nil
		},
	}
}
