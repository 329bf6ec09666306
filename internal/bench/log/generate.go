package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// The data is what a tracking zone for many domains sees, with a fixed seed: of
// every hundred attempts some ninety ask exists: and exp=, the others exists: only;
// some ask AAAA too, or twice, or come with QNAME minimisation. Clients, domains,
// HELO names and resolvers are far from evenly distributed.
const (
	zone    = "_spf.example.net"
	server  = "ns1.example.net"
	days    = 92
	domains = 1000
	// resolvers is how many there are, of which few ask most.
	resolvers = 20_000
	// eventsOfAddress is how many events there are for each client address, in
	// the mean.
	eventsOfAddress = 12
	// busy is the rank of the address and of the domain that are asked for.
	busy = 3
	// unsealed is how many attempts at the end are in a wal file.
	unsealed = 1000

	typeAAAA = 28
)

// begin is the time of the first event.
var begin = time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)

var (
	locals   = []string{"info", "sales", "support", "admin", "noreply", "billing", "ceo", "postmaster", "service", "account"}
	hosts    = []string{"localhost", "mail", "user", "win-abc123", "smtp.example.com", "ylmf-pc", "server", "debian", "mx1.example.org", "ubuntu"}
	rareAddr = "192.0.2.199"
)

// generator makes events one after the other.
type generator struct {
	rng       *rand.Rand
	put       func(*spftrack.Event) error
	now       float64
	step      float64
	seq       uint64
	addresses int
	name      []byte
}

// newGenerator makes a generator of a log of n events altogether.
func newGenerator(n int, put func(*spftrack.Event) error) *generator {
	return &generator{
		rng: rand.New(rand.NewPCG(11, 2026)), put: put, now: float64(begin.UnixNano()),
		addresses: max(n/eventsOfAddress, 1000),
		// An attempt is 1.93 events in the mean.
		step: float64(days*24*time.Hour) / (float64(n) / 1.93),
	}
}

// generate writes a journal of about n events into a directory.
func generate(dir string, n int) error {
	out, err := journal.Create(dir, server)
	if err != nil {
		return err
	}
	g := newGenerator(n, out.Add)
	last := begin.Add(days * 24 * time.Hour).UnixNano()
	for rare := false; int(g.seq) < n && int64(g.now) < last; {
		// More in the day than in the night.
		phase := 2 * math.Pi * math.Mod(g.now, float64(24*time.Hour)) / float64(24*time.Hour)
		g.now += g.step * g.rng.ExpFloat64() / (1 - 0.5*math.Cos(phase))
		ip := clientAddr(g.skewed(g.addresses, 2.2))
		if !rare && int(g.seq) > n/3 {
			rare, ip = true, netip.MustParseAddr(rareAddr)
		}
		if err := g.attempt(ip); err != nil {
			return err
		}
	}
	if err := out.Close(nil); err != nil {
		return err
	}
	return g.tail(dir)
}

// tail adds attempts that stay in a wal file.
func (g *generator) tail(dir string) error {
	j, err := journal.Open(journal.Settings{
		Dir: dir, Server: server, Logger: zerolog.Nop(), SegmentAge: time.Hour,
		Zones: []journal.Zone{{Name: zone, Layouts: []spftrack.Layout{spftrack.Track}}},
	})
	if err != nil {
		return err
	}
	g.put = func(e *spftrack.Event) error {
		j.Put(&journal.Packet{Time: e.Time, Resolver: e.Resolver, Qtype: e.QType, Name: e.Name})
		return nil
	}
	for range unsealed {
		g.now += g.step
		if err := g.attempt(clientAddr(g.skewed(g.addresses, 2.2))); err != nil {
			return err
		}
	}
	return j.Close()
}

// skewed is a number below n, small ones far more often than great ones.
func (g *generator) skewed(n int, power float64) int {
	return min(int(math.Pow(g.rng.Float64(), power)*float64(n)), n-1)
}

// scramble gives each number below 2^32 another.
func scramble(i int) uint32 {
	x := uint32(i) * 0x9e3779b1
	x ^= x >> 15
	x *= 0x85ebca6b
	return x ^ x>>13
}

// clientAddr is the address of a client by its rank: one in sixteen has IPv6.
func clientAddr(rank int) netip.Addr {
	x := scramble(rank)
	if rank%16 == 15 {
		a := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(x>>24) | 1, byte(x >> 16), 0, byte(x >> 8), 15: byte(x) | 1}
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom4([4]byte{byte(x>>24)%223 + 1, byte(x >> 16), byte(x >> 8), byte(x)})
}

func domainName(rank int) string {
	kinds := [...]string{"shop", "bank", "brand", "holiday", "insurance"}
	return fmt.Sprintf("%s-%03d.example", kinds[rank%len(kinds)], rank)
}

func (g *generator) resolver() netip.AddrPort {
	x := scramble(g.skewed(resolvers, 3) + 1<<30)
	port := uint16(1024 + g.rng.IntN(64000))
	if x%8 == 7 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0xff, 0x53, byte(x >> 16), byte(x >> 8), 15: byte(x)}), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18 + byte(x>>24)%2, byte(x >> 16), byte(x >> 8)}), port)
}

func (g *generator) local() string {
	word := locals[g.skewed(len(locals), 1.5)]
	switch g.rng.IntN(10) {
	case 0, 1, 2:
		return word
	case 3, 4, 5:
		return word + strconv.Itoa(g.rng.IntN(10_000))
	}
	const letters = "abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 5+g.rng.IntN(8))
	for i := range b {
		b[i] = letters[g.rng.IntN(len(letters))]
	}
	return string(b) + strconv.Itoa(g.rng.IntN(100))
}

func (g *generator) helo(ip netip.Addr) string {
	switch g.rng.IntN(10) {
	case 0, 1:
		return hosts[g.skewed(len(hosts), 2)]
	case 2:
		return "[" + ip.String() + "]"
	case 3:
		return fmt.Sprintf("win-%06x", g.rng.IntN(1<<24))
	}
	x := ip.As16()
	return fmt.Sprintf("host-%d-%d-%d.dyn%d.isp%d.example.net", x[15], x[14], x[13], x[7], x[12]%50)
}

// attempt adds the queries of one check.
func (g *generator) attempt(ip netip.Addr) error {
	domain := domainName(g.skewed(domains, 2.5))
	if g.rng.IntN(20) == 0 {
		domain = "www." + domain
	}
	p := spftrack.Parsed{Kind: spftrack.KindExists, ClientIP: ip, SenderDomain: domain, Forged: domain}
	e := spftrack.Event{Server: server, Zone: zone, Resolver: g.resolver(), QType: spftrack.TypeA, Time: int64(g.now)}
	if g.rng.IntN(30) == 0 {
		e.Transport, e.SourceVerified = spftrack.TransportTCP, true
	}
	if g.rng.IntN(10) == 0 {
		e.ClientSubnet, _ = ip.Prefix(24)
	}
	right := reversed(ip) + ".CL." + domain + ".FD."
	exists := right + "1." + zone
	if g.rng.IntN(50) == 0 {
		q := e
		q.Kind, q.Forged, q.SenderDomain = spftrack.KindMinimised, domain, domain
		if err := g.add(&q, "CL."+domain+".FD.1."+zone); err != nil {
			return err
		}
	}
	e.Parsed = p
	for _, qtype := range []uint16{spftrack.TypeA, typeAAAA, spftrack.TypeA} {
		if qtype == e.QType || g.rng.IntN(12) == 0 {
			q := e
			q.QType = qtype
			if err := g.add(&q, exists); err != nil {
				return err
			}
		}
		if g.rng.IntN(30) != 0 {
			break
		}
	}
	if g.rng.IntN(10) == 0 {
		return nil
	}
	e.Kind, e.QType = spftrack.KindExp, spftrack.TypeTXT
	e.SenderLocal, e.HELO = g.local(), g.helo(ip)
	return g.add(&e, e.HELO+".HE."+e.SenderLocal+".LP."+right+"2."+zone)
}

// reversed is %{i}.%{v}.
func reversed(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String() + ".in-addr"
	}
	b := make([]byte, 0, 64)
	for _, c := range ip.As16() {
		const digits = "0123456789abcdef"
		b = append(b, digits[c>>4], '.', digits[c&15], '.')
	}
	return string(b) + "ip6"
}

// add adds an event, some milliseconds after the one before.
func (g *generator) add(e *spftrack.Event, name string) error {
	g.seq++
	g.now += float64(1+g.rng.IntN(5)) * 1e6
	e.Seq, e.Time = g.seq, int64(g.now)
	e.Name = g.wire(name)
	return g.put(e)
}

// wire is the wire format of a name, in memory that is not used again.
func (g *generator) wire(name string) []byte {
	if cap(g.name)-len(g.name) < len(name)+2 {
		g.name = make([]byte, 0, 1<<20)
	}
	start := len(g.name)
	g.name = append(append(append(g.name, 0), name...), 0)
	b := g.name[start:]
	length := 0
	for i := 1; i < len(b); i++ {
		if b[i] == '.' || i == len(b)-1 {
			b[length] = byte(i - length - 1)
			length = i
		}
	}
	b[len(b)-1] = 0
	return b[:len(b):len(b)]
}
