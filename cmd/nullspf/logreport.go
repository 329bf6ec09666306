package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/control"
	"nullspf/internal/geoip"
	"nullspf/internal/report"
	"nullspf/internal/reverse"
	"nullspf/internal/version"
)

// maxReport bounds how many of each kind a report lists.
const maxReport = 1000

func (a *app) logReportCommand(f *logFlags) *cobra.Command {
	// The flags of all commands share f, and so its defaults.
	var begin, text string
	var number int
	var names bool
	var sockets []string
	c := &cobra.Command{
		Use:   "report",
		Short: "Write a report about a period, for mail and cron",
		Long: `Writes what happened in a period, beside the period of the same length before: attempts
by hour or day, the most active and the new forgers with when they were first and last
seen, which domains they forged and how many networks of resolvers saw it, the most
frequent domains, resolvers, networks, and with the keys geoip.as and geoip.country
autonomous systems and countries. Last comes what is wrong: events that were lost, files
that are damaged, problems of running servers.

Text has lines of at most 80 columns. HTML is one file with charts that asks for nothing
from the network. With --reverse, the name of each forger is looked up: OK means that it
leads back to the address, BADPTR that it does not, NOPTR that there is none, TEMPFAIL
that no answer came.

The servers asked are those of --socket; else the one of the key nullspfd.control if its
socket is there.` + timeHelp,
		Example: `  # The last day, as cron can mail it every morning.
  $ nullspf log report --since 24h

  # The last week as a web page.
  $ nullspf log report --since 7d --format html > report.html

  # With the names of the forgers.
  $ nullspf log report --reverse`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if number < 1 || number > maxReport {
				return fmt.Errorf("-n: use a number from 1 to %d", maxReport)
			}
			format := report.Format(strings.ToLower(text))
			if !slices.Contains(report.Formats, format) {
				return fmt.Errorf("--format: no format %q; there are text, markdown, html and json", text)
			}
			f.since = begin
			s := report.Settings{Most: number, Version: version.String(), Now: time.Now()}
			if names {
				s.Reverse = reverse.New(&net.Resolver{PreferGo: true})
			}
			return a.logReport(c, f, s, format, sockets)
		},
	}
	c.Flags().StringVar(&begin, "since", "24h", "the period begins at `TIME`")
	c.Flags().StringVar(&f.until, "until", "", "the period ends before `TIME`; default is now")
	c.Flags().StringVar(&f.domain, "domain", "", "only forged domains that contain `TEXT`, or are =TEXT")
	c.Flags().BoolVar(&f.utc, "utc", false, "times are in UTC")
	c.Flags().StringVar(&text, "format", string(report.Text), "output `FORMAT`: text, markdown, html, json")
	c.Flags().IntVarP(&number, "number", "n", 10, "list `N` of each kind at most")
	c.Flags().BoolVar(&names, "reverse", false, "look up the names of forgers in the DNS")
	c.Flags().StringArrayVar(&sockets, "socket", nil, "ask nullspfd at the control socket `PATH` for problems; may be repeated")
	completeFlag(c, "since", values(since))
	completeFlag(c, "until", values(since))
	completeFlag(c, "domain", a.publishedNames)
	completeFlag(c, "format", values(report.Formats))
	completeFlag(c, "socket", fileNames)
	return c
}

func (a *app) logReport(c *cobra.Command, f *logFlags, s report.Settings, format report.Format, sockets []string) error {
	q, err := f.query(c)
	if err != nil {
		return err
	}
	if s.Query, s.Since, s.Until = q, q.Since, q.Until; s.Until.IsZero() {
		s.Until = s.Now
	}
	if !s.Since.Before(s.Until) {
		return fmt.Errorf("--since %s is not before the end of the period", f.since)
	}
	engine, err := a.forgeryLog(c, f)
	if err != nil {
		return err
	}
	if conf, err := a.load(); err == nil {
		s.Places, s.Tiers = geoip.New(conf.GeoIP.AS, conf.GeoIP.Country), a.tiersOf(c, f)
		s.System, s.Country = conf.GeoIP.AS != "", conf.GeoIP.Country != ""
		if socket := conf.Named.Nullspfd.Control; len(sockets) == 0 && socket != "" && exists(socket) {
			sockets = []string{socket}
		}
	}
	r, err := report.Make(c.Context(), engine, s)
	if err != nil {
		return err
	}
	r.Servers = runningServers(c.Context(), sockets)
	if err := r.Write(c.OutOrStdout(), format, f.zone()); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return errors.New("the report lacks events that could not be read; it names the files")
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// askingPatience is how long a server may take to tell of its state.
const askingPatience = 5 * time.Second

// runningServers asks running servers for their problems.
func runningServers(ctx context.Context, sockets []string) []report.Server {
	list := []report.Server{}
	for _, path := range sockets {
		s := report.Server{Socket: path, Problems: []string{}}
		client := control.NewClient(path)
		limited, cancel := context.WithTimeout(ctx, askingPatience)
		if status, err := client.Status(limited); err != nil {
			s.Error = oneLine(err.Error())
		} else {
			for _, p := range status.Problems {
				s.Problems = append(s.Problems, oneLine(p))
			}
		}
		cancel()
		client.Close()
		list = append(list, s)
	}
	return list
}
