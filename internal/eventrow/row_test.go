package eventrow

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// TestRows turns events of random bytes into rows and back.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	bytes := func(n int) string {
		b := make([]byte, rng.IntN(n))
		for i := range b {
			b[i] = byte(rng.IntN(256))
			if rng.IntN(2) == 0 {
				b[i] = `\. a0A`[rng.IntN(6)]
			}
		}
		return string(b)
	}
	var b Builder
	for i := range 5000 {
		name := []byte{}
		for len(name) < 180 && rng.IntN(8) > 0 {
			label := bytes(63) + "x"
			name = append(append(name, byte(len(label))), label...)
		}
		name = append(name, 0)
		e := spftrack.Event{
			Seq: uint64(i + 1), Time: rng.Int64() - rng.Int64(), Server: bytes(20), Zone: bytes(20), Name: name,
			Resolver:     netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, 3, byte(i)}), uint16(i)),
			ClientSubnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{1, 2, 3, 0}), i%33), QType: uint16(i), SourceVerified: i%2 == 0,
			Transport: spftrack.Transport(i % 2),
			Parsed: spftrack.Parsed{
				Kind: spftrack.Kind(i % 8), ClientIP: netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}), SenderLocal: bytes(70),
				SenderDomain: bytes(250), Forged: bytes(250), HELO: bytes(250), Flags: spftrack.Flags(i % 16),
			},
		}
		if e.Kind == spftrack.KindSMTP {
			e.Session = &spftrack.Session{Recipients: uint16(rng.IntN(3)), RecipientDomain: bytes(250), TLS: i%4 == 1, Duration: 1 + time.Duration(rng.Int64N(1e15))}
		}
		switch e.Kind {
		case spftrack.KindRefusal:
			e.Session = &spftrack.Session{Recipients: 1, RecipientDomain: bytes(250)}
			e.Cause, e.Software = bytes(40), bytes(9)
		case spftrack.KindDMARC:
			e.Transport = spftrack.TransportUDP
			e.Report = &spftrack.Report{
				Reporter: bytes(250), ID: bytes(99), End: rng.Int64(), Messages: 1 + rng.Uint32N(5), Disposition: bytes(9),
				SPF: bytes(5), DKIM: bytes(5), Override: bytes(20), RecipientDomain: bytes(250),
			}
		}
		row := &Row{}
		b.Fill(row, &e)
		if want := string(spftrack.AppendName(nil, name)); row.Name() != want {
			t.Fatalf("raw name %q, want %q", row.Name(), want)
		}
		if row.Attempt != attempt.Is(&e) {
			t.Fatal("attempt")
		}
		var got spftrack.Event
		if row.Event(&got); !reflect.DeepEqual(got, e) {
			t.Fatalf("got  %+v\nwant %+v\nrow %+v", got, e, row)
		}
		for _, text := range []string{row.ServerID, row.Zone, row.SenderLocal, row.SenderDomain, row.ForgedDomain, row.HELO, row.RawName, row.RecipientDomain, row.Cause, row.Software, row.Disposition, row.SPF, row.DKIM, row.Override, row.Reporter, row.ReportID} {
			for _, c := range []byte(text) {
				if c <= ' ' || c >= 0x7f {
					t.Fatalf("%q is not printable", text)
				}
			}
		}
	}
}
