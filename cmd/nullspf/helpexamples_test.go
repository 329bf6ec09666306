package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"nullspf/internal/clickhouse"
	"nullspf/internal/peers"
	"nullspf/internal/shipping"
)

// freshSites are the commands whose examples change their site. Those of the
// others share one site whose nameservers run.
var freshSites = []string{"nullspf", "nullspf init", "nullspf import", "nullspf zones", "nullspf plan"}

// TestHelpExamples runs the examples in the help of every command and compares
// what they print. With -update, it writes it into the source instead.
func TestHelpExamples(t *testing.T) {
	shared := newSite(t, false)
	shared.serve(t)
	shared.parents(t, "127.0.0.10")
	shared.forge(t, "brand.example", "brand-shop.example", "xn--bcher-kva.example")
	// The journal of the other nameserver, as it is copied.
	for _, n := range []struct{ name, dir string }{{"ns1", shared.dir}, {"ns2", shared.secondary}} {
		if out, err := shared.place().run(t.Context(), "mkdir "+n.name+" && cp -r "+n.dir+"/var "+n.name+" && rm "+n.name+"/var/.lock"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	writeText(t, filepath.Join(shared.dir, "queries.log"), namedQueryLog, 0o644)
	writeText(t, filepath.Join(shared.dir, "reports.mbox"), dmarcReport, 0o644)
	writeText(t, filepath.Join(shared.dir, "mail.log"), mailLog, 0o644)
	// apply comes last: its examples change the shared site.
	commands := commandTree(rootCommand())
	i := slices.IndexFunc(commands, func(c *cobra.Command) bool { return c.Name() == "apply" })
	commands = append(slices.Delete(slices.Clone(commands), i, i+1), commands[i])
	for _, c := range commands {
		t.Run(c.CommandPath(), func(t *testing.T) {
			examples := parseConsole(c.Example, "  ")
			if len(examples) == 0 {
				t.Fatal("the help has no example")
			}
			p := shared.place()
			switch {
			case slices.Contains(freshSites, c.CommandPath()):
				fresh := newSite(t, false)
				if out, err := fresh.place().run(t.Context(), "nullspf zones"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				p = fresh.place()
			case c.Name() == "retransfer":
				p = newPlace(shared.secondary)
			}
			p.paths = strings.NewReplacer("/etc/nullspf", p.dir, "/run/nullspf", p.dir)
			if c.Name() == "ship" {
				p.paths = strings.NewReplacer("/etc/nullspf", p.dir, "clickhouse://ch1.example.net", clickHouse(t))
			}
			got := examples.run(t, p)
			if text := got.format("  "); *update && text != c.Example {
				replaceExample(t, c, text)
			}
		})
	}
}

// clickHouse starts a ClickHouse with the table of events, and returns its address.
func clickHouse(t *testing.T) string {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	peers.Run(t, peers.Config{Kind: peers.ClickHouse, Address: at})
	db, err := clickhouse.Parse("clickhouse://" + at.String() + "/default")
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"CREATE DATABASE nullspf", shipping.Schema("nullspf.events")} {
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return "clickhouse://" + at.String()
}

// namedQueryLog is what named writes about a check of forged mail.
const namedQueryLog = `27-Nov-2026 12:07:59.715 client @0x7ffa4d86d098 203.0.113.70#40001 (203.0.113.7.in-addr.CL.brand.example.FD.1._spf.example.net): query: 203.0.113.7.in-addr.CL.brand.example.FD.1._spf.example.net IN A -E(0)D (192.0.2.31)
27-Nov-2026 12:07:59.739 client @0x7ffa4d86d098 203.0.113.70#40002 (mail.bot.example.HE.info.LP.203.0.113.7.in-addr.CL.brand.example.FD.2._spf.example.net): query: mail.bot.example.HE.info.LP.203.0.113.7.in-addr.CL.brand.example.FD.2._spf.example.net IN TXT -E(0)D (192.0.2.31)
`

// dmarcReport is a mail with a report, in an mbox.
const dmarcReport = `From dmarc@receiver.example Fri Nov 27 12:00:00 2026
From: dmarc@receiver.example
Content-Type: text/xml

<feedback><report_metadata><org_name>Receiver</org_name><email>dmarc@receiver.example</email><report_id>1</report_id>
<date_range><begin>1732579200</begin><end>1732665599</end></date_range></report_metadata>
<policy_published><domain>brand.example</domain><p>reject</p></policy_published>
<record><row><source_ip>203.0.113.10</source_ip><count>7</count><policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>brand.example</header_from></identifiers></record>
</feedback>
`

// mailLog is what Postfix writes about two clients that it refuses.
const mailLog = `2026-11-27T13:35:15.586338+01:00 mx postfix/smtpd[2595]: connect from unknown[203.0.113.10]
2026-11-27T13:35:15.595022+01:00 mx postfix/smtpd[2595]: NOQUEUE: reject: RCPT from unknown[203.0.113.10]: 554 5.7.1 Service unavailable; Client host [203.0.113.10] blocked using bl.example.net; from=<info@brand.example> to=<user@receiver.example> proto=ESMTP helo=<mail.bot.example>
2026-11-27T13:35:15.595745+01:00 mx postfix/smtpd[2595]: disconnect from unknown[203.0.113.10] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4
2026-11-27T13:35:16.808581+01:00 mx postfix/smtpd[2595]: NOQUEUE: reject: RCPT from mail.bot.example[203.0.113.77]: 554 5.7.1 <user@elsewhere.example>: Relay access denied; from=<x@bot.example> to=<user@elsewhere.example> proto=ESMTP helo=<mail.bot.example>
2026-11-27T13:35:17.808581+01:00 mx postfix/smtpd[2595]: NOQUEUE: reject: RCPT from mail.bot.example[203.0.113.77]: 554 5.7.1 <user@elsewhere.example>: Relay access denied; from=<x@bot.example> to=<user@elsewhere.example> proto=ESMTP helo=<mail.bot.example>
`

// replaceExample writes the examples of a command into its source.
func replaceExample(t *testing.T, c *cobra.Command, text string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), "`"+c.Example+"`"); n == 1 {
			writeText(t, file, strings.Replace(string(source), "`"+c.Example+"`", "`"+text+"`", 1), 0o644)
			return
		}
	}
	t.Errorf("no source has the examples of %s once", c.CommandPath())
}
