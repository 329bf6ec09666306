package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestCheck: pages are served where nobody can look who should not.
func TestCheck(t *testing.T) {
	t.Parallel()
	users := []User{{Name: "alice", Hash: "$2a$", Role: All}}
	proxy := Proxy{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}, Header: "X-Remote-User"}
	for _, c := range []struct {
		at     string
		tls    bool
		access Access
		want   string
	}{
		{"127.0.0.1:1", false, Access{}, ""},
		{"[::1]:1", false, Access{}, ""},
		{"127.0.0.1:1", true, Access{}, ""},
		{"127.0.0.1:1", false, Access{Users: users}, "a login needs TLS"},
		{"127.0.0.1:1", true, Access{Users: users}, ""},
		{"0.0.0.0:1", false, Access{}, "can be reached from elsewhere: set web.certificate"},
		{"192.0.2.1:1", true, Access{}, "by anybody: name who may look with web.users"},
		{"192.0.2.1:1", true, Access{Users: []User{{Name: "bob"}}}, "by anybody"},
		{"192.0.2.1:1", false, Access{Users: users}, "a login needs TLS"},
		{"192.0.2.1:1", true, Access{Users: users}, ""},
		{"[2001:db8::1]:1", false, Access{Proxy: proxy}, ""},
		{"192.0.2.1:1", false, Access{Users: users, Proxy: proxy}, "a login needs TLS"},
	} {
		err := c.access.Check(netip.MustParseAddrPort(c.at), c.tls)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, TLS %v, %+v: %v, want %q", c.at, c.tls, c.access, err, c.want)
		}
	}
}

// TestHosts: a name of a stranger is refused, those of the configuration are not.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	s.Access.Hosts, s.Listen = []string{"pages.example.net"}, netip.MustParseAddrPort("192.0.2.1:8480")
	w := pages(t, s)
	for host, code := range map[string]int{
		"pages.example.net": 200, "Pages.Example.NET:8480": 200, "192.0.2.1:8480": 200, "localhost": 200,
		"192.0.2.2": 421, "example.net": 421, "pages.example.net.evil.example": 421, "x@pages.example.net": 421, "pages.example.net:80:80": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/servers", nil)
		r.Host = host
		answer := httptest.NewRecorder()
		if w.ServeHTTP(answer, r); answer.Code != code {
			t.Errorf("Host %q: %d, want %d", host, answer.Code, code)
		}
	}
}

// TestProxy: the header field counts from the proxy, and from nobody else.
func TestProxy(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	s.Access = Access{
		Users: []User{{Name: "alice", Role: All}},
		Proxy: Proxy{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.8/30")}, Header: "X-Remote-User", Role: Pseudonymised},
	}
	strict := s
	strict.Access.Proxy.Role = ""
	lenient, refusing := pages(t, s), pages(t, strict)
	for _, c := range []struct {
		pages *Server
		from  string
		names []string
		code  int
		want  string
	}{
		{lenient, "192.0.2.9:1", []string{"alice"}, 200, "<span>alice</span>"},
		{lenient, "[::ffff:192.0.2.9]:1", []string{"alice"}, 200, "<span>alice</span>"},
		{lenient, "192.0.2.9:1", []string{"bob"}, 200, "<span>bob, pseudonymised</span>"},
		{refusing, "192.0.2.9:1", []string{"bob"}, 403, "may not see the pages"},
		{lenient, "192.0.2.9:1", nil, 403, "has to say who asks"},
		{lenient, "192.0.2.9:1", []string{""}, 403, "has to say who asks"},
		{lenient, "192.0.2.9:1", []string{"alice", "bob"}, 403, "in place of any that the client sends"},
		{lenient, "192.0.2.9:1", []string{"alice, bob"}, 403, "has to say who asks"},
		{lenient, "192.0.2.9:1", []string{"<b>\x1b"}, 403, "has to say who asks"},
		{lenient, "192.0.2.9:1", []string{strings.Repeat("a", 65)}, 403, "has to say who asks"},
		{lenient, "192.0.2.12:1", []string{"alice"}, 403, "192.0.2.12 is none of web.proxy.from"},
		{lenient, "127.0.0.1:1", []string{"alice"}, 403, "is none of web.proxy.from"},
		{lenient, "127.0.0.1:1", nil, 403, "through the proxy only"},
		{lenient, "@", []string{"alice"}, 403, "is none of web.proxy.from"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/servers", nil)
		r.Host, r.RemoteAddr = "localhost", c.from
		if c.names != nil {
			r.Header["X-Remote-User"] = c.names
		}
		answer := httptest.NewRecorder()
		c.pages.ServeHTTP(answer, r)
		if body := answer.Body.String(); answer.Code != c.code || !strings.Contains(body, c.want) || strings.Contains(body, "<b>") {
			t.Errorf("%s says %q: %d %s", c.from, c.names, answer.Code, body)
		}
		if strings.Contains(answer.Body.String(), "Log out") {
			t.Error("there is nothing to log out from")
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/api/v1/journals", nil)
	r.Host, r.RemoteAddr = "localhost", "198.51.100.1:1"
	answer := httptest.NewRecorder()
	if lenient.ServeHTTP(answer, r); answer.Code != http.StatusForbidden || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
}

// TestForwarded: where a viewer is, the last proxy says.
func TestForwarded(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	s.Access.Proxy = Proxy{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}, Header: "X-Remote-User", Role: All}
	w := pages(t, s)
	for forwarded, want := range map[string]string{
		"": "192.0.2.9", "203.0.113.7": "203.0.113.7", "10.0.0.1, 203.0.113.7": "203.0.113.7", "10.0.0.1|2001:db8::7": "2001:db8::7", "203.0.113.7, nonsense": "192.0.2.9",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.9:1"
		r.Header.Set("X-Remote-User", "alice")
		if forwarded != "" {
			r.Header["X-Forwarded-For"] = strings.Split(forwarded, "|")
		}
		if v, err := w.admit(r); err != nil || v.from.String() != want {
			t.Errorf("%q: %v, %v", forwarded, v, err)
		}
	}
}

// TestBodies: whoever asks with a body is not read.
func TestBodies(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(pages(t, settings(log(t))))
	defer server.Close()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
		body := &endless{}
		r, err := http.NewRequest(method, server.URL+"/login", body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		want := http.StatusMethodNotAllowed
		if method == http.MethodGet {
			want = http.StatusBadRequest
		}
		if err == nil && response.StatusCode != want {
			t.Errorf("%s: %s", method, response.Status)
		}
		if body.read > 16<<20 {
			t.Errorf("%s: %d bytes were taken", method, body.read)
		}
	}
}

// endless is a body without end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 64<<20 {
		return 0, fmt.Errorf("too much")
	}
	return len(p), nil
}

// TestPaths: no way of writing a path goes around the login.
func TestPaths(t *testing.T) {
	t.Parallel()
	w := pages(t, withLogin(t, settings(log(t))))
	for _, path := range []string{
		"/", "//", "/top", "/./top", "/static/../top", "/static/..%2ftop", "/static/%2e%2e/top", "//static/../events", "/login/../events", "/login/", "/logout", "/%6cogin",
		"/api/v1/top", "/api/../top", "/api/v1/openapi.json", "/static/..%5ctop", "/STATIC/", "/live/events", "/static%2f..%2ftop",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := r.URL.Parse("http://localhost" + path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL, r.Host, r.RequestURI = u, "localhost", path
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		body := answer.Body.String()
		if strings.Contains(body, "attempt") || strings.Contains(body, "203.0.113.") || strings.Contains(body, "openapi") {
			t.Errorf("%s: %d %s", path, answer.Code, body)
		}
		if !slices.Contains([]int{200, 301, 303, 307, 400, 401, 404}, answer.Code) {
			t.Errorf("%s: %d", path, answer.Code)
		}
		if to := answer.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "://") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

// FuzzAccess: whatever somebody sends who has not logged in, he sees nothing of the log.
func FuzzAccess(f *testing.F) {
	f.Add("GET", "/top?by=ip", "localhost", "Cookie", cookieName+"=x", "")
	f.Add("POST", "/login", "localhost:8480", "Content-Type", "application/x-www-form-urlencoded", "name=alice&password=x&next=//evil.example")
	f.Add("GET", "/api/v1/top", "127.0.0.1", "Authorization", "Basic YWxpY2U6eA==", "")
	f.Add("GET", "//static/../top", "[::1]", "X-Remote-User", "alice", "")
	f.Add("POST", "/logout", "evil.example", "Sec-Fetch-Site", "cross-site", "")
	w := pages(f, withLogin(f, settings(log(f))))
	f.Fuzz(func(t *testing.T, method, target, host, field, value, body string) {
		r := &http.Request{Method: method, Host: host, RequestURI: target, RemoteAddr: "192.0.2.7:1", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), Body: http.NoBody}
		var err error
		if r.URL, err = url.ParseRequestURI(target); err != nil {
			return
		}
		if body != "" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		r.Header.Set(field, value)
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		if text := answer.Body.String(); answer.Code >= 500 || strings.Contains(text, "203.0.113.") || strings.Contains(text, "openapi") || len(answer.Result().Cookies()) > 0 && answer.Result().Cookies()[0].Value != "" {
			t.Errorf("%d %v %s", answer.Code, answer.Header(), text)
		}
		if to := answer.Header().Get("Location"); to != "" {
			u, err := (&url.URL{Scheme: "https", Host: "pages.example.net"}).Parse(to)
			if err != nil || u.Host != "pages.example.net" {
				t.Errorf("it leads to %q", to)
			}
		}
	})
}
