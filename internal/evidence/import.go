package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/journal"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// Format names what is in a file.
type Format string

// The formats.
const (
	// BINDQueryLog is the category queries of BIND 9.
	BINDQueryLog Format = "bind-querylog"
	// Dnstap is a file of Frame Streams with dnstap messages.
	Dnstap Format = "dnstap"
	// DnsdistProtobuf is what dnsdist sends with RemoteLogAction.
	DnsdistProtobuf Format = "dnsdist-protobuf"
	// PDNS is what PowerDNS Authoritative Server logs with log-dns-queries.
	PDNS Format = "pdns"
	// Pcap are captures of packets in the format of libpcap.
	Pcap Format = "pcap"
	// DMARC are DMARC aggregate reports, and mails with them.
	DMARC Format = "dmarc"
	// MailLog are logs of mail servers.
	MailLog Format = "maillog"
	// JSON are lines that nullspf log events writes; Parquet are segments of journals.
	JSON    Format = "json"
	Parquet Format = "parquet"
)

// Formats are all formats.
var Formats = []Format{BINDQueryLog, Dnstap, DnsdistProtobuf, PDNS, Pcap, DMARC, MailLog, JSON, Parquet}

// OfQueries reports whether the records of a format are queries of a tracking zone.
func (f Format) OfQueries() bool {
	return !slices.Contains([]Format{DMARC, MailLog, JSON, Parquet}, f)
}

// Record is what a record of a format is called.
func (f Format) Record() string {
	switch f {
	case DMARC:
		return "mail"
	case MailLog:
		return "line"
	case Pcap:
		return "packet"
	case JSON, Parquet:
		return "event"
	}
	return "record"
}

// ParseFormat returns the format called s.
func ParseFormat(s string) (Format, error) {
	if slices.Contains(Formats, Format(s)) {
		return Format(s), nil
	}
	return "", fmt.Errorf("unknown format %q: use %s", s, FormatNames())
}

// FormatNames are the names of all formats, with commas between.
func FormatNames() string {
	var names []string
	for _, f := range Formats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// Import is what to import.
type Import struct {
	// Dir is a journal directory of imports. It is made when it is not there.
	Dir string
	// Server is the server whose files they are; "" for the one that the files name, or
	// that of the directory.
	Server string
	Format Format
	// Files are files, of [DMARC] also maildirs.
	Files []string
	// Zone is the tracking zone of queries, Layouts those that it has had; Known as in
	// [spftrack.NewParser].
	Zone    dnsname.Name
	Layouts []spftrack.Layout
	Known   func(domain string) bool
	// TimeZone is that of local times.
	TimeZone *time.Location
	// Progress, unless nil, is told how many bytes of the files are done.
	Progress func(done, total int64)
}

// Result is what was imported.
type Result struct {
	Server string
	// Files are in the order in which they were read.
	Files []FileResult
	// Events is how many were imported; the next one will have the number Next.
	Events, Next uint64
}

// FileResult is what was in a file.
type FileResult struct {
	Path string
	// Before is how many bytes of the content were imported earlier.
	Before int64
	// Events are those about the tracking zone. Others are records about something else,
	// Bad queries that cannot be read; the first of them is record FirstBad of what is new.
	Events, Others, Bad, FirstBad int
	// Odd counts the local times that the time zone does not have.
	Odd int
	// Reports is how many DMARC reports were imported, Known how many of the file were
	// there before, or refusals that stand in another log too.
	Reports, Known int
	// Cut reports a last record without end; Err is why reading ended otherwise, or of
	// [DMARC], what is wrong with the first record that cannot be read.
	Cut bool
	Err error
	// First and Last are the least and the greatest time, in nanoseconds since 1970-01-01
	// UTC, when there are events.
	First, Last int64
}

// ErrNoServer: events belong to the server that wrote the files, which do not name it.
var ErrNoServer = errors.New("say which server wrote the files")

// Run imports. An error means that the directory is as it was before; damage of a file is
// no error, but stands in its result.
func (i *Import) Run(ctx context.Context) (*Result, error) {
	switch i.Format {
	case DMARC:
		return i.reports(ctx)
	case MailLog:
		return i.refusals(ctx)
	case JSON, Parquet:
		return i.own(ctx)
	}
	return i.queries(ctx)
}

// queries imports queries of a tracking zone.
func (i *Import) queries(ctx context.Context) (*Result, error) {
	zone, err := wire.ParseName(string(i.Zone))
	if err != nil {
		return nil, err
	}
	return i.each(ctx, func(b base) fileImporter { return newImporter(b, zone) })
}

// fileImporter imports files one by one, in the order of time.
type fileImporter interface {
	// file imports a file. Its damage is no error.
	file(sourceFile) error
	finish() (*Result, error)
}

// each has all files imported, or none: after an error, the directory is as it was before.
func (i *Import) each(ctx context.Context, importer func(base) fileImporter) (*Result, error) {
	sources, err := i.sources()
	if err != nil {
		return nil, err
	}
	server, err := i.server(sources)
	if err != nil {
		return nil, err
	}
	out, list, err := i.open(server, server)
	if err != nil {
		return nil, err
	}
	b := newBase(ctx, i, out, list)
	for _, s := range sources {
		b.total += s.size
	}
	w := importer(b)
	for _, s := range sources {
		if err := w.file(s); err != nil {
			return nil, errors.Join(err, out.Abort())
		}
	}
	return w.finish()
}

// open opens the directory, or makes it. server is the one whose events they are, "" for
// that of the directory, fresh that of a new one.
func (i *Import) open(server, fresh string) (*journal.Creator, *imports, error) {
	if _, err := os.Stat(filepath.Join(i.Dir, importsName)); errors.Is(err, fs.ErrNotExist) {
		return i.create(fresh)
	} else if err != nil {
		return nil, nil, err
	}
	out, err := journal.Append(i.Dir)
	if err != nil {
		return nil, nil, err
	}
	list, err := readImports(i.Dir, out.Next())
	if err == nil && server != "" && server != out.Server() {
		err = fmt.Errorf("%s has the events of %s, the files are of %s: import them into another directory", i.Dir, out.Server(), server)
	}
	if err != nil {
		return nil, nil, errors.Join(err, out.Abort())
	}
	return out, list, nil
}

// server is the server whose files they are, "" when nothing tells.
func (i *Import) server(sources []sourceFile) (string, error) {
	if i.Server != "" {
		return i.Server, nil
	}
	server := ""
	for _, s := range sources {
		switch {
		case server == "":
			server = s.identity
		case s.identity != "" && s.identity != server:
			return "", fmt.Errorf("the files are of %s and of %s: import them into a directory each", server, s.identity)
		}
	}
	return server, nil
}

func (i *Import) create(server string) (*journal.Creator, *imports, error) {
	if server == "" {
		return nil, nil, fmt.Errorf("%s is new: %w", i.Dir, ErrNoServer)
	}
	out, err := journal.Create(i.Dir, server)
	if errors.Is(err, journal.ErrNotEmpty) {
		err = fmt.Errorf("%w: what is imported has a directory of its own", err)
	}
	if err != nil {
		return nil, nil, err
	}
	list := &imports{Version: importsVersion, Files: []importedFile{}}
	if err := list.write(i.Dir); err != nil {
		return nil, nil, errors.Join(err, out.Discard())
	}
	return out, list, nil
}

// sourceFile is a file to read.
type sourceFile struct {
	path string
	size int64
	// first is the time of the first query, identity the server that the records name.
	first    int64
	identity string
}

// sources looks into the files, and puts them into the order of their first queries.
func (i *Import) sources() ([]sourceFile, error) {
	var list []sourceFile
	for _, path := range i.Files {
		s, err := i.look(path)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b sourceFile) int { return cmp.Compare(a.first, b.first) })
	return list, nil
}

// look finds the first query of a file.
func (i *Import) look(path string) (sourceFile, error) {
	s := sourceFile{path: path, first: math.MaxInt64}
	c, err := openContent(path)
	if err != nil {
		return s, err
	}
	defer c.Close()
	s.size = c.size
	switch i.Format {
	case MailLog:
		return i.lookRefusal(c, s)
	case JSON, Parquet:
		return i.lookOwn(c, s)
	}
	records := i.newSource(c, newReader(c), true)
	var q question
	for n := 1; ; n++ {
		what, err := records.next(&q)
		s.identity = records.identity()
		switch {
		case errors.Is(err, errFrames), errors.Is(err, errNoPcap):
			return s, fmt.Errorf("%s: %w", path, err)
		case err != nil:
			return s, nil // told when the file is imported
		case what == isQuestion:
			s.first = q.time
			return s, nil
		case what == isTimeless:
			return s, fmt.Errorf("%s:%d: a query without time, which cannot be imported%s", path, n, i.Format.timeHint())
		}
	}
}

// timeHint says how the server writes times.
func (f Format) timeHint() string {
	switch f {
	case BINDQueryLog:
		return "; the channel of named needs print-time iso8601-utc, or yes"
	case PDNS:
		return "; pdns_server needs log-timestamp=yes"
	}
	return ""
}
