//go:build !linux

package interop

import "os/exec"

// withResolvConf is never called where there are no namespaces.
func withResolvConf(string, ...string) *exec.Cmd { return nil }
