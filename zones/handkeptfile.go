package zones

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"unicode/utf8"

	"github.com/miekg/dns"

	"nullspf/internal/files"
)

// maxHandKeptRecords bounds what $GENERATE and nested files can make of a zone file,
// whose text, with that of included files, has at most maxZoneFile bytes.
const maxHandKeptRecords = 250_000

// read calls a function for each record of the zone. The error names file and
// line.
func (z *HandKept) read(h *handKeptFiles, each func(dns.RR)) error {
	if z.Directory != "" {
		var err error
		if h.base, err = filepath.Abs(z.Directory); err != nil {
			return err
		}
	}
	f, err := h.open(z.File)
	if err != nil {
		return err
	}
	defer f.Close()
	abs, err := filepath.Abs(z.File)
	if err != nil {
		return err
	}
	apex := dns.Fqdn(string(z.Name))
	p := dns.NewZoneParser(f, apex, abs)
	p.SetIncludeAllowed(true)
	p.SetIncludeFS(h)
	p.SetDefaultTTL(uint32(z.Group.TTL.Seconds()))
	soa, n := false, 0
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if n++; n > maxHandKeptRecords {
			return fmt.Errorf("%s: more than %d records, with those of $GENERATE and $INCLUDE", z.File, maxHandKeptRecords)
		}
		if !dns.IsSubDomain(apex, rr.Header().Name) {
			return fmt.Errorf("%s: %s does not belong to the zone %s", z.File, rr.Header().Name, z.Name)
		}
		soa = soa || rr.Header().Rrtype == dns.TypeSOA
		each(rr)
	}
	if err := p.Err(); err != nil {
		return err
	}
	if h.err != nil {
		return h.err
	}
	if !soa {
		return fmt.Errorf("%s has no SOA record: not a complete zone file", z.File)
	}
	return nil
}

// handKeptFiles opens zone files that people keep by hand in the form that the
// parser reads: it knows no quotation marks around the path of an $INCLUDE, and
// takes relative paths from the directory of the file.
type handKeptFiles struct {
	// base is the directory of relative paths, as BIND's directory; "" for that of
	// the file.
	base string
	// leaveOut reports whether a file is to be read as if it were empty, whether
	// it exists or not; nil for none.
	leaveOut func(path string) bool
	// size is the number of bytes of the files that were opened.
	size int64
	// err is the first fault that the parser would not find.
	err error
}

var (
	includeLine = regexp.MustCompile(`(?i)^(\$INCLUDE[ \t]+)(?:"([^"]*)"|([^\s;"]+))`)
	textLine    = regexp.MustCompile(`(?i)\s(TXT|SPF)\s`)
	quoted      = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	escape      = regexp.MustCompile(`\\(\d{3}|.)`)
)

// Open implements [fs.FS]: the root of its paths is that of the file system.
func (h *handKeptFiles) Open(path string) (fs.File, error) { return h.open("/" + path) }

func (h *handKeptFiles) open(path string) (fs.File, error) {
	if h.leaveOut != nil && h.leaveOut(path) {
		return &textFile{Buffer: new(bytes.Buffer)}, nil
	}
	f, info, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if h.size += info.Size(); h.size > maxZoneFile {
		return nil, fmt.Errorf("%s: the zone has more than %d bytes, with its included files", path, maxZoneFile)
	}
	var text bytes.Buffer
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxZoneFile)
	for n := 1; lines.Scan(); n++ {
		text.Write(h.line(path, n, lines.Bytes()))
		text.WriteByte('\n')
	}
	return &textFile{&text, info}, lines.Err()
}

func (h *handKeptFiles) line(path string, n int, line []byte) []byte {
	if m := includeLine.FindSubmatch(line); m != nil {
		file := string(append(m[2], m[3]...))
		if h.base != "" && !filepath.IsAbs(file) {
			file = filepath.Join(h.base, file)
		}
		return append(append(bytes.Clone(m[1]), file...), line[len(m[0]):]...)
	}
	if h.err == nil && len(line) > maxString && textLine.Match(line) {
		for _, m := range quoted.FindAllSubmatch(line, -1) {
			if size := len(escape.ReplaceAll(m[1], []byte("x"))); size > maxString {
				h.err = fmt.Errorf("%s:%d:%d: a string of %d bytes; nameservers refuse more than %d (RFC 1035 section 3.3.14): write several strings",
					path, n, utf8.RuneCount(line[:bytes.Index(line, m[0])])+1, size, maxString)
			}
		}
	}
	return line
}

// textFile is a file that was read.
type textFile struct {
	*bytes.Buffer
	info fs.FileInfo
}

func (f *textFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *textFile) Close() error               { return nil }
