package interop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// TestCounts has Unbound, which chooses nameserver and address family for each
// query, ask two nameservers, each with its own journal, on behalf of a receiver of 300
// forged messages. Together they are 300 attempts, though each journal alone knows of more
// than half of them.
func TestCounts(t *testing.T) {
	peers.Require(t, peers.Unbound.Programs()...)
	const messages = 300
	const zone = "_spf.counts.example"
	s := &site{dir: t.TempDir()}
	program, err := peers.BuildNullspfd(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	stub := "stub-zone:\n\tname: " + zone + "\n"
	for i := range 2 {
		at := freePort(t, local(3, 1+i))
		dir := filepath.Join(s.dir, fmt.Sprint("var", i))
		dirs = append(dirs, dir)
		corefile := fmt.Sprintf("%s:%d {\n\tbind %s ::1\n\tspftrack {\n\t\tnameservers ns1.example.net\n\t}\n\tjournal %s\n}\n",
			zone, at.Port(), at.Addr(), dir)
		peers.Run(t, peers.Config{
			Kind: peers.Nullspfd, Address: at, Program: program, Include: []string{s.write(t, fmt.Sprint("Corefile", i), corefile)},
		})
		stub += fmt.Sprintf("\tstub-addr: %s@%d\n\tstub-addr: ::1@%d\n", at.Addr(), at.Port(), at.Port())
	}
	resolver := freePort(t, local(4, 1))
	peers.Run(t, peers.Config{
		Kind: peers.Unbound, Address: resolver, Options: "qname-minimisation: yes\noutgoing-interface: ::1\n",
		Include: []string{s.write(t, "stub.conf", stub)},
	})

	live := follow(t, dirs)
	clients := make(chan netip.Addr)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ip := range clients {
				queries, err := spftrack.Queries(spftrack.Track, spftrack.Settings{Zone: zone},
					spftrack.Check{IP: ip, Sender: "info@shop.example", HELO: "mail.example.org"})
				if err != nil {
					t.Error(err)
					continue
				}
				for _, q := range queries[1:] {
					m := new(dns.Msg).SetQuestion(q.Name+".", q.Type)
					if _, _, err := new(dns.Client).ExchangeContext(t.Context(), m, resolver.String()); err != nil {
						t.Errorf("%s: %v", q.Name, err)
					}
				}
			}
		})
	}
	for i := range messages {
		clients <- netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
	}
	close(clients)
	wg.Wait()

	count := func(q forgerylog.Query, dirs ...string) int {
		n := 0
		err := forgerylog.Open(dirs, journal.ReadOptions{}).Events(context.Background(), q, 0, func(*eventrow.Row) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	whole := forgerylog.Query{Packets: true, Kinds: []spftrack.Kind{spftrack.KindExists, spftrack.KindExp}}
	waitFor(t, "the journals do not show all queries", func() bool { return count(whole, dirs...) >= 2*messages })
	resolvers := make(map[string]bool)
	err = forgerylog.Open(dirs, journal.ReadOptions{}).Events(t.Context(), whole, 0, func(r *eventrow.Row) error {
		resolvers[strings.Clone(r.Resolver)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	alone := []int{count(forgerylog.Query{}, dirs[0]), count(forgerylog.Query{}, dirs[1])}
	together := count(forgerylog.Query{}, dirs...)
	t.Logf("%d messages by way of %v: %v attempts in each journal, %d in both together", messages, resolvers, alone, together)
	if len(resolvers) < 2 || alone[0]+alone[1] < messages*5/4 {
		t.Error("Unbound did not choose between addresses and nameservers")
	}
	if together < messages-5 || together > messages+5 {
		t.Errorf("%d attempts, want %d", together, messages)
	}
	// The last exists: queries are shown when their time is over.
	waitFor(t, "what was shown live is not what the journals have", func() bool { return live() >= together })
	time.Sleep(attempt.Default.Hold + 2*time.Second)
	if n := live(); n != together {
		t.Errorf("%d attempts were shown live, the journals have %d", n, together)
	}
}

// follow follows the log of several nameservers until the test ends. shown is the
// number of attempts shown so far.
func follow(t *testing.T, dirs []string) (shown func() int) {
	var n atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- forgerylog.Open(dirs, journal.ReadOptions{}).Follow(ctx, forgerylog.Query{}, 0, func(rows []eventrow.Row) error {
			n.Add(int64(len(rows)))
			select {
			case begun <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	select {
	case <-begun:
	case <-time.After(10 * time.Second):
		t.Fatal("the log is not followed")
	}
	return func() int { return int(n.Load()) }
}
