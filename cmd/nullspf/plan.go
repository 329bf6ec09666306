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
		Use:   "plan [NAME|GROUP...]",
		Short: "Show what would change",
		Long: `Shows which zones would be added, changed and removed and how their records would
change, and changes nothing. Zones that change alike are shown together. Files that
are made from all zones, such as server configurations, are shown with the lines that
change, apart from those of added and removed zones. Of zones kept by hand, those are
shown that include such a file and need a new serial number. With arguments, shows only these
domains and the domains of these groups. The exit status is 2 when there are
changes, 0 when there are none.`,
		Example: `  # What would another DMARC policy change?
  $ sed -i 's/policy: reject/policy: quarantine/' nullspf.yaml
  $ nullspf plan; echo $?
  ~ brand-shop.example (serial 2026112000 to 2026112001)
  ~ brand.example (serial 2026112000 to 2026112001)
  ~ xn--bcher-kva.example (serial 2026112000 to 2026112001)
      changed, group generic
      - _dmarc TXT "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc@example.net"
      + _dmarc TXT "v=DMARC1; p=quarantine; sp=quarantine; np=quarantine; adkim=s; aspf=s; rua=mailto:dmarc@example.net"
  ~ include/generic.inc
      - _dmarc          3600 IN TXT   "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc@example.net"
      + _dmarc          3600 IN TXT   "v=DMARC1; p=quarantine; sp=quarantine; np=quarantine; adkim=s; aspf=s; rua=mailto:dmarc@example.net"
  3 zones, 3 changed; 1 other file changed
  2

  # Keep all changes as JSON. Exit status 2 says that there are some.
  $ nullspf plan --json >plan.json || test $? = 2`,
		ValidArgsFunction: a.selectable,
		RunE: func(c *cobra.Command, args []string) error {
			b, err := a.begin(c.Context(), true)
			if err != nil {
				return err
			}
			defer b.end()
			only, err := newSelection(b.set, b.Groups, b.knows, args)
			if err != nil {
				return err
			}
			var files []zones.FileChange
			if only == nil {
				if files, err = b.fileChanges(); err != nil {
					return err
				}
			}
			b.bar.done()
			out := bufio.NewWriter(c.OutOrStdout())
			changed := len(files) > 0
			for change := range b.plan.Changes {
				changed = changed || only.has(change.Name, change.Group)
			}
			if asJSON {
				err = planJSON(out, b, only, files)
			} else {
				err = newPlanPrinter(out, all).print(b, only, files)
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
			if changed {
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

// planCounts counts the zones of a plan, in JSON.
type planCounts struct {
	Added     int `json:"added"`
	Adopted   int `json:"adopted"`
	Changed   int `json:"changed"`
	Restored  int `json:"restored"`
	Removed   int `json:"removed"`
	Unchanged int `json:"unchanged"`
}

func countsOf(p *zones.Plan) planCounts {
	return planCounts{p.Count(zones.Added), p.Count(zones.Adopted), p.Count(zones.Changed), p.Count(zones.Restored), p.Count(zones.Removed), p.Count(zones.Unchanged)}
}

// fileChange is a change of a file that is made from all zones, in JSON.
type fileChange struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
	zones.RecordDiff
	// More counts lines that are left out.
	More int `json:"more,omitempty"`
}

func fileChangesJSON(files []zones.FileChange) []fileChange {
	list := make([]fileChange, 0, len(files))
	for _, f := range files {
		list = append(list, fileChange{f.Path, f.Kind.String(), f.RecordDiff, f.More})
	}
	return list
}

// planJSON writes one JSON document, a zone at a time.
func planJSON(w *bufio.Writer, b *building, only *selection, files []zones.FileChange) error {
	p := b.plan
	head, err := json.Marshal(struct {
		planCounts
		FilesChange bool           `json:"files_change"`
		Files       []fileChange   `json:"files"`
		HandKept    []handKeptZone `json:"handkept"`
	}{countsOf(p), len(files) > 0, fileChangesJSON(files), handKeptJSON(b.handKept, only)})
	if err != nil {
		return err
	}
	_, _ = w.Write(head[:len(head)-1])
	_, _ = w.WriteString(`,"zones":[`)
	first := true
	err = eachChange(p, only, func(c zones.Change, d zones.RecordDiff) error {
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

// eachChange calls f for every selected change with its record differences.
func eachChange(p *zones.Plan, only *selection, f func(zones.Change, zones.RecordDiff) error) error {
	var err error
	p.Changes(func(c zones.Change) bool {
		if !only.has(c.Name, c.Group) {
			return true
		}
		if c.Kind == zones.Adopted { // the same records
			err = f(c, zones.RecordDiff{})
			return err == nil
		}
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

func (p *planPrinter) print(b *building, only *selection, files []zones.FileChange) error {
	var order []*alike
	byKey := make(map[string]*alike)
	err := eachChange(b.plan, only, func(c zones.Change, d zones.RecordDiff) error {
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
			switch {
			case c.Kind == zones.Adopted:
				line += fmt.Sprintf(" (serial %d)", c.Serial)
			case c.OldSerial != 0 && c.Serial != 0:
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
	p.printFiles(files)
	printHandKept(p.w, b.handKept, only)
	text := b.summary(files)
	if only != nil {
		n := 0
		for _, a := range order {
			n += a.count
		}
		text = fmt.Sprintf("%s of the selection would change; in all: %s", count(n, "zone"), text)
	}
	_, err = fmt.Fprintln(p.w, text)
	return err
}

var planSigns = map[zones.Kind]struct{ sign, color string }{
	zones.Added: {"+", "32"}, zones.Adopted: {"=", "36"}, zones.Changed: {"~", "33"}, zones.Restored: {"!", "35"}, zones.Removed: {"-", "31"},
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

// printFiles shows changes of files that are made from all zones.
func (p *planPrinter) printFiles(files []zones.FileChange) {
	for _, f := range files {
		s := planSigns[f.Kind]
		p.line(s.color, s.sign+" "+f.Path)
		for _, l := range f.Removed[:min(p.most, len(f.Removed))] {
			p.line("31", "    - "+cut(l))
		}
		for _, l := range f.Added[:min(p.most, len(f.Added))] {
			p.line("32", "    + "+cut(l))
		}
		if n := f.More + max(0, len(f.Removed)-p.most) + max(0, len(f.Added)-p.most); n > 0 {
			fmt.Fprintf(p.w, "    and %d more lines\n", n)
		}
	}
}

// cut shortens a line of a file.
func cut(line string) string {
	const most = 200
	line = strings.ReplaceAll(line, "\t", "    ")
	if len(line) > most {
		return line[:most] + "..."
	}
	return line
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
