package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// root is the top of the repository.
const root = "../.."

func TestManPages(t *testing.T) {
	pages, err := manPages(time.Unix(1795176000, 0))
	if err != nil {
		t.Fatal(err)
	}
	empty := regexp.MustCompile(`(?m)^\.SH .*\n+(\.SH|\z)`)
	for _, p := range pages {
		t.Run(p.file(), func(t *testing.T) {
			text := p.render()
			if !bytes.Contains(text, []byte("\n.SH EXAMPLES\n")) {
				t.Error("no examples")
			}
			for _, want := range []string{`.TH "` + strings.ToUpper(p.name) + `" "` + p.section + `" "2026-11-20"`, "\n.SH NAME\n", "\n.SH SEE ALSO\n"} {
				if !bytes.Contains(text, []byte(want)) {
					t.Errorf("no %q", want)
				}
			}
			if m := empty.Find(text); m != nil {
				t.Errorf("empty section: %q", m)
			}
			if bytes.Contains(text, []byte("\n.TS")) || bytes.Contains(text, []byte("](")) {
				t.Error("a table or a link is left")
			}
			lintPage(t, p.file(), text)
		})
	}
}

// lintPage has mandoc and man look at a page.
func lintPage(t *testing.T, file string, text []byte) {
	t.Helper()
	peers.Require(t, "mandoc", "man")
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"mandoc", "-T", "lint", "-W", "warning"}, {"man", "--warnings=w", "-E", "UTF-8", "-l"}} {
		cmd := exec.Command(argv[0], append(argv[1:], path)...)
		var complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = io.Discard, &complaints
		cmd.Env = append(os.Environ(), "MANWIDTH=80")
		if err := cmd.Run(); err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s", argv[0], err, complaints.Bytes())
		}
	}
}

func TestManWritesPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pages")
	c := manCommand()
	c.SetArgs([]string{dir})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"nullspf.1", "nullspf-zones.1", "nullspf-spf-show.1", "nullspf.yaml.5", "nullspf-list.5", "nullspf-corefile.5", "nullspfd.8"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || len(text) < 500 {
			t.Errorf("%s: %d bytes, %v", file, len(text), err)
		}
	}
}

// TestKeysAreDocumented compares the keys of the configuration with the tables
// of the reference.
func TestKeysAreDocumented(t *testing.T) {
	keys := configKeys(t)
	page := readDocument(t, "docs/man/nullspf.yaml.5.md")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-zA-Z0-9_.\\[\\]]+)` \\|.*\\|.*\\|.*\\|$").FindAllStringSubmatch(page, -1) {
		documented = append(documented, m[1])
	}
	for _, k := range keys {
		if !slices.Contains(documented, k) {
			t.Errorf("docs/man/nullspf.yaml.5.md has no row for the key %s", k)
		}
	}
	for _, k := range documented {
		if !slices.Contains(keys, k) {
			t.Errorf("docs/man/nullspf.yaml.5.md describes %s, which is not a key", k)
		}
	}
	if len(keys) < 40 {
		t.Errorf("only %d keys found", len(keys))
	}
}

// configKeys reads the keys from the source of the raw configuration, in the
// form groups.NAME.mx[].host.
func configKeys(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/config/raw.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	structs := make(map[string]*ast.StructType)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	var keys []string
	var walk func(prefix string, s *ast.StructType)
	walk = func(prefix string, s *ast.StructType) {
		for _, f := range s.Fields.List {
			tag, err := strconv.Unquote(f.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			key := prefix + reflect.StructTag(tag).Get("mapstructure")
			below, dots := f.Type, "."
			switch typ := f.Type.(type) {
			case *ast.ArrayType:
				below, dots = typ.Elt, "[]."
			case *ast.MapType:
				below, dots = typ.Value, ".NAME."
			}
			if name, ok := below.(*ast.Ident); ok && structs[name.Name] != nil {
				walk(key+dots, structs[name.Name])
			} else {
				keys = append(keys, key)
			}
		}
	}
	walk("", structs["raw"])
	return keys
}

// TestExamples runs zones and check with each whole configuration in the
// documents, and with the lists of nullspf-list(5).
func TestExamples(t *testing.T) {
	lists := readDocument(t, "docs/man/nullspf-list.5.md")
	text, csv := codeBlocks(lists, "text"), codeBlocks(lists, "csv")
	if len(text) == 0 || len(csv) == 0 {
		t.Fatal("nullspf-list(5) has no examples")
	}
	for _, document := range []string{"docs/man/nullspf.yaml.5.md", "docs/manual.md"} {
		whole := 0
		for _, block := range codeBlocks(readDocument(t, document), "yaml") {
			if !strings.Contains(block, "soa:") || !strings.Contains(block, "groups:") {
				continue
			}
			whole++
			dir := t.TempDir()
			for name, content := range map[string]string{
				"nullspf.yaml": block, "held.txt": text[0], "shops.csv": csv[0],
				"tsig.key": "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE=\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, command := range []string{"zones", "check"} {
				c := rootCommand()
				var out bytes.Buffer
				c.SetOut(&out)
				c.SetArgs([]string{command, "-c", filepath.Join(dir, "nullspf.yaml")})
				if err := c.Execute(); err != nil {
					t.Errorf("%s: %s: %v\n%s", document, command, err, out.Bytes())
				}
			}
		}
		if whole == 0 {
			t.Errorf("%s has no whole configuration", document)
		}
	}
}

// TestMetricsAreDocumented looks for each metric of nullspfd in nullspfd(8).
func TestMetricsAreDocumented(t *testing.T) {
	document := readDocument(t, "docs/man/nullspfd.8.md")
	names := regexp.MustCompile(`"(nullspfd_[a-z_]+)"`).FindAllStringSubmatch(readDocument(t, "internal/nameserver/metrics.go"), -1)
	if len(names) < 20 {
		t.Errorf("only %d metrics found", len(names))
	}
	for _, m := range names {
		if !strings.Contains(document, m[1]) {
			t.Errorf("docs/man/nullspfd.8.md does not mention %s", m[1])
		}
	}
}

// codeBlocks returns the fenced blocks of a language.
func codeBlocks(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

var documents = []string{
	"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/manual.md", "docs/migration.md", "docs/security.md", "docs/decisions.md",
	"docs/performance.md", "docs/tracking.md", "docs/journal.md", "docs/man/nullspf.yaml.5.md", "docs/man/nullspf-list.5.md",
	"docs/man/nullspf-corefile.5.md", "docs/man/nullspfd.8.md",
}

// TestLinks checks that the documents point at files and headings that exist.
func TestLinks(t *testing.T) {
	for _, document := range documents {
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(readDocument(t, document), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			path, heading, _ := strings.Cut(m[1], "#")
			if path == "" {
				path = filepath.Base(document)
			}
			path = filepath.Join(filepath.Dir(document), path)
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: %s does not exist", document, m[1])
			} else if heading != "" && !slices.Contains(anchors(readDocument(t, path)), heading) {
				t.Errorf("%s: %s has no heading %q", document, path, heading)
			}
		}
	}
}

// anchors gives the headings in the form in which links name them.
func anchors(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(anchor, " ", "-"))
	}
	return list
}

// TestManualNamesEveryCommand checks that the manual mentions each command. Their
// options are described by their help.
func TestManualNamesEveryCommand(t *testing.T) {
	manual := readDocument(t, "docs/manual.md")
	for _, c := range commandTree(rootCommand()) {
		if !strings.Contains(manual, c.CommandPath()) {
			t.Errorf("docs/manual.md does not mention %s", c.CommandPath())
		}
	}
}

// TestManualShowsTheZone checks that the zone in the manual is the one that the
// tests of package zones compare with.
func TestManualShowsTheZone(t *testing.T) {
	blocks := codeBlocks(readDocument(t, "docs/manual.md"), "zone")
	if len(blocks) == 0 || blocks[0] != readDocument(t, "zones/testdata/full.zone") {
		t.Error("the first zone in docs/manual.md is not zones/testdata/full.zone")
	}
}

func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPlacesExist checks that the places at which CONTRIBUTING.md has
// contributors begin are there, and hold what they are to look for.
func TestPlacesExist(t *testing.T) {
	_, section, _ := strings.Cut(readDocument(t, "CONTRIBUTING.md"), "\n## Where is it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	code := regexp.MustCompile("`([^`]+)`")
	tasks := 0
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[2], "`") {
			continue
		}
		tasks++
		paths, word, named := strings.Cut(cells[2], ": ")
		text := ""
		for _, m := range code.FindAllStringSubmatch(paths, -1) {
			path := filepath.Join(root, m[1])
			info, err := os.Stat(path)
			if err != nil {
				t.Errorf("%s: %v", strings.TrimSpace(cells[1]), err)
			} else if !info.IsDir() {
				text += readDocument(t, m[1])
			}
		}
		if m := code.FindStringSubmatch(word); named && (m == nil || !strings.Contains(text, m[1])) {
			t.Errorf("%s: no %s there", strings.TrimSpace(cells[1]), word)
		}
	}
	if tasks < 12 {
		t.Errorf("only %d tasks", tasks)
	}
}
