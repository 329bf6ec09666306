package peers

import "context"

// TB is the part of testing.TB that this package uses.
type TB interface {
	Helper()
	Cleanup(func())
	Context() context.Context
	TempDir() string
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
}

// Programs returns the programs that a kind of server needs: the server
// itself and what controls it.
func (k Kind) Programs() []string {
	switch k {
	case BIND:
		return []string{"named", "rndc"}
	case NSD:
		return []string{"nsd", "nsd-control"}
	case Knot:
		return []string{"knotd", "knotc"}
	case Unbound:
		return []string{"unbound", "unbound-control"}
	case Nullspfd:
		return []string{"go"}
	case PowerDNS:
		return []string{"pdns_server", "pdns_control", "sqlite3"}
	case YADIFA:
		return []string{"yadifad"}
	case CoreDNS:
		return []string{"coredns"}
	case ClickHouse:
		return []string{"clickhouse-server"}
	case Prometheus:
		return []string{"prometheus"}
	}
	return nil
}

// Run starts a server for the time of a test, or skips the test when the
// programs are missing. The log of the server becomes part of that of a test
// that fails.
func Run(t TB, c Config) *Server {
	t.Helper()
	Require(t, c.Kind.Programs()...)
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s at %v:\n%s", s.Kind, s.Address, s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}
