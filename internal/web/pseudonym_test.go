package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/reverse"
	"nullspf/spftrack"
)

// rawAddress is an address that is not the beginning of a network.
var rawAddress = regexp.MustCompile(`\b(203\.0\.113|192\.0\.2|198\.51\.100)\.\d+\b(/\d+)?`)

// rawLocal are local parts and HELO names of the log with digits.
var rawLocal = regexp.MustCompile(`\buser\d+|alert\(1\)@`)

// valueOf is the value of a parameter.
var valueOf = regexp.MustCompile(`=[^&]*`)

// hidden fails when a text has what a viewer may not see.
func hidden(t *testing.T, where, text string) {
	t.Helper()
	for _, found := range rawAddress.FindAllString(strings.ReplaceAll(text, "%2F", "/"), -1) {
		if !strings.HasSuffix(found, ".0/24") {
			t.Errorf("%s shows %s", where, found)
			return
		}
	}
	if found := rawLocal.FindString(text); found != "" {
		t.Errorf("%s shows %s", where, found)
	}
}

// behindProxy are pages whose viewers a proxy names; who is no user sees pseudonyms.
func behindProxy(s Settings) Settings {
	s.Access.Users = append(s.Access.Users, User{Name: "alice", Role: All})
	s.Access.Proxy = Proxy{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Header: "X-Remote-User", Role: Pseudonymised}
	return s
}

// getAs asks as a user.
func getAs(w *Server, user, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:8480", "127.0.0.1:4711"
	r.Header.Set("X-Remote-User", user)
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

// TestPseudonymised follows links of pages, the API and downloads as somebody who may see
// neither addresses nor local parts: none is shown, and every link leads to something.
func TestPseudonymised(t *testing.T) {
	t.Parallel()
	s := behindProxy(settings(log(t)))
	s.BlockList, s.Reverse = blockList, reverse.New(nil)
	s.Why = func(_ context.Context, client netip.Addr) (Why, error) {
		return Why{"claimed", []string{client.String()}}, nil
	}
	w := pages(t, s)
	known, shapes := make(map[string]bool), make(map[string]int)
	level := []string{"/?since=24h", "/events?since=24h&packets=1", "/top?by=ip,sender&since=24h&n=20", "/top?by=resolver,helo&since=24h&n=20", "/top?by=net&since=24h&n=5"}
	for _, e := range w.pseudonymised.endpoints() {
		level = append(level, e.path, e.path+"?format=csv")
	}
	pseudonyms, empty := 0, 0
	for depth := range 2 {
		var next []string
		for _, link := range level {
			path, _, _ := strings.Cut(link, "?")
			if known[link] || path == "/live/events" || path == "/find" || link == "#main" || strings.HasPrefix(path, pathStatic) {
				continue
			}
			known[link] = true
			// Of links that differ in values only, a few do.
			shape := valueOf.ReplaceAllString(link, "=")
			if shapes[shape]++; shapes[shape] > 3 {
				continue
			}
			answer := getAs(w, "bob", link)
			body := answer.Body.String()
			if answer.Code != http.StatusOK && !(strings.HasPrefix(path, pathAPI) && answer.Code == http.StatusBadRequest) && path != pathLogout {
				t.Errorf("%s: %d %s", link, answer.Code, body)
			}
			if strings.Contains(link, "%7E") || strings.Contains(link, "~") {
				pseudonyms++
				if strings.Contains(body, ">0 attempts") {
					empty++
					t.Logf("%s leads to nothing", link)
				}
			}
			hidden(t, link, body)
			if strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") && depth == 0 {
				next = append(next, linksOf(t, body)...)
			}
		}
		level = next
	}
	if pseudonyms < 15 || empty > 0 {
		t.Errorf("%d links with pseudonyms, of which %d lead to nothing", pseudonyms, empty)
	}
	if body := getAs(w, "alice", "/?since=24h").Body.String(); !strings.Contains(body, ">203.0.113.4</a>") || strings.Contains(body, "~") {
		t.Error("who sees all sees pseudonyms")
	}
}

// TestPseudonymisedLive: events as they come have pseudonyms, too.
func TestPseudonymisedLive(t *testing.T) {
	t.Parallel()
	w := pages(t, behindProxy(settings(log(t))))
	server := httptest.NewServer(w)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/live/events?since=24h", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Remote-User", "bob")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got strings.Builder
	for buf := make([]byte, 4096); !strings.Contains(got.String(), "]\n\n"); {
		n, err := response.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(buf[:n])
	}
	hidden(t, "live", got.String())
	if strings.Count(got.String(), `"~`) < liveFirst {
		t.Error(got.String())
	}
}

// TestPseudonymisedCounts: what is counted is the same, and a pseudonym selects what it
// stands for.
func TestPseudonymisedCounts(t *testing.T) {
	t.Parallel()
	w := pages(t, behindProxy(settings(log(t))))
	type ranking struct {
		Total, Distinct uint64
		Values          []struct {
			Value string
			Count uint64
		}
	}
	top := func(user, query string) (r ranking) {
		t.Helper()
		answer := getAs(w, user, "/api/v1/top?since=24h&n=1000&"+query)
		if err := json.Unmarshal(answer.Body.Bytes(), &r); err != nil || answer.Code != http.StatusOK {
			t.Fatal(query, err, answer.Body)
		}
		return r
	}
	for _, by := range []string{"ip", "resolver", "sender", "helo", "domain", "net"} {
		raw, seen := top("alice", "by="+by), top("bob", "by="+by)
		if raw.Total != seen.Total || raw.Distinct != seen.Distinct || len(raw.Values) != len(seen.Values) || len(raw.Values) == 0 {
			t.Errorf("%s: %+v and %+v", by, raw, seen)
		}
		for i, v := range seen.Values[:min(len(seen.Values), 4)] {
			param, value := by, v.Value
			if value != strings.ToLower(value) {
				continue // filters take texts of any case, and events have lower case only
			}
			switch by {
			case "domain", "sender", "helo":
				value = "=" + value
			case "net":
				param = "ip"
			}
			if got := top("bob", "by=net&"+param+"="+url.QueryEscape(value)); got.Total != v.Count || v.Count != raw.Values[i].Count {
				t.Errorf("%s %s: %d, want %d", by, v.Value, got.Total, v.Count)
			}
		}
	}
}

// TestGuesses: who sees pseudonyms cannot find out what they stand for by guessing.
func TestGuesses(t *testing.T) {
	t.Parallel()
	w := pages(t, behindProxy(settings(log(t))))
	for query, want := range map[string]string{
		"ip=203.0.113.1":                       "you see pseudonyms",
		"ip=203.0.113.0/25":                    "you see pseudonyms",
		"ip=2001:db8::/49":                     "you see pseudonyms",
		"ip=::ffff:203.0.113.1":                "ip: ",
		"ip=::ffff:203.0.113.0/120":            "ip: ",
		"resolver=198.51.100.1":                "you see pseudonyms",
		"sender=user1":                         "you see pseudonyms",
		"sender=user1@":                        "you see pseudonyms",
		"sender==user1@brand-1.example":        "you see pseudonyms",
		"sender==~user1@brand-1.example":       "no pseudonym",
		"sender=\\064":                         "you see pseudonyms",
		"helo=mail":                            "you see pseudonyms",
		"helo==host-203-0-113-7.example":       "you see pseudonyms",
		"helo==\\050\\048":                     "you see pseudonyms",
		"ip=~0000":                             "no pseudonym",
		"ip=~":                                 "no pseudonym",
		"resolver=~" + strings.Repeat("0", 23): "no pseudonym",
		"names=1&ip=198.51.100.1":              "you see pseudonyms",
	} {
		answer := getAs(w, "bob", "/?"+strings.ReplaceAll(strings.ReplaceAll(query, "\\", "%5C"), "==", "=%3D"))
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", query, answer.Code, answer.Body)
		}
	}
	for query, want := range map[string]string{
		"ip=203.0.113.0/24": "600 attempts", "sender=@brand-1": "200 attempts", "sender=%3D@brand-1.example": "0 attempts", "helo=%3Dmail.example": "600 attempts", "helo=%3D": "0 attempts",
	} {
		if answer := getAs(w, "bob", "/?since=24h&"+query); !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", query, answer.Code, answer.Body)
		}
	}
	names := w.pseudonymised.names
	sender, address, helo := names.sender("user1@brand-1.example"), names.address("203.0.113.1"), names.helo("pc-1")
	for text, want := range map[string]string{
		sender: "/?sender=" + url.QueryEscape("="+sender), address: "/?ip=" + url.QueryEscape(address), helo: "/?helo=" + url.QueryEscape("="+helo), "shop": "/?domain=shop",
	} {
		if got := getAs(w, "bob", "/find?q="+url.QueryEscape(text)).Header().Get("Location"); got != want {
			t.Errorf("%s is looked for at %s", text, got)
		}
	}
	// That a pseudonym is one of a HELO name does not make it one of an address.
	if _, err := names.addressBehind(names.of(aHELO, "1234")); err == nil {
		t.Error("a HELO name is an address")
	}
}

// TestEveryColumnIsDecided: what a row shows after change has nothing of an event's
// persons, whatever column is added.
func TestEveryColumnIsDecided(t *testing.T) {
	t.Parallel()
	names := newPseudonyms([]byte("key"))
	e := spftrack.Event{
		Seq: 1, Time: now.UnixNano(), Server: "ns1.example.net", Zone: "_spf.example.net", QType: spftrack.TypeTXT, Name: []byte("\x0b203-0-113-7\x00"),
		Resolver: netip.MustParseAddrPort("198.51.100.53:4711"), ClientSubnet: netip.MustParsePrefix("192.0.2.128/25"),
		Parsed: spftrack.Parsed{Kind: spftrack.KindExp, ClientIP: netip.MustParseAddr("2001:db8:1:2::7"), Forged: "shop.example", SenderDomain: "shop.example", SenderLocal: "user1", HELO: "host-203-0-113-7.example"},
	}
	row := eventrow.Row{}
	new(eventrow.Builder).Fill(&row, &e)
	names.change(&row)
	var text strings.Builder
	events := forgerylog.NewEventWriter(&text, forgerylog.JSON, forgerylog.Query{}, nil)
	if err := events.Write(&row); err != nil {
		t.Fatal(err)
	}
	_ = events.Flush()
	for _, raw := range []string{"203-0-113-7", "198.51.100.53", "4711", "192.0.2.128", "2001:db8:1:2", "user1"} {
		if strings.Contains(text.String(), raw) {
			t.Errorf("%s in %s", raw, text.String())
		}
	}
	if !strings.Contains(text.String(), `"client_subnet":"192.0.2.0/24"`) {
		t.Error(text.String())
	}
	decided := []string{
		"ts", "seq", "server_id", "zone", "kind", "client_ip", "sender_local", "sender_domain", "forged_domain", "helo", "resolver", "resolver_port", "transport", "qtype",
		"client_subnet", "source_verified", "flags", "attempt", "raw_name", "recipients", "recipient_domain", "tls", "duration", "cause", "software", "messages",
		"disposition", "spf", "dkim", "override", "reporter", "report_id", "range_end",
	}
	for _, c := range eventrow.Columns {
		if !slices.Contains(decided, c.Name) {
			t.Errorf("column %s: decide in pseudonyms.change whether viewers who see pseudonyms may see it", c.Name)
		}
	}
}

// TestPseudonymKey: with a key in a file, pseudonyms stay.
func TestPseudonymKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "KEY")
	first, err := OpenPseudonymKey(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenPseudonymKey(path)
	if err != nil || newPseudonyms(first).address("192.0.2.1") != newPseudonyms(second).address("192.0.2.1") {
		t.Error(err)
	}
	if _, err := OpenPseudonymKey(filepath.Join(path, "KEY")); err == nil {
		t.Error("a file is a directory")
	}
	if other := newPseudonyms(make([]byte, keySize)); other.address("192.0.2.1") == newPseudonyms(first).address("192.0.2.1") {
		t.Error("two keys, the same pseudonym")
	}
}

// FuzzPseudonyms: what is behind a pseudonym is what it was made of, and nothing else is one.
func FuzzPseudonyms(f *testing.F) {
	for _, seed := range []string{"", "j.doe", "~0", "~" + strings.Repeat("v", 40), "user@host", strings.Repeat("x", 255)} {
		f.Add(seed)
	}
	names := newPseudonyms([]byte("key"))
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []kindOf{anAddress, aLocalPart, aHELO} {
			if plain, err := names.behind(kind, text); err == nil && names.of(kind, plain) != text {
				t.Errorf("%q is behind %q", plain, text)
			}
			if text == "" {
				continue
			}
			if plain, err := names.behind(kind, names.of(kind, text)); err != nil || plain != text {
				t.Errorf("%q became %q: %v", text, plain, err)
			}
		}
		for _, param := range []string{paramIP, paramResolver, paramSender, paramHELO} {
			_, _ = names.asked(url.Values{param: {text}})
		}
	})
}
