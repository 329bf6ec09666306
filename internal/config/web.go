package config

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"nullspf/internal/value"
	"nullspf/internal/web"
)

// Web are the settings of nullspf web.
type Web struct {
	Listen netip.AddrPort
	// Certificate and Key are the files of TLS, "" for none.
	Certificate, Key string
	// PseudonymKey is the file with the key of pseudonyms, "" for none.
	PseudonymKey string
	// Metrics are addresses of the metrics of servers that are shown.
	Metrics []string
	web.Access
}

// proxyHeader is the header field with the viewer's name, unless another is named.
const proxyHeader = "X-Remote-User"

// buildWeb reads who may see the pages.
func (l *loader) buildWeb(dir string, r *rawWeb) Web {
	w := Web{Listen: web.DefaultListen}
	if r.Listen != "" {
		w.Listen = l.listener("web.listen", r.Listen)
	}
	switch {
	case r.Certificate != "" && r.Key != "":
		w.Certificate, w.Key = path(dir, r.Certificate), path(dir, r.Key)
	case r.Certificate+r.Key != "":
		l.fail("web", "TLS needs both certificate and key")
	}
	if r.PseudonymKey != "" {
		w.PseudonymKey = path(dir, r.PseudonymKey)
	}
	for i, text := range r.Metrics {
		address, err := web.ParseMetrics(text)
		if err != nil {
			l.fail(item("web.metrics", i), "%v", err)
		}
		w.Metrics = append(w.Metrics, address)
	}
	if len(w.Metrics) > web.MaxServers {
		l.fail("web.metrics", "%d servers; the pages ask up to %d", len(w.Metrics), web.MaxServers)
	}
	for _, name := range l.hostNames("web.hosts", r.Hosts) {
		w.Hosts = append(w.Hosts, string(name))
	}
	for i, u := range r.Users {
		w.Users = append(w.Users, l.webUser(item("web.users", i), u, w.Users, len(r.Proxy.From) > 0))
	}
	w.Proxy = l.webProxy(&r.Proxy)
	if l.told("web") {
		return w
	}
	if err := w.Check(w.Listen, w.Certificate != ""); err != nil {
		l.fail("web.listen", "%v", err)
	}
	return w
}

// webUser reads a user, whose hash is in no error.
func (l *loader) webUser(key string, r rawWebUser, others []web.User, proxy bool) web.User {
	u := web.User{Name: r.Name}
	if err := web.CheckName(r.Name); err != nil {
		l.fail(key+".name", "%v", err)
	} else if slices.ContainsFunc(others, func(o web.User) bool { return o.Name == r.Name }) {
		l.fail(key+".name", "%s is named twice", r.Name)
	}
	switch {
	case r.Hash != "":
		var err error
		if u.Hash, err = web.ParseHash(r.Hash); err != nil {
			l.fail(key+".hash", "%v", err)
		}
	case !proxy:
		l.fail(key+".hash", "the hash of the password is missing; nullspf web passwd makes one")
	}
	if r.Role == "" {
		l.fail(key+".role", "write what %s may see: all, or pseudonymised", value.Visible(r.Name))
	} else {
		u.Role = choose(l, key+".role", r.Role, web.Roles)
	}
	return u
}

func (l *loader) webProxy(r *rawWebProxy) web.Proxy {
	p := web.Proxy{From: l.prefixes("web.proxy.from", r.From)}
	for _, from := range p.From {
		if from.Bits() == 0 {
			l.fail("web.proxy.from", "%s is every address, so that anybody could claim to be anybody; write the addresses of the proxy", from)
		}
	}
	if len(r.From) == 0 {
		if r.Header+r.Role != "" {
			l.fail("web.proxy.from", "write the addresses of the proxy")
		}
		return p
	}
	if r.Header == "" {
		r.Header = proxyHeader
	}
	if p.Header = http.CanonicalHeaderKey(r.Header); strings.ContainsFunc(r.Header, notOfHeader) || slices.Contains(notForNames, p.Header) {
		l.fail("web.proxy.header", "%+q is no header field for a name; write one such as %s, of letters, digits and hyphens, which the proxy sets anew in every request", r.Header, proxyHeader)
	}
	if r.Role != "" {
		p.Role = choose(l, "web.proxy.role", r.Role, web.Roles)
	}
	return p
}

// notOfHeader are characters that proxies and servers take for others in the name of a
// header field, or that it cannot have.
func notOfHeader(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
}

// notForNames are header fields that browsers send with something else.
var notForNames = []string{"Accept", "Authorization", "Cookie", "Host", "Origin", "Referer", "User-Agent", "X-Forwarded-For"}
