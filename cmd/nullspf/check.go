package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"nullspf/internal/dnsname"
	"nullspf/internal/value"
	"nullspf/named"
	"nullspf/zones"
)

func (a *app) checkCommand() *cobra.Command {
	var zone, group, directory string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check [--zone NAME FILE]",
		Short: "Check configuration, lists and output, or a zone kept by hand",
		Long: `Checks the configuration, the lists and the rules, then the output of "nullspf
zones": every zone file against the manifest, and the server configurations with
the programs of the nameservers (named-checkconf -z, nsd-checkconf, knotc,
nullspfd -check). What could not be checked is reported. The exit status is 1
when there are faults.

With --zone, checks a zone file that is kept by hand instead: which of the
records of a domain that sends no mail does it lack or contradict?`,
		Example: `  $ nullspf check
  nullspf.yaml: 1 group, 3 domains, no faults
  bind      named/primary.conf                 ok
  bind      named/secondary.conf               ok
  bind      named/secondary-catalog.conf       ok
  nullspfd  nullspfd/primary.Corefile          ok
  nullspfd  nullspfd/secondary.Corefile        ok

  # Check a zone that is kept by hand.
  $ nullspf check --zone shop.example --group generic shop.example.db; echo $?
  www.shop.example MX: the name has an address, so it needs an MX record of its own: mail falls back to the address otherwise
  www.shop.example TXT: the name has an address, so it needs an SPF record of its own: v=spf1 -all
  nullspf: shop.example.db: 2 deviations; correct the zone by hand
  1`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if zone == "" || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return files(c, args, toComplete)
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case zone != "" && len(args) == 1:
				return a.checkHandKept(c.OutOrStdout(), zone, group, directory, args[0])
			case zone != "" || group != "":
				return errors.New("--zone NAME needs the zone's FILE: nullspf check --zone brand.example brand.example.db")
			case len(args) > 0:
				return fmt.Errorf("to check a zone kept by hand, give its name: nullspf check --zone NAME %s", args[0])
			}
			return a.check(c.Context(), c.OutOrStdout(), asJSON)
		},
	}
	a.addOutputFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&zone, "zone", "", "`NAME` of a zone kept by hand")
	c.MarkFlagsMutuallyExclusive("json", "zone")
	c.Flags().StringVar(&group, "group", "", "`GROUP` whose records it should hold, when there are several")
	completeFlag(c, "group", a.configured(groupsOf))
	c.Flags().StringVar(&directory, "directory", "", "relative paths after $INCLUDE start from `DIR`, the directory of BIND's options, not from that of the file")
	completeFlag(c, "directory", directories)
	return c
}

var errFaults = errors.New("faults were found")

// checkReport is what check finds, in JSON.
type checkReport struct {
	File    string        `json:"file"`
	Groups  int           `json:"groups"`
	Domains int           `json:"domains"`
	Output  string        `json:"output"`
	Current bool          `json:"current"` // the output is what the lists say
	Faults  []string      `json:"faults"`
	Servers []checkResult `json:"servers"`
}

func (a *app) check(ctx context.Context, w io.Writer, asJSON bool) error {
	b, err := a.begin(ctx, true)
	if err != nil {
		return err
	}
	defer b.end()
	r := &checkReport{File: b.File, Groups: len(b.Groups), Domains: len(b.set.Entries), Output: b.Output,
		Current: b.plan.Empty(), Faults: []string{}, Servers: []checkResult{}}
	out := w
	if asJSON {
		out = io.Discard
	}
	if err = b.check(ctx, out, r); asJSON && r.Faults != nil {
		err = errors.Join(writeJSON(w, r), err)
	}
	return err
}

// check checks the output, reports what it finds, and writes it to w.
func (b *building) check(ctx context.Context, w io.Writer, r *checkReport) error {
	fmt.Fprintf(w, "%s: %s, %s, no faults\n", value.Visible(b.File), count(r.Groups, "group"), count(r.Domains, "domain"))
	bar := newProgress("zone files")
	faults, err := zones.Audit(ctx, b.Output, bar.set)
	bar.done()
	if err != nil {
		return err
	}
	if slices.Contains(b.Named.Servers, named.BIND) {
		stale, err := named.StaleJournals(b.Output)
		if err != nil {
			return err
		}
		for _, j := range stale {
			faults = append(faults, j.String())
		}
	}
	r.Faults = append(r.Faults, faults...)
	const most = 50
	for i, f := range faults {
		if i == most {
			fmt.Fprintf(w, "and %d more\n", len(faults)-most)
			break
		}
		fmt.Fprintln(w, f)
	}
	if b.plan.Previous() == 0 {
		return errors.New("there is no output to check; run nullspf zones first")
	}
	if !b.plan.Empty() {
		fmt.Fprintf(w, "%s differs from what the lists say (%s); see nullspf plan\n", b.Output, b.summary(nil))
	}
	if r.Servers, err = checkServers(ctx, w, b.Named); err != nil {
		return err
	}
	warnings := named.CheckLimits(b.Named)
	for _, t := range b.Apply {
		warnings = append(warnings, named.CheckAccess(b.Named, t, b.Output)...)
	}
	for _, c := range warnings {
		r.Servers = append(r.Servers, printCheck(w, c))
	}
	if len(faults) > 0 {
		return errFaults
	}
	return nil
}

// checkHandKept checks a zone file that is kept by hand.
func (a *app) checkHandKept(w io.Writer, zone, group, directory, path string) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	name, _, err := dnsname.ParseIDNA2003(zone)
	if err != nil {
		return fmt.Errorf("--zone: %q: %w", zone, err)
	}
	g := c.Groups[0]
	if group != "" || len(c.Groups) > 1 {
		i := slices.IndexFunc(c.Groups, func(g *zones.Group) bool { return g.Name == group })
		if i < 0 {
			return fmt.Errorf("name the group whose records %s should hold with --group: %s", name, groupNames(c.Groups))
		}
		g = c.Groups[i]
	}
	deviations, err := g.CheckHandKept(string(name), path, directory)
	if err != nil {
		return fmt.Errorf("cannot check the zone: %w", err)
	}
	for _, d := range deviations {
		fmt.Fprintln(w, d)
	}
	if len(deviations) > 0 {
		advice := "correct the zone by hand"
		if slices.ContainsFunc(deviations, zones.Deviation.Missing) {
			advice = fmt.Sprintf("add what is missing with $INCLUDE %s/include/%s.inc", c.Output, g.Name)
			if !allMissing(deviations) {
				advice += ", and correct the rest by hand"
			}
		}
		return fmt.Errorf("%s: %s; %s", path, count(len(deviations), "deviation"), advice)
	}
	fmt.Fprintf(w, "%s: has all records of group %s\n", value.Visible(path), g.Name)
	return nil
}

func allMissing(deviations []zones.Deviation) bool {
	return !slices.ContainsFunc(deviations, func(d zones.Deviation) bool { return !d.Missing() })
}

func groupNames(groups []*zones.Group) string {
	text := ""
	for i, g := range groups {
		if i > 0 {
			text += ", "
		}
		text += g.Name
	}
	return text
}
