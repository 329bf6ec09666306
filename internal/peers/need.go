package peers

import (
	"net"
	"os"
	"strings"
)

// requireVariable is the environment variable that makes tests fail, instead
// of being skipped, for want of anything: "make test" sets it to 1.
const requireVariable = "NULLSPF_REQUIRE_PEERS"

// Lack skips a test that lacks something of this machine, or fails it when
// RequireVariable is 1. No other place in the module skips a test.
func Lack(t TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(requireVariable) == "1" {
		t.Fatalf(format+" (with %s=1, everything has to be there)", append(args, requireVariable)...)
		return
	}
	t.Skipf(format, args...)
}

// Require is for a test that needs programs.
func Require(t TB, programs ...string) {
	t.Helper()
	if missing := Missing(programs...); len(missing) > 0 {
		Lack(t, "not installed: %s", strings.Join(missing, ", "))
	}
}

// RequireRoot is for a test that does what only root may: starting Postfix.
func RequireRoot(t TB, what string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Lack(t, "%s: only root may", what)
	}
}

// RequireIPv6 is for a test that talks over IPv6 on loopback.
func RequireIPv6(t TB) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		Lack(t, "no IPv6 on loopback: %v", err)
		return
	}
	_ = l.Close()
}
