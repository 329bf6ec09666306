package mtas

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"sync"

	"nullspf/internal/peers"
)

// Network is a network of machines: a bridge in a namespace of its own.
type Network struct {
	bridge   *Machine
	mu       sync.Mutex
	machines []*Machine
}

// NewNetwork makes a network without machines.
func NewNetwork() (*Network, error) {
	bridge, err := newMachine()
	if err != nil {
		return nil, err
	}
	w := &Network{bridge: bridge}
	if err := bridge.IP("link add bridge0 type bridge", "link set bridge0 up"); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close takes the machines off; their namespaces end with their last processes.
func (w *Network) Close() {
	for _, m := range append(w.machines, w.bridge) {
		m.Close()
	}
}

// Machine adds a machine with addresses. All addresses are on one link.
func (w *Network) Machine(addresses ...string) (*Machine, error) {
	m, err := newMachine()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.machines = append(w.machines, m)
	port := fmt.Sprintf("port%d", len(w.machines))
	w.mu.Unlock()
	err = w.bridge.IP(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", port, m.Thread),
		"link set "+port+" master bridge0 up")
	if err != nil {
		return nil, err
	}
	commands := []string{"link set lo up", "link set eth0 up"}
	for _, a := range addresses {
		commands = append(commands, "address add "+a+"/32 dev eth0")
	}
	if err := m.IP(append(commands, "route add default dev eth0")...); err != nil {
		return nil, err
	}
	return m, nil
}

// Machine is a network namespace.
type Machine struct{ *peers.Netns }

func newMachine() (*Machine, error) {
	n, err := peers.NewNetns()
	if err != nil {
		return nil, fmt.Errorf("mtas: %w", err)
	}
	return &Machine{n}, nil
}

// Cmd is a command that runs on a machine.
type Cmd struct {
	*exec.Cmd
	machine *Machine
}

// Command returns a command that runs in the namespace and ends with it.
func (m *Machine) Command(ctx context.Context, argv ...string) *Cmd {
	return &Cmd{exec.CommandContext(ctx, argv[0], argv[1:]...), m}
}

// Start starts the command in the namespace.
func (c *Cmd) Start() error { return c.machine.Do(c.Cmd.Start) }

// Dial connects from an address, "" for any, to an address and port over TCP.
func (m *Machine) Dial(ctx context.Context, from, to string) (conn net.Conn, err error) {
	var d net.Dialer
	if from != "" {
		local, err := netip.ParseAddr(from)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	err = m.Do(func() (err error) {
		conn, err = d.DialContext(ctx, "tcp", to)
		return err
	})
	return conn, err
}

// Listen listens at an address and port over TCP.
func (m *Machine) Listen(at string) (l net.Listener, err error) {
	err = m.Do(func() (err error) {
		l, err = net.Listen("tcp", at)
		return err
	})
	return l, err
}
