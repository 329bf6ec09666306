package main

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"nullspf/internal/mtas"
)

// watcher sees the connections that a machine tries to open to port 25.
type watcher struct {
	socket int
	done   chan struct{}
	mu     sync.Mutex
	hosts  []netip.Addr
}

// watch listens to all packets of a machine.
func watch(m *mtas.Machine) (*watcher, error) {
	const all = uint16(unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8)
	w := &watcher{done: make(chan struct{})}
	err := m.Do(func() (err error) {
		w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
		if err != nil {
			return err
		}
		return unix.SetsockoptTimeval(w.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	})
	if err != nil {
		return nil, err
	}
	go w.read()
	return w, nil
}

func (w *watcher) read() {
	defer unix.Close(w.socket)
	buf := make([]byte, 2048)
	for {
		select {
		case <-w.done:
			return
		default:
		}
		n, _, err := unix.Recvfrom(w.socket, buf, 0)
		if err != nil {
			continue
		}
		if host, ok := opened(buf[:n]); ok {
			w.mu.Lock()
			w.hosts = append(w.hosts, host)
			w.mu.Unlock()
		}
	}
}

// opened returns where an IPv4 packet opens a connection to port 25.
func opened(packet []byte) (netip.Addr, bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_TCP {
		return netip.Addr{}, false
	}
	tcp := packet[min(len(packet), int(packet[0]&15)*4):]
	const syn, ack = 0x02, 0x10
	if len(tcp) < 20 || binary.BigEndian.Uint16(tcp[2:]) != 25 || tcp[13]&(syn|ack) != syn {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(packet[16:20])), true
}

func (w *watcher) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts = nil
}

// tried returns the hosts of a scenario in the order of the first packet to each.
func (w *watcher) tried(sc *scenario) (hosts []netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, to := range w.hosts {
		ours := slices.ContainsFunc(sc.hosts, func(h host) bool { return h.address == to.String() })
		if ours && !slices.Contains(hosts, to) {
			hosts = append(hosts, to)
		}
	}
	return hosts
}

func (w *watcher) close() { close(w.done) }
