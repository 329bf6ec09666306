//go:build unix && !linux

package peers

// Unprivileged runs a function as it is.
func Unprivileged(f func()) { f() }
