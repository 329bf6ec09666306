package peers

import "fmt"

// powerdnsConf is the configuration of a PowerDNS that reads a list of zones of
// BIND, which is what it includes.
const powerdnsConf = `launch=bind
bind-config=%[1]s
local-address=%[2]s
local-port=%[3]d
socket-dir=%[4]s
daemon=no
guardian=no
disable-syslog=yes
cache-ttl=0
negquery-cache-ttl=0
query-cache-ttl=0
zone-cache-refresh-interval=0
%[5]s
`

func (s *Server) configurePowerDNS() ([]string, error) {
	if len(s.Include) != 1 {
		return nil, fmt.Errorf("peers: PowerDNS needs one list of zones")
	}
	_, err := s.write("pdns.conf", fmt.Sprintf(powerdnsConf, s.Include[0], s.Address.Addr(), s.Address.Port(), s.Dir, s.Options))
	if err != nil {
		return nil, err
	}
	s.control = []string{"pdns_control", "--config-dir=" + s.Dir}
	return []string{"pdns_server", "--config-dir=" + s.Dir}, nil
}
