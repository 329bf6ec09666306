package journal

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// TestArena has pieces used again and looks whether events that are still needed
// keep their bytes.
func TestArena(t *testing.T) {
	var a arena
	type event struct {
		bytes []byte
		value byte
	}
	var events []event
	first := 0
	for i := range 3000 {
		n := 1 + i*7919%20_000
		if i%500 == 499 {
			n = pieceBytes + 1
		}
		b := a.reserve(n)[:n/2]
		for k := range b {
			b[k] = byte(i)
		}
		a.keep(n/2, uint64(i+1))
		events = append(events, event{b, byte(i)})
		if oldest := i - i*31%100; oldest > first {
			a.release(uint64(oldest))
			first = oldest
		}
		for _, e := range events[first:] {
			for _, c := range e.bytes {
				if c != e.value {
					t.Fatalf("step %d: bytes of event %d were used again", i, e.value)
				}
			}
		}
	}
	if n := len(a.pieces) + len(a.free); n > 20 {
		t.Errorf("%d pieces for at most 100 events", n)
	}
}

// TestSealedTexts seals many events of which only a few wait at a time, so that the
// memory of their texts is used again, and compares all of them.
func TestSealedTexts(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.SegmentAge = 100 * time.Millisecond
	j := mustOpen(t, s)
	const n = 40_000
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("Helo%d.example.org.HE.user%d.LP.192.0.2.%d.in-addr.CL.shop%d.example.FD.2.%s", i, i%977, i%256, i%91, testZone)
		p := Packet{
			Time: testTime.UnixNano() + int64(i)*int64(50*time.Millisecond), Resolver: netip.MustParseAddrPort("198.51.100.53:53"),
			Qtype: spftrack.TypeTXT, Name: packed(t, names[i]),
		}
		for !j.Worker(0).Put(&p) {
			j.Worker(0).Commit()
			time.Sleep(time.Millisecond)
		}
	}
	j.Worker(0).Commit()
	for deadline := time.Now().Add(30 * time.Second); j.Stats().Sealed < n && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	mustClose(t, j)
	v, err := Snapshot(s.Dir, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	i := 0
	for _, segment := range v.Segments() {
		err := segment.rows(0, func(rows []eventrow.Row) error {
			for _, r := range rows {
				want := [4]string{names[i], fmt.Sprintf("helo%d.example.org", i), fmt.Sprint("user", i%977), fmt.Sprintf("shop%d.example", i%91)}
				if got := [4]string{r.Name(), r.HELO, r.SenderLocal, r.ForgedDomain}; got != want {
					return fmt.Errorf("event %d: %q, want %q", i, got, want)
				}
				i++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if i != n {
		t.Errorf("%d events are sealed, want %d", i, n)
	}
}
