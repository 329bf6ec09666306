package evidence

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
)

// sampleReports are the DMARC samples with a suffix, copied.
func sampleReports(t *testing.T, suffix string) (paths []string) {
	t.Helper()
	samples, err := filepath.Glob("../dmarc/testdata/*" + suffix)
	if err != nil || len(samples) != 6 {
		t.Fatal(samples, err)
	}
	dir := t.TempDir()
	for _, sample := range samples {
		text, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(sample))
		writeFile(t, path, text)
		soonAfter(t, path)
		paths = append(paths, path)
	}
	return paths
}

// soonAfter lets a file be changed soon after the range of the samples.
func soonAfter(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Time{}, time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
}

func newReports(t *testing.T, paths ...string) *Import {
	t.Helper()
	return &Import{Dir: filepath.Join(t.TempDir(), "dmarc"), Format: DMARC, Files: paths}
}

// TestReports: the reports of both reporters, as XML, as mails, in an mbox and in a maildir,
// give the same events, once.
func TestReports(t *testing.T) {
	t.Parallel()
	box := filepath.Join(t.TempDir(), "box")
	dir := filepath.Join(t.TempDir(), "Maildir")
	var all []byte
	for i, path := range sampleReports(t, ".eml") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(append(all, "From a@b.test Fri Nov 27 12:34:54 2026\n"...), text...), "\r\n\r\n"...)
		sub := filepath.Join(dir, []string{"new", "cur"}[i%2])
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(sub, fmt.Sprintf("%d.host:2,S", i)), text)
		soonAfter(t, filepath.Join(sub, fmt.Sprintf("%d.host:2,S", i)))
	}
	writeFile(t, box, all)
	soonAfter(t, box)
	var first []eventrow.Row
	for _, paths := range [][]string{sampleReports(t, ".xml"), sampleReports(t, ".eml"), {box}, {dir}} {
		i := newReports(t, paths...)
		r := i.run(t)
		reports, known := 0, 0
		for _, f := range r.Files {
			if reports += f.Reports; f.Bad+f.Others+f.Known > 0 || f.Err != nil {
				t.Errorf("%+v", f)
			}
		}
		got := rows(t, i.Dir)
		for k := range got {
			got[k].Seq = 0
		}
		slices.SortFunc(got, func(a, b eventrow.Row) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		if first == nil {
			first = got
		}
		if reports != 6 || r.Events != 26 || r.Server != "dmarc" || !slices.Equal(got, first) {
			t.Errorf("%s: %d reports, %d events:\n%+v\nwant\n%+v", paths[0], reports, r.Events, got, first)
		}
		// The same reports in other files
		i.Files = append(sampleReports(t, ".eml"), box, dir)
		r = i.run(t)
		for _, f := range r.Files {
			known += f.Known
		}
		if r.Events != 0 || known != 18 || len(rows(t, i.Dir)) != 26 {
			t.Errorf("again: %d events, %d known", r.Events, known)
		}
	}
	want := eventrow.Row{
		TS: time.Unix(1795651200, 0).UnixNano(), ServerID: "dmarc", Kind: "dmarc", ClientIP: "203.0.113.7", ForgedDomain: "sub.forged.test",
		Messages: 1, Disposition: "quarantine", SPF: "fail", DKIM: "fail", Reporter: "receiver.test",
		ReportID: "forged.test.1795651200.1795737600", RangeEnd: time.Unix(1795737600, 0).UnixNano(),
	}
	if !slices.Contains(first, want) {
		t.Errorf("%+v is not among\n%+v", want, first)
	}
}

// TestReportTimes: a report that is older than DMARC or ends long after its file was changed
// is refused; so no report makes a segment of any day.
func TestReportTimes(t *testing.T) {
	t.Parallel()
	path := sampleReports(t, ".xml")[0]
	for _, year := range []int{2011, 2026, 2030} {
		if err := os.Chtimes(path, time.Time{}, time.Date(year, 11, 27, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
		r := newReports(t, path).run(t)
		if f := r.Files[0]; (year < 2026) != (f.Bad == 1 && f.Reports == 0 && f.Err != nil) {
			t.Errorf("%d: %+v", year, f)
		}
	}
}
