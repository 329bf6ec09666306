package control

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
)

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	status, err := s.daemon.Status(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, status)
}

func (s *Server) zone(w http.ResponseWriter, r *http.Request) {
	name, ok := zoneName(w, r)
	if !ok {
		return
	}
	detail, err := s.daemon.Zone(r.Context(), name)
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, detail)
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	extend(w, reloadTime)
	s.log.Info().Msg("reload requested through the control socket")
	// A client that goes away does not stop a reload half-way.
	if err := s.daemon.Reload(context.WithoutCancel(r.Context())); err != nil {
		fail(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	reply(w, struct{}{})
}

// order makes a handler of what is done to one zone.
func (s *Server) order(what string, do func(ctx context.Context, name string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, ok := zoneName(w, r)
		if !ok {
			return
		}
		s.log.Info().Str("zone", name).Str("request", what).Msg("requested through the control socket")
		if err := do(r.Context(), name); err != nil {
			refuse(w, err)
			return
		}
		reply(w, struct{}{})
	}
}

// end is the last line of a stream that is complete.
type end struct {
	End uint64 `json:"end"`
}

func (s *Server) zones(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	f := Filter{Kind: Kind(query.Get("kind")), State: State(query.Get("state")), Failing: query.Get("failing") == "1"}
	if err := f.validate(); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := stream(w, r)
	encoder := json.NewEncoder(out)
	var number uint64
	err := s.daemon.Zones(r.Context(), func(z *Zone) error {
		if !f.match(z) {
			return r.Context().Err()
		}
		number++
		return encoder.Encode(z)
	})
	if err != nil {
		err = encoder.Encode(failure{err.Error()})
	} else {
		err = encoder.Encode(end{number})
	}
	if err == nil {
		_ = out.Flush() // an error is the client's
	}
}

func (s *Server) text(w http.ResponseWriter, r *http.Request) {
	name, ok := zoneName(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/dns") // RFC 4027
	out := stream(w, r)
	err := s.daemon.ZoneText(r.Context(), name, out)
	if err == nil {
		err = out.Flush()
	} else if out.sent() {
		// The client sees that the text is not whole.
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		refuse(w, err)
	}
}

// streamWriter collects pieces of an answer.
type streamWriter struct {
	*bufio.Writer
	pieces *pieceWriter
}

// sent reports whether a part of the answer is on its way.
func (s *streamWriter) sent() bool { return s.pieces.written }

func stream(w http.ResponseWriter, r *http.Request) *streamWriter {
	p := &pieceWriter{w: w, ctx: r.Context()}
	return &streamWriter{bufio.NewWriterSize(p, 32<<10), p}
}

// pieceWriter gives the client time for each piece anew.
type pieceWriter struct {
	w       http.ResponseWriter
	ctx     context.Context
	written bool
}

// Write implements [io.Writer].
func (p *pieceWriter) Write(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	p.written = true
	extend(p.w, writeTime)
	return p.w.Write(b)
}
