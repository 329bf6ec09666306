package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
)

// webServer serves metrics, health or both at one address.
type webServer struct {
	at       netip.AddrPort
	listener net.Listener
	handler  atomic.Pointer[http.Handler]
	server   http.Server
}

func openWeb(at netip.AddrPort) (*webServer, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen on tcp %s for HTTP: %w%s", at, err, bindHint(err))
	}
	w := &webServer{at: at, listener: netutil.LimitListener(l, webConnections)}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		w.at = a.AddrPort()
	}
	w.server = http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			(*w.handler.Load()).ServeHTTP(rw, r)
		}),
		ReadTimeout:    5 * time.Second,
		WriteTimeout:   10 * time.Second,
		IdleTimeout:    15 * time.Second,
		MaxHeaderBytes: 8 << 10,
	}
	return w, nil
}

// serve starts answering requests; handler must be set first.
func (w *webServer) serve(log zerolog.Logger) {
	go func() {
		if err := w.server.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error().Err(err).Stringer("listen", w.at).Msg("the HTTP server failed")
		}
	}()
}

// close ends the server without waiting for requests.
func (w *webServer) close() error {
	return errors.Join(ignoreClosed(w.server.Close()), ignoreClosed(w.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// pages returns what a configuration serves over HTTP, by address.
func (s *Server) pages(c *Config) map[netip.AddrPort]http.Handler {
	muxes := make(map[netip.AddrPort]*http.ServeMux)
	page := func(at netip.AddrPort, path string, h http.Handler) {
		if !at.IsValid() {
			return
		}
		if muxes[at] == nil {
			muxes[at] = http.NewServeMux()
		}
		muxes[at].Handle("GET "+path, h)
	}
	page(c.Metrics, "/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	page(c.Health, "/health", http.HandlerFunc(s.serveHealth))
	pages := make(map[netip.AddrPort]http.Handler)
	for at, mux := range muxes {
		pages[at] = mux
	}
	return pages
}

// switchPages makes the pages of a configuration those that are served.
func (s *Server) switchPages(p *prepared) {
	for at, w := range p.web {
		s.web[at] = w
	}
	for at, w := range s.web {
		if h := p.pages[at]; h != nil {
			w.handler.Store(&h)
			if p.web[at] != nil {
				w.serve(s.log)
			}
			continue
		}
		delete(s.web, at)
		if err := w.close(); err != nil {
			s.log.Error().Err(err).Msg("closing the HTTP server failed")
		}
	}
}
