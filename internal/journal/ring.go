package journal

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ring carries records from one producer to one consumer. Positions count
// bytes since the beginning and only grow; size is a power of two.
//
//	          tail (consumer)      published      head (producer)
//	           v                       v           v
//	buf  ......|record|record|...|record|record|...|......
//
// A record never wraps. When it does not fit before the end of the lap, a
// length of zero tells the consumer to go on at the next lap. buf is longer
// than size by a record, so that a whole one can be written anywhere. While little
// waits, laps are short: see rewind.
type ring struct {
	buf  []byte
	size uint64

	_ [cacheLine]byte
	// Of the producer alone:
	head     uint64
	count    uint64 // records put
	seenTail uint64 // what is before it was read
	// used is how many bytes have memory, from the beginning of buf on; short how many
	// of the last laps ended within keepMemory.
	used  uint64
	short int

	_ [cacheLine]byte
	// Written by the producer:
	published      atomic.Uint64
	publishedCount atomic.Uint64
	// rewound is the position from which on the rest of its lap is empty.
	rewound atomic.Uint64

	_ [cacheLine]byte
	// Written by the consumer:
	tail atomic.Uint64

	_ [cacheLine]byte
}

const (
	// shortLap is the number of bytes from which on a lap may end early.
	shortLap = 64 << 10
	// keepMemory is how much keeps its memory when that has sufficed for shortLaps laps.
	keepMemory = 4 * shortLap
	shortLaps  = 16
)

const cacheLine = 64

// init gives a ring its memory, from the system and not from the heap: the garbage
// collector lets garbage grow to the size of the heap, and a ring that is hardly
// used is most of that.
func (r *ring) init(size int) error {
	n := uint64(minRingBytes)
	for n < uint64(size) {
		n *= 2
	}
	buf, err := unix.Mmap(-1, 0, int(n+maxRecord), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("%d bytes of memory for events: %w", n+maxRecord, err)
	}
	r.size, r.buf = n, buf
	r.rewound.Store(math.MaxUint64)
	runtime.AddCleanup(r, func(buf []byte) { _ = unix.Munmap(buf) }, buf)
	return nil
}

// put writes a record at head; false when the ring is full.
func (r *ring) put(p *Packet) bool {
	// What a record can need at most: the rest of the lap, and itself.
	position := r.head & (r.size - 1)
	if position >= shortLap && r.rewind(position) {
		position = 0
	}
	skip := uint64(0)
	if position+maxRecord > r.size {
		skip = r.size - position
	}
	if r.head+skip+maxRecord-r.seenTail > r.size {
		r.seenTail = max(r.seenTail, r.tail.Load())
		if r.head+skip+maxRecord-r.seenTail > r.size {
			return false
		}
	}
	if skip > 0 {
		binary.LittleEndian.PutUint16(r.buf[position:], 0)
		r.head += skip
		position = 0
		r.used, r.short = r.size, 0
	}
	r.head += uint64(putRecord(r.buf[position:position+maxRecord], p))
	r.count++
	return true
}

// rewind ends a lap at a position in it, if nothing waits: so a little memory, which
// stays in the processor's cache, is used again and again, and not all of the ring in
// turn. What is before head was read, so all of the ring is free afterwards.
func (r *ring) rewind(position uint64) bool {
	if r.tail.Load() != r.head {
		return false
	}
	r.used = max(r.used, position)
	if r.short++; position > keepMemory {
		r.short = 0
	}
	if r.short >= shortLaps && r.used > keepMemory {
		_ = unix.Madvise(r.buf[keepMemory:r.used], unix.MADV_DONTNEED)
		r.used = keepMemory
	}
	r.rewound.Store(r.head)
	r.head += r.size - position
	r.seenTail = r.head
	return true
}

// publish shows the consumer what was put.
func (r *ring) publish() {
	if r.published.Load() != r.head {
		r.publishedCount.Store(r.count)
		r.published.Store(r.head)
	}
}

// next returns whole records from a position on: at most limit bytes unless
// the first alone has more, their number, and the position behind them. No
// records: there are none up to end.
func (r *ring) next(from, end uint64, limit int) (records []byte, count int, to uint64) {
	for from < end {
		position := from & (r.size - 1)
		if from == r.rewound.Load() {
			from += r.size - position
			continue
		}
		n := 0
		for from+uint64(n) < end && position+uint64(n) < r.size {
			length := int(binary.LittleEndian.Uint16(r.buf[position+uint64(n):]))
			if length == 0 || count > 0 && n+length > limit {
				break
			}
			n += length
			count++
		}
		if count > 0 {
			return r.buf[position : position+uint64(n)], count, from + uint64(n)
		}
		from += r.size - position
	}
	return nil, 0, from
}
