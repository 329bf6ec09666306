package evidence

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/logtime"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

func berlin(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// asked is a question of testdata/queries.txt, by the port it came from.
type asked struct {
	name      []byte
	qtype     uint16
	transport spftrack.Transport
}

func askedByPort(t testing.TB) map[uint16]asked {
	t.Helper()
	text, err := os.ReadFile("testdata/queries.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[uint16]asked)
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		port, err := strconv.ParseUint(f[1], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		name, err := wire.PackName(f[4])
		if err != nil {
			t.Fatal(err)
		}
		qtype, ok := typeOf(f[2])
		transport, err := spftrack.ParseTransport(f[3])
		if !ok || err != nil {
			t.Fatal(line)
		}
		all[uint16(port)] = asked{name, qtype, transport}
	}
	return all
}

// rows reads all events of a journal directory.
func rows(t testing.TB, dir string) []eventrow.Row {
	t.Helper()
	engine := forgerylog.Open([]string{dir}, journal.ReadOptions{})
	var all []eventrow.Row
	err := engine.Events(context.Background(), forgerylog.Query{Packets: true}, 0, func(r *eventrow.Row) error {
		all = append(all, r.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := journal.CheckDir(t.Context(), dir)
	if err != nil || len(report.Problems)+len(report.Notes) > 0 {
		t.Errorf("check: %v %v, %v", report.Problems, report.Notes, err)
	}
	return all
}

func newImport(t testing.TB, files ...string) *Import {
	return &Import{
		Dir: filepath.Join(t.TempDir(), "imported"), Server: "ns1.keeper.test", Format: BINDQueryLog, Files: files,
		Zone: "_spf.keeper.test", Layouts: []spftrack.Layout{spftrack.Track, spftrack.Classic}, TimeZone: berlin(t),
	}
}

func (i *Import) run(t testing.TB) *Result {
	t.Helper()
	r, err := i.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copyOf is a copy of a file of testdata that was changed soon after its lines.
func copyOf(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, text)
	return path
}

func writeFile(t testing.TB, path string, text []byte) {
	t.Helper()
	changed := time.Date(2026, 11, 27, 11, 30, 0, 0, time.UTC)
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chtimes(path, changed, changed)); err != nil {
		t.Fatal(err)
	}
}

// TestQueryLog: each form in which named writes the same questions gives them byte for
// byte.
func TestQueryLog(t *testing.T) {
	all := askedByPort(t)
	for _, c := range []struct {
		file string
		zone string
		// exact: the file has milliseconds.
		exact bool
	}{
		{"bind-querylog.txt", "Europe/Berlin", true},
		{"bind-querylog-category-severity.txt", "Europe/Berlin", true},
		{"bind-querylog-iso8601.txt", "Europe/Berlin", true},
		{"bind-querylog-iso8601-utc.txt", "America/New_York", true},
		{"bind-querylog-syslog.txt", "Europe/Berlin", false},
		{"bind-querylog-syslog-print-time.txt", "Europe/Berlin", true},
		{"bind-querylog-views.txt", "UTC", true},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			i := newImport(t, copyOf(t, c.file))
			var err error
			if i.TimeZone, err = time.LoadLocation(c.zone); err != nil {
				t.Fatal(err)
			}
			r := i.run(t)
			if f := r.Files[0]; f.Bad+f.Odd+f.Others != 0 {
				t.Errorf("%+v", r)
			}
			seen := make(map[uint16]bool)
			for _, row := range rows(t, i.Dir) {
				if row.ResolverPort >= 40100 {
					continue // signed questions, which are not on the list
				}
				want := all[uint16(row.ResolverPort)]
				seen[uint16(row.ResolverPort)] = true
				if name := string(spftrack.AppendName(nil, want.name)); row.Name() != name || row.Qtype != int32(want.qtype) || row.Transport != want.transport.String() {
					t.Errorf("%s %d %s, want %s %d %s", row.Name(), row.Qtype, row.Transport, name, want.qtype, want.transport)
				}
				if row.SourceVerified != (want.transport == spftrack.TransportTCP) {
					t.Errorf("port %d: verified %v", row.ResolverPort, row.SourceVerified)
				}
				at := time.Unix(0, row.TS).UTC()
				begin := time.Date(2026, 11, 27, 11, 7, 59, 0, time.UTC)
				if at.Before(begin) || at.After(begin.Add(10*time.Second)) || c.exact == (at.Nanosecond() == 0) {
					t.Errorf("port %d: %v", row.ResolverPort, at)
				}
			}
			if len(seen) != len(all) {
				t.Errorf("%d of %d questions", len(seen), len(all))
			}
		})
	}
}

// TestQueryLogFlags: what the flags, keys, cookies and subnets of a line say.
func TestQueryLogFlags(t *testing.T) {
	t.Parallel()
	i := newImport(t, copyOf(t, "bind-querylog-flags.txt"))
	r := i.run(t)
	if f := r.Files[0]; f.Events != 7 || f.Others != 4 || f.Bad != 0 {
		t.Errorf("%+v", f)
	}
	type seen struct {
		local, transport, subnet string
		verified                 bool
		resolver                 string
	}
	var got []seen
	for _, row := range rows(t, i.Dir) {
		got = append(got, seen{row.SenderLocal, row.Transport, row.ClientSubnet, row.SourceVerified, row.Resolver})
	}
	want := []seen{
		{"flags", "tcp", "198.51.100.0/24", true, "203.0.113.70"},
		{"flags", "udp", "", false, "203.0.113.70"},
		{"flags", "udp", "", true, "203.0.113.70"},
		{"flags", "tcp", "198.51.100.0/24", true, "203.0.113.70"},
		{"linklocal", "udp", "", false, "fe80::b07b:ddff:fef8:29a9"},
		{"ecs0", "udp", "0.0.0.0/0", false, "203.0.113.70"},
		{"", "tcp", "", true, "203.0.113.70"}, // AXFR of the zone
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestRotated: files are put into order, whatever the order of their names.
func TestRotated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	lines := 0
	for _, end := range []string{"", ".0", ".1", ".2", ".3"} {
		text, err := os.ReadFile("testdata/bind-querylog-rotated.txt" + end)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(text, []byte("\n"))
		files = append(files, filepath.Join(dir, "queries"+end))
		writeFile(t, files[len(files)-1], text)
	}
	i := newImport(t, files...)
	i.run(t)
	all := rows(t, i.Dir)
	if !slices.IsSortedFunc(all, func(a, b eventrow.Row) int { return cmp.Compare(a.TS, b.TS) }) || len(all) != lines {
		t.Errorf("%d of %d lines, in order of time: %v", len(all), lines, files)
	}
}

// TestTwice: what was imported adds nothing, under another name, compressed or behind
// a longer log; what came since does.
func TestTwice(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/bind-querylog.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	half := bytes.LastIndexByte(text[:len(text)/2], '\n') + 1
	var zipped, packed bytes.Buffer
	z := gzip.NewWriter(&zipped)
	p, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{z, p} {
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	i := newImport(t)
	total := uint64(0)
	for _, step := range []struct {
		what string
		text []byte
		new  uint64
	}{
		{"queries.log", text[:half-10], 17}, // the last line is not whole
		{"queries.log", text[:half], 1},
		{"queries.log.0", text[:half], 0},
		{"queries.log", text, 20},
		{"queries.log.gz", zipped.Bytes(), 0},
		{"queries.log.zst", packed.Bytes(), 0},
		{"another", slices.Concat(text[half:], text[:half]), 38},
	} {
		path := filepath.Join(dir, step.what)
		writeFile(t, path, step.text)
		i.Files = []string{path}
		r := i.run(t)
		total += r.Events
		if r.Events != step.new || r.Files[0].Bad > 0 {
			t.Errorf("%s: %d events, want %d: %+v", step.what, r.Events, step.new, r.Files)
		}
	}
	if all := rows(t, i.Dir); uint64(len(all)) != total {
		t.Errorf("%d events, want %d", len(all), total)
	}
}

// TestDamaged: what is whole is imported, the rest named.
func TestDamaged(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/bind-querylog.txt")
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	for line := range bytes.Lines(text) {
		if _, err := z.Write(line); err != nil {
			t.Fatal(err)
		}
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cut := filepath.Join(dir, "cut.gz")
	writeFile(t, cut, zipped.Bytes()[:zipped.Len()*2/3])
	i := newImport(t, cut)
	r := i.run(t)
	if f := r.Files[0]; f.Err == nil || f.Events < 10 || f.Events > 36 {
		t.Errorf("%+v", f)
	}
	if again := i.run(t); again.Events != 0 {
		t.Errorf("the same damage again gave %d events", again.Events)
	}
	// A file that is damaged before the end of what is known does not keep others out.
	bad := bytes.Clone(zipped.Bytes())
	copy(bad[zipped.Len()/3:], "\xff\xff\xff\xff\xff\xff\xff\xff")
	writeFile(t, cut, bad)
	whole := filepath.Join(dir, "whole")
	writeFile(t, whole, text)
	i.Files = []string{cut, whole}
	for _, f := range i.run(t).Files {
		if f.Path == whole && (f.Err != nil || f.Events == 0) || f.Path == cut && f.Err == nil {
			t.Errorf("%+v", f)
		}
	}
	broken := bytes.Replace(text, []byte("IN TXT"), []byte("IN TIXT"), 1)
	broken = append(broken, bytes.Repeat([]byte("x"), 3*maxLine)...)
	broken = append(broken, "\n\x00client \n client ()\nclient 203.0.113.70#1 (): query: \n"...)
	writeFile(t, cut, broken)
	i = newImport(t, cut)
	r = i.run(t)
	if f := r.Files[0]; f.Err != nil || f.Bad != 1 || f.FirstBad != 2 || f.Events != 37 {
		t.Errorf("%+v", f)
	}
}

// TestRefused: nothing is made or changed.
func TestRefused(t *testing.T) {
	t.Parallel()
	good := copyOf(t, "bind-querylog.txt")
	for _, c := range []struct {
		what, want string
		change     func(i *Import)
	}{
		{"no time", "bind-querylog-notime.txt:1: a query without time", func(i *Import) { i.Files = append(i.Files, copyOf(t, "bind-querylog-notime.txt")) }},
		{"no file", "no such file", func(i *Import) { i.Files = append(i.Files, "missing") }},
		{"no server", "say which server", func(i *Import) { i.Server = "" }},
		{"a directory with something else", "is not empty", func(i *Import) { i.Dir = filepath.Dir(good) }},
	} {
		i := newImport(t, good)
		c.change(i)
		if _, err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
		if _, err := os.Stat(filepath.Join(i.Dir, importsName)); err == nil {
			t.Errorf("%s: a directory was made", c.what)
		}
	}
	i := newImport(t, good)
	i.run(t)
	i.Server = "ns2.keeper.test"
	if _, err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "has the events of ns1.keeper.test, the files are of ns2.keeper.test") {
		t.Errorf("another server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	long := bytes.Repeat([]byte("other\n"), progressEvery)
	writeFile(t, good, long)
	i.Server = ""
	if _, err := i.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if all := rows(t, i.Dir); len(all) != 38 {
		t.Errorf("%d events", len(all))
	}
}

// FuzzQueryLog: no line makes the reader fail, and a question has a name that fits.
func FuzzQueryLog(f *testing.F) {
	for _, name := range []string{"bind-querylog.txt", "bind-querylog-flags.txt", "bind-querylog-syslog.txt", "bind-querylog-views.txt", "bind-querylog-iso8601.txt"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			f.Add(bytes.TrimSpace(line))
		}
	}
	zone := berlin(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		r := &queryLog{clock: &logtime.Clock{Zone: zone, Changed: time.Unix(1.8e9, 0)}}
		var q question
		if r.parse(line, &q) != isQuestion {
			return
		}
		if wire.NameSize(q.name) != len(q.name) || !q.client.IsValid() || q.time < 0 {
			t.Errorf("%+v", q)
		}
	})
}

// TestWithin: a name is within a zone by whole labels, in any case.
func TestWithin(t *testing.T) {
	zone, err := wire.ParseName("_spf.keeper.test")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"_spf.keeper.test": true, "a.b._SPF.Keeper.TEST": true, "keeper.test": false, ".": false, "x_spf.keeper.test": false,
		`a\005_spf.keeper.test`: false, "a.keeper.test": false, "_spf.keeper.test.a": false,
	} {
		packed, err := wire.PackName(name)
		if err != nil {
			t.Fatal(err)
		}
		if within(packed, zone) != want || wire.Lower(packed).Within(zone) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
