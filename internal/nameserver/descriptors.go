package nameserver

import (
	"golang.org/x/sys/unix"

	"nullspf/internal/control"
)

const (
	// webConnections may be open at each address for HTTP; further ones wait.
	webConnections = 64
	// otherDescriptors are for what has no number of its own: journal, stored
	// zones, notifications, the runtime.
	otherDescriptors = 256
	// leastConnections over TCP there are, however few descriptors.
	leastConnections = 16
)

// descriptorsBeside returns how many descriptors a configuration needs beside
// TCP connections.
func (s *Server) descriptorsBeside(c *Config) int {
	n := otherDescriptors + len(s.listeners)*(1+s.options.Workers) + len(s.web)*(1+webConnections)
	if c.Control != "" {
		n += 1 + control.MaxConnections
	}
	for _, g := range c.groups() {
		n += 2 * g.Transfers // a connection and a file
	}
	return n
}

// reserveDescriptors lets TCP clients have no descriptor that something else
// needs. mu is held.
func (s *Server) reserveDescriptors(c *Config) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		s.log.Warn().Err(err).Msg("the limit of open files cannot be read")
		return
	}
	beside, wanted := s.descriptorsBeside(c), s.options.TCP.Connections
	most := fitConnections(limit.Cur, beside, wanted)
	if most < wanted {
		s.log.Warn().Uint64("limit", limit.Cur).Int("needed", beside+wanted).Int("tcp_connections", most).
			Msg("the limit of open files (LimitNOFILE, ulimit -n) is too low: fewer TCP connections are accepted")
	}
	s.tcp.setConnections(most)
}

// fitConnections returns how many connections there may be within a limit of
// descriptors.
func fitConnections(limit uint64, beside, wanted int) int {
	if limit >= uint64(beside+wanted) {
		return wanted
	}
	return min(wanted, max(int(limit)-beside, leastConnections))
}
