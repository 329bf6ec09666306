// Package xdp receives and sends UDP messages beside the kernel's network stack,
// by AF_XDP sockets:
//
//	network card -> program -> rings of a queue -> Queue.Receive
//	                   |
//	                   v everything else
//	            the kernel's sockets
//
// The program, eBPF that the driver runs for each frame, hands on what a
// [Filter] names: UDP over IPv4 or IPv6 to some addresses and ports. All else
// goes to the kernel, fragments, IP options, extension headers and whatever a
// frame has that the kernel should judge. It is attached by a bpf link that only
// the process holds: however the process ends, the program goes with it.
//
// One memory, shared with the kernel, holds the frames of a queue. A message is
// answered where it stands: [Message.Reply] turns its headers round.
//
// The files: frame (headers), program (eBPF), ring and queue (AF_XDP), device
// (an interface with its program and queues), local (addresses of this machine).
package xdp
