package peers

import "path/filepath"

// configurePrometheus: the options are the whole prometheus.yml.
func (s *Server) configurePrometheus() ([]string, error) {
	conf, err := s.write("prometheus.yml", s.Options)
	return []string{
		"prometheus", "--config.file=" + conf, "--storage.tsdb.path=" + filepath.Join(s.Dir, "data"),
		"--web.listen-address=" + s.Address.String(), "--log.level=warn",
	}, err
}
