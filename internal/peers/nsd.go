package peers

import "fmt"

// nsdConf is the configuration of NSD. Control goes through a socket in the
// file system, which needs no certificates.
const nsdConf = `server:
	server-count: 1
	ip-address: %[3]s
	username: ""
	chroot: ""
	database: ""
	zonesdir: "%[1]s"
	pidfile: "%[2]s/nsd.pid"
	xfrdfile: "%[2]s/xfrd.state"
	xfrdir: "%[2]s"
	zonelistfile: "%[2]s/zone.list"
	cookie-secret-file: "%[2]s/cookies"
	xfrd-reload-timeout: 0
	verbosity: 1
%[4]s
remote-control:
	control-enable: yes
	control-interface: "%[2]s/control"
%[5]s`

func (s *Server) configureNSD() ([]string, error) {
	address := fmt.Sprintf("%s@%d", s.Address.Addr(), s.Address.Port())
	conf, err := s.write("nsd.conf", fmt.Sprintf(nsdConf, s.WorkDir, s.Dir, address, s.Options, s.includes(`include: "`, `"`)))
	if err != nil {
		return nil, err
	}
	s.control = []string{"nsd-control", "-c", conf}
	return []string{"nsd", "-d", "-c", conf}, nil
}
