package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
)

// TestOwn: events of all kinds come back from JSON and from segments as they were, once.
func TestOwn(t *testing.T) {
	t.Parallel()
	var sources []*Import
	queries := newImport(t, copyOf(t, "bind-querylog.txt"))
	queries.Server = "mx"
	sources = append(sources, queries, newRefusals(t, sampleLog(t, "postfix.log")))
	reports := newReports(t, sampleReports(t, ".xml")...)
	reports.Server = "mx"
	sources = append(sources, reports)
	for _, source := range sources {
		want := rowsOf(t, source)
		var b bytes.Buffer
		w := forgerylog.NewEventWriter(&b, forgerylog.JSON, forgerylog.Query{Packets: true}, time.UTC)
		for i := range want {
			if err := w.Write(&want[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		lines := filepath.Join(t.TempDir(), "events.json")
		writeFile(t, lines, b.Bytes())
		segments, err := filepath.Glob(source.Dir + "/seg/*/*.parquet")
		if err != nil || len(segments) == 0 {
			t.Fatal(segments, err)
		}
		for format, files := range map[Format][]string{JSON: {lines}, Parquet: segments} {
			i := &Import{Dir: filepath.Join(t.TempDir(), "own"), Format: format, Files: files}
			if got := rowsOf(t, i); !slices.Equal(got, want) {
				t.Errorf("%s of %s: %d events, want %d\n%+v\n%+v", format, source.Format, len(got), len(want), got[0], want[0])
			}
			if again := i.run(t); again.Events != 0 || again.Server != "mx" {
				t.Errorf("%s of %s again: %+v", format, source.Format, again)
			}
		}
	}
}

// TestOwnDamaged: what is none of ours, or damaged, adds nothing; events of another server are
// left out and counted.
func TestOwnDamaged(t *testing.T) {
	t.Parallel()
	source := newRefusals(t, sampleLog(t, "postfix.log"))
	source.run(t)
	segments, err := filepath.Glob(source.Dir + "/seg/*/*.parquet")
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	segment, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		writeFile(t, path, []byte(text))
		return path
	}
	own := func(format Format, path string) *Import {
		return &Import{Dir: filepath.Join(t.TempDir(), "own"), Server: "mx", Format: format, Files: []string{path}}
	}
	damaged := slices.Clone(segment)
	for i := range 64 {
		damaged[200+i] ^= 0x55
	}
	for name, text := range map[string]string{"cut.parquet": string(segment[:len(segment)-20]), "damaged.parquet": string(damaged), "text.parquet": "hello"} {
		i := own(Parquet, write(name, text))
		r, err := i.Run(t.Context())
		if err == nil && (r.Events != 0 || r.Files[0].Err == nil) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	line := `{"ts":"2026-11-27T12:35:15Z","seq":1,"server_id":"mx","zone":"","kind":"refusal","client_ip":"192.0.2.7","sender_local":"a","sender_domain":"b.test","forged_domain":"","helo":"","resolver":"","resolver_port":0,"transport":"tcp","qtype":0,"client_subnet":"","source_verified":false,"flags":"","attempt":false,"raw_name":""}`
	text := strings.Join([]string{
		line, strings.Replace(line, `"mx"`, `"other"`, 1), strings.Replace(line, `"refusal"`, `"nothing"`, 1), strings.Replace(line, `"seq"`, `"number"`, 1),
		strings.Replace(line, `"helo":"",`, "", 1), strings.Replace(line, `"ts":"2026`, `"ts":"9999`, 1), strings.Replace(line, `"qtype":0`, `"qtype":"A"`, 1),
		strings.Replace(line, `"b.test"`, `"`+strings.Repeat("x", 1101)+`"`, 1), "", "[]", line,
	}, "\n") + "\n" + line
	r := own(JSON, write("events.json", text)).run(t)
	if f := r.Files[0]; f.Events != 2 || f.Others != 1 || f.Bad != 8 || f.FirstBad != 3 || !f.Cut {
		t.Errorf("%+v", f)
	}
	if _, err := own(JSON, write("events.json", "hello\n")).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "events.json:1: no event") {
		t.Error(err)
	}
}

// TestHostileTexts: what reporters and clients choose makes a journal that is whole, however
// long and odd it is.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	odd := strings.Repeat("\xc3\xbf", 120)
	report, err := os.ReadFile(sampleReports(t, ".xml")[0])
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"<header_from>forged.test", "<header_from>"+odd+"<", "<type>local_policy", "<type>"+strings.Repeat("x", 30), "<email>", "<email>x",
		"<org_name>receiver.test", "<org_name>"+odd, "<disposition>reject", "<disposition>"+odd, "<spf>fail", "<spf>"+odd, "dmarc-reports@receiver.test", odd,
		"<report_id>", "<report_id>"+odd[:200],
	).Replace(string(report))
	text = strings.ReplaceAll(text, odd+"<<", odd+"<")
	path := filepath.Join(t.TempDir(), "report.xml")
	writeFile(t, path, []byte(text))
	soonAfter(t, path)
	i := newReports(t, path)
	i.Server = "mx"
	r := i.run(t)
	if got := rows(t, i.Dir); r.Files[0].Bad > 0 || len(got) == 0 || eventrow.Unescape(got[0].Reporter) != odd {
		t.Errorf("%+v", r.Files[0])
	}
	long := strings.Repeat("\x01", 3000)
	path = filepath.Join(t.TempDir(), "mail.log")
	writeFile(t, path, []byte("2026-11-27T13:35:15+01:00 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using "+
		strings.Repeat("a.", 120)+"a; from=<"+long+"@"+long+"> to=<"+long+"@"+long+"> proto=ESMTP helo=<"+long+">\n"))
	m := newRefusals(t, path)
	r = m.run(t)
	got := rows(t, m.Dir)
	if len(got) != 1 || got[0].Flags != "truncated" || len(got[0].HELO) != 4*maxText {
		t.Errorf("%+v, %+v", r.Files[0], got)
	}
	// Read together, they are two journals, though their server and first number are the same.
	n := 0
	err = forgerylog.Open([]string{i.Dir, m.Dir}, journal.ReadOptions{}).Events(t.Context(), forgerylog.Query{Packets: true}, 0, func(*eventrow.Row) error {
		n++
		return nil
	})
	if err != nil || n != len(rows(t, i.Dir))+1 {
		t.Errorf("%d events, %v", n, err)
	}
}
