package xdp

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// minMTU is that of every link for IPv6 (RFC 8200 section 5), which holds each
// answer.
const minMTU = 1280

// errBusy is the error of an interface that others use in the same way.
var errBusy = errors.New("another program is attached to it, maybe that of another nullspfd; find it with \"ip -d link\", and take off what is left of one that has ended with \"ip link set dev INTERFACE xdp off\"")

// Device is an Ethernet interface with the program and the sockets of all its
// queues.
type Device struct {
	// Generic: the driver does not run the program, but the kernel, later.
	Generic bool
	// ZeroCopy: the driver puts frames into the memory of the queues.
	ZeroCopy bool
	// Queues are those of the interface.
	Queues []*Queue

	// Index is that of the interface.
	Index int

	mac     [6]byte
	sockets *ebpf.Map
	program *ebpf.Program
	link    link.Link
	stop    int
}

// Open opens all queues of an interface and attaches the program. Messages go to
// the kernel until [Device.Begin]. The error says what to do.
func Open(name string, f *Filter) (d *Device, err error) {
	n, err := net.InterfaceByName(name)
	if err != nil {
		return nil, errors.New("there is no such interface; \"ip link\" shows those that there are")
	}
	d = &Device{Index: n.Index, stop: -1}
	if copy(d.mac[:], n.HardwareAddr) != len(d.mac) || len(n.HardwareAddr) != len(d.mac) || n.Flags&net.FlagLoopback != 0 {
		return nil, errors.New("not an Ethernet interface")
	}
	if n.MTU < minMTU {
		return nil, fmt.Errorf("its MTU is %d; answers take %d", n.MTU, minMTU)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
			d = nil
		}
	}()
	if d.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return d, fmt.Errorf("eventfd: %w", err)
	}
	queues := channels(name)
	d.sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: "nullspfd", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues)})
	if err != nil {
		return d, fmt.Errorf("map of sockets: %w%s", err, privilegeHint(err))
	}
	p, err := d.Compile(f)
	if err != nil {
		return d, err
	}
	d.program = p.program
	if err := d.attach(); err != nil {
		return d, err
	}
	d.ZeroCopy = !d.Generic
	for i := range queues {
		q, err := openQueue(d.Index, i, d.stop, d.ZeroCopy)
		if err != nil {
			return d, err
		}
		d.ZeroCopy = q.zeroCopy
		d.Queues = append(d.Queues, q)
	}
	return d, nil
}

// attach has the driver run the program, or else the kernel.
func (d *Device) attach() (err error) {
	for _, flags := range []link.XDPAttachFlags{link.XDPDriverMode, link.XDPGenericMode} {
		d.link, err = link.AttachXDP(link.XDPOptions{Program: d.program, Interface: d.Index, Flags: flags})
		switch {
		case err == nil:
			d.Generic = flags == link.XDPGenericMode
			return nil
		case errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST):
			return errBusy
		}
	}
	return fmt.Errorf("cannot attach the program: %w%s", err, privilegeHint(err))
}

// Program is a program for a device.
type Program struct{ program *ebpf.Program }

// Close frees a program that is not used.
func (p *Program) Close() error { return p.program.Close() }

// Compile makes the program for another filter.
func (d *Device) Compile(f *Filter) (*Program, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	p, err := f.program(d.mac, d.sockets)
	if err != nil {
		return nil, fmt.Errorf("cannot load the program: %w%s", err, privilegeHint(err))
	}
	return &Program{p}, nil
}

// Use puts a program in the place of the present one, between two frames.
func (d *Device) Use(p *Program) error {
	if err := d.link.Update(p.program); err != nil {
		return errors.Join(fmt.Errorf("cannot replace the program: %w", err), p.Close())
	}
	old := d.program
	d.program = p.program
	return old.Close()
}

// Begin has messages go to the queues.
func (d *Device) Begin() error {
	for i, q := range d.Queues {
		if err := d.sockets.Put(uint32(i), uint32(q.fd)); err != nil {
			return fmt.Errorf("queue %d: %w", i, err)
		}
	}
	return nil
}

// End has messages go to the kernel again, and ends [Queue.Wait]. What is in the
// queues can still be received and answered.
func (d *Device) End() {
	for i := range d.Queues {
		_ = d.sockets.Delete(uint32(i)) // fails when the interface is gone
	}
	_, _ = unix.Write(d.stop, []byte{7: 1}) // has room
}

// Close takes the program off the interface and closes the queues, which nobody
// may use any more.
func (d *Device) Close() (err error) {
	if d.link != nil {
		err = d.link.Close()
	}
	if d.program != nil {
		err = errors.Join(err, d.program.Close())
	}
	for _, q := range d.Queues {
		err = errors.Join(err, q.close())
	}
	if d.sockets != nil {
		err = errors.Join(err, d.sockets.Close())
	}
	if d.stop >= 0 {
		err = errors.Join(err, unix.Close(d.stop))
	}
	return err
}

// privilegeHint says what to do about an error.
func privilegeHint(err error) string {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return "; xdp needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"
	}
	return ""
}

// channels returns the number of queues at which frames arrive: 1 when the driver
// does not say.
func channels(name string) int {
	// struct ethtool_channels of linux/ethtool.h.
	var c struct {
		command                               uint32
		maxRx, maxTx, maxOther, maxCombined   uint32
		rxCount, txCount, others, combinedAll uint32
	}
	c.command = unix.ETHTOOL_GCHANNELS
	if ethtool(name, unsafe.Pointer(&c)) != nil {
		return 1
	}
	return max(1, int(c.rxCount+c.combinedAll))
}

// ethtool asks a driver by ioctl SIOCETHTOOL.
func ethtool(name string, command unsafe.Pointer) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var request struct {
		name    [unix.IFNAMSIZ]byte
		command unsafe.Pointer
		_       [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.command = command
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}
