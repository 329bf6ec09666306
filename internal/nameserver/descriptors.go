package nameserver

import (
	"golang.org/x/sys/unix"

	"nullspf/internal/conns"
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
	n := otherDescriptors + smtpAddresses(c) + len(s.listeners)*(1+s.options.Workers) + len(s.web)*(1+webConnections)
	if c.Control != "" {
		n += 1 + control.MaxConnections
	}
	for _, g := range c.groups() {
		n += 2 * g.Transfers // a connection and a file
	}
	return n
}

// smtpAddresses is the number of addresses of the SMTP listener.
func smtpAddresses(c *Config) int {
	if c.SMTP == nil {
		return 0
	}
	return len(c.SMTP.Listen)
}

// reserveDescriptors lets TCP clients have no descriptor that something else
// needs, and those of the SMTP listener none that those of DNS need. mu is held.
func (s *Server) reserveDescriptors(c *Config) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		s.log.Warn().Err(err).Msg("the limit of open files cannot be read")
		return
	}
	beside, wanted, mail := s.descriptorsBeside(c), s.options.TCP.Connections, 0
	if c.SMTP != nil {
		mail = c.SMTP.Connections
	}
	most := fitConnections(limit.Cur, beside+min(mail, leastConnections), wanted)
	mostMail := fitConnections(limit.Cur, beside+most, mail)
	if most < wanted || mostMail < mail {
		s.log.Warn().Uint64("limit", limit.Cur).Int("needed", beside+wanted+mail).Int("tcp_connections", most).Int("smtp_connections", mostMail).
			Msg("the limit of open files (LimitNOFILE, ulimit -n) is too low: fewer TCP connections are accepted")
	}
	s.tcp.conns.SetLimits(func(l *conns.Limits) { l.Connections = most })
	s.smtp.SetConnections(mostMail)
}

// fitConnections returns how many connections there may be within a limit of
// descriptors.
func fitConnections(limit uint64, beside, wanted int) int {
	if limit >= uint64(beside+wanted) {
		return wanted
	}
	return min(wanted, max(int(limit)-beside, leastConnections))
}
