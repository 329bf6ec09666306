package xdp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Filter says which messages do not go to the kernel.
type Filter struct {
	// Local are the addresses and ports at which messages arrive, at most
	// [MaxLocal].
	Local []netip.AddrPort
	// VLANs are the IDs of tagged frames that are taken, beside untagged ones
	// (IEEE 802.1Q).
	VLANs []uint16
	// Kernel are networks, at most [MaxKernel], none with all addresses: messages from
	// there are left to the kernel, which judges whether they can come from there.
	Kernel []netip.Prefix
}

// Limits on a filter: each entry takes time for each frame.
const (
	MaxLocal  = 256
	MaxKernel = 1024
)

// check refuses what the program cannot hold.
func (f *Filter) check() error {
	switch {
	case len(f.Local) > MaxLocal:
		return fmt.Errorf("more than %d addresses; name the addresses to serve with bind", MaxLocal)
	case len(f.Kernel) > MaxKernel:
		return fmt.Errorf("this machine has more than %d addresses and networks", MaxKernel)
	}
	return nil
}

// Offsets in struct xdp_md of linux/bpf.h.
const (
	metaData  = 0
	metaEnd   = 4
	metaQueue = 16
)

// actionPass is XDP_PASS: the frame goes to the kernel.
const actionPass = 2

// pass is the label of that.
const pass = "pass"

// The registers of the program that hold one thing throughout.
const (
	context = asm.R6
	begin   = asm.R7
	end     = asm.R8
	network = asm.R9 // the IP header
)

// program makes the program for an interface with a hardware address, with
// sockets in a map by queue. What it hands on are frames
//
//   - to the hardware address, from that of one station, untagged or in a VLAN of
//     the filter, with at most maxFrame bytes,
//   - with IPv4 without options that is no fragment, or IPv6 without extension
//     headers, and UDP,
//   - to an address and port of the filter,
//   - not from an address that nobody else can have: special ones (RFC 1122
//     section 3.2.1.3, RFC 4291 section 2.5), and networks that the filter leaves
//     to the kernel,
//   - with a UDP checksum that is not the mere sum of the pseudo header, which a
//     program on this machine leaves for hardware to complete.
//
// Lengths and checksums are looked at later: see [header].
func (f *Filter) program(mac [6]byte, sockets *ebpf.Map) (*ebpf.Program, error) {
	p := asm.Instructions{
		asm.Mov.Reg(context, asm.R1),
		asm.LoadMem(begin, context, metaData, asm.Word),
		asm.LoadMem(end, context, metaEnd, asm.Word),
		asm.Mov.Reg(asm.R2, begin),
		asm.Add.Imm(asm.R2, maxFrame),
		asm.JLT.Reg(asm.R2, end, pass),
	}
	p = append(p, bounds(begin, ethernetSize+ipv4Size+udpSize)...)
	p = append(p,
		asm.LoadMem(asm.R2, begin, 0, asm.Word),
		asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint32(mac[:])), pass),
		asm.LoadMem(asm.R2, begin, 4, asm.Half),
		asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint16(mac[4:])), pass),
		// The group bit of the source, which no station has.
		asm.LoadMem(asm.R2, begin, 6, asm.Byte),
		asm.JSet.Imm(asm.R2, 1, pass),
		asm.LoadMem(asm.R2, begin, 12, asm.Half),
		asm.Mov.Reg(network, begin),
		asm.Add.Imm(network, ethernetSize),
	)
	if len(f.VLANs) > 0 {
		p = append(p, asm.JNE.Imm32(asm.R2, wire16(etherTag), "untagged"))
		p = append(p, bounds(begin, ethernetSize+tagSize)...)
		p = append(p,
			asm.LoadMem(asm.R3, begin, 14, asm.Half),
			asm.HostTo(asm.BE, asm.R3, asm.Half),
			asm.And.Imm(asm.R3, 0xfff),
		)
		for _, id := range f.VLANs {
			p = append(p, asm.JEq.Imm32(asm.R3, int32(id), "tagged"))
		}
		p = append(p,
			asm.Ja.Label(pass),
			asm.LoadMem(asm.R2, begin, 16, asm.Half).WithSymbol("tagged"),
			asm.Add.Imm(network, tagSize),
			asm.Mov.Reg(asm.R2, asm.R2).WithSymbol("untagged"),
		)
	}
	if f.has(netip.Addr.Is4) {
		p = append(p, asm.JNE.Imm32(asm.R2, wire16(etherIPv4), "not IPv4"))
		p = append(p, f.ipv4()...)
		p = append(p, asm.Mov.Reg(asm.R2, asm.R2).WithSymbol("not IPv4"))
	}
	if f.has(netip.Addr.Is6) {
		p = append(p, asm.JNE.Imm32(asm.R2, wire16(etherIPv6), pass))
		p = append(p, f.ipv6()...)
	}
	p = append(p,
		asm.Mov.Imm(asm.R0, actionPass).WithSymbol(pass),
		asm.Return(),
	)
	if len(f.Local) > 0 {
		p = append(p,
			asm.LoadMapPtr(asm.R1, sockets.FD()).WithSymbol("take"),
			asm.LoadMem(asm.R2, context, metaQueue, asm.Word),
			asm.Mov.Imm(asm.R3, actionPass), // when the queue has no socket
			asm.FnRedirectMap.Call(),
			asm.Return(),
		)
	}
	return ebpf.NewProgram(&ebpf.ProgramSpec{Name: "nullspfd", Type: ebpf.XDP, Instructions: p, License: "MIT"})
}

// has reports whether there is an address of a family.
func (f *Filter) has(family func(netip.Addr) bool) bool {
	return slices.ContainsFunc(f.Local, func(at netip.AddrPort) bool { return family(at.Addr()) })
}

// bounds passes frames that end before n bytes behind a register.
func bounds(from asm.Register, n int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R3, from),
		asm.Add.Imm(asm.R3, n),
		asm.JGT.Reg(asm.R3, end, pass),
	}
}

// wire16 is a number in the byte order of the network as the program loads it.
func wire16(n uint16) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return int32(binary.NativeEndian.Uint16(b[:]))
}

// ipv4 looks at a packet of RFC 791.
func (f *Filter) ipv4() asm.Instructions {
	const source, destination, udp = 12, 16, ipv4Size
	p := bounds(network, ipv4Size+udpSize)
	p = append(p,
		asm.LoadMem(asm.R2, network, 0, asm.Byte),
		asm.JNE.Imm(asm.R2, 4<<4|ipv4Size/4, pass),
		asm.LoadMem(asm.R2, network, 6, asm.Half),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.JSet.Imm(asm.R2, 0xffff&^dontFragment, pass),
		asm.LoadMem(asm.R2, network, 9, asm.Byte),
		asm.JNE.Imm(asm.R2, protocolUDP, pass),
		// This network, loopback, multicast and what is reserved.
		asm.LoadMem(asm.R2, network, source, asm.Byte),
		asm.JEq.Imm(asm.R2, 0, pass),
		asm.JEq.Imm(asm.R2, 127, pass),
		asm.JGE.Imm(asm.R2, 224, pass),
		asm.LoadMem(asm.R2, network, source, asm.Word),
		asm.HostTo(asm.BE, asm.R2, asm.Word),
	)
	for _, n := range f.Kernel {
		if !n.Addr().Is4() {
			continue
		}
		a := n.Masked().Addr().As4()
		shift := int32(32 - n.Bits())
		p = append(p,
			asm.Mov.Reg32(asm.R3, asm.R2),
			asm.RSh.Imm32(asm.R3, shift),
			asm.JEq.Imm32(asm.R3, int32(binary.BigEndian.Uint32(a[:])>>shift), pass),
		)
	}
	p = append(p,
		asm.LoadMem(asm.R2, network, destination, asm.Word),
		asm.LoadMem(asm.R4, network, udp+2, asm.Half),
	)
	for i, at := range f.Local {
		if !at.Addr().Is4() {
			continue
		}
		a, next := at.Addr().As4(), fmt.Sprintf("not at %d", i)
		p = append(p,
			asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint32(a[:])), next),
			asm.JEq.Imm32(asm.R4, wire16(at.Port()), "local4"),
			asm.Mov.Reg(asm.R2, asm.R2).WithSymbol(next),
		)
	}
	p = append(p, asm.Ja.Label(pass), asm.Mov.Reg(asm.R2, asm.R2).WithSymbol("local4"))
	p = append(p, pseudo(source, 2*4, udp)...)
	return p
}

// ipv6 looks at a packet of RFC 8200.
func (f *Filter) ipv6() asm.Instructions {
	const source, destination, udp = 8, 24, ipv6Size
	p := bounds(network, ipv6Size+udpSize)
	p = append(p,
		asm.LoadMem(asm.R2, network, 0, asm.Byte),
		asm.RSh.Imm(asm.R2, 4),
		asm.JNE.Imm(asm.R2, 6, pass),
		asm.LoadMem(asm.R2, network, 6, asm.Byte),
		asm.JNE.Imm(asm.R2, protocolUDP, pass),
		// Multicast; ::/64 with the unspecified address, loopback and IPv4.
		asm.LoadMem(asm.R2, network, source, asm.Byte),
		asm.JEq.Imm(asm.R2, 0xff, pass),
		asm.LoadMem(asm.R2, network, source, asm.DWord),
		asm.JEq.Imm(asm.R2, 0, pass),
		asm.LoadMem(asm.R3, network, source+8, asm.DWord),
		asm.HostTo(asm.BE, asm.R2, asm.DWord),
		asm.HostTo(asm.BE, asm.R3, asm.DWord),
	)
	for i, n := range f.Kernel {
		if !n.Addr().Is6() {
			continue
		}
		p = append(p, within(n, fmt.Sprintf("not in %d", i))...)
	}
	p = append(p,
		asm.LoadMem(asm.R2, network, destination, asm.DWord),
		asm.LoadMem(asm.R3, network, destination+8, asm.DWord),
		asm.LoadMem(asm.R4, network, udp+2, asm.Half),
	)
	for i, at := range f.Local {
		if !at.Addr().Is6() {
			continue
		}
		a, next := at.Addr().As16(), fmt.Sprintf("not at %d", i)
		p = append(p,
			asm.LoadImm(asm.R5, int64(binary.NativeEndian.Uint64(a[:])), asm.DWord),
			asm.JNE.Reg(asm.R2, asm.R5, next),
			asm.LoadImm(asm.R5, int64(binary.NativeEndian.Uint64(a[8:])), asm.DWord),
			asm.JNE.Reg(asm.R3, asm.R5, next),
			asm.JEq.Imm32(asm.R4, wire16(at.Port()), "local6"),
			asm.Mov.Reg(asm.R2, asm.R2).WithSymbol(next),
		)
	}
	p = append(p, asm.Ja.Label(pass), asm.Mov.Reg(asm.R2, asm.R2).WithSymbol("local6"))
	p = append(p, pseudo(source, 2*16, udp)...)
	return p
}

// within passes packets whose source, in R2 and R3, is in a network.
func within(n netip.Prefix, next string) (p asm.Instructions) {
	a := n.Masked().Addr().As16()
	high, low := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:])
	shift := int32(128 - n.Bits())
	if shift > 64 {
		return asm.Instructions{
			asm.Mov.Reg(asm.R4, asm.R2),
			asm.RSh.Imm(asm.R4, shift-64),
			asm.LoadImm(asm.R5, int64(high>>(shift-64)), asm.DWord),
			asm.JEq.Reg(asm.R4, asm.R5, pass),
		}
	}
	p = asm.Instructions{
		asm.LoadImm(asm.R5, int64(high), asm.DWord),
		asm.JNE.Reg(asm.R2, asm.R5, next),
	}
	if shift < 64 {
		p = append(p,
			asm.Mov.Reg(asm.R4, asm.R3),
			asm.RSh.Imm(asm.R4, shift),
			asm.LoadImm(asm.R5, int64(low>>shift), asm.DWord),
			asm.JEq.Reg(asm.R4, asm.R5, pass),
		)
	} else {
		p = append(p, asm.Ja.Label(pass))
	}
	return append(p, asm.Mov.Reg(asm.R2, asm.R2).WithSymbol(next))
}

// pseudo passes packets whose UDP checksum is the sum of the pseudo header, with
// the addresses of some bytes at an offset, and goes to "take" with all others.
func pseudo(addresses, size, udp int16) asm.Instructions {
	p := asm.Instructions{asm.Mov.Imm(asm.R2, wire16(protocolUDP))}
	for at := addresses; at < addresses+size; at += 4 {
		p = append(p, asm.LoadMem(asm.R3, network, at, asm.Word), asm.Add.Reg(asm.R2, asm.R3))
	}
	p = append(p, asm.LoadMem(asm.R3, network, udp+4, asm.Half), asm.Add.Reg(asm.R2, asm.R3))
	for range 3 {
		p = append(p,
			asm.Mov.Reg(asm.R3, asm.R2),
			asm.RSh.Imm(asm.R3, 16),
			asm.And.Imm(asm.R2, 0xffff),
			asm.Add.Reg(asm.R2, asm.R3),
		)
	}
	return append(p,
		asm.LoadMem(asm.R3, network, udp+6, asm.Half),
		asm.JNE.Reg(asm.R2, asm.R3, "take"),
		asm.Ja.Label(pass),
	)
}
