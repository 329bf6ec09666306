package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nullspf/internal/control"
)

func (a *app) serverZonesCommand(f *serverFlags) *cobra.Command {
	var filter control.Filter
	c := &cobra.Command{
		Use:   "zones",
		Short: "List the zones of nullspfd",
		Long: `Lists the zones of nullspfd with kind, state, serial number, the time at which
they expire unless the primary confirms them, and why the last refresh failed.

The kinds are

  parked     published by nullspf, served from its output directory
  secondary  transferred from a primary
  catalog    a catalog zone, transferred or published
  tracking   an SPF tracking zone
  dnsbl      a DNS block list

and the states

  serving    queries are answered
  waiting    never transferred, or its file never read; queries get SERVFAIL
  expired    not confirmed by a primary in time; queries get SERVFAIL

With --json, each zone is an object in a line of its own.`,
		Example: `  $ nullspf server zones
  kind       state        serial  expires               zone
  tracking   serving           1  -                     _spf.example.net
  parked     serving  2026112000  -                     brand-shop.example
  parked     serving  2026112000  -                     brand.example
  parked     serving  2026112000  -                     xn--bcher-kva.example
  catalog    serving  2026112000  -                     catalog.invalid

  # Zones that are no longer served.
  $ nullspf server zones --state expired`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c, f, func(ctx context.Context, client *control.Client) error {
				return listZones(ctx, client, filter, c.OutOrStdout(), f.json)
			})
		},
	}
	c.Flags().StringVar((*string)(&filter.State), "state", "", "only zones in `STATE`: serving, waiting, expired")
	completeFlag(c, "state", zoneStateValues)
	c.Flags().StringVar((*string)(&filter.Kind), "kind", "", "only zones of `KIND`: parked, secondary, catalog, tracking, dnsbl")
	completeFlag(c, "kind", zoneKindValues)
	c.Flags().BoolVar(&filter.Failing, "failing", false, "only zones whose last refresh failed")
	f.addJSON(c)
	return c
}

// listZones writes a line a zone as they come.
func listZones(ctx context.Context, client *control.Client, filter control.Filter, w io.Writer, asJSON bool) error {
	out := bufio.NewWriter(w)
	line := func(z *control.Zone) error {
		// Columns of fixed width: the list may be long, and is not held.
		_, err := fmt.Fprintf(out, "%-9s  %-7s  %10d  %-20s  %s", z.Kind, z.State, z.Serial, instant(z.Expires), oneLine(z.Name))
		if z.Error != "" {
			_, err = out.WriteString("  " + oneLine(z.Error))
		}
		return errors.Join(err, out.WriteByte('\n'))
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		line = func(z *control.Zone) error { return encoder.Encode(z) }
	} else {
		fmt.Fprintf(out, "%-9s  %-7s  %10s  %-20s  %s\n", "kind", "state", "serial", "expires", "zone")
	}
	return errors.Join(client.Zones(ctx, filter, line), out.Flush())
}

func (a *app) serverZoneCommand(f *serverFlags) *cobra.Command {
	var text bool
	c := &cobra.Command{
		Use:   "zone ZONE",
		Short: "Show a zone of nullspfd",
		Long: `Shows a zone of nullspfd: kind, state, serial number and number of records; of a
secondary zone also the primaries and the times of the refresh; and the
secondaries that are notified. With --text, prints the records that are served,
as a zone file.`,
		Example: `  $ nullspf server zone brand.example
  zone      brand.example
  kind      parked
  state     serving
  serial    2026112000
  records   11
  notified  192.0.2.2:53

  # The records that are served.
  $ nullspf server zone brand.example --text | head -n 3
  brand.example.	3600	IN	SOA	ns1.example.net. hostmaster.example.net. 2026112000 7200 900 2419200 300
  brand.example.	3600	IN	NS	ns1.example.net.
  brand.example.	3600	IN	NS	ns2.example.net.`,
		Args:              oneZone,
		ValidArgsFunction: argument(0, a.publishedNames),
		RunE: func(c *cobra.Command, args []string) error {
			if text && f.json {
				return errors.New("--text and --json exclude each other")
			}
			return a.ask(c, f, func(ctx context.Context, client *control.Client) error {
				if text {
					out := bufio.NewWriter(c.OutOrStdout())
					return errors.Join(client.ZoneText(ctx, args[0], out), out.Flush())
				}
				zone, err := client.Zone(ctx, args[0])
				if err != nil {
					return err
				}
				if f.json {
					return writeJSON(c.OutOrStdout(), zone)
				}
				return writeZone(c.OutOrStdout(), zone)
			})
		},
	}
	f.addJSON(c)
	c.Flags().BoolVar(&text, "text", false, "print the zone's records")
	return c
}

// writeZone writes a zone for people; it leaves out what there is not.
func writeZone(w io.Writer, z *control.ZoneDetail) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(key, value string) {
		if value != "" && value != "-" {
			fmt.Fprintf(t, "%s\t%s\n", key, oneLine(value))
		}
	}
	row("zone", z.Name)
	row("kind", string(z.Kind))
	row("state", string(z.State))
	if z.State != control.Waiting {
		row("serial", strconv.FormatUint(uint64(z.Serial), 10))
	}
	if z.Records > 0 {
		row("records", strconv.Itoa(z.Records))
	}
	if z.Bytes > 0 {
		row("memory", strconv.Itoa(z.Bytes)+" bytes")
	}
	row("catalog", z.Catalog)
	for _, p := range z.Primaries {
		row("primary", p)
	}
	row("confirmed by", z.Primary)
	row("confirmed at", instant(z.Refreshed))
	row("next refresh", instant(z.Next))
	row("expires", instant(z.Expires))
	row("last error", z.Error)
	for _, address := range z.Secondaries {
		row("notified", address)
	}
	return t.Flush()
}
