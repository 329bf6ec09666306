package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/reverse"
	"nullspf/spftrack"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	since = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	until = since.Add(24 * time.Hour)
)

// attempt is a forged message that was checked.
type attempt struct {
	at                       time.Time
	client, domain, resolver string
}

// log makes a journal.
func log(t *testing.T, attempts []attempt) forgerylog.Engine {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "var")
	c, err := journal.Create(dir, "ns1.example.net")
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range attempts {
		e := spftrack.Event{
			Seq: uint64(i + 1), Time: a.at.UnixNano(), Server: "ns1.example.net", Zone: "_spf.example.net", QType: spftrack.TypeTXT,
			Resolver: netip.AddrPortFrom(netip.MustParseAddr(a.resolver), 5353), Name: []byte("\x01x\x00"),
			Parsed: spftrack.Parsed{
				Kind: spftrack.KindExp, ClientIP: netip.MustParseAddr(a.client), Forged: a.domain, SenderDomain: a.domain,
				SenderLocal: fmt.Sprint("user", i), HELO: "helo.example",
			},
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	return forgerylog.Open([]string{dir}, journal.ReadOptions{}, forgerylog.WithPlaces(places{}))
}

// places are what a stranger's database may say.
type places struct{}

func (places) AS(addr netip.Addr) (string, error) {
	if addr.IsValid() && addr.Is4() && addr.As4()[0] == 203 {
		return "AS64500 <b>Tele</b> | Net", nil
	}
	return "", nil
}

func (places) Country(addr netip.Addr) (string, error) { return "", nil }

// twoDays are the events of a day and of the day before.
func twoDays() (list []attempt) {
	for hour := range 48 {
		at := since.Add(time.Duration(hour-24) * time.Hour)
		for i := range 3 + hour%7 {
			list = append(list, attempt{at.Add(time.Duration(i) * time.Minute), fmt.Sprintf("203.0.113.%d", i+1), "shop.example", fmt.Sprintf("198.51.%d.53", i)})
		}
	}
	for i := range 12 {
		list = append(list, attempt{since.Add(23*time.Hour + time.Duration(i)*time.Minute), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", fmt.Sprintf("brand-%d.example", i), "192.0.2.53"})
	}
	return append(list, attempt{until.Add(-time.Second), "192.0.2.1", hostile, "192.0.2.53"})
}

// hostile is a name that somebody chose.
var hostile = "<script>alert(1)</script>|[x](http://www.evil.example/)`*_\x00\x1b[31m\xe2\x80\xae" + strings.Repeat("long", 40) + ".example"

func settings() Settings {
	return Settings{Since: since, Until: until, Most: 5, Places: places{}, System: true, Version: "v1.2.3", Now: until}
}

func made(t *testing.T, e forgerylog.Engine, s Settings) *Report {
	t.Helper()
	r, err := Make(t.Context(), e, s)
	if err != nil {
		t.Fatal(err)
	}
	r.Servers = []Server{{Socket: "/run/nullspf/control.sock", Problems: []string{"zone shop.example: expired; no primary answers at 192.0.2.1, the last answer came ten days ago, see the log"}}}
	for i := range r.Journals {
		r.Journals[i].Dir = "/var/lib/nullspf/journal"
	}
	return r
}

func TestFormats(t *testing.T) {
	t.Parallel()
	r := made(t, log(t, twoDays()), settings())
	for _, f := range Formats {
		var b bytes.Buffer
		if err := r.Write(&b, f, time.FixedZone("CET", 3600)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "report."+string(f))
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		for _, c := range b.Bytes() {
			if c != '\n' && (c < ' ' || c > '~') {
				t.Fatalf("%s holds byte %#x", f, c)
			}
		}
		lines := strings.Split(b.String(), "\n")
		for _, line := range lines {
			if f == Text && (len(line) > columns || strings.TrimRight(line, " ") != line) {
				t.Errorf("%d columns: %q", len(line), line)
			}
		}
		if f == HTML && (strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "<b>Tele") || !strings.Contains(b.String(), html.EscapeString("<script>"))) {
			t.Error("a name is markup")
		}
		if f == Markdown && (strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "http:") || strings.Contains(b.String(), "]\\(") && strings.Contains(b.String(), " [x]")) {
			t.Error("a name is markup")
		}
	}
	if r.Write(&bytes.Buffer{}, "pdf", time.UTC) == nil {
		t.Error("it writes anything")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	r := made(t, log(t, twoDays()), settings())
	sum, before := uint64(0), uint64(0)
	for _, i := range r.Timeline {
		sum += i.Now
		before += i.Before
	}
	if len(r.Timeline) != 24 || sum != r.Attempts.Now || before != r.Attempts.Before || sum == 0 || before == 0 {
		t.Errorf("%d intervals, %d and %d attempts of %+v", len(r.Timeline), sum, before, r.Attempts)
	}
	if r.NewClients != 2 || len(r.NewForgers) != 2 || r.NewForgers[0].Attempts != 12 || !r.NewForgers[0].New || r.NewForgers[0].Receivers != 1 {
		t.Errorf("new: %+v", r.NewForgers)
	}
	f := r.Forgers[1]
	if f.New || !f.First.Before(since) || f.Total <= f.Attempts || f.System == "" || f.Domains.Distinct != 1 {
		t.Errorf("%+v", f)
	}
	var back Report
	b, err := json.Marshal(r)
	if err != nil || json.Unmarshal(b, &back) != nil || back.Attempts != r.Attempts {
		t.Error("JSON does not read", err)
	}
}

// TestGaps: many units without attempts are one line.
func TestGaps(t *testing.T) {
	t.Parallel()
	s := settings()
	s.Since, s.Until = since.Add(-100*24*time.Hour), until
	r := made(t, log(t, twoDays()), s)
	var b bytes.Buffer
	if err := r.Write(&b, Text, time.UTC); err != nil || !strings.Contains(b.String(), "\n... 99 days without attempts\n2026-11-19 UTC") {
		t.Error(err, b.String())
	}
	s.Since, s.Until = until.Add(-time.Hour-time.Microsecond), until
	if got := made(t, log(t, twoDays()), s).length(); got != "1 hour" {
		t.Error(got)
	}
}

// TestPeriods: short, long, empty and odd ones.
func TestPeriods(t *testing.T) {
	t.Parallel()
	e := log(t, twoDays())
	for _, length := range []time.Duration{time.Minute, 90 * time.Minute, 5*time.Hour + 7*time.Minute, 10 * 24 * time.Hour, 400 * 24 * time.Hour} {
		for _, end := range []time.Time{until, until.Add(17*time.Minute + 3*time.Second), until.AddDate(5, 0, 0), since.AddDate(-5, 0, 0)} {
			s := settings()
			s.Since, s.Until = end.Add(-length), end
			r := made(t, e, s)
			sum := uint64(0)
			for _, i := range r.Timeline {
				sum += i.Now
			}
			if sum != r.Attempts.Now {
				t.Errorf("%v to %v: %d of %d attempts", length, end, sum, r.Attempts.Now)
			}
			for _, f := range Formats {
				if err := r.Write(&bytes.Buffer{}, f, time.UTC); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

type noNames struct{}

func (noNames) LookupAddr(context.Context, string) ([]string, error) {
	return nil, &net.DNSError{IsNotFound: true}
}

func (noNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, &net.DNSError{IsNotFound: true}
}

func TestReverse(t *testing.T) {
	t.Parallel()
	s := settings()
	s.Reverse = reverse.New(noNames{})
	r := made(t, log(t, twoDays()), s)
	var b bytes.Buffer
	if err := r.Write(&b, Text, time.UTC); err != nil || strings.Count(b.String(), "NOPTR") != len(r.Forgers)+len(r.NewForgers) {
		t.Error(err, b.String())
	}
}
