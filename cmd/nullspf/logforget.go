package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"nullspf/internal/journal"
	"nullspf/internal/value"
)

func (a *app) logForgetCommand(f *logFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "forget ADDRESS|MAILBOX",
		Short: "Take an address or a mailbox out of the journals",
		Long: `Takes an IP address, or a mailbox local@domain, out of all events of the journals, for whoever
has the right to be forgotten. The address becomes its network, 24 bits of an IPv4 address, 48 of
an IPv6 address, as client, resolver and client subnet; the local part becomes empty; HELO names
and query names that hold either become empty. Nothing else changes, so that counts stay.

The segments that hold it are written anew, those that it replaces are removed, and then
everything is read back: it fails when anything is left. The file FORGOTTEN in the directory tells
when this was done, for a subject that is named by a keyed hash. What is not in the directory is
not changed: copies, backups, ClickHouse, output of commands.

nullspfd must not have the directory open: stop it, and start it again afterwards.`,
		Example: `  # Of a copy of another server's journal
  $ nullspf log forget 203.0.113.77 --journal ns2/var

  # A sender
  $ nullspf log forget ceo10@brand.example --journal ns2/var`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one address or mailbox")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			who, err := journal.ParseSubject(args[0])
			if err != nil {
				return err
			}
			if f.store != "" {
				return errors.New("--store: a ClickHouse server keeps what it has; see docs/privacy.md for its statement")
			}
			dirs, conf, err := a.journalDirs(c, f)
			if err != nil {
				return err
			}
			o := journal.ReadOptions{}
			if conf != nil {
				o.Known = knownDomains(conf.Output)
			}
			for _, dir := range dirs {
				done, err := journal.Forget(c.Context(), dir, who, o)
				if err != nil {
					return fmt.Errorf("%s: %w", dir, err)
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: changed %s in %s; read back %s, and it is in none\n", value.Visible(dir),
					count(int(done.Events), "event"), count(done.Segments, "segment"), count(int(done.Read), "event"))
				for _, path := range done.Left {
					warn("%s was quarantined and cannot be searched; remove it", path)
				}
			}
			return nil
		},
	}
}
