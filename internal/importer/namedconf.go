package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/files"
	"nullspf/named"
)

// The bounds of a named.conf with all that it includes, and of the program that
// reads it.
const (
	maxNamedConf = 512 << 20 // bytes
	checkTime    = 2 * time.Minute
	maxDepth     = 20
)

// readNamedConf reads a named.conf as named-checkconf prints it, without comments,
// secrets and include statements. Where there is no such program, the file is read
// itself, which may then include no other.
func readNamedConf(ctx context.Context, path string, o Options) (*Source, error) {
	text, err := printNamedConf(ctx, path)
	if err != nil {
		return nil, err
	}
	c := &namedConf{source: &Source{Path: path}, base: o.Base, views: make(map[string]bool)}
	p := &confParser{text: text, line: 1}
	for {
		s, more, err := p.statement(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if !more {
			break
		}
		if err := c.statement(s, ""); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	c.finish(filepath.Dir(path))
	return c.source, nil
}

// printNamedConf returns the text of a named.conf.
func printNamedConf(ctx context.Context, path string) ([]byte, error) {
	program, err := named.FindProgram("named-checkconf")
	if err != nil {
		f, _, err := files.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readBounded(f, path)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	// -x leaves out the secrets of keys.
	cmd := exec.CommandContext(ctx, program, "-p", "-x", path)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	text, err := readBounded(out, path)
	if err != nil {
		cancel()
		return nil, errors.Join(err, ignoreExit(cmd.Wait()))
	}
	if err := cmd.Wait(); err != nil {
		// Its messages are among the output.
		messages := strings.TrimSpace(tailOf(text) + tailOf(said.Bytes()))
		if ctx.Err() != nil {
			messages = "it did not end within " + checkTime.String()
		}
		return nil, fmt.Errorf("named-checkconf refuses %s; name the named.conf that the server reads, on the machine of the server:\n%s", path, messages)
	}
	return text, nil
}

func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

func readBounded(r io.Reader, path string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxNamedConf+1))
	if err == nil && len(text) > maxNamedConf {
		err = fmt.Errorf("%s: the configuration has more than %d bytes", path, maxNamedConf)
	}
	return text, err
}

// tailOf is the end of what a program says.
func tailOf(text []byte) string {
	const most = 2000
	return string(text[max(0, len(text)-most):])
}

// namedConf collects what is to be known of a configuration.
type namedConf struct {
	source *Source
	// base is the directory of relative file names.
	base   string
	policy bool // zones are signed unless they say otherwise
	raw    bool // zone files are not texts unless they say otherwise
	views  map[string]bool
}

func (c *namedConf) statement(s confStatement, view string) error {
	switch s.words[0] {
	case "include":
		return fmt.Errorf("line %d: includes another file; named-checkconf, which reads such a configuration, is not installed here: on the nameserver, run `named-checkconf -px >all.conf`, and import all.conf", s.line)
	case "options":
		if directory := s.value("directory"); directory != "" && c.base == "" {
			c.base = directory
		}
		c.defaults(s)
	case "view":
		if len(s.words) < 2 {
			return fmt.Errorf("line %d: a view without name", s.line)
		}
		c.defaults(s)
		for _, inner := range s.block {
			if err := c.statement(inner, s.words[1]); err != nil {
				return err
			}
		}
	case "zone":
		if len(s.words) < 2 {
			return fmt.Errorf("line %d: a zone without name", s.line)
		}
		c.zone(s, view)
	}
	return nil
}

func (c *namedConf) defaults(s confStatement) {
	if policy := s.value("dnssec-policy"); policy != "" {
		c.policy = signs(policy)
	}
	if format := s.value("masterfile-format"); format != "" {
		c.raw = format != "text"
	}
}

func signs(policy string) bool { return policy != "none" && policy != "insecure" }

func (c *namedConf) zone(s confStatement, view string) {
	kind := s.value("type")
	if kind != "master" && kind != "primary" {
		if inView := s.value("in-view"); inView != "" {
			kind = "in-view"
		}
		c.source.other("zones of type " + kind)
		return
	}
	if len(s.words) > 2 && !strings.EqualFold(s.words[2], "in") {
		c.source.other("zones of class " + s.words[2])
		return
	}
	c.views[view] = true
	z := Zone{Name: s.words[1], File: s.value("file")}
	policy, raw := c.policy, c.raw
	if p := s.value("dnssec-policy"); p != "" {
		policy = signs(p)
	}
	if f := s.value("masterfile-format"); f != "" {
		raw = f != "text"
	}
	switch update := s.find("allow-update"); {
	case z.File == "":
		z.Refused = "has no zone file"
	case policy || s.value("inline-signing") == "yes" || s.value("auto-dnssec") != "" && s.value("auto-dnssec") != "off":
		z.Refused = "named signs the zone and counts its serial number"
	case update != nil && (len(update.block) != 1 || update.block[0].words[0] != "none"), s.find("update-policy") != nil:
		z.Refused = "records are changed by dynamic updates, not in the zone file"
	case raw:
		z.Refused = "the zone file is not a text (masterfile-format)"
	}
	c.source.Zones = append(c.source.Zones, z)
}

// finish makes file names absolute. Without a directory in the configuration they
// are relative to that of the file.
func (c *namedConf) finish(dir string) {
	if c.base == "" {
		c.base = dir
	}
	if abs, err := filepath.Abs(c.base); err == nil {
		c.base = abs
	}
	c.source.Base = c.base
	for i := range c.source.Zones {
		z := &c.source.Zones[i]
		if z.File == "" {
			continue
		}
		if !filepath.IsAbs(z.File) {
			z.File = filepath.Join(c.base, z.File)
		}
		if _, err := os.Stat(z.File + ".jnl"); err == nil && z.Refused == "" {
			z.Refused = fmt.Sprintf("%s.jnl may hold changes that are not in the zone file; run `rndc sync -clean %s`", z.File, z.Name)
		}
	}
	if len(c.views) == 1 && !c.views[""] && !c.views["_default"] {
		for view := range c.views {
			c.source.View = view
		}
	}
}

// confStatement is a statement of named.conf: words, and the statements in its
// braces.
type confStatement struct {
	words []string
	block []confStatement
	line  int
}

// find returns the statement within the braces that begins with a word, or nil.
func (s confStatement) find(word string) *confStatement {
	i := slices.IndexFunc(s.block, func(b confStatement) bool { return b.words[0] == word })
	if i < 0 {
		return nil
	}
	return &s.block[i]
}

// value returns the second word of such a statement, or "".
func (s confStatement) value(word string) string {
	if b := s.find(word); b != nil && len(b.words) > 1 {
		return b.words[1]
	}
	return ""
}

// confParser reads the syntax of named.conf.
type confParser struct {
	text []byte
	at   int
	line int
}

// statement reads a statement; more is false at the end of the text, or at the
// brace that ends a block.
func (p *confParser) statement(depth int) (s confStatement, more bool, err error) {
	if depth > maxDepth {
		return s, false, fmt.Errorf("line %d: braces within braces within braces", p.line)
	}
	for {
		word, kind, err := p.token()
		if err != nil {
			return s, false, err
		}
		if len(s.words) == 0 {
			s.line = p.line
		}
		switch {
		case kind == 0 || kind == '}':
			if len(s.words) > 0 || kind == 0 && depth > 0 || kind == '}' && depth == 0 {
				return s, false, fmt.Errorf("line %d: a brace or semicolon is missing; named-checkconf tells more", p.line)
			}
			return s, false, nil
		case kind == ';' && len(s.words) == 0:
		case kind == ';':
			return s, true, nil
		case kind == '{':
			if len(s.words) == 0 {
				s.words = []string{""}
			}
			for {
				inner, more, err := p.statement(depth + 1)
				if err != nil {
					return s, false, err
				}
				if !more {
					break
				}
				s.block = append(s.block, inner)
			}
		default:
			s.words = append(s.words, word)
		}
	}
}

// token reads a word, whose kind is 'w', or one of the characters { } ;. The kind
// is 0 at the end.
func (p *confParser) token() (word string, kind byte, err error) {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch c := rest[0]; {
		case c == '\n':
			p.line++
			p.at++
		case c == ' ' || c == '\t' || c == '\r':
			p.at++
		case c == '#' || bytes.HasPrefix(rest, []byte("//")):
			p.skip(rest, "\n", 0)
		case bytes.HasPrefix(rest, []byte("/*")):
			p.skip(rest, "*/", 2)
		case c == '{' || c == '}' || c == ';':
			p.at++
			return "", c, nil
		case c == '"':
			return p.quoted(rest)
		default:
			n := bytes.IndexAny(rest, " \t\r\n{};\"")
			if n < 0 {
				n = len(rest)
			}
			p.at += n
			return string(rest[:n]), 'w', nil
		}
	}
	return "", 0, nil
}

// skip goes on after a comment.
func (p *confParser) skip(rest []byte, end string, after int) {
	n := bytes.Index(rest[after:], []byte(end))
	if n < 0 {
		p.at = len(p.text)
		return
	}
	n += after
	p.line += bytes.Count(rest[:n], []byte("\n"))
	p.at += n
	if end != "\n" {
		p.at += len(end)
	}
}

func (p *confParser) quoted(rest []byte) (string, byte, error) {
	var word []byte
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			p.at += i + 1
			return string(word), 'w', nil
		case c == '\n':
			return "", 0, fmt.Errorf("line %d: a quotation mark is missing", p.line)
		case c == '\\' && i+1 < len(rest):
			i++
			word = append(word, rest[i])
		default:
			word = append(word, c)
		}
	}
	return "", 0, fmt.Errorf("line %d: a quotation mark is missing", p.line)
}

// zoneName reads the name of a zone.
func zoneName(text string) (dnsname.Name, error) { return dnsname.Parse(text) }
