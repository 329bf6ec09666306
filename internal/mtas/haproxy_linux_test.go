package mtas

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/peers"
)

const virtualAddress = "192.0.2.24"

// background starts a command on a machine for the time of the test and returns
// what it writes.
func background(t *testing.T, m *Machine, argv ...string) *output {
	t.Helper()
	program, err := peers.Program(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	c := m.Command(context.Background(), append([]string{program}, argv[1:]...)...)
	out := new(output)
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", argv[0], out)
		}
	})
	return out
}

// output is what a command has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// exampleFile writes an example where a program that runs on this machine finds it.
func exampleFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(example(t, name)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// crowd is what becomes of connections that come all at once and stay.
type crowd struct{ served, refused, reset, closed, silent int }

// connectAll opens n connections, waits for their greetings, and closes them. It
// returns what became of them, and how long the last took that was turned away.
func connectAll(t *testing.T, m *Machine, to string, n int) (crowd, time.Duration) {
	t.Helper()
	var c crowd
	var slowest time.Duration
	var mu sync.Mutex
	var reading sync.WaitGroup
	var open []net.Conn
	done := func(count *int, began time.Time) {
		mu.Lock()
		defer mu.Unlock()
		*count++
		if count != &c.served {
			slowest = max(slowest, time.Since(began))
		}
	}
	for range n {
		began := time.Now()
		conn, err := m.Dial(t.Context(), "", to)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			done(&c.refused, began)
			continue
		case errors.Is(err, syscall.ECONNRESET):
			done(&c.reset, began)
			continue
		case err != nil:
			t.Fatal(err)
		}
		open = append(open, conn)
		reading.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, err := conn.Read(make([]byte, 1))
			switch {
			case err == nil:
				done(&c.served, began)
			case errors.Is(err, syscall.ECONNRESET):
				done(&c.reset, began)
			case errors.Is(err, io.EOF):
				done(&c.closed, began)
			default:
				done(&c.silent, began)
			}
		})
	}
	reading.Wait()
	for _, conn := range open {
		_ = conn.Close()
	}
	return c, slowest
}

// TestHAProxy has 1,200 connections come to examples/haproxy, whose servers take 500
// each: the rest is reset, or with nftables refused, at once.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	peers.Require(t, "haproxy", "nft")
	w := Networked(t)
	clients := w.Add(t, goodClient)
	proxy := w.Add(t, virtualAddress)
	var servers []*greeter
	for _, address := range []string{mxHost, "192.0.2.26"} {
		servers = append(servers, newGreeter(t, w.Add(t, address), address+":25"))
	}
	log := background(t, proxy, "haproxy", "-db", "-f", exampleFile(t, "haproxy/haproxy.cfg"))
	const at = virtualAddress + ":25"
	ready(t, clients, at)
	const most = 3 * time.Second

	got, slowest := connectAll(t, clients, at, 1200)
	t.Logf("HAProxy: %+v, the last of those turned away after %v, at most %d and %d at the servers", got, slowest, servers[0].peak(), servers[1].peak())
	// Some may come through together; they wait in the queue and are closed after a second.
	if got.served != 1000 || got.reset < 100 || got.reset+got.closed != 200 || slowest > most {
		t.Errorf("with both servers: %+v, turned away within %v", got, slowest)
	}
	for _, s := range servers {
		if n := s.peak(); n != 500 {
			t.Errorf("a server had %d connections", n)
		}
	}

	nft := proxy.Command(t.Context(), "nft", "-f", exampleFile(t, "haproxy/nftables.conf"))
	if err := errors.Join(nft.Start(), nft.Wait()); err != nil {
		t.Fatal(err)
	}
	ready(t, clients, at)
	got, slowest = connectAll(t, clients, at, 1200)
	t.Logf("nftables: %+v, the last of those turned away after %v", got, slowest)
	if got.served != 1000 || got.refused != 200 || slowest > most {
		t.Errorf("with nftables: %+v, turned away within %v", got, slowest)
	}

	servers[1].close()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "Server mail/b is DOWN"); {
		if time.Now().After(deadline) {
			t.Fatal("HAProxy does not see that a server is down")
		}
		time.Sleep(50 * time.Millisecond)
	}
	ready(t, clients, at)
	got, slowest = connectAll(t, clients, at, 1200)
	t.Logf("one server down: %+v, the last of those turned away after %v", got, slowest)
	if got.served != 500 || got.reset < 600 || got.reset+got.closed != 700 || slowest > most {
		t.Errorf("with one server: %+v, turned away within %v", got, slowest)
	}
}

// ready waits until a server greets and all its former connections are gone.
func ready(t *testing.T, m *Machine, at string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if conn, err := m.Dial(t.Context(), "", at); err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err = conn.Read(make([]byte, 1))
			_ = conn.Close()
			if err == nil {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody greets at %s", at)
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond)
}

// greeter is a mail server that only greets. It counts connections.
type greeter struct {
	net.Listener
	mu        sync.Mutex
	now, most int
	serving   sync.WaitGroup
}

func newGreeter(t *testing.T, m *Machine, at string) *greeter {
	t.Helper()
	l, err := m.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	g := &greeter{Listener: l}
	g.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.serving.Go(func() {
				defer conn.Close()
				if _, err := io.WriteString(conn, "220 mail ESMTP\r\n"); err != nil {
					return
				}
				g.count(1)
				_, _ = io.Copy(io.Discard, conn)
				g.count(-1)
			})
		}
	})
	t.Cleanup(g.close)
	return g
}

func (g *greeter) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
}

func (g *greeter) peak() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
}

func (g *greeter) close() {
	_ = g.Close()
	g.serving.Wait()
}

// TestProxyProtocol has HAProxy tell Postfix the addresses of the clients, by which
// Postfix then goes.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	peers.Require(t, "haproxy")
	w := Networked(t)
	n := outside(t, w, records, "")
	proxy := w.Add(t, virtualAddress)
	const end = "192.0.2.26:25"
	// At the other address nobody listens, so that all connections come here.
	w.Add(t, mxHost)
	s := Run(t, Config{
		Kind: Postfix, Machine: w.Add(t, "192.0.2.26"), Name: "mail8.example.net", Resolver: nameserver, At: end, Quiet: true,
		Files: map[string]string{"/etc/postfix/main.cf": example(t, "mail/postfix/main.cf") + example(t, "haproxy/postfix.cf")},
	})
	background(t, proxy, "haproxy", "-db", "-f", exampleFile(t, "haproxy/haproxy-proxy.cfg"))
	const at = virtualAddress + ":25"
	ready(t, n, at)
	c := connect(t, n, goodClient, at)
	c.expect("EHLO good.sender.example.com", "250")
	c.send("a@sender.example.com", "postmaster@mail.example.net", "through HAProxy")
	if got, want := unwelcome(t, n, noName, at), "554 5.7.1 Client host rejected: cannot find your reverse hostname, [198.51.100.7]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if log := s.Log(); !strings.Contains(log, "connect from good.sender.example.com[198.51.100.8]") {
		t.Errorf("the log does not show the address of the client:\n%s", log)
	}
}

// TestProxyListener has HAProxy tell nullspfd's listener the addresses of the
// clients, which its events have.
func TestProxyListener(t *testing.T) {
	t.Parallel()
	peers.Require(t, "haproxy")
	w := Networked(t)
	clients := w.Add(t, goodClient, noName)
	proxy, server := w.Add(t, virtualAddress), w.Add(t, "192.0.2.26")
	// At the other address nobody listens, so that all connections come here.
	w.Add(t, mxHost)
	journal := filepath.Join(t.TempDir(), "var")
	corefile := filepath.Join(t.TempDir(), "Corefile")
	text := strings.Replace(example(t, "haproxy/nullspfd.Corefile"), "/var/lib/nullspf/var", journal, 1)
	if err := os.WriteFile(corefile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	background(t, server, filepath.Join(programs(t), "nullspfd"), "-conf", corefile)
	background(t, proxy, "haproxy", "-db", "-f", exampleFile(t, "haproxy/haproxy-proxy.cfg"))
	const at = virtualAddress + ":25"
	ready(t, clients, at)
	c := connect(t, clients, noName, at)
	c.expect("EHLO forger.example.com", "250")
	c.expect("MAIL FROM:<a@brand.example.org>", "250")
	c.expect("RCPT TO:<victim@other.example>", "451 4.7.1 ")
	c.expect("QUIT", "221")
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, err := exec.Command(filepath.Join(programs(t), "nullspf"), "log", "events", "--packets", "--kind", "smtp",
			"--helo", "forger", "--format", "json", "--journal", journal).CombinedOutput()
		if err == nil && strings.Contains(string(out), noName) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no event with the address of the client: %v\n%s", err, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
