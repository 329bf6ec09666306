package nameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/testsite"
	"nullspf/internal/xfr"
	"nullspf/named"
	"nullspf/zones"
)

// TestRealSecondaries has BIND, NSD and Knot DNS transfer zones from us, with
// keys of both kinds, be told of one change, and ask for nothing but that.
func TestRealSecondaries(t *testing.T) {
	kinds := []peers.Kind{peers.BIND, peers.NSD, peers.Knot}
	for _, k := range kinds {
		peers.Require(t, k.Programs()...)
	}
	for _, algorithm := range []string{"hmac-sha256", "hmac-sha512"} {
		t.Run(algorithm, func(t *testing.T) {
			loopback := netip.MustParseAddr("127.0.0.1")
			var at []netip.AddrPort
			for range len(kinds) + 1 {
				a, err := peers.FreePort(loopback)
				if err != nil {
					t.Fatal(err)
				}
				at = append(at, a)
			}
			const n = 40
			list := "domain,mail\n"
			for i := range n {
				list += testsite.ManyName(i) + "\n"
			}
			g := testsite.Group("generic")
			site := &testsite.Site{
				Dir: t.TempDir(), Catalog: "catalog.invalid", Now: time.Unix(1_800_000_000, 0),
				Servers: []named.Server{named.BIND, named.NSD, named.Knot},
				Primary: &named.Primary{Addresses: at[:1], AllowTransfer: []netip.Prefix{netip.PrefixFrom(loopback, 32)}, AlsoNotify: at[1:]},
				TSIG:    &named.TSIG{Name: "xfr.example.net", Algorithm: algorithm, Secret: transferSecret},
				Lists:   map[*zones.Group]string{g: list},
			}
			build := func() {
				t.Helper()
				if err := site.Build(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			asked, stop := refusingPrimary(t, at[0])
			// Each secondary has a store of its own: they share this machine.
			for i, k := range kinds {
				site.Store = t.TempDir()
				build()
				directory := string(k)
				if k == peers.BIND {
					directory = "named"
				}
				c := peers.Config{Kind: k, Address: at[i+1], WorkDir: site.Output(), Include: []string{filepath.Join(site.Output(), directory, "secondary.conf")}}
				if k == peers.NSD {
					c.Options = "rrl-ratelimit: 0\n"
				}
				peers.Run(t, c)
				if k == peers.BIND {
					// It asks over UDP, and what it has not been answered when NOTIFY comes
					// holds it up.
					await(t, "BIND asks for all zones", func() bool { return asked() == n })
				}
			}
			stop()
			config := func() *Config {
				return parkedConfig(site, func(c *Config) {
					key := transferKey(t, string(site.TSIG.Name), algorithm, transferSecret)
					c.Keys = xfr.Keys{key.Name: key}
					c.Blocks[0].Listen = at[:1]
					c.Transfer = &Transfer{
						To:     []TransferRule{{Prefixes: site.Primary.AllowTransfer, Key: key.Name}},
						Notify: []NotifyRule{{Addresses: at[1:], Key: key.Name}},
					}
				})
			}
			s := startServer(t, config(), Options{})
			serves := func(serial func(i int) uint32) {
				t.Helper()
				for _, a := range at[1:] {
					for i := range n {
						// A secondary that NOTIFY does not bring asks again after a minute.
						for deadline := time.Now().Add(50 * time.Second); ; time.Sleep(20 * time.Millisecond) {
							if got, ok := peers.Serial(t.Context(), a, testsite.ManyName(i)); ok && got == serial(i) {
								break
							}
							if time.Now().After(deadline) {
								t.Fatalf("%v does not serve %s with serial number %d", a, testsite.ManyName(i), serial(i))
							}
						}
					}
				}
			}
			// The secondaries were there first: NOTIFY at our start brings them.
			serves(func(int) uint32 { return 1_800_000_000 })
			settle := func() xfr.NotifyCounts {
				for {
					c := s.notifier.Counts()
					time.Sleep(500 * time.Millisecond)
					if c == s.notifier.Counts() {
						return c
					}
				}
			}
			before, ixfr := settle(), s.served[xfr.ServedIXFR].Load()

			site.Now = site.Now.Add(time.Minute)
			site.Lists[g] = "domain,mail\n" + testsite.ManyName(0) + ",nullmx\n" + list[len("domain,mail\n"+testsite.ManyName(0)+"\n"):]
			build()
			if err := s.reload(t, config()); err != nil {
				t.Fatal(err)
			}
			serves(func(i int) uint32 {
				if i == 0 {
					return 1_800_000_060
				}
				return 1_800_000_000
			})
			after := settle()
			if told := after.Answered + after.Refused + after.Failed - before.Answered - before.Refused - before.Failed; told != uint64(len(kinds)) {
				t.Errorf("%d secondaries were told of one changed zone: %+v, then %+v", told, before, after)
			}
			if n := s.served[xfr.ServedIXFR].Load() - ixfr; n != uint64(len(kinds)) {
				t.Errorf("%d of %d secondaries got differences: %s", n, len(kinds), servedText(&s.served))
			}
		})
	}
}

// refusingPrimary refuses all queries over UDP at an address until stop is called,
// as a primary does that has no zones yet. asked is the number of zones that
// were asked for.
func refusingPrimary(t *testing.T, at netip.AddrPort) (asked func() int, stop func()) {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	zones := make(map[string]bool)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 1<<16)
		for {
			size, from, err := conn.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var query, answer dns.Msg
			if err != nil || query.Unpack(b[:size]) != nil || len(query.Question) != 1 {
				continue
			}
			mu.Lock()
			zones[query.Question[0].Name] = true
			mu.Unlock()
			if packed, err := answer.SetRcode(&query, dns.RcodeRefused).Pack(); err == nil {
				_, _ = conn.WriteToUDPAddrPort(packed, from)
			}
		}
	}()
	stop = sync.OnceFunc(func() { _ = conn.Close(); <-ended })
	t.Cleanup(stop)
	asked = func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(zones)
	}
	return asked, stop
}

func servedText(s *servedTransfers) (text string) {
	for i := range s {
		text += fmt.Sprintf("%s %d ", xfr.Served(i), s[i].Load())
	}
	return text
}
