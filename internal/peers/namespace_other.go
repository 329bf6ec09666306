//go:build unix && !linux

package peers

import "errors"

// Isolated runs the tests as they are: only Linux has namespaces.
func Isolated(run func() int) int {
	errNoNamespaces = errors.New("this system has no namespaces")
	return run()
}
