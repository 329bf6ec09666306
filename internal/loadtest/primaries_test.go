package loadtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

const (
	goodZone    = "good.test"
	catalogZone = "catalog.test"
	// members is how many zones the catalog zone lists, other ones each time.
	members = 50
)

// hostileZones come from a primary that does something else each time.
var hostileZones = []string{"a.test", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test"}

// hostilePrimary is a primary that does what it should for some zones and anything
// else for the others.
type hostilePrimary struct {
	listener net.Listener
	at       netip.AddrPort
	serial   atomic.Uint32
	// tamed: it does what it should for all zones.
	tamed  atomic.Bool
	mu     sync.Mutex
	random *rand.Rand
	done   map[string]int
	serve  sync.WaitGroup
	conns  map[net.Conn]struct{}
}

func startHostilePrimary(t *testing.T, random *rand.Rand) *hostilePrimary {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	p := &hostilePrimary{listener: l, at: at, random: random, done: make(map[string]int), conns: make(map[net.Conn]struct{})}
	p.serial.Store(1)
	p.serve.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns[conn] = struct{}{}
			p.mu.Unlock()
			p.serve.Go(func() {
				defer func() {
					_ = conn.Close()
					p.mu.Lock()
					delete(p.conns, conn)
					p.mu.Unlock()
				}()
				for p.answer(conn) {
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.serve.Wait()
	})
	return p
}

// records are those of a zone, without its last SOA record.
func (p *hostilePrimary) records(zone string) (rrs []dns.RR) {
	serial := p.serial.Load()
	lines := []string{fmt.Sprintf("@ SOA ns h %d 1 1 3600 1", serial), "@ NS ns", "ns A 192.0.2.1"}
	if zone == catalogZone+"." {
		lines = []string{fmt.Sprintf("@ SOA invalid. invalid. %d 1 1 3600 1", serial), "@ NS invalid.", `version TXT "2"`}
		for i := range members {
			lines = append(lines, fmt.Sprintf("m%d-%d.zones PTR z%d.new-%d.test.", serial, i, i, serial))
		}
	}
	for _, l := range lines {
		rr, err := dns.NewRR("$ORIGIN " + zone + "\n$TTL 1\n" + l)
		if err != nil {
			panic(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

// answer answers one request; false ends the connection.
func (p *hostilePrimary) answer(conn net.Conn) bool {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return false
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, b); err != nil {
		return false
	}
	r := new(dns.Msg)
	if err := r.Unpack(b); err != nil || len(r.Question) != 1 {
		return false
	}
	zone := r.Question[0].Name
	rrs := p.records(zone)
	whole := new(dns.Msg).SetReply(r)
	whole.Authoritative, whole.Compress = true, true
	whole.Answer = append(rrs, rrs[0])
	if r.Question[0].Qtype == dns.TypeSOA {
		whole.Answer = rrs[:1]
	}
	packed, err := whole.Pack()
	if err != nil {
		panic(err)
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	hostile := false
	for _, z := range hostileZones {
		hostile = hostile || z+"." == zone
	}
	if !hostile || p.tamed.Load() {
		_, err := conn.Write(framed)
		return err == nil
	}
	p.mu.Lock()
	what := p.random.IntN(9)
	cut := p.random.IntN(len(framed))
	bit := p.random.IntN(8 * len(packed))
	p.done[[]string{"close", "silence", "half", "endless", "slow", "bits", "refuse", "foreign", "right"}[what]]++
	p.mu.Unlock()
	switch what {
	case 0:
		return false
	case 1:
		_, _ = io.Copy(io.Discard, conn)
		return false
	case 2:
		_, _ = conn.Write(framed[:cut])
		return false
	case 3: // without a last SOA record
		whole.Answer = nil
		for i := range 200 {
			rr, err := dns.NewRR(fmt.Sprintf("n%d.%s 1 TXT %q", i, zone, strings.Repeat("x", 100)))
			if err != nil {
				panic(err)
			}
			whole.Answer = append(whole.Answer, rr)
		}
		first := *whole
		first.Answer = rrs[:2]
		for _, m := range []*dns.Msg{&first, whole} {
			b, err := m.Pack()
			if err != nil {
				panic(err)
			}
			framed = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
			if _, err := conn.Write(framed); err != nil {
				return false
			}
		}
		for {
			if _, err := conn.Write(framed); err != nil {
				return false
			}
		}
	case 4: // a byte a second
		for i := range framed {
			if _, err := conn.Write(framed[i : i+1]); err != nil {
				return false
			}
			time.Sleep(time.Second)
		}
		return true
	case 5:
		framed[2+bit/8] ^= 1 << (bit % 8)
		_, err := conn.Write(framed)
		return err == nil
	case 6:
		m, err := new(dns.Msg).SetRcode(r, dns.RcodeRefused).Pack()
		if err != nil {
			panic(err)
		}
		_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
		return err == nil
	case 7: // the zone of somebody else
		copy(framed[2+12+1:], "z")
	}
	_, err = conn.Write(framed)
	return err == nil
}

// notify tells a server that zones have changed.
func notify(t *testing.T, at netip.AddrPort, zones ...string) {
	t.Helper()
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, z := range zones {
		b, err := new(dns.Msg).SetNotify(z + ".").Pack()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(b)
	}
}

// descriptors is how many the daemon has open.
func (d *daemon) descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/" + strconv.Itoa(d.cmd.Process.Pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// TestHostilePrimaries gives a daemon a primary that closes, is silent, sends half,
// endlessly, a byte a second, damaged messages and those of other zones, and a
// catalog zone with new names each time. The zones of others are answered and
// refreshed meanwhile, memory and descriptors are bounded; and when the primary has
// come to its senses, all its zones are served.
func TestHostilePrimaries(t *testing.T) {
	r := torture.Start(t, 4*time.Second)
	p := startHostilePrimary(t, r.Fork(1))
	s := newSite(t)
	block := func(store, what string) string {
		return fmt.Sprintf("\tsecondary {\n\t\t%s\n\t\tprimaries %s\n\t\tstore %s\n\t\tmax_size 1MiB\n\t\tmax_time 3s\n\t\tidle_time 1s\n\t}\n", what, p.at, filepath.Join(s.dir, store))
	}
	s.options = fmt.Sprintf("}\n.:%d {\n\tbind 127.0.0.1\n", s.at.Port()) +
		block("good", "zones "+goodZone) + block("hostile", "zones "+strings.Join(hostileZones, " ")) + block("catalog", "catalog "+catalogZone)
	d := s.start(t)
	book := new(ledger)
	l := newLoad(t)
	rate := slower(2000)
	l.udp(s.at, rate, book.add(t, rate*(int(r.Left().Seconds())+60), shape{}))
	served := func(zone string) uint32 {
		n, _ := peers.Serial(t.Context(), s.at, zone)
		return n
	}
	began, slowest, mostMemory, mostOpen := now(), time.Duration(0), 0, 0
	for r.More(3) {
		serial := p.serial.Add(1)
		since := time.Now()
		waitFor(t, 20*time.Second, func() bool {
			notify(t, s.at, append([]string{goodZone, catalogZone}, hostileZones...)...)
			time.Sleep(20 * time.Millisecond)
			return served(goodZone) == serial
		}, func() string { return fmt.Sprintf("%s has serial %d, not %d", goodZone, served(goodZone), serial) })
		slowest = max(slowest, time.Since(since))
		mostMemory = max(mostMemory, d.resident(t))
		mostOpen = max(mostOpen, d.descriptors(t))
		time.Sleep(200 * time.Millisecond)
	}
	ended := now()
	p.tamed.Store(true)
	serial := p.serial.Add(1)
	tamed := time.Now()
	lastMember := fmt.Sprintf("z%d.new-%d.test", members-1, serial)
	for _, zone := range append([]string{lastMember}, hostileZones...) {
		waitFor(t, 60*time.Second, func() bool {
			notify(t, s.at, append([]string{catalogZone}, hostileZones...)...)
			time.Sleep(50 * time.Millisecond)
			return served(zone) == serial
		}, func() string {
			return fmt.Sprintf("%s has serial %d, not %d, although its primary is in order", zone, served(zone), serial)
		})
	}
	r.Figure("all served after", "%s", time.Since(tamed).Round(100*time.Millisecond))
	l.end()
	during := measure(book.streams, began, ended)
	if during.answered < during.sent {
		t.Errorf("with hostile primaries: %s", &during)
	}
	p.mu.Lock()
	for _, what := range slices.Sorted(maps.Keys(p.done)) {
		r.Count("times "+what, p.done[what])
	}
	p.mu.Unlock()
	r.Count("versions of the catalog zone", int(serial))
	r.Figure("slowest refresh of a good zone", "%s", slowest.Round(time.Millisecond))
	r.Figure("slowest answer", "%s", during.worst.Round(time.Millisecond))
	r.Figure("most memory", "%d MiB", mostMemory)
	r.Figure("most descriptors", "%d", mostOpen)
	if !raceDetector && mostMemory > 300 || mostOpen > 200 {
		t.Errorf("%d MiB, %d descriptors", mostMemory, mostOpen)
	}
	waitFor(t, 10*time.Second, func() bool {
		copies, err := os.ReadDir(filepath.Join(s.dir, "catalog"))
		return err == nil && len(copies) <= members+5
	}, func() string { return "copies of zones that have left the catalog zone stay" })
	d.stop(t)
}
