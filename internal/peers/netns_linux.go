package peers

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Netns is a network namespace of a thread. It ends with that, and with the last
// process and socket in it.
type Netns struct {
	// Thread is the ID of the thread.
	Thread int
	// calls go to the thread, which ends with the channel.
	calls chan func()
}

// NewNetns makes a network namespace in which nothing is up.
func NewNetns() (*Netns, error) {
	n := &Netns{calls: make(chan func())}
	started := make(chan error)
	go func() {
		// Never unlocked: the thread ends here, and is not used for anything else.
		runtime.LockOSThread()
		n.Thread = unix.Gettid()
		err := unix.Unshare(unix.CLONE_NEWNET)
		started <- err
		if err != nil {
			return
		}
		for call := range n.calls {
			call()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot make a network namespace: %w", err)
	}
	return n, nil
}

// Close ends the thread.
func (n *Netns) Close() { close(n.calls) }

// Do calls f in the namespace. What f starts stays in it.
func (n *Netns) Do(f func() error) error {
	done := make(chan error)
	n.calls <- func() { done <- f() }
	return <-done
}

// IP runs commands of ip(8) in the namespace.
func (n *Netns) IP(commands ...string) error {
	_, err := n.run(strings.NewReader(strings.Join(commands, "\n")+"\n"), "ip", "-batch", "-")
	return err
}

// Output runs a command in the namespace and returns what it prints.
func (n *Netns) Output(argv ...string) (string, error) { return n.run(nil, argv...) }

func (n *Netns) run(stdin io.Reader, argv ...string) (string, error) {
	c := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = stdin, &out, &out
	err := n.Do(c.Start)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", argv[0], err, &out)
	}
	return out.String(), nil
}

// Wire are two network namespaces that a pair of Ethernet interfaces joins, eth0
// in each. Server has the addresses 192.0.2.1 and 2001:db8::1, Client 192.0.2.2 and
// 2001:db8::2.
type Wire struct{ Server, Client *Netns }

// NewWire makes them. The client completes the checksums of what it sends, so that
// its frames look like those of other machines.
func NewWire() (w *Wire, err error) {
	w = new(Wire)
	if w.Server, err = NewNetns(); err != nil {
		return nil, err
	}
	if w.Client, err = NewNetns(); err != nil {
		w.Server.Close()
		return nil, err
	}
	if err := w.Connect(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Connect makes the interfaces, which are not there or have been removed.
func (w *Wire) Connect() error {
	up := func(n *Netns, host string) error {
		return n.IP("link set lo up", "address add 192.0.2."+host+"/24 dev eth0", "address add 2001:db8::"+host+"/64 dev eth0 nodad", "link set eth0 up")
	}
	err := w.Server.IP(fmt.Sprintf("link add eth0 type veth peer name eth0 netns %d", w.Client.Thread))
	if err == nil {
		err = up(w.Server, "1")
	}
	if err == nil {
		err = up(w.Client, "2")
	}
	if err == nil {
		err = w.Client.Do(func() error { return Ethtool("eth0", unix.ETHTOOL_STXCSUM, 0) })
	}
	return err
}

// Close ends both namespaces.
func (w *Wire) Close() {
	w.Server.Close()
	w.Client.Close()
}

// Ethtool sets a value of an interface, by a command of linux/ethtool.h, as
// ethtool(8) does.
func Ethtool(name string, command, value uint32) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	argument := struct{ command, data uint32 }{command, value}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:], name)
	request.data = unsafe.Pointer(&argument)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("ethtool of %s, command %#x: %w", name, command, errno)
	}
	return nil
}
