package peers

import "errors"

// configureNullspfd starts the program with the one file of Include, which is
// its whole configuration and must let it listen at Address.
func (s *Server) configureNullspfd() ([]string, error) {
	if s.Program == "" || len(s.Include) != 1 {
		return nil, errors.New("peers: nullspfd needs its program and one Corefile")
	}
	return []string{s.Program, "-conf", s.Include[0]}, nil
}
