package tsigkey

import (
	"bytes"
	"fmt"
	"strings"
)

// statement is a key statement: what it says, not yet checked.
type statement struct {
	line                    int
	name, algorithm, secret string
}

// parse reads key statements, at least one, of different names. Errors begin
// with ":LINE: ".
func parse(text []byte) ([]statement, error) {
	p := &parser{rest: text, line: 1}
	p.next()
	var statements []statement
	seen := make(map[string]int)
	for p.kind != end && p.err == nil {
		s := p.statement()
		if p.err != nil {
			break
		}
		if line, twice := seen[s.name]; twice {
			p.line = s.line
			p.fail("key %q is already on line %d", s.name, line)
			break
		}
		seen[s.name] = s.line
		statements = append(statements, s)
	}
	if p.err == nil && len(statements) == 0 {
		p.fail("no key, only comments; a file holds the secret alone, in base64, or what tsig-keygen prints")
	}
	return statements, p.err
}

// kind is what a token is: one of the characters {, }, ; or one of these.
type kind byte

const (
	end    kind = 0
	word   kind = 'w'
	quoted kind = '"'
)

// parser reads tokens. After the first error every token is the end.
type parser struct {
	rest []byte
	// line is that of the token, counted from 1.
	line int
	kind kind
	text string // of a word, or between quotes
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(":%d: "+format, append([]any{p.line}, args...)...)
	}
	p.kind = end
}

// statement reads: key NAME { algorithm VALUE; secret VALUE; };
func (p *parser) statement() statement {
	s := statement{line: p.line}
	if p.kind != word || !strings.EqualFold(p.text, "key") {
		p.fail("not a key statement; a file holds the secret alone, in base64, or what tsig-keygen prints: key \"NAME\" { algorithm %s; secret \"...\"; };", defaultAlgorithm)
		return s
	}
	p.next()
	if s.name = canonical(p.value("the name of the key")); s.name == "" {
		p.fail("the key has no name")
	}
	p.expect('{', "the name of key %q", s.name)
	for p.kind == word {
		var to *string
		clause := strings.ToLower(p.text)
		switch clause {
		case "algorithm":
			to = &s.algorithm
		case "secret":
			to = &s.secret
		default:
			p.fail("key %q contains something other than algorithm and secret", s.name)
			return s
		}
		if *to != "" {
			p.fail("key %q has a second %s", s.name, clause)
			return s
		}
		p.next()
		*to = p.value("the " + clause + " of key " + s.name)
		p.expect(';', "the %s of key %q", clause, s.name)
	}
	p.expect('}', "the clauses of key %q", s.name)
	p.expect(';', "key %q", s.name)
	for _, c := range []struct{ clause, value string }{{"algorithm", s.algorithm}, {"secret", s.secret}} {
		if c.value == "" && p.err == nil {
			p.line = s.line
			p.fail("key %q has no %s", s.name, c.clause)
		}
	}
	return s
}

// value reads a word or a quoted string that is not empty.
func (p *parser) value(what string) string {
	if p.kind != word && p.kind != quoted || p.text == "" {
		p.fail("%s is missing", what)
		return ""
	}
	text := p.text
	p.next()
	return text
}

// expect passes over a character that follows something.
func (p *parser) expect(c kind, format string, args ...any) {
	if p.kind != c {
		p.fail("%c is missing after %s", c, fmt.Sprintf(format, args...))
		return
	}
	p.next()
}

// next reads the next token.
func (p *parser) next() {
	if !p.skip() || len(p.rest) == 0 {
		p.kind = end
		return
	}
	switch c := p.rest[0]; c {
	case '{', '}', ';':
		p.kind, p.rest = kind(c), p.rest[1:]
	case '"':
		p.kind = quoted
		size := bytes.IndexAny(p.rest[1:], "\"\\\n")
		if size < 0 || p.rest[1+size] != '"' {
			p.fail("a string without closing quote on its line, or with a backslash")
			return
		}
		p.text, p.rest = string(p.rest[1:1+size]), p.rest[size+2:]
	case '/', '\\':
		p.fail("a %c outside of quotes and comments; write a secret in quotes", c)
	default:
		p.kind = word
		size := 1
		for size < len(p.rest) && strings.IndexByte(blanks+`{};"#/\`, p.rest[size]) < 0 {
			size++
		}
		p.text, p.rest = string(p.rest[:size]), p.rest[size:]
	}
}

const blanks = " \t\r\n\f\v"

// skip passes over blanks and comments. It reports false after an error.
func (p *parser) skip() bool {
	if p.err != nil {
		return false
	}
	for len(p.rest) > 0 {
		size := 0
		switch {
		case strings.IndexByte(blanks, p.rest[0]) >= 0:
			size = 1
		case p.rest[0] == '#', bytes.HasPrefix(p.rest, []byte("//")):
			if size = bytes.IndexByte(p.rest, '\n'); size < 0 {
				size = len(p.rest)
			}
		case bytes.HasPrefix(p.rest, []byte("/*")):
			closing := bytes.Index(p.rest[2:], []byte("*/"))
			if closing < 0 {
				p.fail("a comment is not closed")
				return false
			}
			size = closing + 4
		default:
			return true
		}
		p.line += bytes.Count(p.rest[:size], []byte{'\n'})
		p.rest = p.rest[size:]
	}
	return true
}
