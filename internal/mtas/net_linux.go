package mtas

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
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
	if err := bridge.ip("link add bridge0 type bridge", "link set bridge0 up"); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close takes the machines off; their namespaces end with their last processes.
func (w *Network) Close() {
	for _, m := range append(w.machines, w.bridge) {
		close(m.calls)
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
	err = w.bridge.ip(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", port, m.thread),
		"link set "+port+" master bridge0 up")
	if err != nil {
		return nil, err
	}
	commands := []string{"link set lo up", "link set eth0 up"}
	for _, a := range addresses {
		commands = append(commands, "address add "+a+"/32 dev eth0")
	}
	if err := m.ip(append(commands, "route add default dev eth0")...); err != nil {
		return nil, err
	}
	return m, nil
}

// Machine is a network namespace.
type Machine struct {
	// calls go to the thread that is in the namespace, which ends with the
	// channel.
	calls  chan func()
	thread int
}

func newMachine() (*Machine, error) {
	m := &Machine{calls: make(chan func())}
	started := make(chan error)
	go func() {
		// Never unlocked: the thread ends here, and is not used for anything else.
		runtime.LockOSThread()
		m.thread = unix.Gettid()
		err := unix.Unshare(unix.CLONE_NEWNET)
		started <- err
		if err != nil {
			return
		}
		for call := range m.calls {
			call()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("mtas: cannot make a network namespace: %w", err)
	}
	return m, nil
}

// ip runs commands of ip(8) in the namespace.
func (m *Machine) ip(commands ...string) error {
	c := m.Command(context.Background(), "ip", "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Start()
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		return fmt.Errorf("mtas: ip: %w\n%s", err, &out)
	}
	return nil
}

// Do calls f in the namespace. What f starts stays in it.
func (m *Machine) Do(f func() error) error {
	done := make(chan error)
	m.calls <- func() { done <- f() }
	return <-done
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
