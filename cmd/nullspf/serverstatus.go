package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/control"
)

func (a *app) serverStatusCommand(f *serverFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the state of nullspfd",
		Long: `Shows when nullspfd was started, where it listens, how many zones it has by kind
and state, the reloads, transfers and notifications since the start, and its
problems. The exit status is 0 even when there are problems.`,
		Example: `  $ nullspf server status
  nullspfd       (devel), process 5043
  started        2026-11-27T13:47:42Z, 11s ago
  configuration  /etc/nullspf/Corefile
  listens at     192.0.2.1:53
  reloads        2 done, 0 failed
  transfers in   0 done, 0 failed
  transfers out  5 done, 0 failed
  notifications  5 acknowledged, 0 refused, 0 failed; 0 received, 0 ignored

       zones  serving  waiting  expired
    tracking        1        0        0
      parked        3        0        0
     catalog        1        0        0`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c, f, func(ctx context.Context, client *control.Client) error {
				status, err := client.Status(ctx)
				if err != nil {
					return err
				}
				if f.json {
					return writeJSON(c.OutOrStdout(), status)
				}
				return writeStatus(c.OutOrStdout(), status, time.Now())
			})
		},
	}
	f.addJSON(c)
	return c
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeStatus writes a status for people.
func writeStatus(w io.Writer, s *control.Status, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(key, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", key, oneLine(fmt.Sprintf(format, args...)))
	}
	row("nullspfd", "%s, process %d", s.Version, s.PID)
	row("started", "%s, %v ago", instant(s.Started), now.Sub(s.Started).Round(time.Second))
	row("configuration", "%s", s.Config)
	row("listens at", "%s", strings.Join(s.Listen, " "))
	row("reloads", "%d done, %d failed", s.Reloads.Done, s.Reloads.Failed)
	row("transfers in", "%s", transfers(s.TransfersIn))
	row("transfers out", "%s", transfers(s.TransfersOut))
	row("notifications", "%d acknowledged, %d refused, %d failed; %d received, %d ignored",
		s.Notifies.Acknowledged, s.Notifies.Refused, s.Notifies.Failed, s.Notifies.Received, s.Notifies.Ignored)
	for _, p := range s.Problems {
		row("problem", "%s", p)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nzones\tserving\twaiting\texpired\t")
	for _, n := range s.Zones {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\n", oneLine(string(n.Kind)), n.Serving, n.Waiting, n.Expired)
	}
	return t.Flush()
}

// transfers tells of transfers in one direction.
func transfers(t control.Transfers) string {
	text := fmt.Sprintf("%d done", t.Done)
	if t.Running > 0 {
		text += fmt.Sprintf(", %d running", t.Running)
	}
	var failed uint64
	var reasons []string
	for reason, n := range t.Failed {
		failed += n
		if n > 0 {
			reasons = append(reasons, strconv.FormatUint(n, 10)+" "+reason)
		}
	}
	text += fmt.Sprintf(", %d failed", failed)
	if len(reasons) > 0 {
		slices.Sort(reasons)
		text += " (" + strings.Join(reasons, ", ") + ")"
	}
	return text
}

// instant gives a time in UTC, "-" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// oneLine replaces everything but printable ASCII: texts about other servers may
// contain anything.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
