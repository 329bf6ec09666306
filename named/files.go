package named

import (
	"bufio"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"

	"nullspf/zones"
)

// Files returns the files for all servers of the settings, and the catalog
// zone. The set must not be changed before they are written. The error joins
// the faults of [Settings.Validate], or is a *[zones.KeyError] that names a
// published domain which contradicts the settings.
func Files(s Settings, set *zones.Set) ([]zones.File, error) {
	if err := zones.JoinKeyErrors(s.Validate()); err != nil {
		return nil, err
	}
	if fault := s.checkSet(set); fault != nil {
		return nil, fault
	}
	g := &generator{Settings: &s, set: set}
	if s.has(BIND) {
		g.bind()
	}
	if s.has(NSD) {
		g.nsd()
	}
	if s.has(Knot) {
		g.knot()
	}
	if s.has(Nullspfd) {
		g.nullspfd()
	}
	if s.Catalog != "" {
		g.catalog()
	}
	return g.files, nil
}

// generator collects the files of one set.
type generator struct {
	*Settings
	set   *zones.Set
	files []zones.File
}

// The modes of output files: anybody may read all but keys.
const (
	modePublic fs.FileMode = 0o644
	modeSecret fs.FileMode = 0o600
)

// static adds a file that does not depend on the set.
func (g *generator) static(path string, mode fs.FileMode, text string) {
	g.files = append(g.files, zones.File{Path: path, Mode: mode, Write: func(w *bufio.Writer, _ uint32) error {
		_, err := w.WriteString(text)
		return err
	}})
}

// listing adds a file that has, between its head and its end, a piece of text
// for each zone, which zone appends to its argument.
func (g *generator) listing(path, head, end string, zone func(b []byte, name string) []byte) {
	g.files = append(g.files, zones.File{Path: path, Mode: modePublic, Write: func(w *bufio.Writer, _ uint32) error {
		if _, err := w.WriteString(head); err != nil {
			return err
		}
		var b []byte
		for i := range g.set.Entries {
			b = zone(b[:0], g.set.Entries[i].Name)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		_, err := w.WriteString(end)
		return err
	}})
}

// text is a configuration on its way.
type text struct{ strings.Builder }

// lines writes lines, each after a prefix.
func (t *text) lines(prefix string, lines ...string) {
	for _, l := range lines {
		t.WriteString(strings.TrimRight(prefix+l, " "))
		t.WriteByte('\n')
	}
}

// header writes the comment at the start of a file.
func (t *text) header(comment, title string, lines ...string) {
	t.lines(comment+" ", title, "",
		"Written by nullspf, which overwrites it: change the configuration of nullspf",
		"instead of this file.")
	if len(lines) > 0 {
		t.lines(comment+" ", "")
		t.lines(comment+" ", lines...)
	}
	t.WriteByte('\n')
}

// maxSuffixed is the longest name of a zone whose file has a suffix: file
// names have at most 255 octets.
const maxSuffixed = 255 - len(".zone")

// appendZoneFile appends what [zones.ZoneFile] returns.
func appendZoneFile(b []byte, name string) []byte {
	b = append(b, name...)
	if len(name) <= maxSuffixed {
		b = append(b, ".zone"...)
	}
	return b
}

// maxCopyName is the longest file name of a secondary's copy: servers append
// up to ten octets to it for journals and temporary files, and 255 are the
// limit.
const maxCopyName = 240

// copyFile returns the name of the file, inside of the store, in which a
// secondary keeps its copy of a zone: the name of the zone, or a digest of it
// when it is too long.
func copyFile(name string) string {
	if len(name) > maxCopyName {
		return string(zones.AppendMember(nil, name))
	}
	return name
}

// prefix gives a network in the form that all servers read, a single address
// without its length.
func prefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.Masked().String()
}

// joined lists values in one line.
func joined[T any](list []T, separator string, show func(T) string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = show(v)
	}
	return strings.Join(words, separator)
}

// quote quotes what [Settings.Validate] has let through.
func quote(s string) string { return `"` + s + `"` }

func portString(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// at gives address@port, as NSD and Knot DNS write it.
func at(a netip.AddrPort) string {
	return a.Addr().String() + "@" + portString(a)
}
