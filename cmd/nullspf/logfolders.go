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
