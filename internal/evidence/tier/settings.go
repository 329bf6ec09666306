package tier

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"nullspf/internal/files"
	"nullspf/internal/value"
)

// Settings are those of an operator.
type Settings struct {
	// Allow are never exported; Public are resolvers that anybody may use, beside
	// those that the program knows.
	Allow, Public []Source
	// Reporters are the senders of aggregate reports that are trusted, as domains.
	Reporters []string
	// Expiry is how long evidence counts.
	Expiry time.Duration
	// Cap is how many addresses an export may have that the one before had not.
	Cap int
	// TestAddresses: documentation and test networks are like others.
	TestAddresses bool
}

// DefaultSettings are those for which nothing is said.
func DefaultSettings() Settings { return Settings{Expiry: 30 * 24 * time.Hour, Cap: 1000} }

// Source is a prefix, or a file of prefixes when File is not "".
type Source struct {
	Prefix netip.Prefix
	// Place says where a prefix was listed.
	Place string
	File  string
}

// publicResolvers are the networks from which well-known public resolvers send
// queries.
//
//go:embed public.txt
var publicResolvers []byte

// Rules reads the files of the settings and makes rules of all. The errors name file
// and line.
func (s *Settings) Rules(listed func(string) (string, bool)) (Rules, error) {
	r := Rules{Listed: listed, Public: &Prefixes{}, Allow: &Prefixes{}, Reporters: s.Reporters, TestAddresses: s.TestAddresses}
	if err := readPrefixes(publicResolvers, "public resolvers", r.Public.Add); err != nil {
		return r, err
	}
	if err := addAll(s.Public, r.Public.Add); err != nil {
		return r, err
	}
	return r, addAll(s.Allow, r.Allow.AddSubjects)
}

func addAll(sources []Source, add func(netip.Prefix, string)) error {
	for _, s := range sources {
		if s.File == "" {
			add(s.Prefix, s.Place)
			continue
		}
		text, err := readFile(s.File)
		if err != nil {
			return err
		}
		if err := readPrefixes(text, s.File, add); err != nil {
			return err
		}
	}
	return nil
}

// maxFile bounds a file of prefixes, in bytes.
const maxFile = 64 << 20

func readFile(path string) ([]byte, error) {
	f, info, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a list of prefixes: %w", err)
	}
	defer f.Close()
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: the file has %d bytes; a list of prefixes may have %d", path, info.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// readPrefixes reads a list: a prefix or an address a line, also with the ip4: or ip6:
// of an SPF record before it; # starts a comment.
func readPrefixes(text []byte, name string, add func(netip.Prefix, string)) error {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		bare := line
		for _, mechanism := range []string{"ip4:", "ip6:"} {
			if len(line) > len(mechanism) && strings.EqualFold(line[:len(mechanism)], mechanism) {
				bare = line[len(mechanism):]
			}
		}
		place := fmt.Sprintf("%s:%d", name, n)
		p, err := value.ParsePrefix(bare)
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		add(p, place)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
