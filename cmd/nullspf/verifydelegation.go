package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nullspf/internal/value"
	"nullspf/internal/verify"
	"nullspf/zones"
)

// delegationFlags are the flags of verify --delegation.
type delegationFlags struct {
	on         bool
	roots      []string
	rate       int
	maxTime    time.Duration
	registered []string
	column     string
}

func (f *delegationFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.on, "delegation", false, "ask the parents about the delegations instead")
	c.Flags().StringArrayVar(&f.roots, "root", nil, "with --delegation, begin at the root server at `ADDRESS` instead of those of the internet; may be repeated")
	c.Flags().IntVar(&f.rate, "rate", verify.DefaultRate, "with --delegation, send at most `N` queries a second")
	c.Flags().DurationVar(&f.maxTime, "max-time", 0, "with --delegation, end after `TIME`; 0 is no limit")
	c.Flags().StringArrayVar(&f.registered, "registered", nil, "with --delegation, report the domains of the list `FILE` that are on no list; may be repeated")
	completeFlag(c, "registered", fileNames)
	c.Flags().StringVar(&f.column, "registered-column", "", "the column of --registered with the domains has the header `NAME`")
}

// check refuses flags that do not go together.
func (f *delegationFlags) check(c *cobra.Command) error {
	without := []string{"server", "output"}
	if !f.on {
		without = []string{"root", "rate", "max-time", "registered", "registered-column"}
	}
	for _, name := range without {
		if c.Flags().Changed(name) && f.on {
			return fmt.Errorf("--%s does not go with --delegation, which asks the parents", name)
		} else if c.Flags().Changed(name) {
			return fmt.Errorf("--%s goes with --delegation only", name)
		}
	}
	if f.column != "" && len(f.registered) == 0 {
		return errors.New("--registered-column goes with --registered only")
	}
	return nil
}

// verifyDelegation asks the parents.
func (a *app) verifyDelegation(ctx context.Context, w io.Writer, f *verifyFlags, args []string) error {
	j, err := a.read()
	if err != nil {
		return err
	}
	only, err := newSelection(j.set, j.Groups, nil, args)
	if err != nil {
		return err
	}
	registered, err := f.readRegistered()
	if err != nil {
		return err
	}
	var roots []netip.AddrPort
	for _, text := range f.roots {
		found, err := value.ParseEndpoint(text)
		if err != nil {
			return fmt.Errorf("--root: %w", err)
		}
		roots = append(roots, found)
	}
	bar := newProgress("delegations")
	bar.worth = 10
	settings := verify.DelegationSettings{
		Roots: roots, Concurrency: f.concurrency, Rate: f.rate, Timeout: f.timeout, Retries: f.retries, MaxTime: f.maxTime,
		Signed: j.Named.DNSSEC, Registered: registered, Progress: bar.set,
		Known: func(name string) bool {
			return j.set.Find(name) != nil || slices.ContainsFunc(j.HandKept, func(h zones.HandKept) bool { return string(h.Name) == name })
		},
	}
	const most = 100_000
	var findings []verify.Finding
	summary, err := verify.RunDelegation(ctx, settings, only.of(j.set), func(found verify.Finding) {
		if f.json || len(findings) < most {
			findings = append(findings, found)
		}
	})
	bar.done()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if f.json {
		err = verify.WriteJSON(out, summary, findings)
	} else {
		err = verify.WriteTable(out, findings, f.most(len(findings)), term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "")
		if more := summary.Findings - len(findings); more > 0 {
			fmt.Fprintf(out, "and %d more; --json shows them all\n", more)
		}
		fmt.Fprint(out, summary)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if summary.Findings > 0 || summary.Unanswered > 0 {
		return statusError(exitError)
	}
	return nil
}

// readRegistered reads the lists of a registrar. They may have names that a list of
// domains to publish must not have.
func (f *delegationFlags) readRegistered() ([]string, error) {
	if len(f.registered) == 0 {
		return nil, nil
	}
	g := &zones.Group{Name: "registered", AllowPublicSuffix: true, AllowSingleLabel: true, AllowIDNA2003: true}
	for _, file := range f.registered {
		g.Lists = append(g.Lists, zones.List{File: file, Column: f.column})
	}
	set, _, err := zones.ReadLists([]*zones.Group{g})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(set.Entries))
	for i := range set.Entries {
		names[i] = set.Entries[i].Name
	}
	return names, nil
}
