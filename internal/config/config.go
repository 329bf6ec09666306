// Package config reads nullspf.yaml into typed values.
//
// The file is YAML; keys are those of the operator manual (docs/manual.md),
// which `nullspf init` writes out with comments. An unknown key is an error,
// every error names file, line and key, and all of them are reported at once.
// Paths are relative to the directory of the file, and absolute in a [Config].
package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/files"
	"nullspf/internal/mailmaps"
	"nullspf/named"
	"nullspf/nolisting"
	"nullspf/spftrack"
	"nullspf/zones"
)

// Config is a configuration without faults.
type Config struct {
	secret secretFile

	// File is the path of the file; Text its content.
	File string
	Text []byte
	// Output is the output directory.
	Output string
	Scheme zones.Scheme
	// Groups are in the order of their names.
	Groups []*zones.Group
	// Tiers are the mail hosts of the groups that have some, with their roles, by
	// the group's name. Without layout, all of them are live.
	Tiers map[string]nolisting.Tiers
	// HandKept are the zones that people keep by hand.
	HandKept []zones.HandKept
	Track    Track
	// Named are the settings of the server configurations.
	Named named.Settings
	// Mail are the settings of the mail tables.
	Mail mailmaps.Settings
	// Apply are the running servers that `nullspf apply` makes follow.
	Apply []named.Target
	// AfterWrite is a command to run when the output directory has been written; nil
	// for none.
	AfterWrite []string
	// Secondaries are the addresses of the secondaries, for `nullspf verify`.
	Secondaries []netip.AddrPort
	// Journals are the directories of the forgery log.
	Journals []string
	// GeoIP are databases in the MaxMind DB format, "" for none.
	GeoIP struct{ AS, Country string }
	// Evidence says what counts as evidence that an address forges.
	Evidence tier.Settings
	// Web says where the pages are, and who may see them.
	Web Web
	// Infrastructure are the names on which the published zones depend.
	Infrastructure []zones.Infrastructure
	// Warnings are settings that are allowed, but hardly wise.
	Warnings []string
}

// Track is the tracking zone; Zone is "" when there is none.
type Track struct {
	spftrack.Settings
	Nameservers []dnsname.Name
	Listen      []netip.AddrPort
	// Explain is the text that receivers may show for a forged mail.
	Explain string
	TTL     time.Duration
}

// Load reads and checks the file at path, and no file that it names; see
// [Config.ReadSecret]. The error joins all faults, each an *Error.
func Load(path string) (*Config, error) {
	text, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file; name another with -c, or let `nullspf init` write one", path)
	}
	if err != nil {
		return nil, err
	}
	return parseText(path, text)
}

// maxFile bounds the file, in bytes.
const maxFile = 16 << 20

// readFile reads a regular file of a bounded size.
func readFile(path string) ([]byte, error) {
	f, info, err := files.Open(path)
	if errors.Is(err, files.ErrNotRegular) {
		return nil, fmt.Errorf("%s: not a regular file; write the configuration to a file first", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: the file has %d bytes; a configuration may have %d", path, info.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// parseText is [Load] for a text that has been read.
func parseText(path string, text []byte) (*Config, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	l := &loader{file: path, lines: make(map[string]int)}
	r := defaults()
	l.decode(text, &r)
	if len(l.faults) > 0 {
		return nil, l.err()
	}
	c := l.build(dir, &r)
	if len(l.faults) > 0 {
		return nil, l.err()
	}
	c.File, c.Text = path, text
	return c, nil
}

// reads reports whether a group that was built reads a list.
func (c *Config) reads(path string) bool {
	return slices.ContainsFunc(c.Groups, func(g *zones.Group) bool { return readsList(g, path) })
}

func readsList(g *zones.Group, path string) bool {
	return slices.ContainsFunc(g.Lists, func(l zones.List) bool { return l.File == path })
}

// defaults are the values of keys that a file may lack.
func defaults() raw {
	return raw{
		Output: "build",
		SOA:    rawSOA{Refresh: "2h", Retry: "15m", Expire: "28d", Minimum: "5m"},
		TTL:    "1h",
		Serial: string(zones.DateSerial),
		Track: rawTrack{
			Explain: spftrack.DefaultExplanation,
			TTL:     "60s",
		},
		Servers:   []string{string(named.BIND)},
		BINDTerms: "master",
		DNSSEC:    "false",
		Journals:  []string{"var"},
		Nullspfd:  rawNullspfd{Retain: "400d"},
	}
}
