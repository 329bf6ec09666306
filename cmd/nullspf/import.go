package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nullspf/internal/importer"
	"nullspf/internal/value"
	"nullspf/zones"
)

// importFlags are the flags of import.
type importFlags struct {
	importer.Options
	changes bool
	groups  int
	all     bool
}

func importCommand() *cobra.Command {
	f := &importFlags{}
	c := &cobra.Command{
		Use:   "import SOURCE [DIR]",
		Short: "Make configuration and lists from existing zones",
		Long: `Reads the zones of SOURCE and writes nullspf.yaml and the lists with which nullspf
publishes the same records into the new directory DIR, by default nullspf. SOURCE is

  named.conf   read as named-checkconf -p prints it, with all that it includes
  a directory  of zone files, named after their zones, or with $ORIGIN
  a list       text or CSV, whose domains have the zone files of --zone-file

Domains with the same settings become a group; their addresses may differ. A zone
with a record that no key of a group publishes is left out: those are shown with
file and line, and all of them are in left-out.txt in DIR. So are zones to which
nullspf would add a record, without --allow-changes.

The zones as they were are written below the output directory, and compared with
what nullspf would publish: a zone with the same records keeps its serial number.
The source is not changed, nothing is written when DIR exists, and no server is
reloaded. The exit status is 1 when no zone can be imported.`,
		Example: `  # From the directory of the zone files.
  $ nullspf import build/zones imported
  build/zones: 3 zones
  wrote nullspf.yaml with 1 list to imported
    generic.txt, 3 domains: MX 0 ., SPF track
  plan: 3 zones with the same records, whose serial numbers stay; no zone changes
  Now set the servers and the transfers in imported/nullspf.yaml, then run: nullspf plan -c imported/nullspf.yaml

  # From a list of the domains.
  $ nullspf import generic.txt from-list --zone-file build/zones/%s.zone`,
		Args: arguments(1, 2),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := "nullspf"
			if len(args) == 2 {
				dir = args[1]
			}
			return f.run(c.Context(), c.OutOrStdout(), args[0], dir)
		},
	}
	c.Flags().StringVar(&f.ZoneFile, "zone-file", "", "the zone file of the domains of a list is `FILE`, in which %s stands for the name")
	completeFlag(c, "zone-file", fileNames)
	c.Flags().StringVar(&f.Column, "column", "", "the column of a list with the domains has the header `NAME`")
	c.Flags().StringVar(&f.Base, "directory", "", "relative file names begin in `DIR` instead of the directory of named.conf")
	completeFlag(c, "directory", directories)
	c.Flags().BoolVar(&f.changes, "allow-changes", false, "import zones, too, to which nullspf adds records, or gives another DMARC record or TTL")
	c.Flags().IntVar(&f.groups, "max-groups", importer.DefaultGroups, "make at most `N` groups; zones of smaller ones are left out")
	c.Flags().BoolVar(&f.all, "all", false, "show all zones that are left out instead of the first twenty")
	return c
}

func (f *importFlags) run(ctx context.Context, w io.Writer, from, dir string) error {
	if f.groups < 1 || f.groups > 1000 {
		return fmt.Errorf("--max-groups %d: write a number from 1 to 1000", f.groups)
	}
	if err := importer.MustNotExist(dir); err != nil {
		return err
	}
	source, err := importer.Read(ctx, from, f.Options)
	if err != nil {
		return err
	}
	if len(source.Zones) == 0 {
		return fmt.Errorf("%s has no zones of a primary%s", from, others(source))
	}
	bar := newProgress("zones")
	result, err := importer.Import(ctx, source, importer.Settings{Changes: f.changes, Groups: f.groups, Progress: bar.set})
	bar.done()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if result.Domains() == 0 {
		f.printLeftOut(out, result)
		return errors.Join(out.Flush(), fmt.Errorf("none of %s can be imported; nothing was written", count(len(source.Zones), "zone")))
	}
	var proof string
	err = result.Write(dir, func(made string) error {
		var err error
		if proof, err = prove(ctx, filepath.Join(made, importer.ConfigFile), f.changes); err != nil {
			return fmt.Errorf("the zones cannot be imported, and nothing was written: %s", strings.ReplaceAll(err.Error(), made, dir))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s%s\n", value.Visible(from), count(len(source.Zones), "zone"), others(source))
	fmt.Fprintf(out, "wrote %s with %s to %s\n", importer.ConfigFile, count(len(result.Groups), "list"), value.Visible(dir))
	for _, g := range result.Groups {
		fmt.Fprintf(out, "  %s, %s: MX %s, SPF %s\n", g.List(), count(g.Domains(), "domain"), cmp.Or(g.MX(), "0 ."), g.SPF())
	}
	f.printLeftOut(out, result)
	fmt.Fprintln(out, proof)
	fmt.Fprintf(out, "Now set the servers and the transfers in %[1]s, then run: nullspf plan -c %[1]s\n", value.Visible(filepath.Join(dir, importer.ConfigFile)))
	return out.Flush()
}

// others says what of a source was not to be imported.
func others(s *importer.Source) string {
	var texts []string
	for what, n := range s.Others {
		texts = append(texts, fmt.Sprintf("%s (%d)", value.Visible(what), n))
	}
	if len(texts) == 0 {
		return ""
	}
	slices.Sort(texts)
	return "; passed over: " + strings.Join(texts, ", ")
}

// prove plans with the configuration that was written.
func prove(ctx context.Context, path string, changes bool) (string, error) {
	b, err := (&app{configPath: path, quiet: true}).begin(ctx, true)
	if err != nil {
		return "", err
	}
	defer b.end()
	var other []string
	for c := range b.plan.Changes {
		if c.Kind != zones.Adopted {
			other = append(other, c.Name)
		}
	}
	same := b.plan.Count(zones.Adopted)
	proof := fmt.Sprintf("plan: %s with the same records, whose serial numbers stay", count(same, "zone"))
	switch {
	case len(other) == 0:
		return proof + "; no zone changes", nil
	case changes:
		return proof + fmt.Sprintf("; %s with other records, whose serial numbers rise", count(len(other), "zone")), nil
	}
	return proof + fmt.Sprintf("; %s with texts that are divided into other strings, whose serial numbers rise", count(len(other), "zone")), nil
}

// printLeftOut shows the zones that are left out. Those with the same reason share
// an entry.
func (f *importFlags) printLeftOut(w io.Writer, r *importer.Result) {
	if len(r.LeftOut) == 0 {
		return
	}
	type entry struct {
		reason string
		zones  []importer.LeftOut
	}
	var order []*entry
	byReason := make(map[string]*entry)
	for _, l := range r.LeftOut {
		reason := l.Reason
		if l.Zone != "" {
			reason = strings.ReplaceAll(reason, l.Zone, "{domain}")
		}
		e := byReason[reason]
		if e == nil {
			e = &entry{reason: reason}
			byReason[reason] = e
			order = append(order, e)
		}
		e.zones = append(e.zones, l)
	}
	slices.SortStableFunc(order, func(a, b *entry) int { return len(b.zones) - len(a.zones) })
	fmt.Fprintf(w, "left out: %s\n", count(r.ZonesLeftOut(), "zone"))
	const most = 20
	for i, e := range order {
		if i == most && !f.all {
			fmt.Fprintf(w, "  and %s\n", count(len(order)-most, "other reason"))
			break
		}
		reason := e.reason
		if len(e.zones) == 1 {
			reason = e.zones[0].Reason
		}
		fmt.Fprintf(w, "  %s\n", value.Visible(reason))
		for k, l := range e.zones {
			if k == 3 && !f.all {
				fmt.Fprintf(w, "      and %d more\n", len(e.zones)-k)
				break
			}
			line := cmp.Or(l.Zone, "-")
			if l.Place != "" {
				line += "  " + l.Place
			}
			fmt.Fprintf(w, "      %s\n", value.Visible(line))
		}
	}
}
