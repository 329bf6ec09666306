package peers

import "fmt"

// unboundConf is the configuration of Unbound, a resolver. It asks from the
// address at which it answers, keeps small caches and validates nothing,
// unless options say otherwise: of two lines for one option, the last counts.
const unboundConf = `server:
	directory: "%[1]s"
	interface: %[2]s
	port: %[3]d
	outgoing-interface: %[2]s
	access-control: 127.0.0.0/8 allow
	access-control: ::1/128 allow
	do-not-query-localhost: no
	username: ""
	chroot: ""
	pidfile: ""
	do-daemonize: no
	use-syslog: no
	logfile: ""
	num-threads: 1
	msg-cache-size: 1m
	rrset-cache-size: 1m
	module-config: "iterator"
%[4]s
remote-control:
	control-enable: yes
	control-interface: "%[6]s/control"
%[5]s`

func (s *Server) configureUnbound() ([]string, error) {
	conf, err := s.write("unbound.conf", fmt.Sprintf(unboundConf, s.WorkDir,
		s.Address.Addr(), s.Address.Port(), s.Options, s.includes(`include: "`, `"`), s.Dir))
	if err != nil {
		return nil, err
	}
	s.control = []string{"unbound-control", "-c", conf}
	return []string{"unbound", "-d", "-c", conf}, nil
}
