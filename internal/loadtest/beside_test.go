package loadtest

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nullspf/internal/peers"
	"nullspf/internal/testsite"
	"nullspf/named"
	"nullspf/zones"
)

// besides are the servers that get the same as nullspfd.
var besides = []peers.Kind{peers.NSD, peers.Knot}

// The key of transfers of published zones.
const (
	transferKey    = "xfr.example.net"
	transferSecret = "c2VjcmV0IG9mIHRyYW5zZmVycywgMzIgYnl0ZXMuLg=="
)

// publishedZones are those of publish.
var publishedZones = []string{"brand.example", "shop.example", "null.example"}

// publish makes an output directory with zones that 127.0.0.1 may transfer with
// the key, and configurations of all servers.
func publish(t *testing.T) (output string) {
	t.Helper()
	list := "domain\n"
	for _, z := range publishedZones {
		list += z + "\n"
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	s := &testsite.Site{
		Dir: t.TempDir(), Now: time.Unix(1_800_000_000, 0), Servers: []named.Server{named.NSD, named.Knot},
		Primary: &named.Primary{
			Addresses:     []netip.AddrPort{netip.AddrPortFrom(loopback, 53)},
			AllowTransfer: []netip.Prefix{netip.PrefixFrom(loopback, 32)},
			AlsoNotify:    []netip.AddrPort{netip.AddrPortFrom(loopback, 9)},
		},
		TSIG:  &named.TSIG{Name: transferKey, Algorithm: "hmac-sha256", Secret: transferSecret},
		Lists: map[*zones.Group]string{testsite.Group("generic"): list},
	}
	if err := s.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Output()
}

// servePublished makes a site serve published zones too.
func (s *site) servePublished(t *testing.T, output string) {
	t.Helper()
	key := filepath.Join(s.dir, "tsig.key")
	if err := os.WriteFile(key, []byte(transferSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.options += fmt.Sprintf(`}
.:%d {
	bind 127.0.0.1
	tsig %s hmac-sha256 %s
	parked %s
	transfer {
		to 127.0.0.1 key %s
	}`, s.at.Port(), transferKey, key, output, transferKey)
}

// startBeside starts another server on published zones.
func startBeside(t *testing.T, kind peers.Kind, output string) *peers.Server {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	options := ""
	if kind == peers.NSD {
		options = "rrl-ratelimit: 0\n"
	}
	return peers.Run(t, peers.Config{Kind: kind, Address: at, WorkDir: output, Options: options, Include: []string{filepath.Join(output, string(kind), "primary.conf")}})
}
