package peers

import "fmt"

// errNoNamespaces says why the tests do not run in namespaces of their own.
var errNoNamespaces = fmt.Errorf("TestMain does not call peers.Isolated")

// Namespaces returns nil in tests that run in namespaces of their own, else
// the reason why they do not; see [Isolated].
func Namespaces() error { return errNoNamespaces }

// RequireNamespaces is for a test that needs the namespaces of [Isolated].
func RequireNamespaces(t TB) {
	t.Helper()
	if errNoNamespaces != nil {
		Lack(t, "%v", errNoNamespaces)
	}
}
