package evidence

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
)

// sampleLog is a copy of a sample of a mail log, changed soon after its lines.
func sampleLog(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../maillog/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, text)
	soonAfter(t, path)
	return path
}

func newRefusals(t *testing.T, paths ...string) *Import {
	t.Helper()
	return &Import{
		Dir: filepath.Join(t.TempDir(), "maillog"), Format: MailLog, Files: paths, TimeZone: berlin(t),
		Known: func(domain string) bool { return domain == "forged.test" },
	}
}

// TestRefusals: every sample becomes events, once; the machine that the lines name is the
// server.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files         []string
		server        string
		events, known int
	}{
		{[]string{"postfix.log"}, "", 18, 0},
		{[]string{"postfix-traditional-time.log"}, "", 18, 0},
		{[]string{"postfix-journald.json"}, "", 7, 0},
		{[]string{"postfix-postscreen.log"}, "", 3, 0},
		{[]string{"sendmail.log"}, "", 15, 0},
		{[]string{"exim-syslog.log"}, "", 20, 20},
		{[]string{"exim-rejectlog.log", "exim-mainlog.log"}, "mx", 20, 20},
		{[]string{"postfix-milter-rspamd.log", "rspamd.log"}, "", 23, 1},
	} {
		i := newRefusals(t)
		i.Server = c.server
		for _, name := range c.files {
			i.Files = append(i.Files, sampleLog(t, name))
		}
		if strings.Contains(c.files[len(c.files)-1], "rspamd.log") {
			i.TimeZone = time.UTC
		}
		r := i.run(t)
		known := 0
		for _, f := range r.Files {
			if known += f.Known; f.Bad > 0 || f.Err != nil || f.Cut {
				t.Errorf("%+v", f)
			}
		}
		if int(r.Events) != c.events || known != c.known || r.Server != "mx" {
			t.Errorf("%v: %d events, %d known, server %s", c.files, r.Events, known, r.Server)
		}
		got := rows(t, i.Dir)
		for _, row := range got {
			if at := time.Unix(0, row.TS).UTC(); row.Kind != "refusal" || at.Format(time.DateOnly) != "2026-11-27" || at.Hour() != 12 {
				t.Errorf("%v: %+v", c.files, row)
			}
		}
		if again := i.run(t); again.Events != 0 || len(rows(t, i.Dir)) != c.events {
			t.Errorf("%v: again %d events", c.files, again.Events)
		}
		if c.files[0] == "postfix.log" {
			want := eventrow.Row{
				TS: time.Date(2026, 11, 27, 12, 35, 16, 461135000, time.UTC).UnixNano(), ServerID: "mx", Kind: "refusal", ClientIP: "203.0.113.7",
				SenderLocal: `"a\032b>\032to=<c"`, SenderDomain: "forged.test", ForgedDomain: "forged.test", HELO: "helo.bot.test",
				Transport: "tcp", Recipients: 1, RecipientDomain: "receiver.test", Cause: "reverse-dns", Software: "postfix",
			}
			if !slices.ContainsFunc(got, func(row eventrow.Row) bool { row.Seq = 0; return row == want }) {
				t.Errorf("%+v is not among %+v", want, got)
			}
		}
	}
	if _, err := newRefusals(t, sampleLog(t, "opensmtpd.log")).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "opensmtpd.log:2: a refusal without time") {
		t.Error(err)
	}
	if _, err := newRefusals(t, sampleLog(t, "exim-mainlog.log")).Run(t.Context()); err == nil || !strings.Contains(err.Error(), ErrNoServer.Error()) {
		t.Error(err)
	}
}

// TestGrowingMailLog: a log that is cut anywhere and imported again has each refusal once,
// though lines that belong together come in two imports.
func TestGrowingMailLog(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sendmail.log", "postfix.log", "exim-syslog.log"} {
		path := sampleLog(t, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := rowsOf(t, newRefusals(t, path))
		i := newRefusals(t, path)
		for part := 400; part < len(whole); part += len(whole) / 5 {
			writeFile(t, path, whole[:part])
			soonAfter(t, path)
			i.run(t)
		}
		writeFile(t, path, whole)
		soonAfter(t, path)
		if got := rowsOf(t, i); !slices.Equal(got, want) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(want))
		}
	}
}

func rowsOf(t *testing.T, i *Import) []eventrow.Row {
	t.Helper()
	i.run(t)
	return rows(t, i.Dir)
}

// TestRejects: causes of several logs, since a time, and of the newest.
func TestRejects(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 12, 35, 16, 0, time.UTC)
	text, err := os.ReadFile("../maillog/testdata/sendmail.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		r    Rejects
		want map[string]uint64
	}{
		{"all", Rejects{Files: []string{sampleLog(t, "postfix.log")}}, map[string]uint64{
			"reverse-dns": 5, "bad-ptr": 1, "blocklist:bl.keeper.test": 1, "relay-denied": 1, "unknown-user": 1, "not-used-for-mail": 1,
			"access-list": 3, "bad-helo": 2, "unknown-sender-domain": 1, "null-mx-sender": 1, "server-error": 1}},
		{"since", Rejects{Files: []string{sampleLog(t, "postfix.log"), sampleLog(t, "opensmtpd.log")}, Since: at}, map[string]uint64{
			"reverse-dns": 3, "access-list": 2, "bad-helo": 2, "unknown-sender-domain": 1, "null-mx-sender": 1, "server-error": 1}},
		{"newest", Rejects{Files: []string{sampleLog(t, "exim-mainlog.log"), sampleLog(t, "postfix.log")}, Newest: 5}, map[string]uint64{
			"no-ptr": 3, "access-list": 1, "content": 1}},
		{"input", Rejects{Files: []string{"-"}, Input: bytes.NewReader(text), Newest: 2}, map[string]uint64{"access-list": 1, "no-ptr": 1}},
		{"two logs", Rejects{Files: []string{sampleLog(t, "exim-rejectlog.log"), sampleLog(t, "exim-mainlog.log"), sampleLog(t, "opensmtpd.log")}, Newest: 100}, nil},
	} {
		c.r.TimeZone = berlin(t)
		counts, err := c.r.Run(context.Background())
		if err != nil || counts.Bad > 0 || (c.what == "since") != (counts.Timeless == 8) {
			t.Fatalf("%s: %+v, %v", c.what, counts, err)
		}
		if c.want == nil && counts.Total == 28 {
			continue
		}
		if !maps.Equal(counts.Causes, c.want) {
			t.Errorf("%s: %v, want %v", c.what, counts.Causes, c.want)
		}
	}
	path := filepath.Join(t.TempDir(), "cut.log")
	writeFile(t, path, []byte("\x1f\x8b\x08\x00"+string(make([]byte, 20))))
	if counts, err := (&Rejects{Files: []string{path, sampleLog(t, "postfix.log")}, TimeZone: time.UTC}).Run(t.Context()); err == nil || counts.Total != 18 {
		t.Errorf("%+v, %v", counts, err)
	}
}
