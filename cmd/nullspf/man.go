package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nullspf/docs/man"
	"nullspf/internal/version"
)

// manCommand is hidden: it is for those who package the program.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages",
		Long: `Writes the man pages into the directory DIR: a page of section 1 for each
command, section 5 for each file format, and section 8 for nullspfd.`,
		Hidden: true,
		Args:   arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			pages, err := manPages(clock())
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			for _, p := range pages {
				if err := os.WriteFile(filepath.Join(args[0], p.file()), p.render(), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// manPage is a page in Markdown as go-md2man understands it.
type manPage struct {
	name, section string
	date          time.Time
	// text begins with the first section. Its tables are still tables.
	text string
}

func (p *manPage) file() string { return p.name + "." + p.section }

// render gives the page in roff.
func (p *manPage) render() []byte {
	head := fmt.Sprintf("%% %q %q %q %q\n\n", strings.ToUpper(p.name), p.section, p.date.UTC().Format(time.DateOnly), "nullspf "+version.String())
	return md2man.Render([]byte(head + relink(untable(p.text))))
}

// manPages gives all pages. The commands are taken from a tree of their own,
// to which cobra has not yet added its commands for help and completion.
func manPages(date time.Time) ([]*manPage, error) {
	sources, err := fs.Glob(man.Sources, "*.[58].md")
	if err != nil {
		return nil, err
	}
	var written []*manPage
	var seeAlso []string
	for _, source := range sources {
		text, err := man.Sources.ReadFile(source)
		if err != nil {
			return nil, err
		}
		name, section, _ := cutLast(strings.TrimSuffix(source, ".md"), ".")
		_, sections, _ := strings.Cut(string(text), "\n")
		written = append(written, &manPage{name, section, date, sections})
		seeAlso = append(seeAlso, name+"("+section+")")
	}
	endings, err := man.Sources.ReadFile("nullspf.1.md")
	if err != nil {
		return nil, err
	}
	root := rootCommand()
	var pages []*manPage
	for _, c := range commandTree(root) {
		ending := ""
		if c == root {
			ending = string(endings)
		}
		pages = append(pages, &manPage{pageName(c), "1", date, commandPage(c, ending, seeAlso)})
	}
	return append(pages, written...), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// commandTree lists a command and all below it that are not hidden.
func commandTree(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			list = append(list, commandTree(sub)...)
		}
	}
	return list
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// commandPage makes the page of a command from its help.
func commandPage(c *cobra.Command, ending string, seeAlso []string) string {
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	var b strings.Builder
	section := func(name string) { b.WriteString("\n## " + name + "\n\n") }
	section("NAME")
	fmt.Fprintf(&b, "%s - %s\n", pageName(c), plainText(strings.ToLower(c.Short[:1])+c.Short[1:]))
	section("SYNOPSIS")
	use := strings.TrimPrefix(c.UseLine(), c.CommandPath())
	if c.HasAvailableSubCommands() {
		use = " COMMAND" + use
	}
	fmt.Fprintf(&b, "**%s**%s\n", c.CommandPath(), plainText(use))
	section("DESCRIPTION")
	b.WriteString(longText(c))
	var subPages []string
	if c.HasAvailableSubCommands() {
		section("COMMANDS")
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				fmt.Fprintf(&b, "**%s**\n: %s\n\n", sub.Name(), plainText(sub.Short))
				subPages = append(subPages, pageName(sub)+"(1)")
			}
		}
	}
	section("OPTIONS")
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { b.WriteString(flagText(f)) })
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) { b.WriteString(flagText(f)) })
	if c.Example != "" {
		section("EXAMPLES")
		b.WriteString(exampleText(c.Example))
	}
	b.WriteString(ending)
	section("SEE ALSO")
	if c.HasParent() {
		subPages = append([]string{pageName(c.Parent()) + "(1)"}, subPages...)
	}
	b.WriteString(strings.Join(append(subPages, seeAlso...), ", ") + "\n")
	return b.String()
}

// longText gives the description of a command. Its indented lines, which are
// lists in columns, stay as they are.
func longText(c *cobra.Command) string {
	if c.Long == "" {
		return plainText(c.Short) + ".\n"
	}
	var b strings.Builder
	for line := range strings.Lines(c.Long) {
		if strings.HasPrefix(line, "  ") {
			b.WriteString("    " + line)
		} else {
			b.WriteString(plainText(line))
		}
	}
	return b.String() + "\n"
}

// exampleText gives the examples of a command: indented by two blanks in its
// help, by four in Markdown, where that makes them literal. Lines that begin
// with # explain what follows.
func exampleText(example string) string {
	var b strings.Builder
	for line := range strings.Lines(example + "\n") {
		line = strings.TrimPrefix(line, "  ")
		if comment, ok := strings.CutPrefix(line, "# "); ok {
			b.WriteString(plainText(comment) + "\n")
		} else if line != "\n" {
			b.WriteString("    " + line)
		} else {
			b.WriteString(line)
		}
	}
	return b.String()
}

func flagText(f *pflag.Flag) string {
	if f.Hidden {
		return ""
	}
	argument, usage := pflag.UnquoteUsage(f)
	head := "**--" + f.Name + "**"
	if f.Shorthand != "" {
		head = "**-" + f.Shorthand + "**, " + head
	}
	if argument != "" {
		head += " *" + argument + "*"
	}
	if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" && f.DefValue != "[]" {
		usage += " (default " + f.DefValue + ")"
	}
	return head + "\n: " + plainText(usage) + "\n\n"
}

var markdown = regexp.MustCompile("[\\\\`*_{}<>\\[\\]|#]")

// plainText escapes what Markdown would take for its own.
func plainText(s string) string { return markdown.ReplaceAllString(s, `\$0`) }

var link = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)

// relink leaves of each link its text: relative addresses mean nothing in a
// man page.
func relink(text string) string { return link.ReplaceAllString(text, "$1") }

// untable turns each row of a table into a term and its definition, because a
// table of the manual is wider than a terminal. The first cell is the term, the
// column "meaning", or the only other one, its definition; other cells follow
// after their column's name.
func untable(text string) string {
	var b bytes.Buffer
	var columns []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			columns = nil
			b.WriteString(line)
			continue
		}
		cells := tableCells(line)
		switch {
		case columns == nil:
			columns = cells
		case strings.Trim(cells[0], "-") != "":
			fmt.Fprintf(&b, "%s\n: %s\n\n", cells[0], definition(columns, cells))
		}
	}
	return b.String()
}

// tableCells gives the cells of a row, in which no cell holds a bar.
func tableCells(line string) []string {
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func definition(columns, cells []string) string {
	var meaning, rest string
	for i, cell := range cells[1:] {
		if cell == "" {
			continue
		}
		if !strings.HasSuffix(cell, ".") {
			cell += "."
		}
		if name := columns[i+1]; name == "meaning" || len(columns) == 2 {
			meaning = cell
		} else if cell == "required." {
			rest += " Required."
		} else {
			rest += " " + strings.ToUpper(name[:1]) + name[1:] + ": " + cell
		}
	}
	return strings.TrimSpace(meaning + rest)
}
