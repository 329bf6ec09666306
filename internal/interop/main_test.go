package interop

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"nullspf/internal/peers"
)

func TestMain(m *testing.M) { os.Exit(peers.Isolated(m.Run)) }

// local returns the address 127.0.net.host.
func local(net, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, byte(net), byte(host)})
}

// freePort returns an address with a free port.
func freePort(t *testing.T, a netip.Addr) netip.AddrPort {
	t.Helper()
	at, err := peers.FreePort(a)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// waitFor polls a condition until it holds.
func waitFor(t *testing.T, problem string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !condition(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal(problem)
		}
	}
}
