package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/forgerylog"
	"nullspf/internal/value"
	"nullspf/internal/web"
	"nullspf/spftrack"
	"nullspf/zones"
)

const tierHelp = `

The tiers are

  claimed       somebody has sent a query about the address, as anybody can
  corroborated  resolvers in 3 networks, whose addresses are verified, have asked about
                2 listed domains in 2 clock hours
  confirmed     also, the address has sent mail in the name of a listed domain to the
                SMTP listener within a day; or it stands in DMARC aggregate reports
                of 2 trusted reporters

What counts, and why, is in docs/evidence.md.`

func (a *app) logWhyCommand(f *logFlags) *cobra.Command {
	var asJSON bool
	var until string
	c := &cobra.Command{
		Use:   "why ADDRESS",
		Short: "Show the evidence that an address forges mail",
		Long: `Shows all evidence about an address, of an IPv6 address about its /64: its tier, what the
next tier takes, and whether it is never exported. The key evidence of the configuration says
what counts and for how long; listed are the domains of the last nullspf zones.` + tierHelp,
		Example: `  $ nullspf log why 203.0.113.10

  # What was known then?
  $ nullspf log why 203.0.113.10 --until 2026-11-20 --json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one address: %s", c.UseLine())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			addr, err := value.ParseAddr(args[0])
			if err != nil {
				return err
			}
			l, err := a.newTiers(c, f, until)
			if err != nil {
				return err
			}
			e, err := l.why(c.Context(), tier.Subject(addr))
			if !answered(err) {
				return err
			}
			if asJSON {
				return errors.Join(e.WriteJSON(c.OutOrStdout(), l.expiry), err)
			}
			return errors.Join(e.Write(c.OutOrStdout(), l.expiry), err)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write a JSON document")
	addUntil(c, &until)
	return c
}

// addUntil adds the flag that says of which time the evidence is.
func addUntil(c *cobra.Command, until *string) {
	c.Flags().StringVar(until, "until", "", "go by what was known at `TIME`, in the forms of log events, in UTC; default: now, or SOURCE_DATE_EPOCH")
	completeFlag(c, "until", values(since))
}

// tiers is what it takes to weigh evidence.
type tiers struct {
	conf   *config.Config
	log    forgerylog.Engine
	rules  tier.Rules
	at     time.Time
	expiry time.Duration
}

// newTiers reads the configuration and the lists that it names.
func (a *app) newTiers(c *cobra.Command, f *logFlags, until string) (*tiers, error) {
	conf, err := a.load()
	if err != nil {
		return nil, err
	}
	t := &tiers{conf: conf, at: clock().UTC(), expiry: conf.Evidence.Expiry}
	if until != "" {
		if t.at, err = forgerylog.ParseTime(until, t.at); err != nil {
			return nil, fmt.Errorf("--until: %w", err)
		}
	}
	listed, err := listedDomains(conf)
	if err != nil {
		return nil, err
	}
	if t.rules, err = conf.Evidence.Rules(listed); err != nil {
		return nil, err
	}
	t.log, err = openLog(conf, f)
	return t, err
}

// listedDomains returns what finds the listed domain of a name: itself, or the nearest
// one above it.
func listedDomains(conf *config.Config) (func(name string) (string, bool), error) {
	lookup, err := zones.ReadSerials(conf.Output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; only what is asked about listed domains is evidence: run nullspf zones first", err)
	case err != nil:
		return nil, err
	}
	handKept := make(map[string]bool)
	for _, z := range conf.HandKept {
		handKept[string(z.Name)] = true
	}
	return func(name string) (string, bool) {
		for name != "" {
			if _, ok := lookup(name); ok || handKept[name] {
				return name, true
			}
			_, name, _ = strings.Cut(name, ".")
		}
		return "", false
	}, nil
}

// query selects what may be evidence.
func (t *tiers) query() forgerylog.Query {
	return forgerylog.Query{Since: t.at.Add(-t.expiry), Until: t.at, Kinds: tier.Kinds, Packets: true}
}

// gather gathers what counts, of all addresses, or at least of some. Beside an error that is
// a forgerylog.Incomplete, it has all that could be read.
func (t *tiers) gather(ctx context.Context, g *tier.Gatherer, clients []netip.Addr) error {
	q := t.query()
	if !slices.ContainsFunc(clients, netip.Addr.Is6) {
		q.Clients = clients // of an IPv6 address, evidence is about the /64
	}
	q.Kinds, q.Verified = tier.VerifiedKinds, true
	incomplete := t.log.Scan(ctx, q, tier.Columns, g.Add)
	if !answered(incomplete) || len(t.rules.Reporters) == 0 {
		return incomplete
	}
	q.Kinds, q.Verified = []spftrack.Kind{spftrack.KindDMARC}, false
	if err := t.log.Scan(ctx, q, tier.Columns, g.Add); err != nil {
		return err // which tells what could not be read before, too
	}
	return incomplete
}

// of returns the tiers of clients about whom there are queries. Beside an error that is a
// forgerylog.Incomplete, it is right about what could be read.
func (t *tiers) of(ctx context.Context, clients []netip.Addr) (map[netip.Addr]tier.Tier, error) {
	g := tier.NewGatherer(t.rules)
	defer g.Close()
	incomplete := t.gather(ctx, g, clients)
	if !answered(incomplete) {
		return nil, incomplete
	}
	subjects := make(map[netip.Prefix]tier.Tier)
	for _, c := range clients {
		subjects[tier.Subject(c)] = tier.Claimed
	}
	err := g.Each(ctx, func(e *tier.Evidence) error {
		if _, asked := subjects[e.Subject]; asked {
			subjects[e.Subject] = max(e.Tier, tier.Claimed)
		}
		return nil
	})
	found := make(map[netip.Addr]tier.Tier)
	for _, c := range clients {
		found[c] = subjects[tier.Subject(c)]
	}
	return found, errors.Join(err, incomplete)
}

// tiersOf is what tells reports and pages the tiers of clients, by the lists as they are
// now. It is nil without a configuration, or before zones were written.
func (a *app) tiersOf(c *cobra.Command, f *logFlags) func(context.Context, []netip.Addr) (map[netip.Addr]string, error) {
	defer func(quiet bool) { a.quiet = quiet }(a.quiet)
	a.quiet = true
	t, err := a.newTiers(c, f, "")
	if err != nil {
		return nil
	}
	return func(ctx context.Context, clients []netip.Addr) (map[netip.Addr]string, error) {
		now := *t
		now.at = time.Now().UTC()
		known, err := now.of(ctx, clients)
		texts := make(map[netip.Addr]string)
		for client, tier := range known {
			texts[client] = tier.String()
		}
		return texts, err
	}
}

// whyOf is what tells pages the evidence about a client, as tiersOf does.
func (a *app) whyOf(c *cobra.Command, f *logFlags) func(context.Context, netip.Addr) (web.Why, error) {
	defer func(quiet bool) { a.quiet = quiet }(a.quiet)
	a.quiet = true
	t, err := a.newTiers(c, f, "")
	if err != nil {
		return nil
	}
	return func(ctx context.Context, client netip.Addr) (web.Why, error) {
		now := *t
		now.at = time.Now().UTC()
		e, err := now.why(ctx, tier.Subject(client))
		if !answered(err) {
			return web.Why{}, err
		}
		var text strings.Builder
		if e := e.Write(&text, now.expiry); e != nil {
			return web.Why{}, e
		}
		why := web.Why{Tier: e.Tier.String()}
		// The first line names the client.
		for _, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")[1:] {
			why.Lines = append(why.Lines, strings.TrimPrefix(line, "  "))
		}
		return why, err
	}
}

// why returns the evidence about a subject. Beside an error that is a
// forgerylog.Incomplete, it is right about what could be read.
func (t *tiers) why(ctx context.Context, subject netip.Prefix) (*tier.Evidence, error) {
	q := t.query()
	q.Client = subject
	g := tier.NewGatherer(t.rules)
	defer g.Close()
	incomplete := t.log.Scan(ctx, q, tier.Columns, g.Add)
	if !answered(incomplete) {
		return nil, incomplete
	}
	evidence := tier.Nothing(subject, &t.rules)
	err := g.Each(ctx, func(e *tier.Evidence) error {
		evidence = e
		return nil
	})
	return evidence, errors.Join(err, incomplete)
}
