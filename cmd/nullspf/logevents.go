package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
)

func (a *app) logEventsCommand(f *logFlags) *cobra.Command {
	limit := 0
	c := &cobra.Command{
		Use:   "events",
		Short: "Show the events of the forgery log",
		Long: `Shows the events of the forgery log, oldest first: those of one server as it stored
them, whose times may go back by milliseconds, those of several merged by time.` + screenHelp + filterHelp,
		Example: `  # The two newest events from a network.
  $ nullspf log events --ip 203.0.113.0/24 --limit 2
  TIME                      KIND  CLIENT        DOMAIN                 SENDER                            HELO             RESOLVER       SERVER
  2026-11-27T14:01:12.013Z  exp   203.0.113.77  xn--bcher-kva.example  ceo10@xn--bcher-kva.example       mx1.example.org  198.51.100.53  ns1.example.net
  2026-11-27T14:01:12.013Z  exp   203.0.113.77  xn--bcher-kva.example  no-reply11@xn--bcher-kva.example  mx1.example.org  198.51.100.53  ns1.example.net

  # Every query, minimised ones included.
  $ nullspf log events --packets --limit 1000 --format csv >events.csv`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("limit") && limit < 1 {
				return errors.New("--limit: use a number from 1 on")
			}
			return a.logEvents(c, f, limit)
		},
	}
	f.addFilters(a, c)
	f.addFormat(c)
	f.addWide(c)
	c.Flags().IntVar(&limit, "limit", 0, "only the newest `N` events")
	return c
}

func (a *app) logEvents(c *cobra.Command, f *logFlags, limit int) error {
	q, err := f.query(c)
	if err != nil {
		return err
	}
	engine, err := a.forgeryLog(c, f)
	if err != nil {
		return err
	}
	out, err := f.eventWriter(c.OutOrStdout(), q, false)
	if err != nil {
		return err
	}
	err = engine.Events(c.Context(), q, limit, out.Write)
	if !answered(err) {
		return err
	}
	return errors.Join(out.Flush(), err)
}

const screenHelp = `

On a terminal, the table has its width: what all events have in common is named once
above, long values are shortened in the middle, senders are shown without the forged
domain, and times are local. --wide shows all columns and values, as a table in a file
does, where times are in UTC.`

func (f *logFlags) addWide(c *cobra.Command) {
	c.Flags().BoolVar(&f.wide, "wide", false, "show all columns and whole values on a terminal too")
}

// eventWriter writes events in the format of the flag; follow tells whether they
// come as they happen.
func (f *logFlags) eventWriter(w io.Writer, q forgerylog.Query, follow bool) (forgerylog.EventWriter, error) {
	format, err := forgerylog.ParseFormat(f.format)
	if err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	width := terminalWidth()
	switch {
	case width == 0:
		return forgerylog.NewEventWriter(w, format, q, time.UTC), nil
	case f.wide || format != forgerylog.Table:
		return forgerylog.NewEventWriter(w, format, q, f.zone()), nil
	}
	return forgerylog.NewScreenWriter(w, forgerylog.Screen{
		Width: width, Zone: f.zone(), Ellipsis: ellipsis(), Follow: follow, Query: q, OneJournal: f.directories == 1,
	}), nil
}

// terminalWidth is the number of columns of the terminal at standard output; 0 when
// there is none.
func terminalWidth() int {
	fd := int(os.Stdout.Fd())
	if !term.IsTerminal(fd) {
		return 0
	}
	width, _, err := term.GetSize(fd)
	if err != nil || width == 0 {
		return 80
	}
	return width
}

// ellipsis stands for what is left out of a text. No text of the log holds the
// first; the second is for terminals without Unicode.
func ellipsis() string {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	if locale = strings.ToUpper(locale); strings.HasSuffix(locale, "UTF-8") || strings.HasSuffix(locale, "UTF8") {
		return "\u2026"
	}
	return "~"
}

func (a *app) logTailCommand(f *logFlags) *cobra.Command {
	var number int
	var follow bool
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show the newest events, and follow the log",
		Long: `Shows the newest events of the forgery log and, with -f, new ones as they arrive,
until it is interrupted. An attempt is shown within two seconds. When a receiver
takes longer to send its second query (exp=), the attempt is shown without local
part and HELO name. With the journals of several nameservers, an attempt without
second query is shown after ten seconds more, since that may go to another nameserver.` + screenHelp + filterHelp,
		Example: `  # Follow the log of one domain until Ctrl-C.
  $ nullspf log tail -f -n 1 --domain brand.example
  TIME                      KIND  CLIENT           DOMAIN         SENDER                  HELO             RESOLVER       SERVER
  2026-11-27T14:01:12.014Z  exp   2001:db8:bad::9  brand.example  invoice3@brand.example  mx3.example.org  198.51.100.53  ns1.example.net`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case number < 0:
				return errors.New("-n: use a number from 0 on")
			case follow:
				return a.logFollow(c, f, number)
			case number == 0:
				return nil
			}
			return a.logEvents(c, f, number)
		},
	}
	f.addFilters(a, c)
	f.addFormat(c)
	f.addWide(c)
	c.Flags().IntVarP(&number, "number", "n", 10, "start with the newest `N` events")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "show new events as they arrive")
	return c
}

func (a *app) logFollow(c *cobra.Command, f *logFlags, number int) error {
	q, err := f.query(c)
	if err != nil {
		return err
	}
	engine, err := a.forgeryLog(c, f)
	if err != nil {
		return err
	}
	out, err := f.eventWriter(c.OutOrStdout(), q, true)
	if err != nil {
		return err
	}
	err = engine.Follow(c.Context(), q, number, func(rows []eventrow.Row) error {
		for i := range rows {
			if err := out.Write(&rows[i]); err != nil {
				return err
			}
		}
		return out.Flush()
	})
	if !errors.Is(err, context.Canceled) {
		return err
	}
	// Being interrupted is how it ends, but it may have had something to tell.
	var lacking *forgerylog.Incomplete
	if errors.As(err, &lacking) {
		return lacking
	}
	return nil
}
