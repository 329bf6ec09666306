package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"nullspf/internal/value"
)

// DefaultListen is where the pages are unless told otherwise.
var DefaultListen = netip.MustParseAddrPort("127.0.0.1:8480")

// Role says what a viewer sees.
type Role string

// The roles.
const (
	// All sees everything.
	All Role = "all"
	// Pseudonymised sees pseudonyms in place of addresses and local parts; see
	// [pseudonyms].
	Pseudonymised Role = "pseudonymised"
)

// Roles lists the roles.
var Roles = []Role{All, Pseudonymised}

// Access says who may see the pages. The zero Access is whoever can connect.
type Access struct {
	// Users are those who may, in the order of the configuration.
	Users []User
	// Hosts are names by which the pages may be asked for beside those of this machine;
	// lower case, without port.
	Hosts []string
	// Proxy has asked already who a viewer is.
	Proxy Proxy
}

// User is somebody who may see the pages.
type User struct {
	Name string
	// Hash is that of the password, "" for who comes through the proxy only.
	Hash Hash
	Role Role
}

// Proxy is what stands before the pages, and says who a viewer is.
type Proxy struct {
	// From are its addresses; none is no proxy.
	From []netip.Prefix
	// Header is the header field with the name of the viewer, in its canonical form.
	Header string
	// Role is that of viewers who are none of the users; "" refuses them.
	Role Role
}

// Has reports whether an address is one of the proxy's.
func (p *Proxy) Has(addr netip.Addr) bool {
	return slices.ContainsFunc(p.From, func(from netip.Prefix) bool { return from.Contains(addr) })
}

// maxName bounds the name of a user, in bytes.
const maxName = 64

// CheckName fails when a name is none of a user.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || value.Visible(name) != name || strings.ContainsAny(name, ":\"\\ ") {
		return fmt.Errorf("write 1 to %d printable characters without blank, colon, quote or backslash", maxName)
	}
	return nil
}

// Login reports whether some user has a password.
func (a *Access) Login() bool {
	return slices.ContainsFunc(a.Users, func(u User) bool { return u.Hash != "" })
}

// Check fails when the pages must not be served at an address: they could be seen by who
// should not, or passwords be read on their way.
func (a *Access) Check(at netip.AddrPort, tls bool) error {
	switch {
	case a.Login() && !tls:
		return errors.New("a login needs TLS, or passwords could be read on their way: set web.certificate and web.key; or let a proxy ask for the password, with web.proxy, and leave out web.users.hash")
	case at.Addr().IsLoopback() || len(a.Proxy.From) > 0 || a.Login():
		return nil
	case tls:
		return fmt.Errorf("%s can be reached from elsewhere, by anybody: name who may look with web.users, whose hashes nullspf web passwd makes; or use an address of this machine, such as %s, and ssh -L to look from elsewhere", at, DefaultListen)
	}
	return fmt.Errorf("%s can be reached from elsewhere: set web.certificate, web.key and web.users, whose hashes nullspf web passwd makes, or web.proxy; or use an address of this machine, such as %s, and ssh -L to look from elsewhere", at, DefaultListen)
}

// viewer is who looks at the pages.
type viewer struct {
	// name is "" for whoever can connect.
	name string
	role Role
	// from is where the request comes from, as far as that is known.
	from netip.Addr
	// session is that of a login, nil for none.
	session *session
}

type viewerKey struct{}

// viewerOf is who asks.
func viewerOf(r *http.Request) *viewer {
	if v, ok := r.Context().Value(viewerKey{}).(*viewer); ok {
		return v
	}
	return &viewer{role: All}
}

// refusal is an answer to who may not see a page.
type refusal struct {
	status int
	error
}

// admit says who asks; nil with nil is somebody who has to log in first.
func (w *Server) admit(r *http.Request) (*viewer, error) {
	v := &viewer{role: All, from: addressOf(r)}
	claimed, claims := r.Header[w.Access.Proxy.Header]
	switch {
	case w.Access.Proxy.Has(v.from):
		return w.throughProxy(r, v)
	case w.Access.Proxy.Header != "" && claims:
		return nil, refusal{http.StatusForbidden, fmt.Errorf("the header field %s is taken from the proxy only, and %s is none of web.proxy.from; it says %s", w.Access.Proxy.Header, v.from, quoted(claimed))}
	case w.Access.Login():
		return w.loggedIn(r, v)
	case len(w.Access.Proxy.From) > 0:
		return nil, refusal{http.StatusForbidden, fmt.Errorf("the pages are shown through the proxy only, and %s is none of web.proxy.from", v.from)}
	}
	return v, nil
}

// addressOf is where a connection comes from.
func addressOf(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap().WithZone("")
}

// throughProxy is who the proxy says, and from where.
func (w *Server) throughProxy(r *http.Request, v *viewer) (*viewer, error) {
	proxy := &w.Access.Proxy
	names := r.Header[proxy.Header]
	if len(names) != 1 || CheckName(names[0]) != nil {
		return nil, refusal{http.StatusForbidden, fmt.Errorf("the proxy has to say who asks with one header field %s, in place of any that the client sends; it says %s", proxy.Header, quoted(names))}
	}
	v.name, v.role = names[0], proxy.Role
	if u := w.users.find(v.name); u != nil {
		v.role = u.Role
	}
	if v.role == "" {
		return nil, refusal{http.StatusForbidden, fmt.Errorf("%s may not see the pages: web.users does not have the name, and there is no web.proxy.role", quoted(names))}
	}
	if list := r.Header["X-Forwarded-For"]; len(list) > 0 {
		last := list[len(list)-1]
		if addr, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])); err == nil {
			v.from = addr.Unmap().WithZone("")
		}
	}
	return v, nil
}

// quoted shows what a client says.
func quoted(texts []string) string {
	var list []string
	for _, t := range texts[:min(len(texts), 3)] {
		list = append(list, fmt.Sprintf("%+.64q", t))
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, " and ")
}

// isHost reports whether the header field Host names these pages. A name of a stranger that
// leads to this machine would let his pages read them.
func (w *Server) isHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host == "localhost" || slices.Contains(w.Access.Hosts, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLoopback() || addr == w.Listen.Addr())
}

// by adds who asks to a request, which ends with the session. What is returned must be
// called.
func by(r *http.Request, v *viewer) (*http.Request, func()) {
	ctx := context.WithValue(r.Context(), viewerKey{}, v)
	if v.session == nil {
		return r.WithContext(ctx), func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(v.session.ctx, cancel)
	return r.WithContext(ctx), func() { stop(); cancel() }
}
