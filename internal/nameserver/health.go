package nameserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"nullspf/internal/secondary"
)

// Health is what GET /health returns. As long as the server answers queries
// the status code is 200: a lost event is not a reason to take it out of service.
type Health struct {
	// Status is "ok", or "degraded" when there are problems.
	Status string `json:"status"`
	// Problems are what an operator should look at.
	Problems []string `json:"problems"`
	Stored   uint64   `json:"stored"`
	// Lost is by reason.
	Lost map[string]uint64 `json:"lost"`
	// Uptime is in seconds.
	Uptime int64 `json:"uptime"`
}

// Health returns the state of the server.
func (s *Server) Health() Health {
	stats := s.recorder.Stats()
	h := Health{
		Status:   "ok",
		Problems: []string{},
		Stored:   stats.Stored,
		Lost:     stats.Lost,
		Uptime:   int64(time.Since(s.started) / time.Second),
	}
	if h.Lost == nil {
		h.Lost = map[string]uint64{}
	}
	if p := s.recorder.Health(); p != "" && s.serving.Load().config.tracks() {
		h.Problems = append(h.Problems, p)
	}
	if reason := s.lastFailure.Load(); reason != nil {
		h.Problems = append(h.Problems, "reload: "+*reason)
	}
	h.Problems = append(h.Problems, s.xdpProblems()...)
	h.Problems = append(h.Problems, s.smtp.Problems()...)
	h.Problems = append(h.Problems, s.lists.problems()...)
	h.Problems = append(h.Problems, secondaryProblems(s.secondary.Status())...)
	if len(h.Problems) > 0 {
		h.Status = "degraded"
	}
	return h
}

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// An error is one of the connection, whose client has gone.
	_ = json.NewEncoder(w).Encode(s.Health())
}

// secondaryProblems says what an operator should look at.
func secondaryProblems(s secondary.Status) (problems []string) {
	add := func(n int, one, many, do string) {
		switch {
		case n == 1:
			problems = append(problems, "1 secondary zone "+one+do)
		case n > 1:
			problems = append(problems, fmt.Sprintf("%d secondary zones %s%s", n, many, do))
		}
	}
	add(s.Zones[secondary.ZoneExpired]+s.Catalogs[secondary.ZoneExpired], "has expired", "have expired",
		", because no primary has answered for longer than the SOA's expire time; queries are answered with SERVFAIL")
	add(s.Unsaved, "is", "are", " served, but not stored, because files cannot be written; see the log")
	return problems
}
