package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"nullspf/internal/forgerylog"
)

func (a *app) logTopCommand(f *logFlags) *cobra.Command {
	var number int
	var having uint64
	var fields string
	c := &cobra.Command{
		Use:   "top ip|net|sender|helo|domain|resolver|as|country|reporter|disposition|cause",
		Short: "Show the most frequent clients, networks, senders or domains",
		Long: `Counts events by one of

  ip           the address of the client that sent the mail
  net          its network: 24 bits of an IPv4 address, 48 of an IPv6 address
  sender       the envelope sender
  helo         the name that the client gave in HELO
  domain       the forged domain
  resolver     the address of the resolver that sent the query
  as           the autonomous system of the client; needs the key geoip.as
  country      the country of the client, as a code; needs the key geoip.country
  reporter     who sent the DMARC report; counts with --source dmarc
  disposition  what was done with the mail, by DMARC reports; likewise
  cause        why mail was refused; counts with --source maillog

or by two of them together, such as ip,domain, and shows the most frequent values.` + filterHelp,
		Example: `  # The three busiest clients of the last week.
  $ nullspf log top ip -n 3 --since 7d
  COUNT  SHARE  IP
     24  48.0%  203.0.113.10
     12  24.0%  203.0.113.77
      8  16.0%  198.51.100.25
  50 attempts; 4 different values

  # Which clients forged which domains, ten times or more?
  $ nullspf log top --by ip,domain --having 10

  # From where did mail come that receivers report?
  $ nullspf log top ip --source dmarc --domain brand.example

  # Who forged one domain on one day, for a spreadsheet?
  $ nullspf log top sender --domain =brand.example --since 2026-11-20 --until 2026-11-21 --format csv`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args)+len(fields) == 0 || len(args) > 1 {
				return fmt.Errorf("name what to count by: %s", c.UseLine())
			}
			if len(args) == 1 && fields != "" {
				return fmt.Errorf("name what to count by once: %s, or --by %s", args[0], fields)
			}
			return nil
		},
		ValidArgsFunction: argument(0, cobra.FixedCompletions(rankings, cobra.ShellCompDirectiveNoFileComp)),
		RunE: func(c *cobra.Command, args []string) error {
			by, err := forgerylog.ParseField(strings.ToLower(fields + strings.Join(args, "")))
			if err != nil {
				return err
			}
			if number < 1 {
				return errors.New("-n: use a number from 1 on")
			}
			if having > 0 && !c.Flags().Changed("number") {
				number = mostRanks
			}
			return a.logTop(c, f, by, number, having)
		},
	}
	f.addFilters(a, c)
	f.addFormat(c)
	c.Flags().IntVarP(&number, "number", "n", 20, "show `N` values at most; with --having the default is 100000")
	c.Flags().StringVar(&fields, "by", "", "count by `FIELD`, or by two fields together: FIELD,FIELD")
	c.Flags().Uint64Var(&having, "having", 0, "show only values that were counted `N` times or more")
	completeFlag(c, "by", cobra.FixedCompletions(rankings, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// mostRanks is how many values are shown when only their counts bound them.
const mostRanks = 100_000

func (a *app) logTop(c *cobra.Command, f *logFlags, by forgerylog.Field, number int, having uint64) error {
	q, format, engine, err := a.query(c, f)
	if err != nil {
		return err
	}
	if q.Source == "" && !q.Packets {
		q.Source = by.Source()
	}
	ranking, err := engine.Top(c.Context(), q, by, number)
	if !answered(err) {
		return err
	}
	if having > 0 {
		ranking.AtLeast(having)
	}
	return errors.Join(forgerylog.WriteRanking(c.OutOrStdout(), format, ranking), err)
}

// query reads the flags of a query and opens what it is about.
func (a *app) query(c *cobra.Command, f *logFlags) (forgerylog.Query, forgerylog.Format, forgerylog.Engine, error) {
	q, err := f.query(c)
	if err != nil {
		return q, "", nil, err
	}
	format, err := forgerylog.ParseFormat(f.format)
	if err != nil {
		return q, "", nil, fmt.Errorf("--format: %w", err)
	}
	engine, err := a.forgeryLog(c, f)
	return q, format, engine, err
}

func (a *app) logTimelineCommand(f *logFlags) *cobra.Command {
	var per string
	c := &cobra.Command{
		Use:   "timeline",
		Short: "Count events by minute, hour or day",
		Long: `Counts events by minute, hour or day in UTC, with bars on a terminal. Intervals
without events are shown too; of more than 24 in a row the table shows only
their number.` + filterHelp,
		Example: `  # By day over the last month.
  $ nullspf log timeline --per day --since 30d

  # One network by minute, as JSON.
  $ nullspf log timeline --per minute --since 1h --ip 203.0.113.0/24 --format json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			unit, err := forgerylog.ParseUnit(strings.ToLower(per))
			if err != nil {
				return fmt.Errorf("--per: %w", err)
			}
			return a.logTimeline(c, f, unit)
		},
	}
	f.addFilters(a, c)
	f.addFormat(c)
	c.Flags().StringVar(&per, "per", string(forgerylog.Hour), "interval `UNIT`: minute, hour, day")
	completeFlag(c, "per", unitValues)
	return c
}

func (a *app) logTimeline(c *cobra.Command, f *logFlags, unit forgerylog.Unit) error {
	q, format, engine, err := a.query(c, f)
	if err != nil {
		return err
	}
	series, err := engine.Timeline(c.Context(), q, unit)
	if !answered(err) {
		return err
	}
	return errors.Join(forgerylog.WriteSeries(c.OutOrStdout(), format, series, terminalWidth()), err)
}
