package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/value"
)

const (
	pathLogin  = "/login"
	pathLogout = "/logout"
	pathAPI    = "/api/"
	pathStatic = "/static/"

	// cookieName is bound to this host and to TLS by its prefix (RFC 6265bis section 4.1.3.2).
	cookieName = "__Host-nullspf"

	fieldName     = "name"
	fieldPassword = "password"
	fieldNext     = "next"

	// maxForm bounds what a form sends, in bytes, formPatience is the time that it may take.
	maxForm      = 16 << 10
	formPatience = 10 * time.Second
	// hashPatience is how long a password waits until others have been tried.
	hashPatience = 10 * time.Second
)

// logins are what it takes to log in.
type logins struct {
	sessions *sessions
	tries    *tries
	// hashing lets one password of strangers be tried at a time, so that the rest of the
	// machine has the other processors; knownHashing, one from where its user has logged in
	// before, so that strangers do not keep users waiting.
	hashing, knownHashing chan struct{}
	// key makes keys of sessions from passwords of programs.
	key [32]byte
	// patience is the time that a form may take.
	patience time.Duration
	// crossOrigin refuses forms of other sites.
	crossOrigin *http.CrossOriginProtection
}

func newLogins(now func() time.Time) *logins {
	l := &logins{sessions: newSessions(now), tries: newTries(now), hashing: make(chan struct{}, 1), knownHashing: make(chan struct{}, 1), patience: formPatience, crossOrigin: http.NewCrossOriginProtection()}
	_, _ = rand.Read(l.key[:])
	return l
}

// loggedIn is the user of a session, or who shows name and password to the API.
func (w *Server) loggedIn(r *http.Request, v *viewer) (*viewer, error) {
	if key, ok := cookieKey(r); ok {
		v.session = w.logins.sessions.get(key)
	}
	if name, password, ok := r.BasicAuth(); ok && v.session == nil && strings.HasPrefix(r.URL.Path, pathAPI) {
		var err error
		if v.session, err = w.basic(r.Context(), v.from, name, password); err != nil {
			return nil, err
		}
	}
	if v.session == nil {
		return nil, nil
	}
	v.name, v.role = v.session.user.Name, v.session.user.Role
	return v, nil
}

// cookieKey is the key of the session whose cookie a browser sends.
func cookieKey(r *http.Request) (sessionKey, bool) {
	cookies := r.CookiesNamed(cookieName)
	if len(cookies) != 1 {
		return sessionKey{}, false
	}
	return sha256.Sum256([]byte(cookies[0].Value)), true
}

// basic is the session of a name and a password, so that a program that sends them each
// time does not have them tried each time.
func (w *Server) basic(ctx context.Context, from netip.Addr, name, password string) (*session, error) {
	mac := hmac.New(sha256.New, w.logins.key[:])
	fmt.Fprintf(mac, "%d %s%s", len(name), name, password)
	key := sessionKey(mac.Sum(nil))
	if s := w.logins.sessions.get(key); s != nil {
		return s, nil
	}
	u, err := w.try(ctx, from, name, password)
	if err != nil {
		return nil, err
	}
	return w.logins.sessions.add(key, u, w.users.has), nil
}

var errPassword = refusal{http.StatusUnauthorized, errors.New("name or password is wrong")}

// try is the user with a name and a password. It takes as long for a name that no user has.
func (w *Server) try(ctx context.Context, from netip.Addr, name, password string) (*User, error) {
	won, known, wait := w.logins.tries.begin(from, name)
	if wait > 0 {
		w.Logger.Warn().Str("user", w.known(name)).Stringer("address", from).Msg("too many wrong passwords; this one was not tried")
		return nil, tooOften(wait)
	}
	hashing := w.logins.hashing
	if known {
		hashing = w.logins.knownHashing
	}
	patient, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-patient.Done():
		return nil, tooOften(hashPatience)
	}
	u, hash := w.users.find(name), w.users.someHash()
	if u != nil && u.Hash != "" {
		hash = u.Hash
	}
	if !hash.fits(password) || u == nil || u.Hash == "" {
		w.Logger.Warn().Str("user", w.known(name)).Stringer("address", from).Msg("a wrong name or password")
		return nil, errPassword
	}
	won()
	w.Logger.Info().Str("user", name).Stringer("address", from).Msg("logged in")
	return u, nil
}

// known is the name of a user, for the log; of nobody else, because people write passwords
// there.
func (w *Server) known(name string) string {
	if w.users.find(name) == nil {
		return "nobody"
	}
	return name
}

// shortened is a name that somebody wrote, for the form.
func shortened(name string) string { return value.Visible(name[:min(len(name), maxName)]) }

// wait is a refusal with the time after which to try again.
type waiting struct {
	refusal
	time time.Duration
}

func tooOften(wait time.Duration) error {
	wait = max(wait.Round(time.Second), time.Second)
	return waiting{refusal{http.StatusTooManyRequests, fmt.Errorf("too many passwords are being tried; try again in %s", wait)}, wait}
}

// refuse answers who may not see a page.
func (w *Server) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusForbidden
	var wait waiting
	switch why := (refusal{}); {
	case errors.As(err, &wait):
		status = wait.status
		rw.Header().Set("Retry-After", strconv.Itoa(int(wait.time/time.Second)))
	case errors.As(err, &why):
		status = why.status
	}
	if strings.HasPrefix(r.URL.Path, pathAPI) {
		if status == http.StatusUnauthorized {
			rw.Header().Set("WWW-Authenticate", `Basic realm="nullspf", charset="UTF-8"`)
		}
		failAPI(rw, status, err)
		return
	}
	w.fail(rw, r, status, err)
}

// askLogin answers somebody who has not logged in.
func (w *Server) askLogin(rw http.ResponseWriter, r *http.Request) {
	next := r.URL.RequestURI()
	switch {
	case strings.HasPrefix(r.URL.Path, pathAPI):
		w.refuse(rw, r, refusal{http.StatusUnauthorized, errors.New("log in with name and password (HTTP Basic), or send the cookie of a browser that has")})
	case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Dest") == "document" && isLocal(next):
		// Behind a link on another site, a browser sends no SameSite=Strict cookie. From a
		// page of ours, it does.
		if err := w.show(rw, "again.html", next); err != nil {
			w.Logger.Debug().Err(err).Msg("a viewer has left")
		}
	case r.Header.Get("Sec-Fetch-Mode") != "" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
		w.fail(rw, r, http.StatusUnauthorized, errors.New("log in first"))
	default:
		if !isLocal(next) || next == "/" {
			http.Redirect(rw, r, pathLogin, http.StatusSeeOther)
			return
		}
		http.Redirect(rw, r, pathLogin+"?"+url.Values{fieldNext: {next}}.Encode(), http.StatusSeeOther)
	}
}

// isLocal reports whether an address is a page of ours, whatever a browser makes of it.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Opaque == "" &&
		strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.Contains(address, `\`) &&
		u.Path != pathLogin && u.Path != pathLogout
}

// loginPage asks for name and password.
type loginPage struct {
	layout
	Name, Next, Message string
}

// showLogin writes the page that asks for name and password.
func (w *Server) showLogin(rw http.ResponseWriter, r *http.Request) {
	page := loginPage{layout: w.layout(r, "Log in", pathLogin, nil), Next: r.URL.Query().Get(fieldNext)}
	if err := w.show(rw, "login.html", page); err != nil {
		w.Logger.Debug().Err(err).Msg("a viewer has left")
	}
}

// logIn begins a session.
func (w *Server) logIn(rw http.ResponseWriter, r *http.Request) {
	if !w.readForm(rw, r) {
		return
	}
	name, next := r.PostForm.Get(fieldName), r.PostForm.Get(fieldNext)
	u, err := w.try(r.Context(), addressOf(r), name, r.PostForm.Get(fieldPassword))
	if err != nil {
		status, why := http.StatusUnauthorized, waiting{}
		if errors.As(err, &why) {
			status = why.status
			rw.Header().Set("Retry-After", strconv.Itoa(int(why.time/time.Second)))
		}
		page := loginPage{layout: w.layout(r, "Log in", pathLogin, nil), Name: shortened(name), Next: next, Message: err.Error()}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.WriteHeader(status)
		if err := w.templates.ExecuteTemplate(rw, "login.html", page); err != nil {
			w.Logger.Debug().Err(err).Msg("a viewer has left")
		}
		return
	}
	if key, ok := cookieKey(r); ok {
		w.logins.sessions.drop(key)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	token := base64.RawURLEncoding.EncodeToString(secret)
	w.logins.sessions.add(sha256.Sum256([]byte(token)), u, w.users.has)
	http.SetCookie(rw, cookie(token))
	if !isLocal(next) {
		next = "/"
	}
	http.Redirect(rw, r, next, http.StatusSeeOther)
}

// logOut ends a session, and what it has begun.
func (w *Server) logOut(rw http.ResponseWriter, r *http.Request) {
	if !w.readForm(rw, r) {
		return
	}
	if key, ok := cookieKey(r); ok {
		w.logins.sessions.drop(key)
	}
	gone := cookie("")
	gone.MaxAge = -1
	http.SetCookie(rw, gone)
	http.Redirect(rw, r, pathLogin, http.StatusSeeOther)
}

func cookie(token string) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// readForm reads a form that this site has sent. Otherwise it answers.
func (w *Server) readForm(rw http.ResponseWriter, r *http.Request) bool {
	if err := w.logins.crossOrigin.Check(r); err != nil {
		w.fail(rw, r, http.StatusForbidden, errors.New("the form comes from another site"))
		return false
	}
	_ = http.NewResponseController(rw).SetReadDeadline(time.Now().Add(w.logins.patience))
	r.Body = http.MaxBytesReader(rw, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		rw.Header().Set("Connection", "close")
		w.fail(rw, r, status, errors.New("the form cannot be read"))
		return false
	}
	_ = http.NewResponseController(rw).SetReadDeadline(time.Time{})
	return true
}
