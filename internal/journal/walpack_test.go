package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/spftrack"
)

// TestPacked packs and unpacks records with names of all forms and with random
// bytes: each comes back as it was.
func TestPacked(t *testing.T) {
	zones := []walZone{{name: testZone}, {name: "_spf.example.org"}, {name: strings.Repeat("x", 64)}, {name: "a..b"}}
	p := newPacker(zones)
	rng := rand.New(rand.NewPCG(2, 7))
	labels := []string{
		"\x03192\x010\x012\x017", "\x0209\x010\x012\x017", "\x03256\x010\x012\x017", "\x010\x010\x010\x010", "\x03999\x00", "\x012",
		"\x07in-addr\x02CL", "\x07IN-ADDR\x02CL", "\x07in-addr\x02cl", "\x02CL", strings.Repeat("\x01a", 32), strings.Repeat("\x010", 31) + "\x01f",
		strings.Repeat("\x010", 31) + "\x01F", strings.Repeat("\x01g", 32), "\x03ip6\x02CL", "\x04shop\x07example", "\x02HE", "\x02LP", "\x02FD\x011", "\x02FD\x012",
		"\x02fd\x011", "\x04_spf\x07example\x03net\x00", "\x04_spf\x07example\x03org\x00", "\x04_SPF\x07example\x03net\x00", "\x00", "\xff",
	}
	var records []byte
	count := 0
	for range 20000 {
		var name []byte
		for n := rng.IntN(9); n > 0; n-- {
			name = append(name, labels[rng.IntN(len(labels))]...)
		}
		packet := Packet{
			Time: rng.Int64() >> rng.IntN(64), Name: name[:min(len(name), maxName)], Zone: uint16(rng.IntN(len(zones) + 1)), Qtype: uint16(rng.IntN(1 << rng.IntN(17))),
			Transport: spftrack.Transport(rng.IntN(2)), Verified: rng.IntN(2) == 0, Resolver: randomAddr(rng),
		}
		if rng.IntN(4) == 0 {
			packet.Time = -packet.Time
		}
		if rng.IntN(3) == 0 {
			packet.ECS = netip.PrefixFrom(randomAddr(rng).Addr(), rng.IntN(33))
		}
		var b [maxRecord]byte
		record := b[:putRecord(b[:], &packet)]
		if len(records)+len(record) > blockRecords {
			packed := p.packAll(nil, records)
			if got, ok := p.unpackAll(nil, packed, count); !ok || !bytes.Equal(got, records) {
				t.Fatalf("%x\nbecomes\n%x", records, got)
			}
			if len(packed) > maxBlock {
				t.Fatalf("%d bytes of records become %d", len(records), len(packed))
			}
			if _, ok := p.unpackAll(nil, packed, count+1); ok {
				t.Fatal("there is a record too many")
			}
			if _, ok := p.unpackAll(nil, append(packed, 0), count); ok {
				t.Fatal("a byte behind the records is not seen")
			}
			records, count = nil, 0
		}
		records = append(records, record...)
		count++
	}
}

func randomAddr(rng *rand.Rand) netip.AddrPort {
	if rng.IntN(2) == 0 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(rng.IntN(256))}), uint16(rng.IntN(1<<16)))
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(rng.IntN(256))}), 53)
}

// TestPackedLength: the names of checks take less than two thirds of a record.
func TestPackedLength(t *testing.T) {
	p := newPacker([]walZone{{name: testZone}})
	for name, most := range map[string]int{
		"192.0.2.7.in-addr.CL.shop.example.FD.1." + testZone:                                                  31,
		"mail.example.org.HE.info.LP.192.0.2.7.in-addr.CL.shop.example.FD.2." + testZone:                      57,
		"2.0.0.1.0.d.b.8" + strings.Repeat(".0", 24) + ".ip6.CL.shop.example.FD.1." + testZone:                43,
		"mail.example.org.HE.info.LP.2.0.0.1" + strings.Repeat(".f", 28) + ".ip6.CL.shop.example." + testZone: 75,
	} {
		var b [maxRecord]byte
		n := putRecord(b[:], &Packet{Time: 1, Name: packed(t, name), Resolver: netip.MustParseAddrPort("192.0.2.1:5353"), Qtype: spftrack.TypeA})
		if got := len(p.packAll(nil, b[:n])); got > most || 3*got > 2*n {
			t.Errorf("%s: %d bytes become %d, want %d", name, n, got, most)
		}
	}
}

// TestLaterWAL: a wal file of a later version is refused by name, and left as it
// is.
func TestLaterWAL(t *testing.T) {
	s := testSettings(t)
	j := mustOpen(t, s)
	putAll(t, j, 1, 10)
	mustClose(t, j)
	h := walHeader{version: walVersion + 1, key: 5, first: 100, bound: 200, zones: []walZone{{name: testZone}}}
	data, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, walDir, walName{100, 5}.String())
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s); !errors.Is(err, errWALVersion) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Snapshot(s.Dir, ReadOptions{}); !errors.Is(err, errWALVersion) || !strings.Contains(err.Error(), path) {
		t.Errorf("Snapshot: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
		t.Error("the file was changed", err)
	}
	// One whose header only looks like that of a later version is damaged.
	for _, at := range []int{len(walMagic), walSlot + len(walMagic)} {
		data[at] ^= 8
	}
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, s)
	mustClose(t, j)
}
