package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/dnsname"
	"nullspf/internal/mailmaps"
	"nullspf/internal/value"
	"nullspf/named"
	"nullspf/zones"
)

func (a *app) checkCommand() *cobra.Command {
	var zone, group, directory string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check [--zone NAME [FILE]]",
		Short: "Check configuration, lists and output, or a zone kept by hand",
		Long: `Checks the configuration, the lists and the rules, then the output of "nullspf
zones": every zone file against the manifest, the zones kept by hand that the key
handkept lists, and the server configurations with the programs of the nameservers
(named-checkconf -z, nsd-checkconf, knotc, nullspfd -check). What could not be
checked is reported. The exit status is 1 when there are faults.

With --zone, checks only a zone that is kept by hand: which of the records of a domain
that sends no mail does its file lack or contradict? File and group may be left out
when the configuration has them.`,
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
		Args: arguments(0, 1),
		ValidArgsFunction: func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if zone == "" || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return fileNames(c, args, toComplete)
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case zone != "":
				return a.checkZone(c.OutOrStdout(), zone, group, directory, args)
			case group != "":
				return errors.New("--group is for --zone NAME: nullspf check --zone brand.example brand.example.db")
			case len(args) > 0:
				return fmt.Errorf("to check a zone kept by hand, give its name: nullspf check --zone NAME %s", args[0])
			}
			return a.check(c.Context(), c.OutOrStdout(), asJSON)
		},
	}
	a.addOutputFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&zone, "zone", "", "`NAME` of a zone kept by hand")
	completeFlag(c, "zone", a.configured(handKeptOf))
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
	File    string   `json:"file"`
	Groups  int      `json:"groups"`
	Domains int      `json:"domains"`
	Output  string   `json:"output"`
	Current bool     `json:"current"` // the output is what the lists say
	Faults  []string `json:"faults"`
	// HandKept are the zones kept by hand.
	HandKept []checkedHandKept `json:"handkept"`
	Servers  []checkResult     `json:"servers"`
}

// checkedHandKept is a zone kept by hand and what is wrong in it, in JSON.
type checkedHandKept struct {
	handKeptZone
	Deviations []zones.Deviation `json:"deviations"`
}

func (a *app) check(ctx context.Context, w io.Writer, asJSON bool) error {
	b, err := a.begin(ctx, true)
	if err != nil {
		return err
	}
	defer b.end()
	r := &checkReport{File: b.File, Groups: len(b.Groups), Domains: len(b.set.Entries), Output: b.Output,
		Current: b.plan.Empty(), Faults: []string{}, HandKept: []checkedHandKept{}, Servers: []checkResult{}}
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
	stale, err := mailmaps.Stale(b.Output)
	if err != nil {
		return err
	}
	for _, table := range stale {
		faults = append(faults, value.Visible(table))
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
	var handKept int
	r.HandKept, handKept = b.checkHandKept(w)
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
	if len(faults)+handKept > 0 {
		return errFaults
	}
	return nil
}

// checkHandKept checks the zones that are kept by hand.
func (b *building) checkHandKept(w io.Writer) (checked []checkedHandKept, faults int) {
	checked = []checkedHandKept{}
	for i, z := range handKeptJSON(b.handKept, nil) {
		c := checkedHandKept{z, []zones.Deviation{}}
		state := b.handKept[i]
		if text := handKeptFault(state); text != "" {
			faults++
			fmt.Fprintln(w, text)
		}
		if state.Err == nil {
			deviations, err := state.Zone.Check()
			if err != nil {
				faults++
				c.Error = err.Error()
				fmt.Fprintln(w, value.Visible(fmt.Sprintf("%s (kept by hand): %v", z.Zone, err)))
			}
			c.Deviations = append(c.Deviations, deviations...)
		}
		for _, d := range c.Deviations {
			fmt.Fprintln(w, d)
		}
		if len(c.Deviations) > 0 {
			faults++
			fmt.Fprintln(w, value.Visible(fmt.Sprintf("%s: %s; %s", z.File, count(len(c.Deviations), "deviation"), advice(b.Config, state.Zone, c.Deviations))))
		}
		checked = append(checked, c)
	}
	return checked, faults
}

// checkZone checks a zone file that is kept by hand. Without a path, it is that of
// the configuration, as are the rest when they are not given.
func (a *app) checkZone(w io.Writer, zone, group, directory string, args []string) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	z := zones.HandKept{Group: c.Groups[0]}
	if z.Name, _, err = dnsname.ParseIDNA2003(zone); err != nil {
		return fmt.Errorf("--zone: %q: %w", zone, err)
	}
	listed := slices.IndexFunc(c.HandKept, func(h zones.HandKept) bool { return h.Name == z.Name })
	switch {
	case listed >= 0:
		z = c.HandKept[listed]
	case len(args) == 0:
		return errors.New("--zone NAME needs the zone's FILE, unless the key handkept has it: nullspf check --zone brand.example brand.example.db")
	}
	if group != "" || listed < 0 && len(c.Groups) > 1 {
		i := slices.IndexFunc(c.Groups, func(g *zones.Group) bool { return g.Name == group })
		if i < 0 {
			return fmt.Errorf("name the group whose records %s should hold with --group: %s", z.Name, strings.Join(groupsOf(c), ", "))
		}
		z.Group = c.Groups[i]
	}
	if len(args) > 0 {
		z.File = args[0]
	}
	if directory != "" {
		z.Directory = directory
	}
	deviations, err := z.Check()
	if err != nil {
		return fmt.Errorf("cannot check the zone: %w", err)
	}
	for _, d := range deviations {
		fmt.Fprintln(w, d)
	}
	if len(deviations) > 0 {
		return fmt.Errorf("%s: %s; %s", z.File, count(len(deviations), "deviation"), advice(c, &z, deviations))
	}
	fmt.Fprintf(w, "%s: has all records of group %s\n", value.Visible(z.File), z.Group.Name)
	return nil
}

// advice says how to mend deviations of a zone that is kept by hand.
func advice(c *config.Config, z *zones.HandKept, deviations []zones.Deviation) string {
	switch {
	case allMissing(deviations):
		return fmt.Sprintf("add what is missing with $INCLUDE %s/include/%s.inc", c.Output, z.Group.Name)
	case slices.ContainsFunc(deviations, zones.Deviation.Missing):
		return fmt.Sprintf("add what is missing with $INCLUDE %s/include/%s.inc, and correct the rest by hand", c.Output, z.Group.Name)
	}
	return "correct the zone by hand"
}

func allMissing(deviations []zones.Deviation) bool {
	return !slices.ContainsFunc(deviations, func(d zones.Deviation) bool { return !d.Missing() })
}
