package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/attempt"
	"nullspf/internal/config"
	"nullspf/internal/forgerylog"
	"nullspf/internal/geoip"
	"nullspf/internal/journal"
	"nullspf/internal/value"
	"nullspf/spftrack"
	"nullspf/zones"
)

func (a *app) logCommand() *cobra.Command {
	f := &logFlags{}
	c := &cobra.Command{
		Use:   "log",
		Short: "Query the forgery log: who forges mail from the domains",
		Long: `Queries the forgery log: the journals that nullspfd writes, or copies of them.
nullspfd may be running; an event is visible within a second.

The journal directories are those of the key journals of the configuration, or
those given with --journal. The events of several directories count together.`,
		Example: `  # Which domains are forged, and from where?
  $ nullspf log top domain --since 7d
  $ nullspf log top net --domain brand.example

  # Read copies of the journals of two nameservers.
  $ nullspf log stats --journal ns1/var --journal ns2/var`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringArrayVar(&f.journals, "journal", nil, "read the journal directory `DIR` instead of those of the configuration; may be repeated")
	c.PersistentFlags().StringVar(&f.store, "store", "", "ask the ClickHouse server at `ADDRESS` instead of journals; see log ship")
	completeFlag(c, "journal", directories)
	completeFlag(c, "store", values([]string{"clickhouse://"}))
	c.AddCommand(
		a.logEventsCommand(f), a.logTopCommand(f), a.logTimelineCommand(f), a.logReportCommand(f),
		a.logTailCommand(f), a.logStatsCommand(f), a.logCheckCommand(f), a.logCompactCommand(), a.logImportCommand(f), a.logShipCommand(f), a.logForgetCommand(f), a.logRejectsCommand(),
		a.logExportCommand(f), a.logWhyCommand(f),
	)
	return c
}

// logFlags are the flags of the commands below log.
type logFlags struct {
	journals             []string
	store                string
	format               string
	since, until         string
	domain, sender, helo string
	ip                   string
	source               string
	kinds                []string
	packets              bool
	utc, wide            bool
	// directories is how many journals were opened.
	directories int
	// parsed is for those who ask again and again, nil for others.
	parsed *journal.Parsed
}

func (f *logFlags) addFormat(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", string(forgerylog.Table), "output `FORMAT`: table, json, csv")
	completeFlag(c, "format", formatValues)
}

const filterHelp = `

Without filters, all attempts are selected: those that queries of receivers (spf) tell. A
SOURCE selects other events: sessions at the SMTP listener (smtp), records of imported DMARC
reports (dmarc), which count as often as they have messages, or refusals in imported logs of
mail servers (maillog). Filters can be combined; an event must match all of them. A TEXT matches anywhere in the field, in upper or lower
case, in the form in which the field is shown; =TEXT must be the whole field. A
KIND selects the attempts that asked a query of this kind, though they may have asked
others as well: those that asked exists: and exp= are shown as exists+exp.` + timeHelp

const timeHelp = `

A TIME is today, yesterday, a day of the week (the latest), a date (each its beginning),
"2026-11-20 15:04", 15:04 of today, or a duration before now: 7d, 24h, 90m. It is local time,
or UTC with --utc or as 2026-11-20T15:04:05Z.`

func (f *logFlags) addFilters(a *app, c *cobra.Command) {
	c.Flags().StringVar(&f.since, "since", "", "only events since `TIME`")
	c.Flags().StringVar(&f.until, "until", "", "only events before `TIME`")
	c.Flags().StringVar(&f.domain, "domain", "", "only forged domains that contain `TEXT`")
	c.Flags().StringVar(&f.ip, "ip", "", "only clients in `PREFIX`, or with this address")
	c.Flags().StringVar(&f.sender, "sender", "", "only senders, local@domain, that contain `TEXT`")
	c.Flags().StringVar(&f.helo, "helo", "", "only HELO names that contain `TEXT`")
	c.Flags().StringVar(&f.source, "source", "", "only events from `SOURCE`: spf, smtp, dmarc, maillog; default: attempts, or with --packets all")
	c.Flags().StringSliceVar(&f.kinds, "kind", nil, "only attempts with a query of `KIND`: exists, exp, classic, and with --packets smtp, dmarc, refusal, minimised, other; may be repeated")
	c.Flags().BoolVar(&f.packets, "packets", false, "count every query, and every event of other sources, instead of one event for each attempt")
	c.Flags().BoolVar(&f.utc, "utc", false, "days of --since and --until, and times on a terminal, are in UTC")
	completeFlag(c, "since", values(since))
	completeFlag(c, "until", values(since))
	completeFlag(c, "domain", a.publishedNames)
	completeFlag(c, "source", sourceValues)
	completeFlag(c, "kind", kindValues)
}

// zone is the time zone of times that people write and read.
func (f *logFlags) zone() *time.Location {
	if f.utc {
		return time.UTC
	}
	return time.Local
}

// query makes the query of the filters.
func (f *logFlags) query(c *cobra.Command) (forgerylog.Query, error) {
	q := forgerylog.Query{Packets: f.packets}
	now := time.Now().In(f.zone())
	var err error
	if f.since != "" {
		if q.Since, err = forgerylog.ParseTime(f.since, now); err != nil {
			return q, fmt.Errorf("--since: %w", err)
		}
	}
	if f.until != "" {
		if q.Until, err = forgerylog.ParseTime(f.until, now); err != nil {
			return q, fmt.Errorf("--until: %w", err)
		}
	}
	if f.since != "" && f.until != "" && !q.Since.Before(q.Until) {
		return q, fmt.Errorf("--since %s is not before --until %s", f.since, f.until)
	}
	if q.Since.After(now) {
		warn("--since %s is in the future", f.since)
	}
	q.Domain, q.Sender, q.HELO = forgerylog.ParseDomain(f.domain), forgerylog.ParseText(f.sender), forgerylog.ParseText(f.helo)
	if c.Flags().Changed("ip") {
		if q.Client, err = value.ParsePrefix(f.ip); err != nil {
			return q, fmt.Errorf("--ip: %w", err)
		}
	}
	if f.source != "" {
		if q.Source, err = forgerylog.ParseSource(strings.ToLower(f.source)); err != nil {
			return q, fmt.Errorf("--source: %w", err)
		}
	}
	if len(f.kinds) > 0 && q.Source != "" && q.Source != forgerylog.FromSPF {
		return q, fmt.Errorf("--kind: all events of the source %s are of one kind", q.Source)
	}
	for _, name := range f.kinds {
		k, err := spftrack.ParseKind(strings.ToLower(name))
		if err != nil {
			return q, fmt.Errorf("--kind: %w", err)
		}
		if !attempt.Asks(k) && !f.packets {
			return q, fmt.Errorf("--kind: events of kind %s are not attempts; add --packets", k)
		}
		q.Kinds = append(q.Kinds, k)
	}
	return q, nil
}

// forgeryLog opens the directories that are to be read, or the store.
func (a *app) forgeryLog(c *cobra.Command, f *logFlags) (forgerylog.Engine, error) {
	if f.store != "" {
		if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) && !c.Flags().Changed("config") {
			return openStore(f, nil)
		}
		conf, err := a.load()
		if err != nil {
			return nil, err
		}
		return openLog(conf, f)
	}
	dirs, conf, err := a.journalDirs(c, f)
	switch {
	case err != nil:
		return nil, err
	case conf != nil:
		return openLog(conf, f)
	}
	f.directories = len(dirs)
	return forgerylog.Open(dirs, journal.ReadOptions{Parsed: f.parsed}, logNotes), nil
}

// journalDirs are the journal directories to read, and the configuration, which may
// be missing when flags name the directories.
func (a *app) journalDirs(c *cobra.Command, f *logFlags) ([]string, *config.Config, error) {
	if len(f.journals) > 0 && !c.Flags().Changed("config") {
		if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) {
			return f.journals, nil, nil
		}
	}
	conf, err := a.load()
	if err != nil {
		if len(f.journals) == 0 && !c.Flags().Changed("config") {
			return nil, nil, fmt.Errorf("%w\nor name the journal directory with --journal", err)
		}
		return nil, nil, err
	}
	dirs, err := dirsOf(conf, f)
	return dirs, conf, err
}

// dirsOf are the directories of the flags, or else those of a configuration.
func dirsOf(conf *config.Config, f *logFlags) ([]string, error) {
	dirs := f.journals
	if len(dirs) == 0 {
		dirs = conf.Journals
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%s names no journal directory; set journals: [DIR] or use --journal", conf.File)
	}
	return dirs, nil
}

// openLog opens the directories of the flags, or else those of a configuration, or the
// store.
func openLog(conf *config.Config, f *logFlags) (forgerylog.Engine, error) {
	geo := geoip.New(conf.GeoIP.AS, conf.GeoIP.Country)
	if f.store != "" {
		return openStore(f, geo)
	}
	dirs, err := dirsOf(conf, f)
	if err != nil {
		return nil, err
	}
	f.directories = len(dirs)
	return forgerylog.Open(dirs, journal.ReadOptions{Known: knownDomains(conf.Output), Parsed: f.parsed}, logNotes, forgerylog.WithPlaces(geo)), nil
}

// openStore is the ClickHouse server that is to be asked.
func openStore(f *logFlags, places forgerylog.Places) (forgerylog.Engine, error) {
	if len(f.journals) > 0 {
		return nil, errors.New("--store and --journal name two places to ask; name one")
	}
	db, err := openClickHouse(f.store)
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	return forgerylog.OpenStore(db, places), nil
}

// logNotes shows what there is to know about an answer.
var logNotes = forgerylog.WithNotes(func(text string) { fmt.Fprintln(os.Stderr, "nullspf: "+value.Visible(text)) })

// knownDomains tells of domains whether the manifest of an output directory lists
// them, for every tracking zone. The manifest is read when it is needed first.
func knownDomains(output string) func(zone string) func(domain string) bool {
	listed := sync.OnceValue(func() func(string) (uint32, bool) {
		lookup, err := zones.ReadSerials(output)
		if err == nil {
			return lookup
		}
		if !errors.Is(err, fs.ErrNotExist) {
			warn("%v; events that are not sealed yet are read without the list of domains", err)
		}
		return func(string) (uint32, bool) { return 0, false }
	})
	known := func(domain string) bool {
		_, ok := listed()(domain)
		if parent, www := strings.CutPrefix(domain, "www."); www && !ok {
			_, ok = listed()(parent)
		}
		return ok
	}
	return func(string) func(string) bool { return known }
}

// answered reports whether there is an answer in spite of an error, which is
// told after it.
func answered(err error) bool { return err == nil || errors.As(err, new(*forgerylog.Incomplete)) }
