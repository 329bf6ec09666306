package xdp

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is one of the rings that a socket shares with the kernel. One side puts
// entries and moves the producer's index, the other takes them and moves the
// consumer's. Each ring of a queue has an entry for every frame, so none is ever
// too full.
type ring[T any] struct {
	producer, consumer, flags *uint32
	entries                   []T
	memory                    []byte
	// next is the index of our side, which the other side sees after publish.
	next uint32
}

// mapRing maps one of the rings of a socket.
func mapRing[T any](fd int, at unix.XDPRingOffset, page int64) (ring[T], error) {
	var entry T
	size := int(at.Desc) + frames*int(unsafe.Sizeof(entry))
	memory, err := unix.Mmap(fd, page, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return ring[T]{}, os.NewSyscallError("mmap", err)
	}
	if uint64(len(memory)) < max(at.Producer, at.Consumer, at.Flags)+4 {
		return ring[T]{}, fmt.Errorf("the kernel's ring is another one than expected")
	}
	base := unsafe.Pointer(&memory[0])
	return ring[T]{
		producer: (*uint32)(unsafe.Add(base, at.Producer)),
		consumer: (*uint32)(unsafe.Add(base, at.Consumer)),
		flags:    (*uint32)(unsafe.Add(base, at.Flags)),
		entries:  unsafe.Slice((*T)(unsafe.Add(base, at.Desc)), frames),
		memory:   memory,
	}, nil
}

func (r *ring[T]) unmap() error {
	if r.memory == nil {
		return nil
	}
	return unix.Munmap(r.memory)
}

// put adds an entry, as the producer.
func (r *ring[T]) put(entry T) {
	r.entries[r.next%frames] = entry
	r.next++
}

// produced shows the kernel what was put.
func (r *ring[T]) produced() { atomic.StoreUint32(r.producer, r.next) }

// waiting is the number of entries that the kernel has not taken yet.
func (r *ring[T]) waiting() int { return int(r.next - atomic.LoadUint32(r.consumer)) }

// available is the number of entries that the kernel has put.
func (r *ring[T]) available() int { return int(atomic.LoadUint32(r.producer) - r.next) }

// take returns the next entry, as the consumer; there is one.
func (r *ring[T]) take() T {
	entry := r.entries[r.next%frames]
	r.next++
	return entry
}

// consumed gives the kernel back the places of what was taken.
func (r *ring[T]) consumed() { atomic.StoreUint32(r.consumer, r.next) }

// sleeping reports whether the kernel must be woken to look at the ring.
func (r *ring[T]) sleeping() bool { return atomic.LoadUint32(r.flags)&unix.XDP_RING_NEED_WAKEUP != 0 }
