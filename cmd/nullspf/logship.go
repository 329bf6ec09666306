package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/clickhouse"
	"nullspf/internal/forgerylog"
	"nullspf/internal/shipping"
	"nullspf/internal/value"
)

func (a *app) logShipCommand(f *logFlags) *cobra.Command {
	var to, since string
	c := &cobra.Command{
		Use:   "ship --to clickhouse://HOST",
		Short: "Send sealed events to a ClickHouse server",
		Long: `Sends the sealed events of the journals to a ClickHouse server, over its HTTP interface,
those that its table does not have yet. Each event comes to be there once, whatever breaks
off, fails or is repeated: run it again. The newest events, of some minutes, are sent when
they are sealed. The journals are not changed, and nullspfd may be running.

The address is clickhouse://[USER@]HOST[:PORT][/DATABASE][?secure=1]: by default port 8123
and the database nullspf, and with secure=1 HTTPS at port 8443. The password is taken from
the variable CLICKHOUSE_PASSWORD. The table events has to be there; its statements are in
examples/clickhouse. log top, timeline and events then ask that server with --store.

A server that cannot be reached, or has too much to do, is asked again for a minute. The exit
status is 1 when something could not be sent.`,
		Example: `  # What was imported
  $ nullspf log ship --to clickhouse://ch1.example.net --journal bind
  bind: 2 events sent, 0 were there
  $ nullspf log top ip --store clickhouse://ch1.example.net
  COUNT   SHARE  IP
      1  100.0%  203.0.113.7
  1 attempt; 1 different value

  # What is newer than 90 days, every five minutes, from a timer
  $ nullspf log ship --to clickhouse://ch1.example.net --since 90d`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return errors.New("name the server with --to, such as clickhouse://ch1.example.net")
			}
			db, err := openClickHouse(to)
			if err != nil {
				return fmt.Errorf("--to: %w", err)
			}
			dirs, _, err := a.journalDirs(c, f)
			if err != nil {
				return err
			}
			o := shipping.Options{}
			if since != "" {
				if o.Since, err = forgerylog.ParseTime(since, time.Now()); err != nil {
					return fmt.Errorf("--since: %w", err)
				}
			}
			return ship(c, db, dirs, o)
		},
	}
	c.Flags().StringVar(&to, "to", "", "send to the server and database at `ADDRESS`")
	c.Flags().StringVar(&since, "since", "", "only segments with events since `TIME`, as in log events")
	completeFlag(c, "to", values([]string{"clickhouse://"}))
	completeFlag(c, "since", values([]string{"30d", "90d"}))
	return c
}

// openClickHouse is the database at an address, with the password of the environment.
func openClickHouse(address string) (*clickhouse.DB, error) {
	db, err := clickhouse.Parse(address)
	if err == nil {
		db.Login(os.Getenv("CLICKHOUSE_PASSWORD"))
	}
	return db, err
}

// ship sends the journals, one after the other.
func ship(c *cobra.Command, db *clickhouse.DB, dirs []string, o shipping.Options) error {
	var errs []error
	for _, dir := range dirs {
		bar := newProgress("sending")
		o.Progress = func(done, total uint64) { bar.set(int(done>>10), int(total>>10)) }
		r, err := shipping.Ship(c.Context(), db, dir, o)
		bar.done()
		fmt.Fprintf(c.OutOrStdout(), "%s: %s sent, %d were there\n", value.Visible(dir), count(int(r.Sent), "event"), r.There)
		for _, err := range r.Unreadable {
			errs = append(errs, fmt.Errorf("left out: %w", err))
		}
		if errs = append(errs, err); errors.Is(err, context.Canceled) {
			break
		}
	}
	return errors.Join(errs...)
}
