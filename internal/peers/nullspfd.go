package peers

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// configureNullspfd starts the program with the one file of Include, which is
// its whole configuration and must let it listen at Address.
func (s *Server) configureNullspfd() ([]string, error) {
	if s.Program == "" || len(s.Include) != 1 {
		return nil, errors.New("peers: nullspfd needs its program and one Corefile")
	}
	return []string{s.Program, "-conf", s.Include[0]}, nil
}

// BuildNullspfd compiles nullspfd into a directory and returns the path of the
// program. The current directory must be one of this module.
func BuildNullspfd(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "nullspfd")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "nullspf/cmd/nullspfd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("peers: cannot build nullspfd: %w\n%s", err, out)
	}
	return program, nil
}
