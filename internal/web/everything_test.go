package web

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/testsite"
	"nullspf/internal/verify"
	"nullspf/spftrack"
	"nullspf/zones"
)

// everything is settings with everything that pages can show: a log, zones, what verify has
// found, evidence, and a server that is away.
func everything(t testing.TB) Settings {
	t.Helper()
	dir := t.TempDir()
	site := testsite.Site{Dir: dir, Lists: map[*zones.Group]string{testsite.Plain("parked"): "domain\nbrand-1.example\nbrand-2.example\nother.example\n"}, Now: now}
	if err := site.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum := verify.Summary{Zones: 3, Checked: 2, Findings: 2, Servers: []verify.ServerSummary{{Address: "192.0.2.53:53"}, {Address: "198.51.100.53:53"}}}
	findings := []verify.Finding{
		{Zone: "brand-1.example", Server: "192.0.2.53:53", Check: "serial", Name: "brand-1.example", Want: "2026112002", Have: "2026112001", Reason: "the server has an older version"},
		{Zone: "other.example", Server: "192.0.2.53:53", Check: "txt", Name: "_dmarc.other.example", Want: `"v=DMARC1; p=reject"`, Have: `"<script>alert(1)</script>"`, Reason: "not as planned"},
	}
	if err := verify.WriteLast(site.Output(), now, sum, findings); err != nil {
		t.Fatal(err)
	}
	dirs := []string{log(t), otherSources(t)}
	s := settings(dirs[0])
	s.Engine, s.Places, s.System, s.Country = forgerylog.Open(dirs, journal.ReadOptions{}, forgerylog.WithPlaces(places{})), places{}, true, true
	s.Output, s.BlockList = site.Output(), blockList
	s.Sockets = []string{filepath.Join(dir, "control.sock")}
	s.Why = func(context.Context, netip.Addr) (Why, error) {
		return Why{"claimed", []string{"queries    12 that count, 0 that do not", "missing    for corroborated: 2 more networks of resolvers <b>\u202e"}}, nil
	}
	return s
}

// otherSources makes the journal of a server with an SMTP listener, to which reports were
// imported: sessions in this period and the one before, and messages in this one.
func otherSources(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mx")
	c, err := journal.Create(dir, "mx.example.net")
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(60) {
		e := spftrack.Event{
			Seq: i + 1, Server: "mx.example.net", Time: now.Add(time.Duration(i)*time.Hour - 40*time.Hour).UnixNano(),
			Parsed:  spftrack.Parsed{Kind: spftrack.KindSMTP, ClientIP: netip.MustParseAddr("203.0.113.99"), SenderLocal: "info", SenderDomain: "shop.example", HELO: "mail.example"},
			Session: &spftrack.Session{Recipients: 1, RecipientDomain: "brand-1.example"},
		}
		if i >= 30 {
			e.Time = now.Add(-20 * time.Hour).UnixNano()
			e.Parsed = spftrack.Parsed{Kind: spftrack.KindDMARC, ClientIP: netip.MustParseAddr("203.0.113.98"), Forged: "brand-2.example"}
			e.Session, e.Report = nil, &spftrack.Report{Reporter: "receiver.test", ID: "1", End: now.UnixNano(), Messages: 3, Disposition: "reject", SPF: "fail", DKIM: "fail"}
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// places has all clients in one system and country.
type places struct{}

func (places) AS(netip.Addr) (string, error)      { return "AS64500 <b>Example Net", nil }
func (places) Country(netip.Addr) (string, error) { return "DE", nil }

// TestZonesNotVerified: zones of which nothing is known have no number of deviations, nor
// those that may not have been checked.
func TestZonesNotVerified(t *testing.T) {
	t.Parallel()
	s := everything(t)
	if body := get(pages(t, s), "/zones").Body.String(); !strings.Contains(body, `<td class="n"></td><td><a href="/?domain=%3Dbrand-2.example">`) {
		t.Error(body)
	}
	if err := os.Remove(filepath.Join(s.Output, "verified.json")); err != nil {
		t.Fatal(err)
	}
	if body := get(pages(t, s), "/zones").Body.String(); !strings.Contains(body, "run nullspf verify") || !strings.Contains(body, "who forges brand-1.example") || strings.Contains(body, "deviations") {
		t.Error(body)
	}
}

// TestPagesTellWhatToDo: what each page shows, and what is to be done where something is wrong.
func TestPagesTellWhatToDo(t *testing.T) {
	t.Parallel()
	w := pages(t, everything(t))
	for target, wanted := range map[string][]string{
		"/?since=24h": {
			`href="/?as=AS64500&#43;`, "Sources", `aria-label="sessions by hour, smtp, at most 1"`, `<polyline class="before"`, `>14</a> <small>sessions, -12 %</small>`,
			`aria-label="messages by hour, dmarc, at most 90"`, `>90</a> <small>messages, none before</small>`, "source=dmarc&amp;until=", "New clients", "Losses and health", "cannot be asked", "systemctl status nullspfd", `href="/top?by=ip&amp;new=1&amp;since=2026-11-19T12%3A00%3A00Z"`,
		},
		"/?ip=203.0.113.4&since=24h": {
			"Evidence: claimed", "2 more networks of resolvers &lt;b&gt;", `<a href="/?ip=203.0.113.0%2F24&amp;since=24h">203.0.113.0/24</a>`, "by=domain", `href="/?as=AS64500&amp;since=24h"`, `href="/?country=DE&amp;since=24h"`,
		},
		"/?as=AS64500&since=24h":                     {"<h1>AS64500</h1>", ">612 attempts", "Countries", `href="/?since=24h" title="without this filter"`},
		"/?domain=%3Dbrand-1.example&since=24h":      {`<a href="/zones?q=brand-1.example">brand-1.example</a>: serial number`, "group parked", "found what is below", "2026112001"},
		"/?domain=%3DMail.brand-2.Example&since=24h": {">brand-2.example</a>, in which this name is", "no deviation of it."},
		"/?domain=%3Dstranger.example&since=24h":     {"None: no zone of this name was written"},
		"/zones": {
			"found 2 deviations", "2 of 3 zones were checked at 2 servers", "2026112001", "the server has an older version", "&lt;script&gt;", "nullspf verify", "nullspf apply",
			`aria-sort="ascending"`, "who forges brand-1.example", `href="/zones?sort=serial"`,
		},
		"/zones?q=other&sort=serial":                 {"other.example", `aria-sort="descending"`, "And 1 more"},
		"/top?by=ip&since=24h&n=3&from=3&sort=value": {"Shown: 4 to 6", `rel="prev"`, `rel="next"`, `aria-sort="ascending"`},
		"/top?by=ip&since=24h&new=1":                 {"New: Clients"},
		"/top?by=ip,domain&since=24h&n=3":            {"domain=%3Dbrand-"},
	} {
		body := get(w, target).Body.String()
		for _, text := range wanted {
			if !strings.Contains(body, text) {
				t.Errorf("%s lacks %q:\n%s", target, text, body)
			}
		}
	}
	for target, want := range map[string]string{
		"/find?q=192.0.2.1&since=24h": "/?ip=192.0.2.1&since=24h", "/find?q=2001:db8::/32": "/?ip=2001%3Adb8%3A%3A%2F32",
		"/find?q=info@shop.example": "/?sender=info%40shop.example", "/find?q=shop": "/?domain=shop", "/find?q=//evil.example": "/?domain=%2F%2Fevil.example",
	} {
		if answer := get(w, target); answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != want {
			t.Errorf("%s: %d %q", target, answer.Code, answer.Header().Get("Location"))
		}
	}
	for _, target := range []string{"/top?from=-1", "/top?from=9999", "/top?sort=x", "/zones?sort=x", "/top?new=1&since=all"} {
		if answer := get(w, target); answer.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", target, answer.Code)
		}
	}
}
