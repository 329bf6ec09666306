package mtas

import (
	"nullspf/internal/peers"
)

// Networked makes a network for the time of a test.
func Networked(t peers.TB) *Network {
	t.Helper()
	peers.RequireRoot(t, "make network namespaces")
	peers.Require(t, "ip", "nsenter")
	w, err := NewNetwork()
	if err != nil {
		peers.Lack(t, "%v", err)
	}
	t.Cleanup(w.Close)
	return w
}

// Add adds a machine to a network for a test.
func (w *Network) Add(t peers.TB, addresses ...string) *Machine {
	t.Helper()
	m, err := w.Machine(addresses...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// Run starts a server for the time of a test. Its log becomes part of that of a
// test that fails.
func Run(t peers.TB, c Config) *Server {
	t.Helper()
	peers.RequireRoot(t, "start mail servers")
	if _, err := Root(c.Kind); err != nil {
		peers.Lack(t, "%v", err)
	}
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", c.Kind, s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}
