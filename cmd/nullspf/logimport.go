package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/evidence"
	"nullspf/internal/value"
	"nullspf/spftrack"
	"nullspf/zones"
)

// logImportFlags are the flags of log import.
type logImportFlags struct {
	spfFlags
	format, server, timeZone string
	layouts                  []string
	listen                   string
	every                    time.Duration
}

func (a *app) logImportCommand(f *logFlags) *cobra.Command {
	o := &logImportFlags{}
	c := &cobra.Command{
		Use:   "import --format FORMAT --journal DIR FILE...|--listen unix:PATH",
		Short: "Import what other programs know: query logs, DMARC reports",
		Long: `Reads files in which other programs have recorded queries of the tracking zone, or forged
mail, and adds them to a journal directory that holds nothing but imports of one server. It
is made when it is not there; the other commands read it with --journal, or when journals
in the configuration lists it. The format is

  bind-querylog     the category queries of BIND 9, from files or syslog, with any
                    print-time but no, of any view; also rotated files
  dnstap            files of Frame Streams: BIND, NSD, Knot DNS, Unbound, dnsdist,
                    fstrm_capture; the queries of clients
  dnsdist-protobuf  what RemoteLogAction of dnsdist sends
  pdns              what PowerDNS Authoritative Server logs with log-dns-queries
  pcap              captures in the format of libpcap, as tcpdump -w writes them: queries to
                    port 53 over UDP and TCP
  dmarc             DMARC aggregate reports: XML, gzip, ZIP, mails that have them attached,
                    also in an mbox or a maildir
  maillog           logs of Postfix, sendmail, Exim, OpenSMTPD or rspamd, of syslog or as
                    journalctl -o json prints them: who was refused, and why; see
                    nullspf log rejects
  json, parquet     what nullspf log events --packets --format json writes, and segments of
                    journals; the events keep what they have but their numbers

Files may be compressed with gzip or zstd. They are read in the order of their first
records. What was imported before is passed over: the same file under another name,
compressed, or with more at its end. A last record without end is left for the next
time. Records that are about something else are counted, and so are those that cannot
be read.

A DMARC report counts once, whatever file it comes in: it is known by its reporter, its ID,
its domain and its range. The reporter is the domain of its address, or its org_name. One
that is damaged is left out whole. Whoever knows the address can send reports: import those
of mails whose sender was authenticated.

Local times are those of --timezone. In the hour that is repeated when summer time ends,
a time that lies behind that of the line before belongs to the second one. The year, which
syslog leaves out, is the latest in which the first line is not later than the file was
changed.

With --listen, nameservers write dnstap to a socket, until it is interrupted. A query is in
the log within half a minute. When queries cannot be stored, 65,536 wait; nameservers drop
further ones, and count them.

The exit status is 1 when a file is damaged; what is whole of it has been imported.`,
		Example: `  $ nullspf log import --format bind-querylog --journal bind --server ns1.example.net --timezone UTC queries.log

  # Later, with all that was rotated since
  $ nullspf log import --format bind-querylog --journal bind --timezone UTC queries.log*

  # DMARC reports, as they come to a mailbox
  $ nullspf log import --format dmarc --journal dmarc reports.mbox
  $ nullspf log top ip --source dmarc --journal dmarc

  # Whom the mail server refused
  $ nullspf log import --format maillog --journal mx mail.log
  $ nullspf log top --by cause,ip --journal mx`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case o.listen == "" && len(args) == 0:
				return errors.New("name the files to import; see " + c.CommandPath() + " --help")
			case o.listen != "" && len(args) > 0:
				return errors.New("name files, or a socket with --listen, but not both")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error {
			i, err := a.newImport(f, o, args)
			if err != nil {
				return err
			}
			if o.listen != "" {
				return a.logListen(c, o, i)
			}
			bar := newProgress("importing")
			i.Progress = func(done, total int64) { bar.set(int(done>>10), int(total>>10)) }
			result, err := i.Run(c.Context())
			bar.done()
			if errors.Is(err, evidence.ErrNoServer) {
				err = fmt.Errorf("%w, with --server", err)
			}
			if err != nil {
				return err
			}
			if writeImport(c.OutOrStdout(), i, result) {
				return statusError(exitError)
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.format, "format", "", "the files are in `FORMAT`: "+evidence.FormatNames())
	completeFlag(c, "format", values(strings.Split(evidence.FormatNames(), ", ")))
	c.Flags().StringVar(&o.server, "server", "", "`NAME` of the server that wrote the files, as in server of nullspfd; needed for a new directory when the files do not name it; for dmarc the default is dmarc")
	c.Flags().StringVar(&o.timeZone, "timezone", "", "local times are those of `ZONE`, such as Europe/Berlin; default: this machine's")
	c.Flags().StringSliceVar(&o.layouts, "layout", nil, "the tracking zone had names of `LAYOUT`; may be repeated; default: those of the domains in the configuration")
	completeFlag(c, "layout", values(layoutNames()))
	c.Flags().StringVar(&o.listen, "listen", "", "import what nameservers write to a socket, `unix:PATH`, with the format dnstap")
	c.Flags().DurationVar(&o.every, "every", 20*time.Second, "with --listen, store queries each `DURATION`")
	o.addZone(a, c)
	return c
}

func layoutNames() (names []string) {
	for _, l := range spftrack.Layouts {
		names = append(names, string(l))
	}
	return names
}

// newImport makes the import of the flags. The configuration, which tells the tracking zone
// and the listed domains, may be missing when flags tell the zone.
func (a *app) newImport(f *logFlags, o *logImportFlags, files []string) (*evidence.Import, error) {
	if len(f.journals) != 1 {
		return nil, errors.New("name the one directory to import into with --journal")
	}
	i := &evidence.Import{Dir: f.journals[0], Server: o.server, Files: files, TimeZone: time.Local}
	var err error
	if o.format == "" {
		return nil, errors.New("say with --format what the files are: " + evidence.FormatNames())
	}
	if i.Format, err = evidence.ParseFormat(o.format); err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	if o.timeZone != "" {
		if i.TimeZone, err = time.LoadLocation(o.timeZone); err != nil {
			return nil, fmt.Errorf("--timezone: %w", err)
		}
	}
	if i.Format == evidence.MailLog {
		return i, a.knowDomains(i)
	}
	if !i.Format.OfQueries() {
		return i, nil
	}
	settings, err := a.settings(&o.spfFlags)
	if err != nil {
		return nil, err
	}
	i.Zone = settings.Zone
	if _, err := os.Stat(a.configPath); !errors.Is(err, fs.ErrNotExist) {
		conf, err := a.load()
		if err != nil {
			return nil, err
		}
		i.Known = knownDomains(conf.Output)(string(i.Zone))
		if len(o.layouts) == 0 {
			i.Layouts = configuredLayouts(conf)
		}
	}
	for _, name := range o.layouts {
		layout, err := spftrack.ParseLayout(strings.ToLower(name))
		if err != nil {
			return nil, fmt.Errorf("--layout: %w", err)
		}
		i.Layouts = append(i.Layouts, layout)
	}
	return i, nil
}

// knowDomains lets an import know the listed domains, where there is a configuration.
func (a *app) knowDomains(i *evidence.Import) error {
	if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	conf, err := a.load()
	if err == nil {
		i.Known = knownDomains(conf.Output)("")
	}
	return err
}

// configuredLayouts are those that the configuration says the tracking zone has, or those of all
// listed domains and of the names below them.
func configuredLayouts(c *config.Config) (layouts []spftrack.Layout) {
	if track := c.Named.Track; track != nil {
		for _, layout := range track.Layouts {
			layouts = append(layouts, spftrack.Layout(layout))
		}
	}
	if len(layouts) > 0 {
		return layouts
	}
	for _, g := range c.Groups {
		layouts = append(layouts, spftrack.Layout(g.SPF))
		if g.WildcardSPF != "" && g.WildcardSPF != zones.SPFOfDomain {
			layouts = append(layouts, spftrack.Layout(g.WildcardSPF))
		}
	}
	set, _, err := zones.ReadLists(c.Groups)
	if err != nil {
		warn("names are read by the layouts of the groups, because the lists have faults; see nullspf check, or use --layout")
		set = new(zones.Set)
	}
	for i := range set.Entries {
		if o := set.Entries[i].Override; o != nil && o.SPF != "" {
			layouts = append(layouts, spftrack.Layout(o.SPF))
		}
	}
	slices.Sort(layouts)
	return slices.Compact(layouts)
}

// writeImport tells what was imported, and reports whether something is lost.
func writeImport(w io.Writer, i *evidence.Import, r *evidence.Result) (lost bool) {
	const layout = "2006-01-02 15:04:05"
	for _, f := range r.Files {
		text := value.Visible(f.Path) + ": "
		if i.Format == evidence.DMARC {
			text += fmt.Sprintf("%s with ", count(f.Reports, "report"))
		}
		text += count(f.Events, "event")
		if f.Events > 0 {
			text += fmt.Sprintf(", %s to %s UTC", time.Unix(0, f.First).UTC().Format(layout), time.Unix(0, f.Last).UTC().Format(layout))
		}
		switch {
		case f.Known > 0 && i.Format == evidence.DMARC:
			text += fmt.Sprintf("; %s imported before", count(f.Known, "report"))
		case f.Before > 0:
			text += fmt.Sprintf("; %d bytes were imported before", f.Before)
		}
		if f.Known > 0 && i.Format == evidence.MailLog {
			text += fmt.Sprintf("; %s of another log", count(f.Known, "refusal"))
		}
		if f.Others > 0 {
			text += fmt.Sprintf("; %s about something else", count(f.Others, i.Format.Record()))
		}
		fmt.Fprintln(w, text)
		if f.Others > 0 && f.Before == 0 && f.Events+f.Reports+f.Known+f.Bad == 0 {
			fmt.Fprintln(w, "  if there should be events, look at --format, --zone and --server")
		}
		lost = writeLosses(w, i, &f) || lost
		if f.Odd > 0 {
			fmt.Fprintf(w, "  %s do not exist in this time zone: see --timezone\n", count(f.Odd, "local time"))
		}
		if f.Cut {
			fmt.Fprintln(w, "  the last record has no end; it is left for the next import")
		}
	}
	fmt.Fprintf(w, "imported %s of %s\n", count(int(r.Events), "event"), value.Visible(r.Server))
	return lost
}

// writeLosses tells what of a file is lost, and reports whether something is.
func writeLosses(w io.Writer, i *evidence.Import, f *evidence.FileResult) (lost bool) {
	switch {
	case f.Bad > 0 && i.Format == evidence.DMARC:
		fmt.Fprintf(w, "  cannot be read: %s, the first of them number %d: %s\n", count(f.Bad, "report"), f.FirstBad, value.Visible(f.Err.Error()))
		return true
	case f.Bad > 0:
		what := count(f.Bad, "record") + " of queries"
		if i.Format == evidence.MailLog {
			what = count(f.Bad, "refusal")
		}
		fmt.Fprintf(w, "  cannot be read: %s, the first of them number %d%s\n", what, f.FirstBad, ofNew(f.Before))
	}
	if f.Err != nil {
		fmt.Fprintf(w, "  damaged: %s; what follows is missing\n", value.Visible(f.Err.Error()))
	}
	return f.Bad > 0 || f.Err != nil
}

// ofNew tells from where lines are counted.
func ofNew(before int64) string {
	if before > 0 {
		return " of those that are new"
	}
	return ""
}
