package nameserver

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is the number of messages that one system call takes or sends.
	batchSize = 64
	// addressSize holds a sockaddr_in or sockaddr_in6.
	addressSize = 32
	// controlSize holds a control message with an in_pktinfo or in6_pktinfo.
	controlSize = 64
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	size   uint32
}

// packet is the memory of one message. Control stands first because its
// numbers must be aligned.
type packet struct {
	control [controlSize]byte
	address [addressSize]byte
	buf     [udpMessageSize]byte
}

// batch is the memory of one worker for received messages and for answers,
// which are built in the buffers of their queries. The kernel gets pointers
// into it, so it must not be copied.
type batch struct {
	in, out       [batchSize]mmsghdr
	inVec, outVec [batchSize]unix.Iovec
	packets       [batchSize]packet
	// controls: the socket reports the destination address of each message.
	controls bool
	// outgoing is the number of answers in out.
	outgoing int
}

func newBatch(controls bool) *batch {
	b := &batch{controls: controls}
	for i := range b.packets {
		p := &b.packets[i]
		b.inVec[i].Base = &p.buf[0]
		b.inVec[i].SetLen(udpMessageSize)
		h := &b.in[i].header
		h.Name = &p.address[0]
		h.Iov = &b.inVec[i]
		h.SetIovlen(1)
		if controls {
			h.Control = &p.control[0]
		}
		b.out[i].header.Iov = &b.outVec[i]
		b.out[i].header.SetIovlen(1)
	}
	b.prepare(batchSize)
	return b
}

// prepare makes the first n entries ready to receive.
func (b *batch) prepare(n int) {
	for i := range n {
		h := &b.in[i].header
		h.Namelen = addressSize
		if b.controls {
			h.SetControllen(controlSize)
		}
	}
}

// receiveFrom waits for messages, unless wait is false, and takes what there is.
// After shutdown(2) of the socket it returns 0.
func (b *batch) receiveFrom(fd int, wait bool) (n int, errno syscall.Errno) {
	if wait {
		var r uintptr
		r, _, errno = syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.in)), batchSize, unix.MSG_WAITFORONE, 0, 0)
		n = int(r)
	} else {
		var r uintptr
		r, _, errno = syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.in)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		n = int(r)
	}
	if errno != 0 {
		return 0, errno
	}
	if n > 0 && b.in[0].header.Namelen == 0 {
		// A message without sender is none: the socket is shut down.
		b.prepare(n)
		return 0, 0
	}
	return n, 0
}

// size is the length of received message i.
func (b *batch) size(i int) int { return int(b.in[i].size) }

// queue adds the answer of size bytes in the buffer of message i to those
// that are sent together.
func (b *batch) queue(i, size int) {
	p := &b.packets[i]
	out := &b.out[b.outgoing].header
	vec := &b.outVec[b.outgoing]
	b.outgoing++
	vec.Base = &p.buf[0]
	vec.SetLen(size)
	out.Name = &p.address[0]
	out.Namelen = b.in[i].header.Namelen
	if b.controls {
		out.Control = &p.control[0]
		out.SetControllen(p.answerFromDestination(int(b.in[i].header.Controllen)))
	}
}

// answerFromDestination turns the control message of a received message, of
// size bytes, into the one that gives the answer the right source address,
// and returns its size. The kernel chooses the interface, except for
// link-local addresses.
func (p *packet) answerFromDestination(size int) int {
	if size < unix.SizeofCmsghdr {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&p.control))
	data := p.control[unix.CmsgLen(0):]
	switch {
	case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO:
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
		info.Ifindex = 0
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO:
		info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
		if !(info.Addr[0] == 0xfe && info.Addr[1]&0xc0 == 0x80) {
			info.Ifindex = 0
		}
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	return 0
}

// sendTo hands all queued answers to the kernel and returns how many it did not
// take.
func (b *batch) sendTo(fd int) (failed int) {
	for sent := 0; sent < b.outgoing; {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.out[sent])), uintptr(b.outgoing-sent), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			sent += int(n)
		case errno == unix.EINTR:
		case errno == unix.EAGAIN && waitWritable(fd):
		default:
			// The error is that of the first message.
			sent++
			failed++
		}
	}
	b.outgoing = 0
	return failed
}

// sendPatience bounds how long a full send buffer holds up a worker, in ms.
const sendPatience = 20

func waitWritable(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, sendPatience)
	return err == nil && n > 0 || err == unix.EINTR
}

// client returns the address that a message came from.
func (p *packet) client() netip.AddrPort {
	port := binary.BigEndian.Uint16(p.address[2:])
	if binary.NativeEndian.Uint16(p.address[:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p.address[4:8])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(p.address[8:24])).Unmap(), port)
}

// setClient makes an address the one that a message came from, at the interface
// with an index, and returns the size of it. It is the reverse of client.
func (p *packet) setClient(a netip.AddrPort, index int) uint32 {
	clear(p.address[:])
	binary.BigEndian.PutUint16(p.address[2:], a.Port())
	if a.Addr().Is4() {
		binary.NativeEndian.PutUint16(p.address[:], unix.AF_INET)
		copy(p.address[4:], a.Addr().AsSlice())
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(p.address[:], unix.AF_INET6)
	copy(p.address[8:], a.Addr().AsSlice())
	if a.Addr().IsLinkLocalUnicast() {
		binary.NativeEndian.PutUint32(p.address[24:], uint32(index))
	}
	return unix.SizeofSockaddrInet6
}

// setDestination writes the control message of a message that came to an address
// at the interface with an index, and returns its size.
func (p *packet) setDestination(a netip.Addr, index int) int {
	clear(p.control[:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&p.control))
	data := unsafe.Pointer(&p.control[unix.CmsgLen(0)])
	if a.Is4() {
		h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		*(*unix.Inet4Pktinfo)(data) = unix.Inet4Pktinfo{Ifindex: int32(index), Spec_dst: a.As4(), Addr: a.As4()}
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	*(*unix.Inet6Pktinfo)(data) = unix.Inet6Pktinfo{Ifindex: uint32(index), Addr: a.As16()}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}
