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

// BINDQueryLog is the category queries of BIND 9.
const BINDQueryLog Format = "bind-querylog"

// Formats are all formats.
var Formats = []Format{BINDQueryLog}

// ParseFormat returns the format called s.
func ParseFormat(s string) (Format, error) {
	if slices.Contains(Formats, Format(s)) {
		return Format(s), nil
	}
	var names []string
	for _, f := range Formats {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("unknown format %q: use %s", s, strings.Join(names, ", "))
}

// Import is what to import.
type Import struct {
	// Dir is a journal directory of imports. It is made when it is not there.
	Dir string
	// Server is the nameserver whose files they are; "" for that of the directory.
	Server string
	Format Format
	Files  []string
	// Zone is the tracking zone, Layouts those that it has had; Known as in
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
	// Events are those about the tracking zone. Others are lines about something else,
	// Bad those about a query that cannot be read, the first of them in line FirstBad.
	Events, Others, Bad, FirstBad int
	// Odd counts the local times that the time zone does not have.
	Odd int
	// Cut reports a last line without end; Err is why reading ended otherwise.
	Cut bool
	Err error
	// First and Last are the least and the greatest time, in nanoseconds since 1970-01-01
	// UTC, when there are events.
	First, Last int64
}

// ErrNoServer: events belong to the nameserver that wrote the files, which do not name it.
var ErrNoServer = errors.New("say which nameserver wrote the files")

// Run imports. An error means that the directory is as it was before; damage of a file is
// no error, but stands in its result.
func (i *Import) Run(ctx context.Context) (*Result, error) {
	zone, err := wire.ParseName(string(i.Zone))
	if err != nil {
		return nil, err
	}
	sources, err := i.sources()
	if err != nil {
		return nil, err
	}
	out, list, err := i.open()
	if err != nil {
		return nil, err
	}
	w := newImporter(ctx, i, zone, out, list)
	for _, s := range sources {
		w.total += s.size
	}
	for _, s := range sources {
		if err := w.file(s); err != nil {
			return nil, errors.Join(err, out.Abort())
		}
	}
	return w.finish()
}

// open opens the directory, or makes it.
func (i *Import) open() (*journal.Creator, *imports, error) {
	if _, err := os.Stat(filepath.Join(i.Dir, importsName)); errors.Is(err, fs.ErrNotExist) {
		return i.create()
	} else if err != nil {
		return nil, nil, err
	}
	out, err := journal.Append(i.Dir)
	if err != nil {
		return nil, nil, err
	}
	list, err := readImports(i.Dir, out.Next())
	if err == nil && i.Server != "" && i.Server != out.Server() {
		err = fmt.Errorf("%s has the events of %s: import those of %s into another directory", i.Dir, out.Server(), i.Server)
	}
	if err != nil {
		return nil, nil, errors.Join(err, out.Abort())
	}
	return out, list, nil
}

func (i *Import) create() (*journal.Creator, *imports, error) {
	if i.Server == "" {
		return nil, nil, fmt.Errorf("%s is new: %w", i.Dir, ErrNoServer)
	}
	out, err := journal.Create(i.Dir, i.Server)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: what is imported has a directory of its own", err)
	}
	list := &imports{Version: importsVersion, Files: []importedFile{}}
	if err := list.write(i.Dir); err != nil {
		return nil, nil, errors.Join(err, out.Abort())
	}
	return out, list, nil
}

// source is a file to read.
type source struct {
	path string
	size int64
	// first is the time of the first query.
	first int64
}

// sources looks into the files, and puts them into the order of their first queries.
func (i *Import) sources() ([]source, error) {
	var list []source
	for _, path := range i.Files {
		s, err := i.look(path)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b source) int { return cmp.Compare(a.first, b.first) })
	return list, nil
}

// look finds the first query of a file.
func (i *Import) look(path string) (source, error) {
	s := source{path: path, first: math.MaxInt64}
	c, err := openContent(path)
	if err != nil {
		return s, err
	}
	defer c.Close()
	s.size = c.size
	in, reader := newLines(c), i.reader(c)
	var q question
	for n := 1; ; n++ {
		line, err := in.next()
		if err != nil {
			return s, nil // told when the file is imported
		}
		switch reader.read(line, &q) {
		case isQuestion:
			s.first = q.time
			return s, nil
		case isTimeless:
			return s, fmt.Errorf("%s:%d: a query without time; lines can be imported when the channel has print-time iso8601-utc, or yes", path, n)
		}
	}
}

// reader reads the lines of a file.
func (i *Import) reader(c *content) *queryLog {
	return &queryLog{clock: &clock{zone: i.TimeZone, changed: c.changed}}
}
