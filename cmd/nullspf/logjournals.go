package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/value"
)

func (a *app) logStatsCommand(f *logFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "stats",
		Short: "Show size, age and losses of each journal",
		Long: `Shows for each journal directory the number of events, their time and size on
disk, how many have expired, and how many are missing and why. Lost events were
answered but not stored; nullspfd records them within a second. Gaps are sequence numbers without events: reserved by a process that was
killed, or damaged since.`,
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
		Short: "Verify the files of journals",
		Long: `Reads all files in the journal directories and verifies checksums, sequence
numbers and the order of events, also while nullspfd writes. It changes nothing.
A problem means that events are missing or wrong; a note, that a fault has left
something behind but has cost nothing more; a gap, that sequence numbers have no
events for a known reason. The exit status is 1 when there are problems.`,
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

func (a *app) logCompactCommand() *cobra.Command {
	raw := ""
	c := &cobra.Command{
		Use:   "compact DIR...",
		Short: "Write old segments of journals anew",
		Long: `Writes the segments of journal directories anew that an earlier version of nullspfd
wrote, so that they are smaller, queries are faster, and other programs read their
times as such. Segments of an hour or a day that is over are joined, as nullspfd does,
and segments without summary, or with one that is damaged or of an earlier version, get one.
The events stay the same; nothing is removed before what replaces it is on disk, and
an interrupted run is continued by the next one. It needs as much free space as
the largest segment has.

With --retain-raw, addresses and local parts are taken out of segments of which all events are
older, as the setting retain_raw of nullspfd does: for copies, and for directories of log import.

nullspfd must not have the directory open: stop it, or compact a copy. Queries go on.`,
		Example: `  # Of a copy of another server's journal
  $ nullspf log compact ns2/var

  # And take out what tells persons apart, where it is older than 30 days.
  $ nullspf log compact --retain-raw 30d ns2/var`,
		Args:              arguments(1, math.MaxInt),
		ValidArgsFunction: directories,
		RunE: func(c *cobra.Command, dirs []string) error {
			o := journal.CompactOptions{}
			if raw != "" {
				age, err := value.ParseDuration(raw)
				if err == nil {
					err = journal.CheckRetainRaw(age)
				}
				if err != nil {
					return fmt.Errorf("--retain-raw: %w", err)
				}
				o.RawSince = clock().Add(-age)
			}
			var errs []error
			for _, dir := range dirs {
				done, err := journal.CompactDir(c.Context(), dir, o)
				if errs = append(errs, err); done.After.Segments > 0 || err == nil {
					errs = append(errs, forgerylog.WriteCompaction(c.OutOrStdout(), dir, done))
				}
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().StringVar(&raw, "retain-raw", "", "keep addresses and local parts for `TIME`, such as 30d; default: for ever")
	completeFlag(c, "retain-raw", values([]string{"30d", "90d"}))
	return c
}
