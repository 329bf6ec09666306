package journal

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"nullspf/spftrack"
)

// ringTest puts numbered records into a ring and takes them out.
type ringTest struct {
	*testing.T
	ring
	packet Packet
	// last is the number of the record that was taken last.
	last int64
}

func newRingTest(t *testing.T, size int) *ringTest {
	r := &ringTest{T: t, packet: Packet{Qtype: spftrack.TypeA, Name: packed(t, "192.0.2.1.in-addr.CL.brand.example.FD.1."+testZone)}}
	if err := r.init(size); err != nil {
		t.Fatal(err)
	}
	return r
}

// putUpTo puts and publishes records up to n, and returns how many fitted.
func (r *ringTest) putUpTo(n int) (fitted int) {
	for range n {
		r.packet.Time++
		if !r.put(&r.packet) {
			r.packet.Time--
			break
		}
		fitted++
	}
	r.publish()
	return fitted
}

// take takes all that is published.
func (r *ringTest) take(name string) {
	for r.tail.Load() != r.published.Load() {
		records, count, to := r.next(r.tail.Load(), r.published.Load(), blockRecords)
		for range count {
			var got Packet
			n, err := getRecord(records, &got)
			r.last++
			if err != nil || got.Time != r.last || string(got.Name) != name {
				r.Errorf("record %d: %+v, %v", r.last, got, err)
				return
			}
			records = records[n:]
		}
		r.tail.Store(to)
	}
}

// resident is how many bytes of the ring have memory.
func (r *ringTest) resident() (sum int) {
	page := syscall.Getpagesize()
	pages := make([]byte, len(r.buf)/page)
	if _, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&r.buf[0])), uintptr(len(pages)*page), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		r.Fatal(errno)
	}
	for _, in := range pages {
		sum += int(in&1) * page
	}
	return sum
}

// TestQuietRing has few records at a time pass through a ring, three laps long, and
// then so many that it is full: all come out. The ring has little memory before, and
// some time after.
func TestQuietRing(t *testing.T) {
	const size = 1 << 20
	r := newRingTest(t, size)
	name := string(r.packet.Name)
	quiet := func(laps int) {
		for end := r.head + uint64(laps)*size; r.head < end; {
			if n := 1 + int(r.head%700); r.putUpTo(n) != n {
				t.Fatalf("the ring is full at %d", r.head)
			}
			r.take(name)
		}
	}
	quiet(3)
	if n := r.resident(); n > 3*shortLap {
		t.Errorf("%d bytes of the ring have memory", n)
	}
	length := putRecord(make([]byte, maxRecord), &r.packet)
	if n := r.putUpTo(size); n*length < size-3*maxRecord {
		t.Errorf("a ring of %d bytes takes %d records of %d", size, n, length)
	}
	if n := r.resident(); n < size-shortLap {
		t.Errorf("%d bytes of a full ring of %d have memory", n, size)
	}
	r.take(name)
	quiet(2 * shortLaps)
	if n := r.resident(); n > keepMemory+shortLap {
		t.Errorf("%d bytes of the ring have memory after it was full", n)
	}
	if r.last != r.packet.Time || r.tail.Load() != r.head {
		t.Errorf("%d of %d records came out, up to %d of %d", r.last, r.packet.Time, r.tail.Load(), r.head)
	}
}

// TestBusyRing has a producer and a consumer run at the same time, each as fast as it
// gets: what comes out is what went in, in order, whether or not the ring is ever empty.
func TestBusyRing(t *testing.T) {
	t.Parallel()
	r := newRingTest(t, 256<<10)
	name := string(r.packet.Name)
	const records = 300_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.last < records && !t.Failed() {
			if r.take(name); rand.N(8) == 0 {
				runtime.Gosched()
			}
		}
	}()
	for r.packet.Time < records && !t.Failed() {
		if r.putUpTo(min(1+rand.N(400), records-int(r.packet.Time))); rand.N(8) == 0 {
			runtime.Gosched()
		}
	}
	<-done
}
