package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"nullspf/internal/files"
)

// The bounds of a zone file of a domain that sends no mail, with what it includes.
const (
	maxZoneFile = 1 << 20 // bytes, in all
	maxIncludes = 50      // files
	maxRecords  = 500
)

// record is a record and the place where it ends.
type record struct {
	dns.RR
	at position
}

// position is a line of a file.
type position struct {
	file string
	line int
}

func (p position) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// zoneError is a fault of a zone file.
type zoneError struct {
	at     position
	reason string
}

func (e *zoneError) Error() string { return e.at.String() + ": " + e.reason }

// noTTL stands for the TTL of records before which no TTL is known: none has it
// (RFC 2181 section 8).
const noTTL = 1<<32 - 1

// readZone reads the records of a zone, which is named in lower case without final
// dot. Records out of the zone are left out, as nameservers do. A record without TTL,
// before which none stands, has that of the last field of the SOA record, as BIND has
// it (RFC 1035 section 3.3.13).
func readZone(zone, path, base string) ([]record, error) {
	var rs []record
	full := dns.Fqdn(zone)
	ttl := uint32(noTTL)
	err := scan(zone, path, base, func(r record) bool {
		if soa, ok := r.RR.(*dns.SOA); ok && ttl == noTTL {
			ttl = soa.Minttl
		}
		if dns.IsSubDomain(full, r.Header().Name) {
			rs = append(rs, r)
		}
		return true
	})
	for _, r := range rs {
		if r.Header().Ttl == noTTL {
			r.Header().Ttl = ttl
		}
	}
	return rs, err
}

// soaOwner returns the owner of the first SOA record, without final dot, and ""
// when there is none.
func soaOwner(origin, path, base string) (string, error) {
	owner := ""
	err := scan(origin, path, base, func(r record) bool {
		if r.Header().Rrtype == dns.TypeSOA {
			owner = strings.TrimSuffix(strings.ToLower(r.Header().Name), ".")
		}
		return owner == ""
	})
	return owner, err
}

// scan calls each with every record of a zone file until it returns false.
func scan(origin, path, base string, each func(record) bool) error {
	in := &opener{base: base}
	f, err := in.open(path)
	if err != nil {
		return in.fault(path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	p := dns.NewZoneParser(f, dns.Fqdn(origin), abs)
	p.SetIncludeAllowed(true)
	p.SetIncludeFS(in)
	p.SetDefaultTTL(noTTL)
	n := 0
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		at := in.position()
		if n++; n > maxRecords {
			return &zoneError{at, fmt.Sprintf("more than %d records", maxRecords)}
		}
		if !each(record{rr, at}) {
			return nil
		}
	}
	if err := p.Err(); err != nil {
		return in.fault(path, err)
	}
	return nil
}

// fault is what is wrong with a file, with the place where reading ended.
func (o *opener) fault(path string, err error) error {
	var known *zoneError
	if errors.As(err, &known) {
		return known
	}
	at := position{file: path}
	if len(o.stack) > 0 {
		at = o.position()
	}
	var syntax *dns.ParseError
	var pathError *fs.PathError
	switch {
	case errors.As(err, &pathError):
		if len(o.stack) == 0 {
			return &zoneError{position{file: pathError.Path}, pathError.Err.Error()}
		}
		reason := fmt.Sprintf("cannot include %s: %v", pathError.Path, pathError.Err)
		if o.base == "" {
			reason += "; the directory of relative file names is that of the zone file, or --directory"
		}
		return &zoneError{at, reason}
	case errors.As(err, &syntax):
		// FILE: dns: REASON at line: 1:2, where an included file lacks its first slash.
		reason := err.Error()
		if m := parseError.FindStringSubmatch(reason); m != nil {
			for _, name := range o.names {
				if strings.TrimPrefix(name, "/") == strings.TrimPrefix(m[1], "/") {
					at.file = name
				}
			}
			at.line, _ = strconv.Atoi(m[3])
			reason = m[2]
		}
		return &zoneError{at, reason}
	}
	return &zoneError{at, err.Error()}
}

var parseError = regexp.MustCompile(`(?s)^(.*?): dns: (.*) at line: (\d+):\d+$`)

// opener opens a zone file and those that it includes, and knows which of them is
// being read, and where. It implements [fs.FS] for the parser, whose paths begin at
// the root of the file system.
type opener struct {
	base  string
	stack []*openFile
	names []string
	size  int
}

// Open implements [fs.FS].
func (o *opener) Open(path string) (fs.File, error) { return o.open("/" + path) }

func (o *opener) open(path string) (*openFile, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, info, err := files.Open(abs)
	if errors.Is(err, files.ErrNotRegular) {
		return nil, &zoneError{position{file: abs}, "not a regular file"}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o.size += int(min(info.Size(), maxZoneFile+1))
	if o.names = append(o.names, abs); len(o.names) > 1+maxIncludes {
		return nil, &zoneError{o.position(), fmt.Sprintf("more than %d files are included", maxIncludes)}
	}
	if o.size > maxZoneFile {
		return nil, &zoneError{position{file: abs}, fmt.Sprintf("the zone has more than %d bytes", maxZoneFile)}
	}
	text := make([]byte, info.Size())
	n, err := f.ReadAt(text, 0)
	if text = text[:n]; err != nil && n < len(text) {
		return nil, err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, &zoneError{position{file: abs}, "not a text; write it as one with named-compilezone"}
	}
	file := &openFile{opener: o, path: abs, line: 1, info: info}
	if file.text, err = o.prepare(abs, text); err != nil {
		return nil, err
	}
	o.stack = append(o.stack, file)
	return file, nil
}

// position is the line that was read last.
func (o *opener) position() position {
	if len(o.stack) == 0 {
		return position{file: o.names[len(o.names)-1]}
	}
	f := o.stack[len(o.stack)-1]
	line := f.line
	if f.at > 0 && f.text[f.at-1] == '\n' {
		line--
	}
	return position{f.path, line}
}

var (
	includeLine  = regexp.MustCompile(`(?i)^(\$INCLUDE[ \t]+)(?:"([^"]*)"|([^\s;"]+))`)
	generateLine = regexp.MustCompile(`(?i)^\$GENERATE\b`)
)

// prepare gives a text the form that the parser reads: it knows no quotation marks
// around the path of an $INCLUDE and takes relative paths from the directory of the
// file. $GENERATE is refused: what it makes is not bounded by the size of a file.
func (o *opener) prepare(path string, text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '$') < 0 {
		return text, nil
	}
	out := make([]byte, 0, len(text)+64)
	scanner := lines(text)
	for n := 1; scanner.Scan(); n++ {
		line := scanner.Bytes()
		if generateLine.Match(line) {
			return nil, &zoneError{position{path, n}, "$GENERATE makes records that no group has"}
		}
		if m := includeLine.FindSubmatch(line); m != nil {
			file := string(append(m[2], m[3]...))
			if o.base != "" && !filepath.IsAbs(file) {
				file = filepath.Join(o.base, file)
			}
			line = append(append(bytes.Clone(m[1]), file...), line[len(m[0]):]...)
		}
		out = append(append(out, line...), '\n')
	}
	return out, scanner.Err()
}

// openFile is a file that the parser reads byte by byte, so that the line of a
// record is known.
type openFile struct {
	opener *opener
	path   string
	text   []byte
	at     int
	line   int
	info   fs.FileInfo
}

// ReadByte implements io.ByteReader.
func (f *openFile) ReadByte() (byte, error) {
	if f.at == len(f.text) {
		return 0, io.EOF
	}
	c := f.text[f.at]
	f.at++
	if c == '\n' {
		f.line++
	}
	return c, nil
}

// Read implements io.Reader.
func (f *openFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := f.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}

// Stat implements [fs.File].
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements [fs.File]: reading goes on in the file that includes this one.
func (f *openFile) Close() error {
	if n := len(f.opener.stack); n > 0 && f.opener.stack[n-1] == f {
		f.opener.stack = f.opener.stack[:n-1]
	}
	return nil
}

func asZoneError(err error) (*zoneError, bool) { return errors.AsType[*zoneError](err) }
