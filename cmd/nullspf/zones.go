package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"nullspf/internal/version"
	"nullspf/zones"
)

func (a *app) zonesCommand() *cobra.Command {
	var allowed int
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
			return b.write(c.Context(), c.OutOrStdout())
		},
	}
	a.addOutputFlags(c)
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
	bar         *progress
	unlock      func()
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
	b := &building{job: j, fingerprint: j.Fingerprint(version.String()), bar: newProgress("zones"), unlock: func() {}}
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
	if b.plan.ManifestLost() {
		warn("%s: the manifest is missing or damaged; serial numbers are taken from the %d zone files", j.Output, b.plan.Previous())
	}
	return b, nil
}

func (b *building) end() {
	b.bar.done()
	b.unlock()
}

// write writes the output directory and tells what changed.
func (b *building) write(ctx context.Context, w io.Writer) error {
	if err := b.plan.Write(ctx, b.files, b.fingerprint); err != nil {
		return fmt.Errorf("cannot write %s: %w", b.Output, err)
	}
	b.bar.done()
	_, err := fmt.Fprintf(w, "%s: %s\n", b.Output, summary(b.plan, len(b.set.Entries)))
	return err
}

// summary is a line of counts.
func summary(p *zones.Plan, total int) string {
	text := count(total, "zone")
	for _, k := range []zones.Kind{zones.Added, zones.Changed, zones.Restored, zones.Removed} {
		if n := p.Count(k); n > 0 {
			text += fmt.Sprintf(", %d %s", n, k)
		}
	}
	if p.Empty() {
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
