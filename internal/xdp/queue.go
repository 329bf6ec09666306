package xdp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// frames is the number of frames of a queue, a power of two. They hold what
	// arrives while a worker is held up, and answers that are being sent.
	frames = 4096
	// frameSize is the memory of each, in bytes.
	frameSize = 2048
	// MaxMessage is the longest message that is received or sent, in bytes. Longer
	// ones are left to the kernel.
	MaxMessage = 1280
	// maxFrame is the longest frame that is taken.
	maxFrame = MaxHeaders + MaxMessage
	// Batch is the number of messages that are received at once.
	Batch = 64
	// sendBuffer bounds the answers that the kernel holds, in bytes.
	sendBuffer = 4 << 20
)

// ErrGone is the error of an interface that there is no more.
var ErrGone = errors.New("the interface is gone")

// Queue is an AF_XDP socket at one queue of an interface. It is for one goroutine,
// except where a method says otherwise.
type Queue struct {
	fd, stop   int
	memory     []byte
	fill, done ring[uint64]
	in, out    ring[unix.XDPDesc]
	zeroCopy   bool

	// The messages of a batch.
	received [Batch]unix.XDPDesc
	headers  [Batch]header
	replied  [Batch]bool
	size     int
}

// openQueue opens the socket of a queue, with zero copy if wanted and to be had.
// stop is a descriptor that becomes readable at the end.
func openQueue(index, queue, stop int, zeroCopy bool) (q *Queue, err error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket of queue %d: %w%s", queue, err, privilegeHint(err))
	}
	q = &Queue{fd: fd, stop: stop}
	defer func() {
		if err != nil {
			err = fmt.Errorf("socket of queue %d: %w", queue, errors.Join(err, q.close()))
			q = nil
		}
	}()
	if err := q.register(); err != nil {
		return q, err
	}
	var offsets unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(offsets))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&offsets)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return q, os.NewSyscallError("getsockopt", errno)
	}
	if q.in, err = mapRing[unix.XDPDesc](fd, offsets.Rx, unix.XDP_PGOFF_RX_RING); err != nil {
		return q, err
	}
	if q.out, err = mapRing[unix.XDPDesc](fd, offsets.Tx, unix.XDP_PGOFF_TX_RING); err != nil {
		return q, err
	}
	if q.fill, err = mapRing[uint64](fd, offsets.Fr, unix.XDP_UMEM_PGOFF_FILL_RING); err != nil {
		return q, err
	}
	if q.done, err = mapRing[uint64](fd, offsets.Cr, unix.XDP_UMEM_PGOFF_COMPLETION_RING); err != nil {
		return q, err
	}
	for i := range uint64(frames) {
		q.fill.put(i * frameSize)
	}
	q.fill.produced()
	address := &unix.SockaddrXDP{Flags: unix.XDP_USE_NEED_WAKEUP | unix.XDP_ZEROCOPY, Ifindex: uint32(index), QueueID: uint32(queue)}
	if zeroCopy {
		if err = bind(fd, address); err == nil {
			q.zeroCopy = true
			return q, nil
		}
	}
	address.Flags = unix.XDP_USE_NEED_WAKEUP | unix.XDP_COPY
	return q, bind(fd, address)
}

// bind binds a socket to its queue. The kernel takes its time to free the queue
// when an earlier socket was closed.
func bind(fd int, address *unix.SockaddrXDP) (err error) {
	for begin := time.Now(); time.Since(begin) < bindPatience; time.Sleep(10 * time.Millisecond) {
		if err = unix.Bind(fd, address); !errors.Is(err, unix.EBUSY) {
			return os.NewSyscallError("bind", err)
		}
	}
	return errBusy
}

// bindPatience is for how long it is tried.
const bindPatience = 2 * time.Second

// register gives the socket its memory and its rings.
func (q *Queue) register() (err error) {
	q.memory, err = unix.Mmap(-1, 0, frames*frameSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	memory := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&q.memory[0]))), Len: uint64(len(q.memory)), Size: frameSize}
	_, _, errno := syscall.Syscall6(unix.SYS_SETSOCKOPT, uintptr(q.fd), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&memory)), unsafe.Sizeof(memory), 0)
	switch errno {
	case 0:
	case unix.ENOBUFS:
		return fmt.Errorf("%d MB of memory cannot be locked: raise the limit, such as with LimitMEMLOCK=infinity in the unit", len(q.memory)>>20)
	default:
		return os.NewSyscallError("setsockopt", errno)
	}
	for _, option := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING, unix.XDP_TX_RING} {
		if err := unix.SetsockoptInt(q.fd, unix.SOL_XDP, option, frames); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	// From Linux 6.18 on, what is sent with one system call; before, it is half of
	// a batch.
	_ = unix.SetsockoptInt(q.fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, Batch)
	return nil
}

// close may follow any failure of openQueue.
func (q *Queue) close() error {
	err := errors.Join(unix.Close(q.fd), q.in.unmap(), q.out.unmap(), q.fill.unmap(), q.done.unmap())
	if q.memory != nil {
		err = errors.Join(err, unix.Munmap(q.memory))
	}
	return err
}

const (
	// idleTime bounds a wait, in ms: the kernel does not wake a socket whose
	// interface goes.
	idleTime = 1000
	// sendTime is how long the kernel is left alone with answers that it did not
	// take at once, in ms.
	sendTime = 1
)

// Wait waits until messages arrive, for a second at most, or until the device
// ends, which it reports. The error is [ErrGone] when there is no interface any
// more, or that of a system call.
func (q *Queue) Wait() (ended bool, err error) {
	timeout := idleTime
	if q.out.waiting() > 0 {
		timeout = sendTime
	}
	polled := [2]unix.PollFd{{Fd: int32(q.fd), Events: unix.POLLIN}, {Fd: int32(q.stop), Events: unix.POLLIN}}
	n, err := unix.Poll(polled[:], timeout)
	switch {
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, os.NewSyscallError("poll", err)
	case polled[1].Revents != 0:
		return true, nil
	case n > 0 && polled[0].Revents == unix.POLLIN:
		return false, nil
	}
	if q.out.waiting() > 0 {
		_ = q.wake()
	}
	if errno, err := unix.GetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil {
		return false, os.NewSyscallError("getsockopt", err)
	} else if errno != 0 {
		return false, ErrGone
	}
	return false, nil
}

// Receive takes up to [Batch] messages that have arrived and returns their
// number.
func (q *Queue) Receive() int {
	if n := q.done.available(); n > 0 {
		for range n {
			q.fill.put(q.done.take())
		}
		q.done.consumed()
		q.fill.produced()
	}
	q.size = min(q.in.available(), Batch)
	if q.size == 0 {
		return 0
	}
	for i := range q.size {
		q.received[i] = q.in.take()
		q.replied[i] = false
	}
	q.in.consumed()
	return q.size
}

// Pin binds the calling thread to the processor of a queue: there are as many
// interrupts as queues, which the kernel spreads over the processors in this order.
// It is faster, and nothing depends on it.
func Pin(queue int) error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	skip := queue % max(1, allowed.Count())
	for cpu := range len(allowed) * 64 {
		if !allowed.IsSet(cpu) {
			continue
		}
		if skip == 0 {
			one.Set(cpu)
			break
		}
		skip--
	}
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &one))
}

// Message is a message that was received.
type Message struct {
	// Buffer begins with the message, of Size bytes, and has room for an answer of
	// [MaxMessage] bytes.
	Buffer        []byte
	Size          int
	Source, Local netip.AddrPort
}

// Message reads message i of the batch into m. ok is false when its frame is
// damaged.
func (q *Queue) Message(i int, m *Message) (ok bool) {
	d := &q.received[i]
	h := &q.headers[i]
	b := q.memory[d.Addr:]
	if h.parse(b[:d.Len]) != nil {
		return false
	}
	at := h.payload()
	m.Buffer, m.Size = b[at:at+MaxMessage], min(h.end-at, MaxMessage)
	m.Source, m.Local = h.source, h.local
	return true
}

// Reply sends, with the next Flush, what stands in the buffer of message i, of
// size bytes, to where the message came from.
func (q *Queue) Reply(i, size int) {
	d := &q.received[i]
	d.Len = uint32(q.headers[i].reply(q.memory[d.Addr:], size))
	q.out.put(*d)
	q.replied[i] = true
}

// Flush ends a batch: it sends the answers and frees all other frames. The error
// is that of a system call; answers then wait.
func (q *Queue) Flush() error {
	freed := false
	for i := range q.size {
		if !q.replied[i] {
			q.fill.put(q.received[i].Addr)
			freed = true
		}
	}
	if freed {
		q.fill.produced()
	}
	q.size = 0
	q.out.produced()
	if q.fill.sleeping() {
		_, _, _ = syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(q.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	}
	if q.out.sleeping() {
		return q.wake()
	}
	return nil
}

// wake has the kernel send what is put out, as long as it takes something.
func (q *Queue) wake() error {
	for left := q.out.waiting(); left > 0; {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(q.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0, unix.EINTR, unix.EAGAIN, unix.EBUSY, unix.ENOBUFS:
		default:
			return os.NewSyscallError("sendto", errno)
		}
		now := q.out.waiting()
		if now == left {
			return nil
		}
		left = now
	}
	return nil
}

// Dropped returns how many messages the kernel has dropped, because the worker was
// too slow or held up. Any goroutine may call it.
func (q *Queue) Dropped() uint64 {
	var s unix.XDPStatistics
	size := uint32(unsafe.Sizeof(s))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(q.fd), unix.SOL_XDP, unix.XDP_STATISTICS,
		uintptr(unsafe.Pointer(&s)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return s.Rx_dropped + s.Rx_ring_full + s.Rx_fill_ring_empty_descs
}
