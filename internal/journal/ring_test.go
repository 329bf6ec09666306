package journal

import (
	"syscall"
	"testing"
	"unsafe"

	"nullspf/spftrack"
)

// TestQuietRing has few records at a time pass through a ring, three laps long, and
// then so many that it is full: all come out, and what was read has no memory any more.
func TestQuietRing(t *testing.T) {
	const size = 1 << 20
	var r ring
	if err := r.init(size); err != nil {
		t.Fatal(err)
	}
	p := Packet{Qtype: spftrack.TypeA, Name: packed(t, "192.0.2.1.in-addr.CL.brand.example.FD.1."+testZone)}
	taken := int64(0)
	take := func() {
		for r.read != r.published.Load() {
			records, count, to := r.next(r.read, r.published.Load(), blockRecords)
			for range count {
				var got Packet
				n, err := getRecord(records, &got)
				taken++
				if err != nil || got.Time != taken || string(got.Name) != string(p.Name) {
					t.Fatalf("record %d: %+v, %v", taken, got, err)
				}
				records = records[n:]
			}
			r.release(to)
		}
	}
	for r.head < 3*size {
		for range 1 + r.head%700 {
			p.Time++
			if !r.put(&p) {
				t.Fatalf("the ring is full at %d", r.head)
			}
		}
		r.publish()
		take()
	}
	page := syscall.Getpagesize()
	resident := make([]byte, size/page)
	if _, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&r.buf[0])), size, uintptr(unsafe.Pointer(&resident[0]))); errno != 0 {
		t.Fatal(errno)
	}
	n := 0
	for _, in := range resident {
		n += int(in & 1)
	}
	if n*page > 3*quietChunk {
		t.Errorf("%d bytes of the ring are in memory", n*page)
	}
	begin := r.head
	for p.Time++; r.put(&p); p.Time++ {
	}
	if waiting := r.head - begin; waiting < size-2*quietChunk {
		t.Errorf("a ring of %d bytes takes %d", size, waiting)
	}
	p.Time--
	r.publish()
	take()
	if taken != p.Time || r.read != r.head {
		t.Errorf("%d of %d records came out, up to %d of %d", taken, p.Time, r.read, r.head)
	}
}
