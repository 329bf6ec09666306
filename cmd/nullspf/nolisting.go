package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nullspf/internal/dnsname"
	"nullspf/internal/mxprobe"
	"nullspf/internal/value"
	"nullspf/nolisting"
	"nullspf/zones"
)

func (a *app) nolistingCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "nolisting",
		Short: "Look at the mail hosts of the MX tiers",
		Long: `The hosts of MX tiers promise a behaviour at port 25: dead hosts refuse, live
hosts accept mail for postmaster alone, tempfail hosts defer. These commands look
whether they do.`,
		Example: `  # Probe the mail hosts of the configuration.
  $ nullspf nolisting probe`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.probeCommand())
	return c
}

// probeFlags are the flags of nolisting probe.
type probeFlags struct {
	domains  []string
	hosts    []string
	role     string
	live     bool
	resolver string
	json     bool
	settings mxprobe.Settings
}

func (a *app) probeCommand() *cobra.Command {
	f := &probeFlags{}
	c := &cobra.Command{
		Use:   "probe [NAME|GROUP...]",
		Short: "Connect to the hosts of MX tiers and check what they do",
		Long: `Connects from this machine to port 25 of every mail host of the configuration, at
each of its addresses, and checks what its role promises. A dead host refuses
connections. A live host, or a backup, greets, accepts postmaster of a domain,
refuses another mailbox with 5xx, below the domain too where that has MX records,
and relays nothing. A tempfail host defers everything. The addresses in the DNS
are compared with those of the configuration.

No message is sent: a session ends after RCPT.

With arguments, probes the hosts of these groups and domains only. For domains and
hosts that are not in the configuration there are --domain and --host.

The exit status is 1 when there are errors; warnings alone do not count.`,
		Example: `  # Probe all hosts, and compare the MX records in the DNS with the planned ones.
  $ nullspf nolisting probe --live

  # Is this a dead host, seen from here?
  $ nullspf nolisting probe --host 192.0.2.25 --role dead`,
		ValidArgsFunction: a.selectable,
		RunE: func(c *cobra.Command, args []string) error {
			return a.probe(c.Context(), c.OutOrStdout(), f, args)
		},
	}
	c.Flags().StringArrayVar(&f.domains, "domain", nil, "probe the MX hosts that `NAME` has in the DNS instead; may be repeated")
	completeFlag(c, "domain", cobra.NoFileCompletions)
	c.Flags().StringArrayVar(&f.hosts, "host", nil, "probe the host `NAME` or address instead; may be repeated")
	completeFlag(c, "host", cobra.NoFileCompletions)
	c.Flags().StringVar(&f.role, "role", "", "with --host or --domain, the `ROLE` of the hosts: dead, live, backup or tempfail")
	completeFlag(c, "role", values(nolisting.Roles))
	c.Flags().BoolVar(&f.live, "live", false, "also compare the MX records of the domains in the DNS with the planned ones")
	c.Flags().StringVar(&f.resolver, "resolver", "", "ask the resolver at `ADDRESS`, with an optional port, instead of those of the system")
	completeFlag(c, "resolver", cobra.NoFileCompletions)
	c.Flags().Uint16Var(&f.settings.Port, "port", mxprobe.DefaultPort, "connect to port `N`")
	c.Flags().StringVar(&f.settings.HELO, "helo", "", "say EHLO `NAME`; the default is the name of this machine")
	completeFlag(c, "helo", cobra.NoFileCompletions)
	c.Flags().IntVar(&f.settings.Concurrency, "concurrency", mxprobe.DefaultConcurrency, "probe at most `N` addresses at a time")
	c.Flags().IntVar(&f.settings.Rate, "rate", mxprobe.DefaultRate, "open at most `N` connections a second")
	c.Flags().DurationVar(&f.settings.Timeout, "timeout", mxprobe.DefaultTimeout, "wait `TIME` for a connection, and for each reply")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (a *app) probe(ctx context.Context, w io.Writer, f *probeFlags, args []string) error {
	role := mxprobe.Unknown
	if f.role != "" {
		role = nolisting.Role(f.role)
		if !slices.Contains(nolisting.Roles, role) {
			return fmt.Errorf("--role: %q is not one of %v", f.role, nolisting.Roles)
		}
	}
	named := len(f.domains)+len(f.hosts) > 0
	switch {
	case named && len(args) > 0:
		return errors.New("--domain and --host probe what is not in the configuration; give either these or domains and groups")
	case named && f.live:
		return errors.New("--live compares with the configuration; it does not go with --domain and --host")
	case !named && role != mxprobe.Unknown:
		return errors.New("--role is for --domain and --host; the configuration gives the roles of its hosts")
	}
	var at netip.AddrPort
	if f.resolver != "" {
		found, err := serverAddresses(ctx, f.resolver)
		if err != nil {
			return fmt.Errorf("--resolver: %w", err)
		}
		at = found[0]
	}
	if f.settings.HELO == "" {
		f.settings.HELO = "localhost"
		if name, err := os.Hostname(); err == nil {
			if host, err := dnsname.ParseHost(name); err == nil {
				f.settings.HELO = string(host)
			}
		}
	} else if _, err := dnsname.ParseHost(f.settings.HELO); err != nil {
		return fmt.Errorf("--helo: %w", err)
	}
	p := &prober{resolver: mxprobe.NewResolver(at), role: role, live: f.live}
	var err error
	if named {
		err = p.named(ctx, f)
	} else {
		var j *job
		if j, err = a.read(); err == nil {
			err = p.configured(ctx, j, args)
		}
	}
	if err != nil {
		return err
	}
	if len(p.targets) == 0 && len(p.dns) == 0 {
		_, err := fmt.Fprintln(w, "no mail hosts to probe: groups have them under the key mx")
		return err
	}
	results, err := mxprobe.Run(ctx, f.settings, p.targets)
	if err != nil {
		return err
	}
	report := mxprobe.Report{Results: results, DNS: p.dns}
	if f.json {
		err = report.WriteJSON(w)
	} else {
		err = report.WriteTable(w)
	}
	if err == nil && report.Count(mxprobe.Error) > 0 {
		return statusError(exitError)
	}
	return err
}

// prober finds out what is to be probed.
type prober struct {
	resolver *net.Resolver
	role     nolisting.Role
	live     bool

	targets []mxprobe.Target
	dns     []mxprobe.HostFinding
}

// configured takes the hosts of the groups, each with a domain of the group.
func (p *prober) configured(ctx context.Context, j *job, args []string) error {
	only, err := newSelection(j.set, j.Groups, nil, args)
	if err != nil {
		return err
	}
	set := only.of(j.set)
	for _, g := range j.Groups {
		tiers, ok := j.Tiers[g.Name]
		if !ok || only != nil && !only.groups[g.Name] && !slices.ContainsFunc(set.Entries, func(e zones.Entry) bool { return set.Group(&e) == g }) {
			continue
		}
		var domain dnsname.Name
		for i := range set.Entries {
			e := &set.Entries[i]
			if set.Group(e) != g || set.Mail(e) == zones.NullMX {
				continue
			}
			if domain == "" || set.Mail(e) == zones.Nolisting {
				domain = dnsname.Name(e.Name)
			}
			if p.live {
				p.dns = append(p.dns, mxprobe.CompareMX(ctx, p.resolver, dnsname.Name(e.Name), set.MX(e))...)
			}
		}
		p.hosts(ctx, domain, tiers, g.WildcardMX)
	}
	return ctx.Err()
}

// hosts takes the hosts of an MX RRset at the addresses that the configuration and
// the DNS give.
func (p *prober) hosts(ctx context.Context, domain dnsname.Name, tiers nolisting.Tiers, below bool) {
	tiers.Hosts = slices.Clone(tiers.Hosts)
	slices.SortStableFunc(tiers.Hosts, func(a, b nolisting.Host) int { return int(a.Preference) - int(b.Preference) })
	for i := range tiers.Hosts {
		h := &tiers.Hosts[i]
		addresses, findings := mxprobe.Addresses(ctx, p.resolver, *h)
		for _, f := range findings {
			p.dns = append(p.dns, mxprobe.HostFinding{Domain: domain, Host: h.Name, Finding: f})
		}
		h.Addresses = addresses
		for _, a := range addresses {
			p.targets = append(p.targets, mxprobe.Target{Host: h.Name, Preference: h.Preference, Role: h.Role, Address: a, Domain: domain, Below: below})
		}
	}
	if tiers.Layout == "" {
		return
	}
	tiers.AllowTestAddresses = true
	_, violations := tiers.MX()
	for _, v := range violations {
		p.dns = append(p.dns, mxprobe.HostFinding{Domain: domain, Finding: mxprobe.Finding{Level: mxprobe.Error, Reason: v.Error()}})
	}
}

// named takes the domains and hosts of the flags.
func (p *prober) named(ctx context.Context, f *probeFlags) error {
	for _, text := range f.domains {
		domain, _, err := dnsname.ParseIDNA2003(text)
		if err != nil {
			return fmt.Errorf("--domain: %w", err)
		}
		mx, err := mxprobe.MX(ctx, p.resolver, domain)
		if err != nil {
			return fmt.Errorf("--domain: cannot look up the MX records of %s: %w", domain, err)
		}
		var tiers nolisting.Tiers
		for _, m := range mx {
			if m.Host == "" {
				return fmt.Errorf("--domain: %s has a null MX: it accepts no mail (RFC 7505)", domain)
			}
			tiers.Hosts = append(tiers.Hosts, nolisting.Host{Name: m.Host, Preference: m.Preference, Role: p.role})
		}
		p.hosts(ctx, domain, tiers, false)
	}
	for _, text := range f.hosts {
		h := nolisting.Host{Role: p.role}
		if a, err := value.ParseAddr(text); err == nil {
			p.targets = append(p.targets, mxprobe.Target{Role: p.role, Address: a})
			continue
		}
		name, err := dnsname.ParseHost(text)
		if err != nil || strings.Trim(name.Top(), "0123456789") == "" {
			return fmt.Errorf("--host: %q is neither an address nor a host name", text)
		}
		h.Name = name
		p.hosts(ctx, "", nolisting.Tiers{Hosts: []nolisting.Host{h}}, false)
	}
	return nil
}
