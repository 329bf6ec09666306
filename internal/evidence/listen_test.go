package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
)

// socketDir is a directory with a short path: names of sockets are limited.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tap")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// listening is a listener that runs.
type listening struct {
	path string
	stop func() error
	mu   sync.Mutex
	logs []string
}

func listen(t *testing.T, i *Import) *listening {
	t.Helper()
	r := &listening{path: filepath.Join(socketDir(t), "tap.sock")}
	socket, err := net.Listen("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	l := &Listener{Import: *i, Every: 100 * time.Millisecond, hold: time.Millisecond, Log: func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.logs = append(r.logs, text)
	}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx, socket) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// logged are the texts that were told.
func (r *listening) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.logs, "\n")
}

// send writes a file to a socket, with the handshake of fstrm or without.
func send(t *testing.T, path string, text []byte, handshake bool) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 200)
	if handshake {
		if _, err := conn.Write(control(controlReady, true)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(buf); err != nil || string(buf[:n]) != string(control(controlAccept, true)) {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	if _, err := conn.Write(text); err != nil {
		t.Fatal(err)
	}
	if handshake {
		if n, err := conn.Read(buf); err != nil || string(buf[:n]) != string(control(controlFinish, false)) {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
}

// TestListen: what servers write to a socket is what their files hold; those of another server
// are refused.
func TestListen(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/bind.dnstap")
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile("testdata/knot.dnstap")
	if err != nil {
		t.Fatal(err)
	}
	file := newImport(t, copyOf(t, "bind.dnstap"))
	file.Format, file.Server = Dnstap, ""
	want := rowsOf(t, file)
	for _, handshake := range []bool{true, false} {
		i := newImport(t)
		i.Format, i.Server = Dnstap, ""
		l := listen(t, i)
		send(t, l.path, whole, handshake)
		waitUntil(t, func() bool { return len(storedRows(t, i.Dir)) == len(want) })
		send(t, l.path, whole[:8192], false) // cut
		send(t, l.path, []byte("hello, world"), false)
		send(t, l.path, other, false)
		waitUntil(t, func() bool {
			return strings.Contains(l.logged(), `those before were of "ns1.keeper.test"`) && strings.Contains(l.logged(), "no end") && strings.Contains(l.logged(), "not Frame Streams")
		})
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		got := rows(t, i.Dir)
		if len(got) < len(want) || !slices.EqualFunc(byName(got[:len(want)]), byName(want), func(a, b eventrow.Row) bool {
			a.Seq, b.Seq = 0, 0
			return a == b
		}) {
			t.Errorf("handshake %v: %d events, want %d", handshake, len(got), len(want))
		}
		if l := listen(t, i); !errors.Is(l.stop(), nil) {
			t.Error("a directory of the same server is refused")
		}
	}
	i := newImport(t)
	i.Dir, i.Server = file.Dir, "other"
	if err := listen(t, i).stop(); err == nil || !strings.Contains(err.Error(), "has the events of ns1.keeper.test") {
		t.Error(err)
	}
}

// byName puts events, whose times may be the same, into an order.
func byName(list []eventrow.Row) []eventrow.Row {
	slices.SortFunc(list, func(a, b eventrow.Row) int { return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.RawName, b.RawName)) })
	return list
}

// storedRows are the events of a directory into which something may be stored just now.
func storedRows(t *testing.T, dir string) (list []eventrow.Row) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); err != nil {
		return nil
	}
	err := forgerylog.Open([]string{dir}, journal.ReadOptions{}).Events(t.Context(), forgerylog.Query{Packets: true}, 0, func(r *eventrow.Row) error {
		list = append(list, r.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	for range 1000 {
		if condition() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it does not come")
}

// TestListenToBIND: named writes its queries to the socket.
func TestListenToBIND(t *testing.T) {
	t.Parallel()
	peers.Require(t, peers.BIND.Programs()...)
	port, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	i := newImport(t)
	i.Format, i.Server = Dnstap, ""
	l := listen(t, i)
	dir := t.TempDir()
	zone := filepath.Join(dir, "zone")
	writeFile(t, zone, []byte("@ 60 SOA ns1.keeper.test. host.keeper.test. 1 1h 1h 1d 60\n@ NS ns1.keeper.test.\n* TXT \"forged\"\n"))
	conf := filepath.Join(dir, "zone.conf")
	writeFile(t, conf, fmt.Appendf(nil, "zone \"_spf.keeper.test\" { type primary; file %q; };\n", zone))
	server := peers.Run(t, peers.Config{Kind: peers.BIND, Address: port, Include: []string{conf},
		Options: fmt.Sprintf("\tdnstap { auth query; };\n\tdnstap-output unix %q;\n\tdnstap-identity \"ns1.keeper.test\";", l.path)})
	const question = "mail.bot.test.HE.user.LP.203.0.113.7.in-addr.CL.forged.test.FD.2._spf.keeper.test"
	ask := func() bool {
		_, err := peers.Query(t.Context(), port, question, dns.TypeTXT, nil)
		return err == nil
	}
	stored := func() bool { // named keeps queries back for a moment
		return slices.ContainsFunc(storedRows(t, i.Dir), func(r eventrow.Row) bool {
			return r.Attempt && r.ClientIP == "203.0.113.7" && r.HELO == "mail.bot.test"
		})
	}
	waitUntil(t, func() bool { return ask() && stored() })
	if err := l.stop(); err != nil {
		t.Fatalf("%v\n%s", err, server.Log())
	}
}
