package peers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// configureCoreDNS starts the program with the one file of Include, whose blocks for
// port 53 it makes listen at Address.
func (s *Server) configureCoreDNS() ([]string, error) {
	if len(s.Include) != 1 {
		return nil, errors.New("peers: CoreDNS needs one Corefile")
	}
	text, err := os.ReadFile(s.Include[0])
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	listen := fmt.Sprintf(".:%d {\n    bind %s\n%s", s.Address.Port(), s.Address.Addr(), s.Options)
	conf, err := s.write("Corefile", strings.ReplaceAll(string(text), ".:53 {\n", listen))
	if err != nil {
		return nil, err
	}
	return []string{"coredns", "-conf", conf}, nil
}

// built is the directory of programs that "make peers" has compiled.
func built() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "nullspf", "bin")
}
