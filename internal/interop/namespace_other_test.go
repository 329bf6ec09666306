//go:build !linux

package interop

import (
	"errors"
	"os/exec"
)

// isolated runs the tests as they are: only Linux has namespaces.
func isolated(run func() int) int {
	noNamespaces = errors.New("this system has no namespaces")
	return run()
}

// withResolvConf is never called where there are no namespaces.
func withResolvConf(string, ...string) *exec.Cmd { return nil }
