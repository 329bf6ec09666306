package nameserver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketBuffer is the size of the kernel's buffers for one socket, which it
// may reduce (net.core.rmem_max). It holds what arrives while a worker is held
// up.
const socketBuffer = 4 << 20

// udpSocket is one of the sockets at an address, used by one worker. It blocks
// and is kept out of the runtime's poller: with a poller, the kernel looks for
// someone to wake after every single message that is sent.
type udpSocket struct {
	fd int
	// controls: it reports the destination of each message.
	controls bool
	closing  atomic.Bool
	// pending are the messages on the slow path, which answers through fd.
	pending sync.WaitGroup
	// done is closed when its worker has ended.
	done chan struct{}
}

// openUDP opens one socket of those that share the address at.
func openUDP(at netip.AddrPort) (*udpSocket, error) {
	s, err := bindUDP(at, true)
	if err != nil {
		return nil, fmt.Errorf("listen on udp %s: %w%s", at, err, bindHint(err))
	}
	return s, nil
}

// probeUDP fails when another process has bound the address. Sockets that
// share it would take part of that process's queries instead.
func probeUDP(at netip.AddrPort) error {
	s, err := bindUDP(at, false)
	if err != nil {
		return fmt.Errorf("listen on udp %s: %w%s", at, err, bindHint(err))
	}
	return unix.Close(s.fd)
}

// bindHint says what to do about an error.
func bindHint(err error) string {
	switch {
	case errors.Is(err, unix.EACCES):
		return "; ports below 1024 need CAP_NET_BIND_SERVICE"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "; this machine does not have the address"
	case errors.Is(err, unix.EADDRINUSE):
		return "; find the other program with \"ss -lnp\""
	}
	return ""
}

func bindUDP(at netip.AddrPort, share bool) (*udpSocket, error) {
	var address unix.Sockaddr
	family := unix.AF_INET
	if at.Addr().Is4() {
		address = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		family = unix.AF_INET6
		address = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s := &udpSocket{fd: fd, controls: at.Addr().IsUnspecified(), done: make(chan struct{})}
	set := func(level, option, value int) {
		if err == nil {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
		}
	}
	if share {
		set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	set(unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
	set(unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
	// Answers fit every path: they are never fragmented (RFC 9715 section 3.1),
	// and no ICMP message, which may be forged, changes that.
	if family == unix.AF_INET6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		set(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
		if s.controls {
			set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	} else {
		set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
		if s.controls {
			set(unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
	}
	if err == nil {
		err = unix.Bind(fd, address)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// stop makes the worker answer what has arrived, and end.
func (s *udpSocket) stop() {
	s.closing.Store(true)
	// ENOTCONN is the rule; it wakes the worker all the same.
	_ = unix.Shutdown(s.fd, unix.SHUT_RD)
}

// drain waits, after stop, until all messages are answered.
func (s *udpSocket) drain() {
	<-s.done
	s.pending.Wait()
}

func (s *udpSocket) close() error { return unix.Close(s.fd) }

// drops returns how many messages the kernel has dropped, because the worker
// was too slow or held up.
func (s *udpSocket) drops() uint64 {
	// SO_MEMINFO gives nine numbers of 32 bits, of which SK_MEMINFO_DROPS is
	// the last (linux/sock_diag.h).
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(info[len(info)-1])
}
