package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
)

// The bounds of what a client may cost.
const (
	// MaxConnections at a time; further ones wait.
	MaxConnections = 64
	// maxRequests at a time; further ones are answered with 503.
	maxRequests = 32
	// maxHeader bytes of request line and header.
	maxHeader = 8 << 10
	// maxName bytes of a zone's name: 255 bytes, each as \DDD.
	maxName = 4 * 255
	// readTime for a request, writeTime for each piece of an answer, idleTime
	// until the next request.
	readTime, writeTime, idleTime = 5 * time.Second, 10 * time.Second, 30 * time.Second
	// reloadTime for a reload: a million zones take some seconds.
	reloadTime = 10 * time.Minute
)

// Server answers at a socket.
type Server struct {
	daemon Daemon
	log    zerolog.Logger
	slots  chan struct{}
	http   http.Server
}

// NewServer returns a server for a daemon.
func NewServer(d Daemon, log zerolog.Logger) *Server {
	s := &Server{daemon: d, log: log, slots: make(chan struct{}, maxRequests)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", s.bounded(s.status))
	mux.HandleFunc("GET /zones", s.bounded(s.zones))
	mux.HandleFunc("GET /zone", s.bounded(s.zone))
	mux.HandleFunc("GET /text", s.bounded(s.text))
	mux.HandleFunc("POST /reload", s.bounded(s.reload))
	mux.HandleFunc("POST /retransfer", s.bounded(s.order("retransfer", d.Retransfer)))
	mux.HandleFunc("POST /notify", s.bounded(s.order("notify", d.Notify)))
	s.http = http.Server{
		Handler: mux,
		// ReadTimeout would end the context of a request whose answer takes
		// longer.
		ReadHeaderTimeout: readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
	}
	return s
}

// Serve answers until the server or the listener is closed, and returns nil
// then.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(l, MaxConnections))
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close takes no more connections and waits for the requests under way until
// ctx is done, when it breaks them off.
func (s *Server) Close(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

// bounded refuses what exceeds the bounds.
func (s *Server) bounded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// What of the body is still to come need not come.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTime))
			w.Header().Set("Connection", "close")
			fail(w, http.StatusRequestEntityTooLarge, "a request has no body")
			return
		}
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			w.Header().Set("Connection", "close")
			fail(w, http.StatusServiceUnavailable, "too many requests are under way; try again later")
			return
		}
		h(w, r)
	}
}

// extend gives a client so much time from now to take what is written.
func extend(w http.ResponseWriter, d time.Duration) {
	// Every connection of http.Server has deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

// failure is how errors are sent.
type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(failure{text}) // an error is the client's
}

// refuse sends an error of the daemon.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrUnknownZone):
		status = http.StatusNotFound
	case errors.Is(err, ErrNotApplicable):
		status = http.StatusConflict
	}
	fail(w, status, err.Error())
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // an error is the client's
}

// zoneName takes the name of a zone from a request.
func zoneName(w http.ResponseWriter, r *http.Request) (string, bool) {
	name := r.URL.Query().Get("name")
	if name == "" || len(name) > maxName {
		fail(w, http.StatusBadRequest, "name the zone with ?name=, in at most 1020 bytes")
		return "", false
	}
	return name, true
}
