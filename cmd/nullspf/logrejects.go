package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/evidence"
	"nullspf/internal/forgerylog"
)

func (a *app) logRejectsCommand() *cobra.Command {
	var since, timeZone, format string
	var newest int
	var asJSON bool
	c := &cobra.Command{
		Use:   "rejects MAILLOG...",
		Short: "Count why mail servers refused mail",
		Long: `Counts the causes of refusals in logs of mail servers: Postfix with postscreen, sendmail,
Exim, OpenSMTPD, rspamd. Which one has written a line is told by the line. Logs are files, also
compressed with gzip or zstd, of syslog, of Exim or of rspamd, or what journalctl -o json prints;
- is standard input: journalctl -o json | nullspf log rejects -. One refusal in two logs, such as Exim's main and reject log, counts once.

  no-ptr, bad-ptr        the client's address has no PTR record, or one that does not lead back
  reverse-dns            one of these, or a lookup that failed: the log does not tell which
  blocklist:NAME         the block list NAME
  access-list            a table or rule about the client or the sender
  not-used-for-mail      the domain sends and receives no mail
  relay-denied           the recipient is not local
  unknown-user           there is no such recipient; invalid-recipient: or another of these two,
                         as OpenSMTPD says
  bad-helo               the name in HELO
  unknown-sender-domain  the sender's domain does not exist; null-mx-sender: it takes no mail;
                         sender-verify: something else about the sender
  spf, dmarc, spam       as named; content: another objection to the message
  greylist, temporary    refused for now
  protocol               the client spoke too early, or not SMTP
  server-error           the mail server has a fault
  other                  none of these

Nothing is imported; see nullspf log import --format maillog. The exit status is 1 when a file
is damaged.`,
		Example: `  $ nullspf log rejects mail.log
  COUNT  SHARE  CAUSE
      2  66.7%  relay-denied
      1  33.3%  blocklist:bl.example.net
  3 refusals; 2 different values

  # The newest of standard input
  $ nullspf log rejects --newest 1 --format csv - <mail.log
  count,cause
  1,relay-denied

  # The last week, with what was rotated
  $ nullspf log rejects --since 7d mail.log*`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the logs; see " + c.CommandPath() + " --help")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error {
			r := &evidence.Rejects{Files: args, Input: c.InOrStdin(), TimeZone: time.Local, Newest: newest}
			var err error
			if timeZone != "" {
				if r.TimeZone, err = time.LoadLocation(timeZone); err != nil {
					return fmt.Errorf("--timezone: %w", err)
				}
			}
			if since != "" {
				if r.Since, err = forgerylog.ParseTime(since, time.Now().In(r.TimeZone)); err != nil {
					return fmt.Errorf("--since: %w", err)
				}
			}
			if c.Flags().Changed("newest") && newest < 1 {
				return errors.New("--newest: use a number from 1 on")
			}
			if asJSON {
				format = string(forgerylog.JSON)
			}
			f, err := forgerylog.ParseFormat(format)
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			return writeRejects(c, r, f)
		},
	}
	c.Flags().StringVar(&since, "since", "", "only refusals since `TIME`, as in nullspf log events")
	c.Flags().IntVar(&newest, "newest", 0, "only the newest `N` refusals")
	c.Flags().StringVar(&timeZone, "timezone", "", "local times are those of `ZONE`, such as Europe/Berlin; default: this machine's")
	c.Flags().StringVar(&format, "format", string(forgerylog.Table), "output `FORMAT`: table, json, csv")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON; the same as --format json")
	c.MarkFlagsMutuallyExclusive("json", "format")
	completeFlag(c, "format", formatValues)
	return c
}

// writeRejects counts and writes, as nullspf log top cause does.
func writeRejects(c *cobra.Command, r *evidence.Rejects, f forgerylog.Format) error {
	bar := newProgress("reading")
	r.Progress = func(done, total int64) { bar.set(int(done>>10), int(total>>10)) }
	counts, damaged := r.Run(c.Context())
	bar.done()
	if counts == nil {
		return damaged
	}
	ranking := &forgerylog.Ranking{
		By: forgerylog.ByCause, Total: counts.Total, Distinct: uint64(len(counts.Causes)), Counted: "refusal",
	}
	for cause, n := range counts.Causes {
		ranking.Ranks = append(ranking.Ranks, forgerylog.Rank{Value: cause, Count: n})
	}
	slices.SortFunc(ranking.Ranks, forgerylog.Rank.Compare)
	if counts.Bad > 0 {
		warn("%s cannot be read", count(int(counts.Bad), "refusal"))
	}
	if counts.Timeless > 0 {
		warn("%s without time left out", count(int(counts.Timeless), "refusal"))
	}
	return errors.Join(forgerylog.WriteRanking(c.OutOrStdout(), f, ranking), damaged)
}
