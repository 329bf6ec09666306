package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nullspf/zones"
)

func (a *app) planCommand() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change",
		Long: `Shows which zones would be added, changed and removed and how their records would
change, and changes nothing. Zones that change alike are shown together. The
exit status is 2 when there are changes, 0 when there are none.`,
		Example: `  # What would another DMARC policy change?
  $ sed -i 's/policy: reject/policy: quarantine/' nullspf.yaml
  $ nullspf plan; echo $?
  ~ brand-shop.example (serial 2026112000 to 2026112001)
  ~ brand.example (serial 2026112000 to 2026112001)
  ~ xn--bcher-kva.example (serial 2026112000 to 2026112001)
      changed, group generic
      - _dmarc TXT "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc@example.net"
      + _dmarc TXT "v=DMARC1; p=quarantine; sp=quarantine; np=quarantine; adkim=s; aspf=s; rua=mailto:dmarc@example.net"
  The files made from all zones would be rewritten: includes, server configurations, mail tables.
  3 zones, 3 changed
  2

  # Keep all changes as JSON. Exit status 2 says that there are some.
  $ nullspf plan --json >plan.json || test $? = 2`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := a.begin(c.Context(), true)
			if err != nil {
				return err
			}
			defer b.end()
			current, err := b.plan.FilesCurrent(b.files, b.fingerprint)
			if err != nil {
				return err
			}
			b.bar.done()
			out := bufio.NewWriter(c.OutOrStdout())
			if asJSON {
				err = planJSON(out, b.plan, !current)
			} else {
				err = newPlanPrinter(out, all).print(b.plan, len(b.set.Entries), !current)
			}
			if err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
			if err := b.plan.CheckRemovals(0); err != nil {
				warn("%v", err)
			}
			if !b.plan.Empty() || !current {
				return statusError(exitChanges)
			}
			return nil
		},
	}
	a.addOutputFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with every zone by itself")
	c.Flags().BoolVar(&all, "all", false, "name all zones that change alike instead of the first ten")
	return c
}

// zoneChange is a change in JSON.
type zoneChange struct {
	Name      string `json:"name"`
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	OldSerial uint32 `json:"old_serial,omitempty"`
	Serial    uint32 `json:"serial,omitempty"`
	zones.RecordDiff
}

// planJSON writes one JSON document, a zone at a time.
func planJSON(w *bufio.Writer, p *zones.Plan, files bool) error {
	fmt.Fprintf(w, `{"added":%d,"changed":%d,"restored":%d,"removed":%d,"unchanged":%d,"files_change":%t,"zones":[`,
		p.Count(zones.Added), p.Count(zones.Changed), p.Count(zones.Restored), p.Count(zones.Removed), p.Count(zones.Unchanged), files)
	first := true
	err := eachChange(p, func(c zones.Change, d zones.RecordDiff) error {
		text, err := json.Marshal(zoneChange{c.Name, c.Group, c.Kind.String(), c.OldSerial, c.Serial, d})
		if err != nil {
			return err
		}
		if !first {
			w.WriteByte(',')
		}
		first = false
		w.WriteByte('\n')
		_, err = w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.WriteString("]}\n")
	return err
}

// eachChange calls f for every change with its record differences.
func eachChange(p *zones.Plan, f func(zones.Change, zones.RecordDiff) error) error {
	var err error
	p.Changes(func(c zones.Change) bool {
		var before, after []byte
		if before, after, err = p.Texts(c); err == nil {
			err = f(c, zones.DiffZone(before, after))
		}
		return err == nil
	})
	return err
}

// planPrinter shows a plan as text.
type planPrinter struct {
	w     *bufio.Writer
	color bool
	// most is how many names are shown of zones that change alike.
	most int
}

func newPlanPrinter(w *bufio.Writer, all bool) *planPrinter {
	p := &planPrinter{w: w, most: 10}
	p.color = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
	if all {
		p.most = int(^uint(0) >> 1)
	}
	return p
}

// alike are zones whose records change in the same way.
type alike struct {
	kind  zones.Kind
	group string
	diff  zones.RecordDiff
	count int
	names []string
}

func (p *planPrinter) print(plan *zones.Plan, total int, files bool) error {
	var order []*alike
	byKey := make(map[string]*alike)
	err := eachChange(plan, func(c zones.Change, d zones.RecordDiff) error {
		if c.Kind == zones.Removed {
			d = zones.RecordDiff{}
		}
		key := fmt.Sprint(c.Kind, c.Group, d.Key(c.Name))
		a := byKey[key]
		if a == nil {
			a = &alike{kind: c.Kind, group: c.Group, diff: d}
			byKey[key] = a
			order = append(order, a)
		}
		a.count++
		if len(a.names) < p.most {
			line := c.Name
			if c.OldSerial != 0 && c.Serial != 0 {
				line += fmt.Sprintf(" (serial %d to %d)", c.OldSerial, c.Serial)
			}
			a.names = append(a.names, line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range order {
		p.printAlike(a)
	}
	if files {
		fmt.Fprintln(p.w, "The files made from all zones would be rewritten: includes, server configurations, mail tables.")
	}
	_, err = fmt.Fprintln(p.w, summary(plan, total))
	return err
}

var planSigns = map[zones.Kind]struct{ sign, color string }{
	zones.Added: {"+", "32"}, zones.Changed: {"~", "33"}, zones.Restored: {"!", "35"}, zones.Removed: {"-", "31"},
}

func (p *planPrinter) printAlike(a *alike) {
	s := planSigns[a.kind]
	for _, name := range a.names {
		p.line(s.color, s.sign+" "+name)
	}
	if n := a.count - len(a.names); n > 0 {
		p.line(s.color, fmt.Sprintf("%s and %d more", s.sign, n))
	}
	group := ""
	if a.group != "" {
		group = ", group " + a.group
	}
	fmt.Fprintf(p.w, "    %s%s\n", a.kind, group)
	first, _, _ := strings.Cut(a.names[0], " ")
	for _, l := range a.diff.Removed {
		p.line("31", "    - "+p.generic(l, first, a.count))
	}
	for _, l := range a.diff.Added {
		p.line("32", "    + "+p.generic(l, first, a.count))
	}
}

// generic shows a record of several zones with {domain} for their names.
func (p *planPrinter) generic(line, name string, count int) string {
	if count < 2 {
		return line
	}
	return strings.ReplaceAll(line, name, "{domain}")
}

func (p *planPrinter) line(color, text string) {
	if p.color {
		text = "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	_, _ = io.WriteString(p.w, text+"\n")
}
