package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"nullspf/internal/version"
	"nullspf/zones"
)

func (a *app) zonesCommand() *cobra.Command {
	var allowed int
	var asJSON bool
	c := &cobra.Command{
		Use:   "zones",
		Short: "Write zone files, server configurations and mail tables",
		Long: `Reads the configuration and the lists, and writes below the output directory:

  zones/NAME.zone    a zone file for each domain
  include/           records for zones kept by hand, DMARC report authorisations
  named/ nsd/ knot/ nullspfd/
                     configurations for the servers of the key servers
  catalog.zone       the catalog zone with all zones (RFC 9432)
  mail/              tables for sendmail and Postfix
  manifest           name, group, serial number and content hash of each zone

Files that would not change are left alone, and the serial number of a zone
rises only when its content changes. If there is an error in the configuration
or in a list, nothing is written. A run that would remove many domains is
refused with exit status 3 unless --allow-removals gives their number.`,
		Example: `  # Add a domain and write what changes.
  $ echo brand-new.example >>generic.txt
  $ nullspf zones
  /etc/nullspf/build: 4 zones, 1 added

  # Write everything to another directory, to be copied to another machine.
  $ nullspf zones -o copy --relative
  /etc/nullspf/copy: 4 zones, 4 added`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := a.begin(c.Context(), false)
			if err != nil {
				return err
			}
			defer b.end()
			if err := b.plan.CheckRemovals(allowed); err != nil {
				return err
			}
			out := c.OutOrStdout()
			if asJSON {
				out = io.Discard
			}
			r, err := b.write(c.Context(), out)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), r)
			}
			return b.printReport(c.OutOrStdout(), r, "")
		},
	}
	a.addOutputFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addAllowRemovals(c, &allowed)
	return c
}

func addAllowRemovals(c *cobra.Command, allowed *int) {
	c.Flags().IntVar(allowed, "allow-removals", 0, "allow the removal of exactly `N` zones, more than the safety limit")
}

// building is a job with the plan of its output directory.
type building struct {
	*job
	files       []zones.File
	fingerprint zones.Hash
	plan        *zones.Plan
	handKept    []zones.HandKeptState
	bar         *progress
	unlock      func()
	// elsewhere is set when the output is for another machine.
	elsewhere bool
}

// begin reads everything and plans, with the output directory locked unless it is
// only to be looked at. The caller calls end.
func (a *app) begin(ctx context.Context, lookOnly bool) (*building, error) {
	j, err := a.read()
	if err != nil {
		return nil, err
	}
	if err := j.ReadSecret(); err != nil {
		return nil, err
	}
	b := &building{job: j, fingerprint: j.Fingerprint(version.String()), bar: newProgress("zones"), unlock: func() {}, elsewhere: a.output != "" || a.relative}
	if b.files, err = j.wholeFiles(); err != nil {
		return nil, err
	}
	if !lookOnly {
		if b.unlock, err = zones.Lock(j.Output); err != nil {
			return nil, err
		}
	}
	b.plan, err = zones.NewPlan(ctx, j.set, j.Output, zones.Options{Scheme: j.Scheme, Now: clock, Progress: b.bar.set})
	if err != nil {
		b.end()
		return nil, err
	}
	if b.handKept, err = b.plan.HandKept(b.files); err != nil {
		b.end()
		return nil, err
	}
	if b.plan.ManifestLost() {
		warn("%s: the manifest is missing or damaged; serial numbers are taken from the %d zone files", j.Output, b.plan.Previous())
	}
	return b, nil
}

func (b *building) end() {
	b.bar.done()
	b.unlock()
}

// fileChanges are the changes of files that are made from all zones. In the first
// run there are none: everything is new.
func (b *building) fileChanges() ([]zones.FileChange, error) {
	if b.plan.Previous() == 0 {
		return nil, nil
	}
	return b.plan.FileChanges(b.files, b.fingerprint)
}

// knows reports whether a name that is on no list is that of a zone that is to be
// removed, or kept by hand.
func (b *building) knows(name string) bool {
	if slices.Contains(handKeptOf(b.Config), name) {
		return true
	}
	for c := range b.plan.Changes {
		if c.Kind == zones.Removed && c.Name == name {
			return true
		}
	}
	return false
}

// buildReport is what a run does to the output directory, in JSON.
type buildReport struct {
	Output string `json:"output"`
	Zones  int    `json:"zones"`
	planCounts
	Files    []fileChange   `json:"files"`
	HandKept []handKeptZone `json:"handkept"`

	files []zones.FileChange
}

// report is what a run would do.
func (b *building) report() (*buildReport, error) {
	var files []zones.FileChange
	// With zones added or removed, the files change anyway, and are large.
	if b.plan.Count(zones.Added)+b.plan.Count(zones.Adopted)+b.plan.Count(zones.Removed) == 0 {
		var err error
		if files, err = b.fileChanges(); err != nil {
			return nil, err
		}
	}
	return &buildReport{b.Output, len(b.set.Entries), countsOf(b.plan), fileChangesJSON(files), handKeptJSON(b.handKept, nil), files}, nil
}

// write writes the output directory.
func (b *building) write(ctx context.Context, w io.Writer) (*buildReport, error) {
	r, err := b.report()
	if err != nil {
		return nil, err
	}
	if err := b.beforeWrite(); err != nil {
		return nil, err
	}
	if err := b.plan.Write(ctx, b.files, b.fingerprint); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", b.Output, err)
	}
	b.bar.done()
	if err := b.plan.SaveHandKept(b.handKept); err != nil {
		return nil, err
	}
	return r, b.afterWrite(ctx, w)
}

// printReport tells what changed, or with "would write" what would.
func (b *building) printReport(w io.Writer, r *buildReport, would string) error {
	out := bufio.NewWriter(w)
	newPlanPrinter(out, false).printFiles(r.files)
	printHandKept(out, b.handKept, nil)
	fmt.Fprintf(out, "%s%s: %s\n", would, b.Output, b.summary(r.files))
	return out.Flush()
}

// summary is a line of counts.
func (b *building) summary(files []zones.FileChange) string {
	text := count(len(b.set.Entries), "zone")
	for _, k := range []zones.Kind{zones.Added, zones.Adopted, zones.Changed, zones.Restored, zones.Removed} {
		if n := b.plan.Count(k); n > 0 {
			text += fmt.Sprintf(", %d %s", n, k)
		}
	}
	switch {
	case len(files) > 0 && b.plan.Empty():
		text += ", unchanged; " + count(len(files), "other file") + " changed"
	case len(files) > 0:
		text += "; " + count(len(files), "other file") + " changed"
	case b.plan.Empty():
		text += ", nothing changed"
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
