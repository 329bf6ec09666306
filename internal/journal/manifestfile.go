package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/files"
)

const (
	manifestName = "MANIFEST"
	// copySuffix is that of the copy of MANIFEST, which helps when MANIFEST is
	// damaged.
	copySuffix = ".copy"

	manifestMagic   = "nullspf-manifest\t"
	manifestVersion = manifestMagic + "2"
	// anonymousManifest is the first line while a segment is anonymous.
	anonymousManifest = manifestMagic + "3"
	// oldManifest is the first line of version 1.
	oldManifest = manifestMagic + "1"
	// maxManifest bounds what is read, in bytes: a million segments.
	maxManifest = 256 << 20
)

// errManifest is wrapped by the errors about the content of a manifest.
var errManifest = errors.New("damaged MANIFEST")

// errVersion is wrapped by the errors about a directory whose MANIFEST has another
// version of the format. Nothing is written there.
var errVersion = errors.New("MANIFEST was written by another version of nullspfd, in version")

// encode returns the text of the file.
func (m *Manifest) encode() []byte {
	var b []byte
	line := func(fields ...string) {
		b = append(b, strings.Join(fields, "\t")...)
		b = append(b, '\n')
	}
	u := func(n uint64) string { return strconv.FormatUint(n, 10) }
	i := func(n int64) string { return strconv.FormatInt(n, 10) }
	version := manifestVersion
	if slices.ContainsFunc(m.Segments, func(s Segment) bool { return s.Anonymous }) {
		version = anonymousManifest
	}
	line(version)
	line("server", m.Server)
	line("next", u(m.Next))
	line("clock", i(m.Age), i(m.Wall))
	if m.Expired > 0 || m.ExpiredLast > 0 {
		line("expired", u(m.Expired), u(m.ExpiredBytes), u(m.ExpiredLast))
	}
	for reason, n := range m.Lost {
		if n > 0 {
			line("lost", Reason(reason).String(), u(n))
		}
	}
	for _, g := range m.Gaps {
		line("gap", u(g.First), u(g.Last), g.Reason)
	}
	for k := range m.Segments {
		s := &m.Segments[k]
		line("segment", s.Path(), u(s.First), u(s.Last), i(s.MinTime), i(s.MaxTime), u(s.Rows), i(s.Bytes), s.SHA256, i(s.Age))
	}
	return append(b, fmt.Sprintf("end\t%08x\n", sum(b))...)
}

// parseManifest reads the text of the file. Errors wrap errManifest.
func parseManifest(text []byte) (*Manifest, error) {
	body, end, ok := cutEnd(string(text))
	if !ok {
		return nil, fmt.Errorf("%w: it has no line end, so it is incomplete", errManifest)
	}
	if end != fmt.Sprintf("%08x", sum([]byte(body))) {
		return nil, fmt.Errorf("%w: its sum is wrong", errManifest)
	}
	m := &Manifest{}
	for n, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		if n == 0 {
			if m.old = line == oldManifest; m.old {
				continue
			}
			if line == anonymousManifest {
				continue
			}
			if version, ok := strings.CutPrefix(line, manifestMagic); ok && line != manifestVersion {
				return nil, fmt.Errorf("%w: %.40q; this one writes versions 2 and 3. Run the nullspfd that wrote it, or give this one another directory", errVersion, version)
			}
			if line != manifestVersion {
				return nil, fmt.Errorf("%w: its first line is %.40q, not %q", errManifest, line, manifestVersion)
			}
			continue
		}
		if err := m.parseLine(strings.Split(line, "\t")); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", errManifest, n+1, err)
		}
	}
	if err := m.valid(); err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, err)
	}
	return m, nil
}

func cutEnd(text string) (body, sum string, ok bool) {
	i := strings.LastIndex(text, "\nend\t")
	if i < 0 || !strings.HasSuffix(text, "\n") {
		return "", "", false
	}
	return text[:i+1], text[i+len("\nend\t") : len(text)-1], true
}

func (m *Manifest) parseLine(f []string) (err error) {
	p := fieldParser{fields: f[1:]}
	switch f[0] {
	case "server":
		m.Server = p.text()
	case "next":
		m.Next = p.uint()
	case "clock":
		m.Age, m.Wall = p.int(), p.int()
	case "expired":
		m.Expired, m.ExpiredBytes, m.ExpiredLast = p.uint(), p.uint(), p.uint()
	case "lost":
		if reason, ok := parseReason(p.text()); ok {
			m.Lost[reason] = p.uint()
		} else {
			return fmt.Errorf("no reason %q", f[1:])
		}
	case "gap":
		m.Gaps = append(m.Gaps, Gap{p.uint(), p.uint(), p.text()})
	case "segment":
		path := p.text()
		s := Segment{
			First: p.uint(), Last: p.uint(), MinTime: p.int(), MaxTime: p.int(),
			Rows: p.uint(), Bytes: p.int(), SHA256: p.text(), Age: p.int(),
		}
		// The path is made of the other fields: no line can lead elsewhere.
		parts := strings.Split(path, "/")
		if len(parts) != 3 {
			return fmt.Errorf("no path of a segment: %.80q", path)
		}
		s.Date, _ = parseDateDir(parts[1])
		named, _ := parseSegmentName(parts[2])
		s.Edition, s.Anonymous = named.Edition, named.Anonymous
		if !validDate(s.Date) || s.Path() != path {
			return fmt.Errorf("no path of segment %d to %d: %.80q", s.First, s.Last, path)
		}
		if sum, err := hex.DecodeString(s.SHA256); err != nil || len(sum) != 32 {
			return fmt.Errorf("no SHA-256 sum: %.80q", s.SHA256)
		}
		m.Segments = append(m.Segments, s)
	default:
		return fmt.Errorf("unknown line %.40q", f[0])
	}
	return p.end()
}

// fieldParser takes fields one by one and keeps the first error.
type fieldParser struct {
	fields []string
	err    error
}

func (p *fieldParser) text() string {
	if len(p.fields) == 0 {
		if p.err == nil {
			p.err = errors.New("a field is missing")
		}
		return ""
	}
	s := p.fields[0]
	p.fields = p.fields[1:]
	return s
}

func (p *fieldParser) uint() uint64 {
	n, err := strconv.ParseUint(p.text(), 10, 64)
	if err != nil && p.err == nil {
		p.err = err
	}
	return n
}

func (p *fieldParser) int() int64 {
	n, err := strconv.ParseInt(p.text(), 10, 64)
	if err != nil && p.err == nil {
		p.err = err
	}
	return n
}

func (p *fieldParser) end() error {
	if p.err == nil && len(p.fields) > 0 {
		return errors.New("too many fields")
	}
	return p.err
}

// loadManifest reads MANIFEST. A directory without it has an empty one.
func loadManifest(dir string) (*Manifest, error) {
	m, err := readManifest(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return &Manifest{Next: 1}, nil
	}
	return m, err
}

// readManifest reads a file with the text of a manifest.
func readManifest(path string) (*Manifest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxManifest {
		return nil, fmt.Errorf("%s: %w: it has more than %d bytes", path, errManifest, maxManifest)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// hasManifest reports whether MANIFEST is there.
func hasManifest(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, manifestName))
	return !errors.Is(err, fs.ErrNotExist)
}

// store replaces MANIFEST, then its copy. What a manifest no longer refers to may
// be removed when both are stored: either can be damaged at any time.
func (m *Manifest) store(dir string) error {
	path, text := filepath.Join(dir, manifestName), m.encode()
	for _, path := range []string{path, path + copySuffix} {
		if err := files.Replace(path, text, files.Attributes{Mode: 0o640}); err != nil {
			return err
		}
	}
	return nil
}
