package control

import "time"

// Status is the state of a nameserver as a whole. No part of it grows with the
// number of zones.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Config is the path of the Corefile.
	Config string `json:"config"`
	// Listen are the addresses and ports, sorted.
	Listen []string `json:"listen"`
	// Problems are what an operator should look at, as in /health.
	Problems []string `json:"problems"`
	Reloads  Reloads  `json:"reloads"`
	// Zones has an entry for each kind of which there are zones.
	Zones        []ZoneCount `json:"zones"`
	TransfersIn  Transfers   `json:"transfers_in"`
	TransfersOut Transfers   `json:"transfers_out"`
	Notifies     Notifies    `json:"notifies"`
}

// Reloads counts reloads of the configuration since the start.
type Reloads struct {
	Done   uint64 `json:"done"`
	Failed uint64 `json:"failed"`
	// Error is why the last one failed, "" when it did not.
	Error string `json:"error,omitempty"`
}

// ZoneCount counts the zones of a kind by state.
type ZoneCount struct {
	Kind    Kind `json:"kind"`
	Serving int  `json:"serving"`
	Waiting int  `json:"waiting"`
	Expired int  `json:"expired"`
}

// Transfers counts zone transfers in one direction since the start.
type Transfers struct {
	// Running is how many are under way, of those to this server.
	Running int    `json:"running,omitempty"`
	Done    uint64 `json:"done"`
	// Failed is by reason.
	Failed map[string]uint64 `json:"failed,omitempty"`
}

// Notifies counts notifications (RFC 1996) since the start.
type Notifies struct {
	// Sent counts messages, repetitions too. Of the notifications that they
	// are about, each of one zone to one secondary, Acknowledged were answered,
	// Refused were answered with an error, Failed were given up or dropped.
	Sent         uint64 `json:"sent"`
	Acknowledged uint64 `json:"acknowledged"`
	Refused      uint64 `json:"refused"`
	Failed       uint64 `json:"failed"`
	// Received came from a primary of the zone, Ignored from anybody else.
	Received uint64 `json:"received"`
	Ignored  uint64 `json:"ignored"`
}
