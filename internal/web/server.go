package web

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/forgerylog"
	"nullspf/internal/reverse"
	"nullspf/internal/value"
)

// Settings are what pages are made of.
type Settings struct {
	Engine forgerylog.Engine
	// System and Country: the engine knows autonomous systems and countries.
	System, Country bool
	// Places tells of them for a client; nil for none.
	Places forgerylog.Places
	// Reverse is asked for the name of a client when a viewer wants it; nil for never.
	Reverse *reverse.Cache
	// Tiers tells how certain it is that clients forge; nil for nobody knows.
	Tiers func(context.Context, []netip.Addr) (map[netip.Addr]string, error)
	// Output is the output directory whose zones are shown, "" for none.
	Output string
	// Sockets are the control sockets of servers that are shown.
	Sockets []string
	// Metrics are addresses of the metrics of others, as [ParseMetrics] returns them.
	Metrics []string
	Version string
	Logger  zerolog.Logger
	// Now is the clock; nil is that of the machine.
	Now func() time.Time
	// BlockList makes a block list, of addresses of a tier or a higher one; nil for none.
	BlockList func(context.Context, tier.Tier) (*blocklist.List, error)
	// Access says who may see the pages, Listen where they are. [Server.SetUsers] replaces
	// the users.
	Access Access
	Listen netip.AddrPort
	// PseudonymKey makes the pseudonyms of viewers who may not see more; nil is a new one.
	PseudonymKey []byte
	// Why tells the evidence about a client; nil for nobody knows.
	Why func(context.Context, netip.Addr) (Why, error)
}

// viewers of live events at once.
const viewers = 40

//go:embed static templates
var assets embed.FS

// Server is the pages. It is an [http.Handler].
type Server struct {
	Settings
	mux       *http.ServeMux
	templates *template.Template
	memory    *memory
	live      chan struct{}
	downloads chan struct{}
	logins    *logins
	users     *users
	// names are the pseudonyms that these pages show, nil for none; pseudonymised are those
	// that do.
	names         *pseudonyms
	pseudonymised *Server
}

// New returns the pages.
func New(s Settings) (*Server, error) {
	if s.Now == nil {
		s.Now = time.Now
	}
	w := &Server{Settings: s, mux: http.NewServeMux(), memory: newMemory(s.Engine, s.Now), live: make(chan struct{}, viewers), downloads: make(chan struct{}, downloads), logins: newLogins(s.Now), users: newUsers(s.Access.Users)}
	var err error
	if w.templates, err = template.New("").Funcs(functions).ParseFS(assets, "templates/*.html"); err != nil {
		return nil, err
	}
	if w.PseudonymKey == nil {
		w.PseudonymKey = make([]byte, keySize)
		_, _ = rand.Read(w.PseudonymKey)
	}
	w.route()
	w.pseudonymised = w.withPseudonyms()
	return w, nil
}

// withPseudonyms are the pages for viewers who see pseudonyms.
func (w *Server) withPseudonyms() *Server {
	other := *w
	other.mux, other.names = http.NewServeMux(), newPseudonyms(w.PseudonymKey)
	other.Engine, other.Reverse, other.BlockList, other.Why = pseudonymous{w.Engine, other.names}, nil, nil, nil
	other.memory = newMemory(other.Engine, w.Now)
	other.memory.turns = w.memory.turns
	other.route()
	return &other
}

// who is an address or a network as the viewer may see it.
func (w *Server) who(text string) string {
	if w.names == nil {
		return text
	}
	return w.names.address(text)
}

// route makes the pages known.
func (w *Server) route() {
	static, err := fs.Sub(assets, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	w.mux.Handle("/static/", http.StripPrefix("/static/", cached(http.FileServerFS(static))))
	w.mux.HandleFunc("/{$}", w.page(w.explore))
	w.mux.HandleFunc("/find", w.page(w.find))
	w.mux.HandleFunc("/top", w.page(w.top))
	w.mux.HandleFunc("/events", w.page(w.events))
	w.mux.HandleFunc("/live", w.page(w.livePage))
	w.mux.HandleFunc("/live/events", w.liveEvents)
	w.mux.HandleFunc("/downloads", w.page(w.downloadsPage))
	w.mux.HandleFunc("/zones", w.page(w.zones))
	w.mux.HandleFunc("/servers", w.page(w.servers))
	for _, e := range w.endpoints() {
		w.mux.HandleFunc(e.path, w.answer(e))
	}
	w.mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		w.refuse(rw, r, refusal{http.StatusNotFound, errors.New("there is no such page")})
	})
}

// ServeHTTP implements [http.Handler].
func (w *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	h := rw.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	out := newBounded(rw)
	defer out.end()
	w.serve(out, r)
}

// serve answers who may see a page.
func (w *Server) serve(rw http.ResponseWriter, r *http.Request) {
	login := w.Access.Login()
	switch {
	case !w.isHost(r.Host):
		http.Error(rw, "ask for localhost, 127.0.0.1 or [::1], or add this name to web.hosts", http.StatusMisdirectedRequest)
		return
	case login && r.Method == http.MethodPost && r.URL.Path == pathLogin:
		w.logIn(rw, r)
		return
	case login && r.Method == http.MethodPost && r.URL.Path == pathLogout:
		w.logOut(rw, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		rw.Header().Set("Allow", "GET, HEAD")
		rw.Header().Set("Connection", "close")
		http.Error(rw, "nothing can be changed here: use GET", http.StatusMethodNotAllowed)
		return
	case r.ContentLength != 0:
		rw.Header().Set("Connection", "close")
		http.Error(rw, "a question has no body: use the parameters of the address", http.StatusBadRequest)
		return
	case strings.HasPrefix(r.URL.Path, pathStatic):
		w.mux.ServeHTTP(rw, r)
		return
	case login && r.URL.Path == pathLogin:
		w.showLogin(rw, r)
		return
	}
	v, err := w.admit(r)
	if err != nil {
		w.refuse(rw, r, err)
		return
	}
	if v == nil {
		w.askLogin(rw, r)
		return
	}
	r, done := by(r, v)
	defer done()
	pages := w
	if v.role != All {
		pages = w.pseudonymised
	}
	pages.mux.ServeHTTP(rw, r)
}

func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "no-cache")
		h.ServeHTTP(rw, r)
	})
}

// page makes a handler of what writes a page.
func (w *Server) page(write func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		err := write(rw, r)
		switch {
		case err == nil || r.Context().Err() != nil:
		case errors.As(err, new(badRequest)):
			w.fail(rw, r, http.StatusBadRequest, err)
		case errors.Is(err, errBusy), errors.Is(err, context.DeadlineExceeded):
			w.fail(rw, r, http.StatusServiceUnavailable, errBusy)
		default:
			w.Logger.Warn().Err(err).Str("path", value.Visible(r.URL.Path)).Msg("a page cannot be shown")
			w.fail(rw, r, http.StatusInternalServerError, err)
		}
	}
}

// fail writes a page that says what is wrong.
func (w *Server) fail(rw http.ResponseWriter, r *http.Request, status int, err error) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	if err := w.templates.ExecuteTemplate(rw, "error.html", errorPage{layout: w.layout(r, http.StatusText(status), "", nil), Message: visible(err.Error())}); err != nil {
		w.Logger.Error().Err(err).Msg("a template failed")
	}
}

type errorPage struct {
	layout
	Message string
}

// layout is what every page has.
type layout struct {
	Title   string
	Version string
	// Path is the page's, for the form and the menu; Filter what is asked, nil for none.
	Path   string
	Filter *filterView
	// Viewer is who looks, "" for whoever can connect; Role is what he sees. LogOut: he can.
	Viewer string
	Role   Role
	LogOut bool
}

// layout is that of a page.
func (w *Server) layout(r *http.Request, title, path string, filter *filterView) layout {
	v := viewerOf(r)
	return layout{Title: title, Version: w.Version, Path: path, Filter: filter, Viewer: v.name, Role: v.role, LogOut: v.session != nil}
}

// show writes a page.
func (w *Server) show(rw http.ResponseWriter, name string, data any) error {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	return w.templates.ExecuteTemplate(rw, name, data)
}

// filterView is the filter as a page shows it.
type filterView struct {
	f *filter
	// by is what a list ranks, "" for none.
	by      string
	Chips   []chip
	Presets []presetView
}

type presetView struct {
	preset
	Link    string
	Current bool
}

func viewOf(f *filter, path string) *filterView {
	v := &filterView{f: f, Chips: f.chips(path)}
	since := f.get(paramSince)
	if since == "" {
		since = defaultSince
	}
	for _, p := range presets {
		v.Presets = append(v.Presets, presetView{p, f.link(path, paramSince, p.Since, paramUntil, ""), since == p.Since && f.get(paramUntil) == ""})
	}
	return v
}

// What the form shows.
func (v *filterView) Value(name string) string { return v.f.get(name) }

// Sources are the choices of the parameter source.
func (v *filterView) Sources() []forgerylog.Source { return forgerylog.Sources }

// Hidden are the parameters that have no field in the form.
func (v *filterView) Hidden() (list [][2]string) {
	for _, name := range []string{paramSender, paramHELO, paramResolver, paramAS, paramCountry, paramPackets} {
		if value := v.f.get(name); value != "" {
			list = append(list, [2]string{name, value})
		}
	}
	if v.by != "" {
		list = append(list, [2]string{paramBy, v.by})
		for _, name := range []string{paramSize, paramNew, paramSort} {
			if value := v.f.get(name); value != "" {
				list = append(list, [2]string{name, value})
			}
		}
	}
	return list
}

// Period are the parameters of the time.
func (v *filterView) Period() (list [][2]string) {
	for _, name := range []string{paramSince, paramUntil} {
		if value := v.f.get(name); value != "" {
			list = append(list, [2]string{name, value})
		}
	}
	return list
}

// To is the address of another page with the filter.
func (v *filterView) To(path string) string { return v.f.link(path) }

// navLink is a link of the menu.
type navLink struct {
	Link, Name string
	Current    bool
}

// navOf is the link from a page to another; the filter goes along where both have one.
func navOf(page interface{ menu() layout }, path, name string) navLink {
	l := page.menu()
	n := navLink{path, name, l.Path == path}
	if l.Filter != nil && (path == "/" || path == "/events" || path == "/live" || path == "/downloads") {
		n.Link = l.Filter.To(path)
	}
	return n
}

func (l layout) menu() layout { return l }
