package web

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/bcrypt"
)

const password = "correct horse battery"

// withLogin adds two users.
func withLogin(t testing.TB, s Settings) Settings {
	t.Helper()
	for name, role := range map[string]Role{"alice": All, "bob": Pseudonymised} {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		s.Access.Users = append(s.Access.Users, User{Name: name, Hash: Hash(hash), Role: role})
	}
	return s
}

// browser keeps cookies, and follows no redirection.
func browser(t *testing.T, server *httptest.Server) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *server.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	body string
}

func ask(t *testing.T, c *http.Client, r *http.Request) reply {
	t.Helper()
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response, string(body)}
}

func request(t *testing.T, method, target string, form url.Values, fields ...string) *http.Request {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return r
}

func credentials(name, password string) url.Values {
	return url.Values{fieldName: {name}, fieldPassword: {password}, fieldNext: {"/top?by=net"}}
}

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestLogin is the way of a user through the pages, and those of others around them.
func TestLogin(t *testing.T) {
	t.Parallel()
	logged := new(lines)
	s := withLogin(t, settings(log(t)))
	s.Logger = zerolog.New(logged)
	w := pages(t, s)
	server := httptest.NewTLSServer(w)
	defer server.Close()
	c := browser(t, server)
	get := func(path string, fields ...string) reply {
		return ask(t, c, request(t, http.MethodGet, server.URL+path, nil, fields...))
	}
	post := func(path string, form url.Values, fields ...string) reply {
		return ask(t, c, request(t, http.MethodPost, server.URL+path, form, fields...))
	}
	leads := func(a reply, to string) {
		t.Helper()
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != to {
			t.Errorf("%s to %q, want %q", a.Status, a.Header.Get("Location"), to)
		}
	}

	leads(get("/"), "/login")
	leads(get("/top?by=net&since=24h"), "/login?next=%2Ftop%3Fby%3Dnet%26since%3D24h")
	if a := get("/api/v1/top"); a.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") || !json.Valid([]byte(a.body)) {
		t.Errorf("%s %v %s", a.Status, a.Header, a.body)
	}
	if a := get("/live/events", "Sec-Fetch-Mode", "cors"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", a.Status)
	}
	if a := get("/login?next=%2Ftop%3Fby%3Dnet"); !strings.Contains(a.body, `value="/top?by=net"`) || strings.Contains(a.body, "Events") {
		t.Error(a.body)
	}
	if a := get("/static/style.css"); a.StatusCode != http.StatusOK {
		t.Error(a.Status)
	}
	if a := get("/top?by=net", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"); !strings.Contains(a.body, `content="0;url=/top?by=net"`) {
		t.Error(a.body)
	}

	for _, form := range []url.Values{credentials("alice", "a guess of mine"), credentials("eve", password), credentials("", ""), {}, credentials("alice", strings.Repeat("x", 100))} {
		a := post("/login", form)
		if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, "name or password is wrong") || len(a.Cookies()) > 0 {
			t.Errorf("%v: %s %s", form, a.Status, a.body)
		}
	}
	if a := post("/login", credentials(`"><script>`, "x")); strings.Contains(a.body, "<script>") {
		t.Error(a.body)
	}
	for _, field := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}} {
		if a := post("/login", credentials("alice", password), field...); a.StatusCode != http.StatusForbidden || len(a.Cookies()) > 0 {
			t.Errorf("%v: %s", field, a.Status)
		}
	}

	// The cookie that somebody has planted is nobody's.
	home, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	planted := strings.Repeat("A", 43)
	c.Jar.SetCookies(home, []*http.Cookie{{Name: cookieName, Value: planted, Path: "/", Secure: true}})
	leads(get("/servers"), "/login?next=%2Fservers")
	a := post("/login", credentials("alice", password), "Sec-Fetch-Site", "same-origin", "Origin", server.URL)
	leads(a, "/top?by=net")
	if len(a.Cookies()) != 1 {
		t.Fatal(a.Header)
	}
	if got := a.Cookies()[0]; got.Name != "__Host-nullspf" || !got.Secure || !got.HttpOnly || got.SameSite != http.SameSiteStrictMode || got.Path != "/" || got.Domain != "" || len(got.Value) < 43 || got.Value == planted {
		t.Errorf("%+v", got)
	}
	if a := get("/servers"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<span>alice</span> <button>Log out</button>") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a := get("/api/v1/top?since=24h"); a.StatusCode != http.StatusOK {
		t.Errorf("%s", a.Status)
	}
	// A second login ends the first session of this browser.
	before := a.Cookies()[0]
	post("/login", credentials("alice", password))
	again := request(t, http.MethodGet, server.URL+"/servers", nil, "Cookie", cookieName+"="+before.Value)
	leads(ask(t, &http.Client{Transport: c.Transport, CheckRedirect: c.CheckRedirect}, again), "/login?next=%2Fservers")

	// Logging out ends what runs.
	stream, err := c.Do(request(t, http.MethodGet, server.URL+"/live/events?since=1h", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry") {
		t.Fatal(line, err)
	}
	if a := post("/logout", url.Values{}, "Origin", "https://evil.example"); a.StatusCode != http.StatusForbidden {
		t.Error(a.Status)
	}
	if a := get("/servers"); a.StatusCode != http.StatusOK {
		t.Error("a stranger has logged the user out")
	}
	if a := get("/logout"); a.StatusCode != http.StatusNotFound {
		t.Error(a.Status)
	}
	leads(post("/logout", url.Values{}), "/login")
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, stream.Body); ended <- err }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("live events go on after the logout")
	}
	leads(get("/servers"), "/login?next=%2Fservers")

	for next, to := range map[string]string{
		"https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "/login": "/", "/logout?x": "/", "javascript:alert(1)": "/", "": "/", "events": "/", "/events?a=b": "/events?a=b", "/\t/evil.example": "/",
	} {
		form := credentials("alice", password)
		form.Set(fieldNext, next)
		leads(post("/login", form), to)
	}
	for _, secret := range []string{password, "a guess of mine", string(s.Access.Users[0].Hash), planted, before.Value} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("logged: %s", secret)
		}
	}
	for _, line := range []string{"logged in", "a wrong name or password", `"user":"nobody"`} {
		if !strings.Contains(logged.String(), line) {
			t.Errorf("not logged: %s in\n%s", line, logged)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s.Access, s.Access, s.Access, s.Access.Users[0].Hash); strings.Contains(text, "$2") {
		t.Error(text)
	}
}

// TestBasic: programs show name and password to the API, which are tried once.
func TestBasic(t *testing.T) {
	t.Parallel()
	s := withLogin(t, settings(log(t)))
	logged := new(lines)
	s.Logger = zerolog.New(logged)
	server := httptest.NewTLSServer(pages(t, s))
	defer server.Close()
	c := browser(t, server)
	for range 3 {
		for name, secret := range map[string]string{"alice": "", "bob": "203.0.113."} {
			r := request(t, http.MethodGet, server.URL+"/api/v1/top?since=24h", nil)
			r.SetBasicAuth(name, password)
			a := ask(t, c, r)
			if a.StatusCode != http.StatusOK || len(a.Cookies()) > 0 || secret != "" && strings.Contains(a.body, secret) {
				t.Errorf("%s: %s %s", name, a.Status, a.body)
			}
		}
	}
	if n := strings.Count(logged.String(), "logged in"); n != 2 {
		t.Errorf("%d passwords were tried", n)
	}
	r := request(t, http.MethodGet, server.URL+"/servers", nil)
	r.SetBasicAuth("alice", password)
	if a := ask(t, c, r); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a page: %s", a.Status)
	}
	// What is name and what is password cannot be shifted.
	r = request(t, http.MethodGet, server.URL+"/api/v1/journals", nil)
	r.SetBasicAuth("alic", "e"+password)
	if a := ask(t, c, r); a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
		t.Error(a.Status)
	}
}

// TestBruteForce: who tries many passwords has to wait, also at the API, and others need
// not.
func TestBruteForce(t *testing.T) {
	t.Parallel()
	w := pages(t, withLogin(t, settings(log(t))))
	try := func(from, name, password string) int {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(credentials(name, password).Encode()))
		r.Host, r.RemoteAddr = "localhost", from
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		if answer.Code == http.StatusTooManyRequests && answer.Header().Get("Retry-After") == "" {
			t.Error("not told when")
		}
		return answer.Code
	}
	if code := try("198.51.100.1:1", "alice", password); code != http.StatusSeeOther {
		t.Fatal(code)
	}
	codes := make(map[int]int)
	for i := range 40 {
		codes[try(fmt.Sprintf("203.0.113.%d:1", i), "alice", fmt.Sprint("guess", i))]++
	}
	if codes[http.StatusUnauthorized] != burst || codes[http.StatusTooManyRequests] != 40-burst {
		t.Errorf("%v", codes)
	}
	if code := try("203.0.113.1:1", "bob", password); code != http.StatusTooManyRequests {
		t.Errorf("another name from there: %d", code)
	}
	if code := try("192.0.2.1:1", "alice", password); code != http.StatusTooManyRequests {
		t.Errorf("the name from elsewhere: %d", code)
	}
	if code := try("192.0.2.1:1", "bob", password); code != http.StatusSeeOther {
		t.Errorf("another name from elsewhere: %d", code)
	}
	w.logins.hashing <- struct{}{} // a stranger's password is being tried
	if code := try("198.51.100.2:1", "alice", password); code != http.StatusSeeOther {
		t.Errorf("from where she was before: %d", code)
	}
	<-w.logins.hashing
	r := httptest.NewRequest(http.MethodGet, "/api/v1/journals", nil)
	r.Host, r.RemoteAddr = "localhost", "203.0.113.77:1"
	r.SetBasicAuth("alice", "guess")
	answer := httptest.NewRecorder()
	if w.ServeHTTP(answer, r); answer.Code != http.StatusTooManyRequests {
		t.Errorf("the API: %d", answer.Code)
	}
}

// TestTries: levels fall with time, and memory is bounded.
func TestTries(t *testing.T) {
	t.Parallel()
	clock := now
	x := newTries(func() time.Time { return clock })
	from := netip.MustParseAddr("2001:db8::1")
	for range burst {
		if _, _, wait := x.begin(from, "alice"); wait != 0 {
			t.Fatal(wait)
		}
	}
	if _, _, wait := x.begin(from, "alice"); wait != tryEvery {
		t.Error(wait)
	}
	clock = clock.Add(tryEvery)
	won, known, wait := x.begin(netip.MustParseAddr("2001:db8:0:ffff::2"), "alice")
	if wait != 0 || known {
		t.Fatal(wait)
	}
	won()
	if _, _, wait := x.begin(from, "alice"); wait != 0 {
		t.Error("known, and yet", wait)
	}
	clock = clock.Add(-time.Hour) // the clock of the machine is set
	if _, _, wait := x.begin(from, "bob"); wait > tryEvery {
		t.Error(wait)
	}
	for i := range maxTries + 500 {
		x.begin(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), fmt.Sprint(i))
	}
	if len(x.nets) > maxTries || len(x.known) != 1 {
		t.Error(len(x.nets), len(x.known))
	}
}

// TestSessions: they end, and are no more than there is room for.
func TestSessions(t *testing.T) {
	t.Parallel()
	clock := now
	s := newSessions(func() time.Time { return clock })
	users := make([]User, 100)
	for i := range users {
		users[i].Name = fmt.Sprint(i)
	}
	same := func(*User) bool { return true }
	key := func(i int) sessionKey { return sessionKey{byte(i), byte(i >> 8), 1} }
	first := s.add(key(0), &users[0], same)
	if s.get(key(0)) != first || s.get(key(1)) != nil {
		t.Error("not found")
	}
	clock = clock.Add(sessionIdle)
	if s.get(key(0)) != first {
		t.Error("ended too early")
	}
	clock = clock.Add(sessionIdle + 1)
	if s.get(key(0)) != nil {
		t.Error("goes on")
	}
	for i := range 2 * maxSessions {
		clock = clock.Add(time.Millisecond)
		s.add(key(i), &users[i%len(users)], same)
	}
	if len(s.list) != maxSessions || s.get(key(maxSessions-1)) != nil || s.get(key(maxSessions)) == nil {
		t.Error(len(s.list))
	}
	if first.ctx.Err() == nil {
		t.Error("what it has begun goes on")
	}
	mine := s.add(key(5000), &users[7], same)
	for i := range maxOfUser {
		clock = clock.Add(time.Millisecond)
		s.add(key(6000+i), &users[7], same)
	}
	if s.get(key(5000)) != nil || mine.ctx.Err() == nil || s.get(key(6000)) == nil {
		t.Error("a user has more sessions than he may")
	}
}

// TestForms: a form is small and comes at once.
func TestForms(t *testing.T) {
	t.Parallel()
	w := pages(t, withLogin(t, settings(log(t))))
	w.logins.patience = 200 * time.Millisecond
	server := httptest.NewTLSServer(w)
	defer server.Close()
	form := credentials("alice", password)
	form.Set("more", strings.Repeat("x", maxForm))
	if a := ask(t, browser(t, server), request(t, http.MethodPost, server.URL+"/login", form)); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(a.Status)
	}
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=")
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		defer response.Body.Close()
	}
	if err != nil || response.StatusCode != http.StatusBadRequest {
		t.Error(response, err)
	}
}

// TestHash: what is no hash is refused, and not shown.
func TestHash(t *testing.T) {
	t.Parallel()
	hash, err := NewHash([]byte(password))
	if err != nil || !hash.fits(password) || hash.fits(password+"x") || hash.fits(strings.Repeat("x", 100)) {
		t.Error(err)
	}
	apache := Hash("$2y" + string(hash)[3:])
	if _, err := ParseHash(string(apache)); err != nil || !apache.fits(password) {
		t.Error("htpasswd -B", err)
	}
	cheap, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "secret", "$2a$12$tooshort", string(cheap), string(hash) + "x", "$2a$31$" + string(hash)[7:]} {
		if h, err := ParseHash(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %q, %v", text, string(h), err)
		}
	}
	for _, short := range []string{"", "short", strings.Repeat("x", MaxPassword+1)} {
		if _, err := NewHash([]byte(short)); err == nil {
			t.Errorf("%d bytes are taken", len(short))
		}
	}
}

// FuzzLocal: where a login leads to is a page of ours.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/", "/top?by=ip", "//evil.example", `/\evil.example`, "https://evil.example", "/%2f/evil.example", "/\n/evil.example"} {
		f.Add(seed)
	}
	base := &url.URL{Scheme: "https", Host: "pages.example.net", Path: "/login"}
	f.Fuzz(func(t *testing.T, address string) {
		if !isLocal(address) {
			return
		}
		// A browser leaves out tabs and line breaks, and takes a backslash for a slash.
		for _, read := range []string{address, strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(address)} {
			u, err := base.Parse(read)
			if err != nil || u.Host != base.Host || u.Scheme != base.Scheme {
				t.Errorf("%q leads to %v, %v", address, u, err)
			}
		}
	})
}
