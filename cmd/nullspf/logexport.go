package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/value"
)

// exportFlags are the flags of log export.
type exportFlags struct {
	tier, format, output, until string
	allowGrowth                 int
}

func (a *app) logExportCommand(f *logFlags) *cobra.Command {
	o := &exportFlags{}
	c := &cobra.Command{
		Use:   "export --format FORMAT",
		Short: "Write a block list of addresses that forge mail",
		Long: `Writes the addresses of a tier as a list for another program. The format is

` + formatHelp() + `
An address is a single one, of IPv6 the /64. Entries are in order, none twice; the same
evidence gives the same list at the same time. Those in evidence.allow, and addresses that no host of the
public Internet has, are never among them; neither are those whose evidence is older than
evidence.expiry.

With --output, the list is written to another name in the same directory, synced, and
renamed: whoever reads the file finds the list before or this one, whole. When it would have
more new addresses than evidence.cap that the file has not, it is refused with
exit status 3, unless --allow-growth gives their exact number; a sudden growth is
more often somebody's forged evidence than new forgers. Without --output, nothing is compared. When
journals cannot be read in full, the list lacks addresses, and the exit status is 1.` + tierHelp,
		Example: `  $ nullspf log export --format postfix --output forgers.cidr
  0 confirmed addresses written to forgers.cidr, 0 of them new

  # For nullspfd, which serves it as a DNS block list
  $ nullspf log export --tier corroborated --format json --output forgers.json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.logExport(c, f, o) },
	}
	c.Flags().StringVar(&o.tier, "tier", tier.Confirmed.String(), "addresses of `TIER` or a higher one: confirmed, corroborated")
	completeFlag(c, "tier", values(tier.Exported))
	c.Flags().StringVar(&o.format, "format", "", "write the list in `FORMAT`")
	completeFlag(c, "format", values(strings.Split(blocklist.FormatNames(), ", ")))
	c.Flags().StringVar(&o.output, "output", "", "replace `FILE`, instead of writing to standard output")
	completeFlag(c, "output", fileNames)
	c.Flags().IntVar(&o.allowGrowth, "allow-growth", 0, "allow exactly `N` new addresses, more than evidence.cap")
	addUntil(c, &o.until)
	return c
}

// formatHelp lists the formats for a help text.
func formatHelp() string {
	var b strings.Builder
	for _, f := range blocklist.Formats {
		fmt.Fprintf(&b, "  %-16s %s\n", f.Name, f.About)
	}
	return b.String()
}

func (a *app) logExport(c *cobra.Command, f *logFlags, o *exportFlags) error {
	least, err := tier.Parse(o.tier)
	if err != nil {
		return fmt.Errorf("--tier: %w", err)
	}
	if o.format == "" {
		return errors.New("say with --format what is to be written: " + blocklist.FormatNames())
	}
	format, err := blocklist.ParseFormat(o.format)
	if err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	t, err := a.newTiers(c, f, o.until)
	if err != nil {
		return err
	}
	list, incomplete := t.list(c.Context(), least)
	if !answered(incomplete) {
		return incomplete
	}
	if o.output == "" {
		text, _ := format.Bytes(list)
		_, err := c.OutOrStdout().Write(text)
		return errors.Join(err, incomplete)
	}
	entries, growth, err := format.Replace(o.output, list, t.conf.Evidence.Cap, o.allowGrowth)
	if err != nil {
		return err
	}
	what := "addresses"
	if entries == 1 {
		what = "address"
	}
	fmt.Fprintf(c.OutOrStdout(), "%d %s %s written to %s, %d of them new\n", entries, least, what, value.Visible(o.output), growth)
	return incomplete
}

// blockListOf is what makes block lists of now for pages. It is nil without a configuration,
// or before zones were written.
func (a *app) blockListOf(c *cobra.Command, f *logFlags) func(context.Context, tier.Tier) (*blocklist.List, error) {
	defer func(quiet bool) { a.quiet = quiet }(a.quiet)
	a.quiet = true
	t, err := a.newTiers(c, f, "")
	if err != nil {
		return nil
	}
	return func(ctx context.Context, least tier.Tier) (*blocklist.List, error) {
		now := *t
		now.at = time.Now().UTC()
		return now.list(ctx, least)
	}
}

// list weighs the evidence of all addresses. Beside an error that is a
// forgerylog.Incomplete, it has those of which enough could be read.
func (t *tiers) list(ctx context.Context, least tier.Tier) (*blocklist.List, error) {
	g := tier.NewGatherer(t.rules)
	defer g.Close()
	incomplete := t.gather(ctx, g, nil)
	if !answered(incomplete) {
		return nil, incomplete
	}
	found, err := g.List(ctx, least)
	if err != nil {
		return nil, err
	}
	soa := t.conf.Groups[0].SOA
	l := &blocklist.List{Tier: least, At: t.at.Truncate(time.Second), RName: string(soa.RName)}
	for _, ns := range t.conf.Groups[0].Nameservers {
		l.Nameservers = append(l.Nameservers, string(ns))
	}
	for _, e := range found {
		l.Entries = append(l.Entries, blocklist.NewEntry(e, t.expiry))
	}
	return l, incomplete
}
