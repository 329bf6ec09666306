package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// now is the time of the tests.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// hostile are texts that a stranger sends as sender, HELO and domain.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "' onmouseover='alert(1)", "{{print 1}}", "javascript:alert(1)",
	"=cmd|' /c calc'!a0", "&lt;b&gt;", "\xe2\x80\xae\xe2\x80\xab", "\x00\x01\x1b[31m\x7f\xff\xfe", strings.Repeat("w", 240), "a%00b%2f..%2f", "x,y;z\t\n",
}

// log makes a journal: an attempt each minute before now, and one with each hostile text.
func log(t testing.TB) string {
	t.Helper()
	return logOf(t, "ns1.example.net")
}

// logOf makes the journal of a server.
func logOf(t testing.TB, server string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "var")
	c, err := journal.Create(dir, server)
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	add := func(at time.Time, client, domain, local, helo string) {
		seq++
		e := spftrack.Event{
			Seq: seq, Time: at.UnixNano(), Server: server, Zone: "_spf.example.net", QType: spftrack.TypeTXT,
			Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(seq % 5)}), 5353), Name: []byte("\x01x\x00"),
			Parsed: spftrack.Parsed{
				Kind: spftrack.KindExp, ClientIP: netip.MustParseAddr(client), Forged: domain, SenderDomain: domain, SenderLocal: local, HELO: helo,
			},
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 600 {
		add(now.Add(time.Duration(i-700)*time.Minute), fmt.Sprintf("203.0.113.%d", i%7), fmt.Sprintf("brand-%d.example", i%3), fmt.Sprint("user", i), "mail.example")
	}
	for i, text := range hostile {
		add(now.Add(time.Duration(i-20)*time.Second), "192.0.2.1", text, text, text)
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func settings(dir string) Settings {
	return Settings{Engine: forgerylog.Open([]string{dir}, journal.ReadOptions{}), Version: "v1.2.3", Logger: zerolog.Nop(), Now: func() time.Time { return now }}
}

func pages(t testing.TB, s Settings) *Server {
	t.Helper()
	w, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// get asks for a page, as a browser on this machine.
func get(w *Server, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "127.0.0.1:8480"
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

var href = regexp.MustCompile(`(?:href|action|src|data-stream)="([^"]*)"`)

// linksOf are the addresses in a page.
func linksOf(t *testing.T, page string) (list []string) {
	t.Helper()
	for _, m := range href.FindAllStringSubmatch(page, -1) {
		link := strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#39;", "'", "&#34;", `"`).Replace(m[1])
		if link != "#main" && (!strings.HasPrefix(link, "/") || strings.HasPrefix(link, "//")) {
			t.Errorf("a link leads elsewhere: %q", link)
		}
		list = append(list, link)
	}
	return list
}

// TestEveryLink follows all links of two pages: each is a page that does not fail, with no
// markup of strangers.
func TestEveryLink(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	known := map[string]bool{"/": true}
	level := []string{"/?since=24h", "/?since=24h&domain=%3D" + url.QueryEscape(hostile[0])}
	for depth := range 2 {
		var next []string
		for _, link := range level {
			path, _, _ := strings.Cut(link, "?")
			if known[link] || path == "/live/events" || path == "/find" || link == "#main" {
				continue
			}
			known[link] = true
			answer := get(w, link)
			body := answer.Body.String()
			if answer.Code != http.StatusOK {
				t.Errorf("%s: %d %s", link, answer.Code, body)
			}
			if strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
				checkHTML(t, link, body)
				if depth < 1 {
					next = append(next, linksOf(t, body)...)
				}
			}
		}
		level = next
	}
	if len(known) < 100 {
		t.Errorf("only %d addresses", len(known))
	}
	t.Logf("%d addresses", len(known))
}

func checkHTML(t *testing.T, link, body string) {
	t.Helper()
	scripts := strings.Count(body, "<script")
	if scripts != 1 || !strings.Contains(body, `<script src="/static/script.js" defer></script>`) {
		t.Errorf("%s: %d scripts", link, scripts)
	}
	for _, bad := range []string{"<img", "onerror=\"", "style=", "<no value>", "%!", "ZgotmplZ", "\x1b", "\u202e"} {
		if strings.Contains(body, bad) {
			t.Errorf("%s holds %q", link, bad)
		}
	}
	if !strings.HasSuffix(strings.TrimSpace(body), "</html>") {
		t.Errorf("%s ends with %q", link, body[max(0, len(body)-80):])
	}
}

// TestNumbers: what a page counts is what the engine counts, and a link leads to it.
func TestNumbers(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	for target, want := range map[string][]string{
		"/?since=24h":                     {"612 attempts", "Forged domains <small>15</small>", ">203.0.113.0</a>"},
		"/?since=24h&ip=203.0.113.1":      {"86 attempts", "Client 203.0.113.1", "<dt>in all</dt><dd>86</dd>"},
		"/?since=1h":                      {"12 attempts", "-40 %"},
		"/?since=2026-11-01&until=today":  {"0 attempts", "Nothing in this period"},
		"/?since=2027-01-01":              {"0 attempts", ">2027-01-01 00:00:00</time> to ", ">2027-01-01 01:00:00</time>"},
		"/?since=all&source=dmarc":        {"0 messages"},
		"/top?by=ip,domain&since=24h&n=3": {"By ip and domain", "Longer pages"},
		"/events?since=24h":               {"Older"},
		"/zones":                          {"no configuration names an output directory"},
		"/servers":                        {"No server is known"},
		"/live":                           {`data-stream="/live/events"`},
	} {
		body := get(w, target).Body.String()
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s lacks %q:\n%s", target, text, body)
			}
		}
	}
}

// TestTimesAreUTC: what is asked without a zone is UTC, wherever the server is.
func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	s.Now = func() time.Time { return now.In(time.FixedZone("there", 9*3600)) }
	w := pages(t, s)
	for _, since := range []string{"2026-11-20", "today", "00:00", "2026-11-20T00:00:00Z"} {
		if body := get(w, "/?since="+since).Body.String(); !strings.Contains(body, `<time datetime="2026-11-20T00:00:00Z">2026-11-20 00:00:00</time> to `) {
			t.Errorf("%s:\n%s", since, body)
		}
	}
}

// TestPaging: the pages of events have every event once.
func TestPaging(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	total, n := 0, 0
	for link := "/events?since=all"; link != ""; n++ {
		body := get(w, link).Body.String()
		total += strings.Count(body, "<tr><td><time")
		link = ""
		for _, l := range linksOf(t, body) {
			if strings.Contains(body, `rel="next"`) && strings.HasPrefix(l, "/events?") && strings.Contains(l, "until=") && !strings.Contains(l, "domain") {
				link = l
			}
		}
		if n > 20 {
			t.Fatal("it does not end")
		}
	}
	if total != 612 || n != 7 {
		t.Errorf("%d events on %d pages", total, n)
	}
}

// TestMistakes: what is asked wrongly is told, and changes nothing.
func TestMistakes(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	for target, want := range map[string]string{
		"/?since=never":                         "since: not a time",
		"/?since=today&until=yesterday":         "is not before",
		"/?ip=300.1.1.1":                        "ip: ",
		"/?nonsense=1":                          "no parameter",
		"/?domain=a&domain=b":                   "give it once",
		"/?domain=" + strings.Repeat("x", 2000): "at most 1024 bytes",
		"/?source=gossip":                       "no source",
		"/?packets=7":                           "use 1",
		"/?%zz":                                 "cannot be read",
		"/top?by=port":                          "no field",
		"/top?by=as":                            "no database",
		"/top?n=0":                              "use a number from 1 to 10000",
		"/api/v1/top?n=x":                       "use a number",
		"/api/v1/timeline?per=year":             "no unit",
		"/api/v1/events?limit=-1":               "use a number",
		"/api/v1/events?format=xml":             "use one of json, csv",
		"/api/v1/top?limit=3":                   `no parameter \"limit\"; there are since, until, domain, ip, sender, helo, resolver, as, country, source, packets, by, n, format"`,
		"/api/v1/journals?since=1d":             `no parameter \"since\"; there are format"`,
		"/api/v1/openapi.json?format=json":      `no parameter \"format\"; there are none"`,
	} {
		answer := get(w, target)
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", target, answer.Code, answer.Body)
		}
	}
	if answer := get(w, "/nothing"); answer.Code != http.StatusNotFound {
		t.Error(answer.Code)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
		r := httptest.NewRequest(method, "/", nil)
		r.Host = "localhost"
		answer := httptest.NewRecorder()
		if w.ServeHTTP(answer, r); answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, answer.Code)
		}
	}
	for host, code := range map[string]int{
		"localhost": 200, "LOCALHOST:1": 200, "127.0.0.1": 200, "127.9.9.9:80": 200, "[::1]:8480": 200, "::1": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:8480": 421, "192.0.2.1": 421, "": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/servers", nil)
		r.Host = host
		answer := httptest.NewRecorder()
		if w.ServeHTTP(answer, r); answer.Code != code {
			t.Errorf("Host %q: %d, want %d", host, answer.Code, code)
		}
	}
}

// TestHeaders are those that keep a browser from doing what strangers want.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	for _, target := range []string{"/", "/static/script.js", "/api/v1/top", "/nothing", "/?since=never"} {
		h := get(w, target).Header()
		if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", target, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Content-Type") == "" {
			t.Errorf("%s: %v", target, h)
		}
	}
}

// TestAPI holds the description against the handlers: every path and parameter of it is
// taken, and no other.
func TestAPI(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	s.BlockList = blockList
	w := pages(t, s)
	var doc struct {
		OpenAPI string
		Paths   map[string]struct {
			Get struct {
				Parameters []struct{ Name, Description string }
				Responses  map[string]struct{ Content map[string]any }
			}
		}
	}
	if err := json.Unmarshal(get(w, apiDescription).Body.Bytes(), &doc); err != nil || doc.OpenAPI != "3.1.0" || len(doc.Paths) != len(w.endpoints()) {
		t.Fatalf("%v: %+v", err, doc)
	}
	values := map[string]string{
		paramSince: "1d", paramUntil: "2026-11-20T11:00:00Z", paramDomain: "x", paramSender: "x", paramHELO: "x", paramIP: "192.0.2.1", paramResolver: "192.0.2.53",
		paramSource: "spf", paramPackets: "1", paramBy: "net", paramSize: "3", paramPer: "day", paramLimit: "3", paramFormat: "csv", paramTier: "corroborated",
	}
	for path, operation := range doc.Paths {
		var names []string
		for _, p := range operation.Get.Parameters {
			names = append(names, p.Name)
			if p.Description == "" {
				t.Errorf("%s: %s is not described", path, p.Name)
			}
		}
		for name, value := range values {
			want := http.StatusBadRequest
			if slices.Contains(names, name) {
				want = http.StatusOK
			}
			if answer := get(w, path+"?"+name+"="+url.QueryEscape(value)); answer.Code != want {
				t.Errorf("%s?%s=%s: %d %s", path, name, value, answer.Code, answer.Body)
			}
		}
		if _, ok := operation.Get.Responses["200"].Content["text/csv"]; ok != slices.Contains(names, paramFormat) {
			t.Errorf("%s: CSV %v", path, ok)
		}
	}
}

// TestCSV: no cell begins as a formula does.
func TestCSV(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	for _, path := range []string{"/api/v1/events?since=all&limit=10000&", "/api/v1/top?by=sender&since=all&n=10000&", "/api/v1/top?by=domain&", "/api/v1/timeline?", "/api/v1/journals?", "/api/v1/export?since=all&packets=1&"} {
		answer := get(w, path+"format=csv")
		if d := answer.Header().Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="nullspf-`) {
			t.Error(path, d)
		}
		lines, err := csv.NewReader(answer.Body).ReadAll()
		if err != nil || len(lines) < 2 {
			t.Fatal(path, err)
		}
		for _, line := range lines {
			for _, cell := range line {
				if cell != "" && strings.ContainsRune("=+@-\t\r", rune(cell[0])) {
					t.Errorf("%s: cell %q", path, cell)
				}
			}
		}
	}
}

// slow is an engine whose answers take until the viewer leaves.
type slow struct {
	forgerylog.Engine
	began, left chan struct{}
}

func (s slow) Timeline(ctx context.Context, _ forgerylog.Query, _ forgerylog.Unit) (*forgerylog.Series, error) {
	s.began <- struct{}{}
	<-ctx.Done()
	s.left <- struct{}{}
	return nil, ctx.Err()
}

// TestViewerLeaves: a query ends when nobody waits for it.
func TestViewerLeaves(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	engine := slow{s.Engine, make(chan struct{}), make(chan struct{})}
	s.Engine = engine
	server := httptest.NewServer(pages(t, s))
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	begin := make([]byte, 15)
	if _, err := io.ReadFull(response.Body, begin); err != nil || string(begin) != "<!DOCTYPE html>" {
		t.Fatalf("%q %v", begin, err)
	}
	<-engine.began
	leave()
	select {
	case <-engine.left:
	case <-time.After(10 * time.Second):
		t.Error("the query goes on")
	}
}

// TestLive: events come as they happen, and the number of viewers is bounded.
func TestLive(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	server := httptest.NewServer(w)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/live/events?domain=brand-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Type") != "text/event-stream" {
		t.Error(response.Header)
	}
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "]\n\n") {
		n, err := response.Body.Read(buf)
		if err != nil {
			t.Fatal(err, got.String())
		}
		got.Write(buf[:n])
	}
	_, data, _ := strings.Cut(got.String(), "data: ")
	var events []liveEvent
	if err := json.Unmarshal([]byte(data), &events); err != nil || len(events) != liveFirst || events[0].Cells[2].Text != "brand-1.example" {
		t.Errorf("%d events, %v: %s", len(events), err, data)
	}
	for range viewers - 1 {
		w.live <- struct{}{}
	}
	if answer := get(w, "/live/events"); answer.Code != http.StatusServiceUnavailable {
		t.Error(answer.Code)
	}
}

// TestDamage: a page is shown, and says what it lacks.
func TestDamage(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	s.Engine = damaged{s.Engine}
	w := pages(t, s)
	for _, target := range []string{"/", "/top", "/events"} {
		answer := get(w, target)
		if body := answer.Body.String(); answer.Code != http.StatusOK || !strings.Contains(body, "The numbers lack") || !strings.Contains(body, "7.parquet: &lt;b&gt;") {
			t.Errorf("%s: %d %s", target, answer.Code, body)
		}
	}
	if answer := get(w, "/api/v1/top"); answer.Header().Get("Nullspf-Incomplete") == "" {
		t.Error("not told")
	}
	s.Engine = forgerylog.Open([]string{"/nonexistent"}, journal.ReadOptions{})
	if body := get(pages(t, s), "/").Body.String(); !strings.Contains(body, "cannot open the journal directory") || !strings.HasSuffix(body, "</html>\n") {
		t.Error(body)
	}
}

// damaged is an engine whose answers lack something.
type damaged struct{ forgerylog.Engine }

var damage = &forgerylog.Incomplete{Problems: []error{errors.New("7.parquet: <b>damaged</b>")}}

func (d damaged) Top(ctx context.Context, q forgerylog.Query, by forgerylog.Field, n int) (*forgerylog.Ranking, error) {
	r, _ := d.Engine.Top(ctx, q, by, n)
	return r, damage
}

func (d damaged) Events(ctx context.Context, q forgerylog.Query, n int, yield func(*eventrow.Row) error) error {
	_ = d.Engine.Events(ctx, q, n, yield)
	return damage
}
