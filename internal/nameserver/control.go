package nameserver

import (
	"context"
	"errors"
	"time"

	"nullspf/internal/control"
)

// controlGrace is how long requests under way may hold up the end.
const controlGrace = time.Second

// controlServer serves "nullspf server" at a socket.
type controlServer struct {
	listener *control.Listener
	server   *control.Server
	ended    chan struct{}
}

// openControl makes the socket of a configuration. It returns nil when there is
// to be none, or it is there already.
func (s *Server) openControl(c *Config) (*controlServer, error) {
	if c.Control == "" || s.control != nil && s.control.listener.Path() == c.Control {
		return nil, nil
	}
	l, err := control.Listen(c.Control)
	if err != nil {
		return nil, err
	}
	return &controlServer{l, control.NewServer(daemon{s}, s.log), make(chan struct{})}, nil
}

// serve starts answering requests.
func (c *controlServer) serve(s *Server) {
	go func() {
		defer close(c.ended)
		if err := c.server.Serve(c.listener); err != nil {
			s.log.Error().Err(err).Str("socket", c.listener.Path()).Msg("the control socket failed")
		}
	}()
}

// closeUnused closes a socket that is not served.
func (c *controlServer) closeUnused() error { return c.listener.Close() }

// close removes the socket at once and breaks off the requests that take longer
// than the grace.
func (c *controlServer) close() error {
	err := c.listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), controlGrace)
	defer cancel()
	err = errors.Join(err, c.server.Close(ctx))
	<-c.ended
	return err
}

// switchControl makes the socket of a configuration the one that is served. The
// old one is closed in the background: the reload under way may have been asked
// for there.
func (s *Server) switchControl(p *prepared) {
	old := s.control
	switch {
	case p.control != nil:
		s.control = p.control
		s.control.serve(s)
	case p.config.Control == "":
		s.control = nil
	default:
		return
	}
	if old == nil {
		return
	}
	go func() {
		if err := old.close(); err != nil {
			s.log.Error().Err(err).Msg("closing the control socket failed")
		}
	}()
}
