package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs the session that the README shows, with the 900 domains of
// the examples. With -update, it writes what the commands print into it.
func TestReadme(t *testing.T) {
	s := newSite(t, true)
	runDocument(t, "README.md", s.place(), func(command string) {
		switch {
		case strings.HasPrefix(command, "nullspf verify"):
			s.serve(t)
		case strings.HasPrefix(command, "nullspf log"):
			s.forge(t, "valmeris.example", "orvelia.example", "pelagona.example")
		}
	})
}

// TestServerPage runs the sessions in nullspfd(8).
func TestServerPage(t *testing.T) {
	s := newSite(t, false)
	p := s.place()
	if out, err := p.run(t.Context(), "nullspf zones && cp build/nullspfd/primary.Corefile Corefile"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	runDocument(t, "docs/man/nullspfd.8.md", p, nil)
}

// block is a fenced block of a document: a session, or a file that its info
// string names after the language.
type block struct{ file, text string }

var fenced = regexp.MustCompile("(?ms)^```([a-z]+)(?: (\\S+))?\n(.*?)^```$")

func documentBlocks(text string) (list []block) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		if m[1] == "console" || m[2] != "" {
			list = append(list, block{m[2], m[3]})
		}
	}
	return list
}

// runDocument goes through a document: it writes the files that blocks name,
// and runs the commands of sessions, whose output it compares. Before is called
// with each command, nil for nothing.
func runDocument(t *testing.T, document string, p *place, before func(command string)) {
	t.Helper()
	text := readDocument(t, document)
	changed, sessions := text, 0
	for _, b := range documentBlocks(text) {
		if b.file != "" {
			writeText(t, p.paths.Replace(b.file), p.paths.Replace(b.text), 0o644)
			continue
		}
		sessions++
		var got console
		for _, s := range parseConsole(b.text, "") {
			if before != nil {
				before(s.command)
			}
			got = append(got, console{s}.run(t, p)...)
		}
		changed = strings.Replace(changed, b.text, got.format("")+"\n", 1)
	}
	if sessions == 0 {
		t.Errorf("%s has no session", document)
	}
	if *update && changed != text {
		writeText(t, filepath.Join(root, document), changed, 0o644)
	}
}
