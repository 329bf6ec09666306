package peers

import "fmt"

// yadifaConf is the configuration of YADIFA, which keeps copies of zones in its
// working directory.
const yadifaConf = `<main>
    daemon off
    datapath "%[1]s"
    keyspath "%[1]s"
    logpath "%[1]s"
    pidfile "%[1]s/yadifad.pid"
    xfrpath "%[1]s"
    listen %[2]s port %[3]d
    allow-query any
    axfr-retry-delay 60
    axfr-retry-jitter 60
%[4]s
</main>
<channels>
    all STDOUT
</channels>
<loggers>
    server * all
    system prod all
    database prod all
</loggers>
%[5]s`

func (s *Server) configureYADIFA() ([]string, error) {
	conf, err := s.write("yadifad.conf", fmt.Sprintf(yadifaConf, s.Dir, s.Address.Addr(), s.Address.Port(), s.Options, s.includes("include ", "")))
	if err != nil {
		return nil, err
	}
	return []string{"yadifad", "-c", conf}, nil
}
