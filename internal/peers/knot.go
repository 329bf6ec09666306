package peers

import "fmt"

// knotConf is the configuration of Knot DNS. Its databases are kept small:
// they are mapped into memory as a whole.
const knotConf = `server:
    rundir: "%[1]s"
    listen: "%[2]s"
    udp-workers: 1
    tcp-workers: 4
    background-workers: 2
%[3]s
log:
  - target: stderr
    any: info
control:
    listen: "%[1]s/control"
database:
    storage: "%[1]s"
    journal-db-max-size: 100M
    kasp-db-max-size: 20M
    timer-db-max-size: 10M
    catalog-db-max-size: 20M
%[4]s`

func (s *Server) configureKnot() ([]string, error) {
	address := fmt.Sprintf("%s@%d", s.Address.Addr(), s.Address.Port())
	conf, err := s.write("knot.conf", fmt.Sprintf(knotConf, s.Dir, address, s.Options, s.includes(`include: "`, `"`)))
	if err != nil {
		return nil, err
	}
	s.control = []string{"knotc", "-c", conf, "-s", s.Dir + "/control"}
	return []string{"knotd", "-c", conf}, nil
}
