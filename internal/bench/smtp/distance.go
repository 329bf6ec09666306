package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// delay is how long what is sent over a distance takes, one way.
const delay = 50 * time.Millisecond

// distance is a way to a server on which everything takes [delay]. Connections keep the
// address of their client.
type distance struct {
	listener net.Listener
	port     uint16
	running  sync.WaitGroup
}

// farAway makes a way to a server, at another port, until stop is called.
func (s *server) farAway(ctx context.Context) (port uint16, stop func(), err error) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	d := &distance{listener: listener, port: s.port}
	d.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.running.Go(func() { d.pass(ctx, conn.(*net.TCPConn)) })
		}
	})
	stop = func() {
		cancel()
		_ = listener.Close()
		d.running.Wait()
	}
	return listener.Addr().(*net.TCPAddr).AddrPort().Port(), stop, nil
}

// pass passes on a connection, which its client or the server ends.
func (d *distance) pass(ctx context.Context, client *net.TCPConn) {
	defer client.Close()
	time.Sleep(delay)
	from, to := client.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(), client.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.DialContext(ctx, "tcp4", netip.AddrPortFrom(to, d.port).String())
	if err != nil {
		return // the client reports it
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	defer context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })()
	var back sync.WaitGroup
	back.Go(func() { late(client, server) })
	late(server, client)
	back.Wait()
}

// late passes on what it reads, and the end of it, when it has been on its way for [delay].
func late(to, from *net.TCPConn) {
	type piece struct {
		text []byte
		due  time.Time
	}
	pieces := make(chan piece, 64)
	var writing sync.WaitGroup
	writing.Go(func() {
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.text)
		}
		_ = to.CloseWrite()
	})
	for {
		b := make([]byte, 1024)
		n, err := from.Read(b)
		if n > 0 {
			pieces <- piece{b[:n], time.Now().Add(delay)}
		}
		if err != nil {
			break
		}
	}
	pieces <- piece{nil, time.Now().Add(delay)}
	close(pieces)
	writing.Wait()
}

// leaveFirst has all threads of this program leave the first processor to the servers.
func leaveFirst() error {
	var set unix.CPUSet
	for cpu := 1; cpu < runtime.NumCPU(); cpu++ {
		set.Set(cpu)
	}
	threads, err := filepath.Glob("/proc/self/task/[0-9]*")
	if err != nil {
		return err
	}
	for _, path := range threads {
		id, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return os.NewSyscallError("sched_setaffinity", err)
		}
	}
	return nil
}
