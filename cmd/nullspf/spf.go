package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"nullspf/internal/ascii"
	"nullspf/internal/dnsname"
	"nullspf/internal/value"
	"nullspf/spftrack"
)

func (a *app) spfCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "spf",
		Short: "Show SPF records and the queries that they cause",
		Example: `  # The record to publish, and what receivers will ask for.
  $ nullspf spf show track
  $ nullspf spf simulate --ip 192.0.2.7 --from info@brand.example --helo mail.example.org`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.spfShowCommand(), a.spfExplainCommand(), a.spfSimulateCommand())
	return c
}

// spfFlags choose the tracking zone without a configuration.
type spfFlags struct{ zone, qualifier, layout string }

func (f *spfFlags) addZone(a *app, c *cobra.Command) {
	c.Flags().StringVar(&f.zone, "zone", "", "tracking `ZONE` instead of that of the configuration")
	completeFlag(c, "zone", a.configured(trackingZoneOf))
}

func (f *spfFlags) addQualifier(c *cobra.Command) {
	c.Flags().StringVar(&f.qualifier, "qualifier", "", "`QUALIFIER` of exists: in layout classic, - or +")
	completeFlag(c, "qualifier", values([]string{"-", "+"}))
}

// settings takes the tracking zone from the flag or the configuration.
func (a *app) settings(f *spfFlags) (spftrack.Settings, error) {
	s := spftrack.Settings{Qualifier: f.qualifier}
	if f.zone != "" {
		var err error
		if s.Zone, err = dnsname.Parse(f.zone); err != nil {
			err = fmt.Errorf("--zone: %q: %w", f.zone, err)
		}
		return s, err
	}
	c, err := a.load()
	if err != nil {
		if errors.Is(err, os.ErrNotExist) || c == nil {
			return s, fmt.Errorf("%w\nor name the tracking zone with --zone", err)
		}
		return s, err
	}
	if c.Track.Zone == "" {
		return s, fmt.Errorf("%s names no tracking zone; set track: {zone: ...} or use --zone", c.File)
	}
	s.Zone = c.Track.Zone
	return s, nil
}

func (a *app) spfShowCommand() *cobra.Command {
	f := &spfFlags{}
	c := &cobra.Command{
		Use:   "show [LAYOUT]",
		Short: "Print the SPF record of a layout, or of all layouts",
		Long: `Prints the SPF record of a layout. The layouts are

  plain     refuses all mail and reports nothing
  beacon    receivers report the client and the sender in exp= names
  track     receivers report the client in exists: names, the sender in exp= names
  exists    receivers report the client in exists: names, and nothing else
  classic   receivers report client and sender in one exists: name`,
		Example: `  $ nullspf spf show --zone _spf.example.net
  plain    v=spf1 -all
  beacon   v=spf1 -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net
  track    v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net
  exists   v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all
  classic  v=spf1 -exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all`,
		Args:              arguments(0, 1),
		ValidArgsFunction: argument(0, layoutValues),
		RunE: func(c *cobra.Command, args []string) error {
			layouts := spftrack.Layouts
			if len(args) == 1 {
				l, err := spftrack.ParseLayout(strings.ToLower(args[0]))
				if err != nil {
					return err
				}
				layouts = []spftrack.Layout{l}
			}
			s := spftrack.Settings{}
			if len(layouts) > 1 || layouts[0] != spftrack.Plain {
				var err error
				if s, err = a.settings(f); err != nil {
					return err
				}
			}
			for _, l := range layouts {
				text, err := spftrack.Record(l, s)
				if err != nil {
					return err
				}
				if len(args) == 1 {
					fmt.Fprintln(c.OutOrStdout(), text)
				} else {
					fmt.Fprintf(c.OutOrStdout(), "%-8s %s\n", l, text)
				}
			}
			return nil
		},
	}
	f.addZone(a, c)
	f.addQualifier(c)
	return c
}

func (a *app) spfExplainCommand() *cobra.Command {
	f := &spfFlags{}
	c := &cobra.Command{
		Use:   "explain NAME [TYPE]",
		Short: "Decode a name of the tracking zone",
		Long: `Decodes a name for which a receiver asked the tracking zone, as query logs show
it, into client, sender, domain and HELO name. Without TYPE, the type is the one
that the layout uses: A for exists: names, TXT for exp= names.`,
		Example: `  $ nullspf spf explain mail.example.org.HE.info.LP.192.0.2.7.in-addr.CL.brand.example.FD.2._spf.example.net
  kind           exp
  client         192.0.2.7
  forged domain  brand.example
  sender         info
  sender domain  brand.example
  helo           mail.example.org`,
		Args:              arguments(1, 2),
		ValidArgsFunction: argument(1, values([]string{"A", "AAAA", "NS", "TXT"})),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.settings(f)
			if err != nil {
				return err
			}
			qtype := spftrack.TypeA
			if strings.HasSuffix(ascii.ToLower(strings.TrimSuffix(args[0], ".")), ".2."+string(s.Zone)) {
				qtype = spftrack.TypeTXT
			}
			if len(args) == 2 {
				if qtype, err = parseType(args[1]); err != nil {
					return err
				}
			}
			p, err := spftrack.NewParser(s.Zone, spftrack.Layouts, nil).ParseText(args[0], qtype)
			if err != nil {
				return err
			}
			printParsed(c.OutOrStdout(), p)
			return nil
		},
	}
	f.addZone(a, c)
	return c
}

func parseType(text string) (uint16, error) {
	switch strings.ToUpper(text) {
	case "A":
		return spftrack.TypeA, nil
	case "AAAA":
		return spftrack.TypeAAAA, nil
	case "NS":
		return spftrack.TypeNS, nil
	case "TXT":
		return spftrack.TypeTXT, nil
	}
	return 0, fmt.Errorf("unknown query type %q; the types are A, AAAA, NS, TXT", text)
}

func printParsed(w io.Writer, p spftrack.Parsed) {
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-14s %s\n", key, spftrack.Printable(value))
		}
	}
	row("kind", p.Kind.String())
	if p.ClientIP.IsValid() {
		row("client", p.ClientIP.String())
	}
	row("forged domain", p.Forged)
	row("sender", p.SenderLocal)
	row("sender domain", p.SenderDomain)
	row("helo", p.HELO)
	row("flags", p.Flags.String())
}

func (a *app) spfSimulateCommand() *cobra.Command {
	f := &spfFlags{}
	var ip, from, helo, domain string
	c := &cobra.Command{
		Use:   "simulate --ip IP --from SENDER --helo NAME",
		Short: "Print the queries that a receiver would send",
		Long: `Prints the queries that a receiver sends while it checks a message against the
record of a layout (RFC 7208), in order.`,
		Example: `  $ nullspf spf simulate --ip 192.0.2.7 --from info@brand.example --helo mail.example.org
  TXT  brand.example
       the SPF record of the checked domain
  A    192.0.2.7.in-addr.CL.brand.example.FD.1._spf.example.net
       mechanism exists:, no answer means no match
  TXT  mail.example.org.HE.info.LP.192.0.2.7.in-addr.CL.brand.example.FD.2._spf.example.net
       modifier exp=, the explanation, which some receivers fetch after fail`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && ip == "" {
				return fmt.Errorf("name the client: %s", c.UseLine())
			}
			return noArguments(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			layout, err := spftrack.ParseLayout(strings.ToLower(f.layout))
			if err != nil {
				return err
			}
			s := spftrack.Settings{}
			if layout != spftrack.Plain {
				if s, err = a.settings(f); err != nil {
					return err
				}
			}
			addr, err := value.ParseAddr(ip)
			if err != nil {
				return fmt.Errorf("--ip: %w", err)
			}
			queries, err := spftrack.Queries(layout, s, spftrack.Check{IP: addr, Sender: from, HELO: helo, Domain: domain})
			if err != nil {
				return err
			}
			for _, q := range queries {
				printQuery(c.OutOrStdout(), q)
			}
			return nil
		},
	}
	f.addZone(a, c)
	f.addQualifier(c)
	c.Flags().StringVar(&f.layout, "layout", string(spftrack.Track), "`LAYOUT` of the record: plain, beacon, track, exists, classic")
	completeFlag(c, "layout", layoutValues)
	c.Flags().StringVar(&ip, "ip", "", "`IP` address of the sending host")
	c.Flags().StringVar(&from, "from", "", "envelope `SENDER`; empty for a bounce")
	c.Flags().StringVar(&helo, "helo", "", "`NAME` that the host gives in HELO")
	c.Flags().StringVar(&domain, "domain", "", "check this `DOMAIN` instead of that of the sender")
	completeFlag(c, "domain", a.publishedNames)
	_ = c.MarkFlagRequired("ip")
	return c
}

func printQuery(w io.Writer, q spftrack.Query) {
	types := map[uint16]string{spftrack.TypeA: "A", spftrack.TypeTXT: "TXT"}
	fmt.Fprintf(w, "%-4s %s\n     %s", types[q.Type], spftrack.Printable(q.Name), q.Purpose)
	if q.Truncated {
		fmt.Fprint(w, "; cut from the left to 253 bytes")
	}
	if q.Problem != "" {
		fmt.Fprint(w, "; cannot be sent: "+q.Problem)
	}
	fmt.Fprintln(w)
}
