package journal

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"nullspf/spftrack"
)

// TestSessions stores sessions of random bytes and reads them back, as records and
// packed.
func TestSessions(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	text := func(n int) string {
		b := make([]byte, rng.IntN(n))
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		return string(b)
	}
	d := newDecoder(&walHeader{server: "ns1", zones: []walZone{{"_spf.example.net", []spftrack.Layout{spftrack.Track}}}}, nil)
	p := newPacker(nil)
	for i := range 3000 {
		s := Session{
			Time: rng.Int64(), HELO: text(80), SenderLocal: text(40), SenderDomain: text(60),
			Client:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(i)),
			Session: spftrack.Session{Recipients: uint16(rng.Uint32()), RecipientDomain: text(60), TLS: i%2 == 0, Duration: time.Duration(rng.Int64())},
		}
		if i%3 == 0 {
			s.Client = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}), uint16(i))
		}
		if i%5 == 0 {
			s.HELO, s.RecipientDomain = "\x0310\x012\x013\x014\x07in-addr\x02CL\x01x", ""
		}
		var record [maxRecord]byte
		n := putRecord(record[:], s.Packet(new(SessionBuffer)))
		unpacked, ok := p.unpackAll(nil, p.packAll(nil, record[:n]), 1)
		if !ok || string(unpacked) != string(record[:n]) {
			t.Fatalf("packed and unpacked, %q is %q", record[:n], unpacked)
		}
		var packet Packet
		if _, err := getRecord(unpacked, &packet); err != nil {
			t.Fatal(err)
		}
		var e spftrack.Event
		d.event(&packet, 7, &e)
		want := spftrack.Event{
			Seq: 7, Time: s.Time, Server: "ns1", Resolver: s.Client, Transport: spftrack.TransportTCP, SourceVerified: true,
			Parsed: spftrack.Parsed{
				Kind: spftrack.KindSMTP, ClientIP: s.Client.Addr(), HELO: s.HELO, SenderLocal: s.SenderLocal, SenderDomain: s.SenderDomain,
			},
			Session: &s.Session,
		}
		if !reflect.DeepEqual(e, want) {
			t.Fatalf("%+v\nwant %+v", e, want)
		}
	}
}

// TestLongSession: what has no room loses the end that tells least.
func TestLongSession(t *testing.T) {
	long := strings.Repeat("a", 255) + "z"
	s := Session{Client: netip.MustParseAddrPort("192.0.2.1:25"), HELO: "helo", SenderLocal: long, SenderDomain: long,
		Session: spftrack.Session{RecipientDomain: "brand.example", Recipients: 1, Duration: time.Hour}}
	p := s.Packet(new(SessionBuffer))
	var e spftrack.Event
	unpackSession(p, &e)
	if len(p.Name) != maxName || e.Flags != spftrack.FlagTruncated || e.HELO != "helo" || e.Session.RecipientDomain != "brand.example" {
		t.Errorf("%d bytes, %+v, %+v", len(p.Name), e, e.Session)
	}
	if !strings.HasPrefix(long, e.SenderLocal) || !strings.HasSuffix(long, e.SenderDomain) || len(e.SenderLocal)-len(e.SenderDomain) > 1 || len(e.SenderDomain) < 100 {
		t.Errorf("sender %q at %q", e.SenderLocal, e.SenderDomain)
	}
}

// FuzzSession reads any bytes as a session.
func FuzzSession(f *testing.F) {
	s := Session{HELO: "a", SenderLocal: "b", SenderDomain: "c", Session: spftrack.Session{RecipientDomain: "d", Duration: 5}}
	f.Add(s.Packet(new(SessionBuffer)).Name)
	f.Fuzz(func(t *testing.T, b []byte) {
		var e spftrack.Event
		unpackSession(&Packet{Name: b}, &e)
		if e.Kind != spftrack.KindSMTP || e.Flags == spftrack.FlagUnparsed != (e.Session == nil) || e.Name != nil {
			t.Fatalf("%+v", e)
		}
	})
}
