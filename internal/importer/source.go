package importer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"nullspf/internal/files"
	"nullspf/zones"
)

// Zone is a zone that may be imported.
type Zone struct {
	// Name is as it was found, "" when it is not known.
	Name string
	// File is the path of its zone file, "" for none.
	File string
	// Refused says why it cannot be imported whatever it holds; "" for a zone that
	// can.
	Refused string
	// Place is a file with the line of what is refused, "" for File.
	Place string
}

// place is where to look for a zone that is refused.
func (z *Zone) place(source string) string { return cmp.Or(z.Place, z.File, source) }

// Source is where zones were found.
type Source struct {
	// Path is the file or directory.
	Path  string
	Zones []Zone
	// Others counts what is not to be imported, by what it is: "zones of type slave".
	Others map[string]int
	// Base is the directory of relative file names in $INCLUDE, "" for that of the
	// zone file.
	Base string
	// View is the view of named.conf that has all zones, "" for none.
	View string
}

func (s *Source) other(what string) {
	if s.Others == nil {
		s.Others = make(map[string]int)
	}
	s.Others[what]++
}

// Options say how a source is read.
type Options struct {
	// Base is the directory of relative file names, in place of that of named.conf.
	Base string
	// ZoneFile is the zone file of the domains of a list, in which %s stands for
	// their names.
	ZoneFile string
	// Column is the header of the column with the domains of a list.
	Column string
}

// Read finds the zones of a named.conf, a directory or a list. It opens no zone
// file but those of a directory.
func Read(ctx context.Context, path string, o Options) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if o.ZoneFile != "" || o.Column != "" {
			return nil, fmt.Errorf("%s is a directory; --zone-file and --column are for lists", path)
		}
		return readDirectory(ctx, path, o)
	}
	head, err := readHead(path)
	if err != nil {
		return nil, err
	}
	switch format := sniff(head); {
	case o.ZoneFile != "" || o.Column != "" || format == "list":
		return readList(path, o)
	case format == "named.conf":
		return readNamedConf(ctx, path, o)
	case format == "zone file":
		return nil, fmt.Errorf("%s is a zone file; name the named.conf or the directory of all zone files, or for domains that share it write: nullspf import LIST --zone-file %s", path, path)
	default:
		return nil, fmt.Errorf("%s is a configuration of %s, which is not read; name the directory of its zone files", path, format)
	}
}

// readHead reads the beginning of a regular file.
func readHead(path string) ([]byte, error) {
	f, _, err := files.Open(path)
	if errors.Is(err, files.ErrNotRegular) {
		return nil, fmt.Errorf("%s: not a regular file; write it to a file first", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

var formats = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"named.conf", regexp.MustCompile(`(?m)^\s*(?:zone\s+"?[^\s"]+"?(?:\s+\w+)?\s*\{|(?:options|view|acl|key|logging|controls|masters|primaries)\b[^\n:;]*\s*\{|include\s+"[^"]*"\s*;)`)},
	{"Knot DNS", regexp.MustCompile(`(?m)^\s*-\s+domain:`)},
	{"NSD", regexp.MustCompile(`(?m)^\s*(?:server|zone|pattern|include|zonefile):`)},
	{"zone file", regexp.MustCompile(`(?mi)^(?:[^\s;#]*\s+(?:\d\w*\s+)?(?:IN\s+)?(?:\d\w*\s+)?SOA\s|\$(?:ORIGIN|TTL)\s)`)},
}

// sniff tells what a file is by its beginning.
func sniff(head []byte) string {
	for _, f := range formats {
		if f.pattern.Match(head) {
			return f.name
		}
	}
	return "list"
}

// readList reads a list, all of whose domains have zone files of one name, or
// share one file.
func readList(path string, o Options) (*Source, error) {
	if o.ZoneFile == "" {
		return nil, fmt.Errorf("%s is a list, which has no records: name the zone files of its domains with --zone-file, such as /etc/bind/db.%%s, or the one that they share", path)
	}
	g := &zones.Group{Name: "list", Lists: []zones.List{{File: path, Column: o.Column}}, AllowPublicSuffix: true, AllowSingleLabel: true}
	set, _, err := zones.ReadLists([]*zones.Group{g})
	if err != nil {
		return nil, err
	}
	file, err := filepath.Abs(o.ZoneFile)
	if err != nil {
		return nil, err
	}
	s := &Source{Path: path, Base: o.Base}
	for _, e := range set.Entries {
		s.Zones = append(s.Zones, Zone{Name: e.Name, File: strings.ReplaceAll(file, "%s", e.Name)})
	}
	return s, nil
}

// maxFiles bounds a directory.
const maxFiles = 4_000_000

// readDirectory takes each file with a SOA record for a zone.
func readDirectory(ctx context.Context, path string, o Options) (*Source, error) {
	s := &Source{Path: path, Base: o.Base}
	seen := 0
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(abs, func(file string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if seen++; seen > maxFiles {
			return fmt.Errorf("%s has more than %d files", path, maxFiles)
		}
		switch name := d.Name(); {
		case d.IsDir():
		case strings.HasPrefix(name, ".") || leftover.MatchString(name):
			s.other("copies, journals, keys and signed zones")
		case d.Type().IsRegular() || d.Type() == fs.ModeSymlink:
			z := zoneOfFile(file, o.Base)
			if z == (Zone{}) {
				s.other("files without a SOA record")
				return nil
			}
			s.Zones = append(s.Zones, z)
		default:
			s.Zones = append(s.Zones, Zone{File: file, Refused: "not a regular file"})
		}
		return nil
	})
	return s, err
}

// leftover are files beside zone files that servers and editors write.
var leftover = regexp.MustCompile(`(?i)(?:~|\.(?:jnl|jbk|signed|bak|orig|old|sw[op]|key|private|state)|^#.*#)$`)

// affixes are what people put around the name of a zone to name its file.
var (
	prefixes = regexp.MustCompile(`(?i)^(?:db|pri|zone|master|primary|named)\.`)
	suffixes = regexp.MustCompile(`(?i)\.(?:zone|zonefile|db|hosts|txt|dns|master|primary|bind)$`)
)

// zoneOfFile tells whose zone a file holds: by the owner of its SOA record, which
// is relative to the name of the file where the file does not say more. The zone of
// a file without SOA record is empty.
func zoneOfFile(path, base string) Zone {
	const unknown = "unknown.invalid"
	name := suffixes.ReplaceAllString(prefixes.ReplaceAllString(filepath.Base(path), ""), "")
	if !strings.Contains(name, ".") || !plainName(name) {
		name = unknown
	}
	owner, err := soaOwner(name, path, base)
	known := strings.TrimSuffix(name, unknown)
	switch e, is := asZoneError(err); {
	case is:
		return Zone{Name: known, File: path, Refused: e.reason, Place: e.at.String()}
	case err != nil:
		return Zone{Name: known, File: path, Refused: err.Error()}
	case owner == "":
		return Zone{}
	case owner == unknown || strings.HasSuffix(owner, "."+unknown):
		return Zone{File: path, Refused: "neither the name of the file nor an $ORIGIN in it tells whose zone it holds"}
	}
	return Zone{Name: owner, File: path}
}

func plainName(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._", r))
	}) < 0
}

// lines goes through the lines of a zone file.
func lines(text []byte) *bufio.Scanner {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, maxZoneFile+1)
	return s
}
