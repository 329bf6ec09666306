package xfr

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nullspf/internal/peers"
	"nullspf/internal/wire"
)

// keyPrimaries are configurations of primaries with two zones, each of which
// one key may transfer: their keys, zone a and zone b with their files.
var keyPrimaries = map[peers.Kind]string{
	peers.BIND: `key a { algorithm %[1]s; secret %[2]q; };
key b { algorithm %[1]s; secret %[3]q; };
zone a.example { type primary; file %[4]q; allow-transfer { key a; }; };
zone b.example { type primary; file %[5]q; allow-transfer { key b; }; };
`,
	peers.NSD: `key:
	name: a
	algorithm: %[1]s
	secret: %[2]q
key:
	name: b
	algorithm: %[1]s
	secret: %[3]q
zone:
	name: a.example
	zonefile: %[4]q
	provide-xfr: 127.0.0.1 a
zone:
	name: b.example
	zonefile: %[5]q
	provide-xfr: 127.0.0.1 b
`,
	peers.Knot: `key:
  - id: a
    algorithm: %[1]s
    secret: %[2]q
  - id: b
    algorithm: %[1]s
    secret: %[3]q
acl:
  - id: a
    key: a
    action: transfer
  - id: b
    key: b
    action: transfer
zone:
  - domain: a.example
    file: %[4]q
    acl: a
  - domain: b.example
    file: %[5]q
    acl: b
`,
}

// TestKeysOfPrimaries transfers from real primaries with the right key, and
// with others.
func TestKeysOfPrimaries(t *testing.T) {
	const secretA, secretB = testSecret, "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5IG9jdGV0cw=="
	for kind, conf := range keyPrimaries {
		for _, algorithm := range []string{"hmac-sha256", "hmac-sha512"} {
			t.Run(fmt.Sprintf("%s-%s", kind, algorithm), func(t *testing.T) {
				t.Parallel()
				peers.Require(t, kind.Programs()...)
				dir := t.TempDir()
				file := filepath.Join(dir, "zone")
				if err := os.WriteFile(file, []byte("$TTL 60\n@ SOA ns. h. 7 2 3 4 5\n@ NS ns.\n@ TXT text\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, "conf")
				if err := os.WriteFile(path, fmt.Appendf(nil, conf, algorithm, secretA, secretB, file, file), 0o644); err != nil {
					t.Fatal(err)
				}
				at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
				if err != nil {
					t.Fatal(err)
				}
				peers.Run(t, peers.Config{Kind: kind, Address: at, Include: []string{path}})
				other := "hmac-sha512"
				if algorithm == other {
					other = "hmac-sha256"
				}
				for name, c := range map[string]struct {
					zone, key, algorithm, secret string
					clock                        time.Duration
					ok                           bool
				}{
					"right key":                   {"a.example", "a", algorithm, secretA, 0, true},
					"right key of the other zone": {"b.example", "b", algorithm, secretB, 0, true},
					"key of another zone":         {"b.example", "a", algorithm, secretA, 0, false},
					"another secret":              {"a.example", "a", algorithm, secretB, 0, false},
					"another algorithm":           {"a.example", "a", other, secretA, 0, false},
					"unknown key":                 {"a.example", "c", algorithm, secretA, 0, false},
					"clock an hour behind":        {"a.example", "a", algorithm, secretA, -time.Hour, false},
					"no key":                      {"a.example", "", "", "", 0, false},
				} {
					var key *Key
					if c.key != "" {
						key = newKey(t, c.key, c.algorithm, c.secret)
					}
					zone, err := wire.ParseName(c.zone)
					if err != nil {
						t.Fatal(err)
					}
					client := NewClient(Primary{Addr: at, Key: key}, DefaultLimits, 2)
					client.now = func() time.Time { return time.Now().Add(c.clock) }
					got, err := client.Refresh(t.Context(), Want{Zone: zone})
					z := got.Zone
					if c.ok {
						if err != nil || z.Serial() != 7 || z.Count() != 3 {
							t.Errorf("%s: %v, %v", name, z, err)
						} else if again, err := client.Refresh(t.Context(), Want{Zone: zone, Have: z}); again.Zone != z {
							t.Errorf("%s: again: %v, %v", name, again.Zone, err)
						}
					} else {
						var e *TransferError
						if z != nil || !errors.As(err, &e) || e.Reason != ReasonRefused && e.Reason != ReasonTSIG {
							t.Errorf("%s: %v, %v; want a refusal", name, z, err)
						}
					}
					client.Close()
				}
			})
		}
	}
}
