package web

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
)

// attacked are settings over the journal of a running nullspfd, to which strangers have sent,
// in the DNS and in SMTP, names with all byte values, markup, and of every length.
func attacked(t *testing.T) Settings {
	t.Helper()
	dir := t.TempDir()
	program, err := peers.BuildNullspfd(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var at [2]netip.AddrPort
	for i := range at {
		if at[i], err = peers.FreePort(netip.AddrFrom4([4]byte{127, 0, 0, 1})); err != nil {
			t.Fatal(err)
		}
	}
	corefile := fmt.Sprintf("_spf.example.net:%d {\n\tbind 127.0.0.1\n\tspftrack {\n\t\tnameservers ns1.example.net\n\t\tlayouts track\n\t}\n\tjournal %s {\n\t\tserver ns1.example.net\n\t}\n\tsmtp %s\n}\n",
		at[0].Port(), filepath.Join(dir, "var"), at[1])
	path := filepath.Join(dir, "Corefile")
	if err := os.WriteFile(path, []byte(corefile), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	daemon := exec.Command(program, "-conf", path)
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	sendSessions(t, at[1].String())
	queries := sendQueries(t, at[0].String())
	s := settings(filepath.Join(dir, "var"))
	s.Now, s.Logger = time.Now, zerolog.Nop()
	s.Engine = forgerylog.Open([]string{filepath.Join(dir, "var")}, journal.ReadOptions{})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		stats, err := s.Engine.Stats(t.Context())
		if err == nil && stats[0].Events >= uint64(queries+len(hostile)) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("%v %+v\n%s", err, stats, log.String())
		}
	}
}

// sendSessions sends hostile texts as HELO names and senders.
func sendSessions(t *testing.T, at string) {
	t.Helper()
	for i, text := range hostile {
		var conn net.Conn
		var err error
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i+1))}}
			if conn, err = dialer.Dial("tcp4", at); err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 512)
		_, _ = conn.Read(buf)
		for _, line := range []string{"HELO " + text, "MAIL FROM:<" + text + "@brand.example>", "RCPT TO:<" + text + "@brand.example>", "QUIT"} {
			if _, err := conn.Write([]byte(line + "\r\n")); err == nil {
				_, _ = conn.Read(buf)
			}
		}
		_ = conn.Close()
	}
}

// sendQueries sends exp= queries whose HELO names, local parts and domains are hostile, and
// returns how many were answered.
func sendQueries(t *testing.T, at string) (answered int) {
	t.Helper()
	conn, err := net.Dial("udp4", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	zone := []string{"_spf", "example", "net"}
	send := func(client int, helo, local, domain []string) {
		labels := append(append(append([]string{}, helo...), "HE"), local...)
		labels = append(append(labels, "LP"), strings.Split(fmt.Sprintf("192.0.2.%d.in-addr", client), ".")...)
		labels = append(append(append(labels, "CL"), domain...), "FD", "2")
		query := binary.BigEndian.AppendUint16(nil, uint16(answered))
		query = append(query, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
		for _, l := range append(labels, zone...) {
			query = append(append(query, byte(len(l))), l...)
		}
		query = append(query, 0, 0, 16, 0, 1)
		if name := len(query) - 12 - 4; name > 255 {
			t.Fatalf("a name of %d bytes", name)
		}
		buf := make([]byte, 1500)
		for range 50 {
			if _, err := conn.Write(query); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := conn.Read(buf); err == nil {
				answered++
				return
			}
		}
		t.Fatal("no answer")
	}
	for b := range 256 {
		text := "x" + string([]byte{byte(b)}) + "y"
		send(b%8, []string{text}, []string{text}, []string{text, "example"})
	}
	for i, text := range hostile {
		if len(text) > 40 {
			text = text[:40]
		}
		send(i%8, []string{text}, []string{text}, []string{text, "example"})
	}
	// As long as names can be: 253 bytes.
	long := strings.Repeat("W", 63)
	send(9, []string{long, long[:28]}, []string{long[:10]}, []string{long, "example"})
	return answered
}

// checkAttacked looks at what programs see of it: no cell of a table is a formula, and no
// page has markup of a stranger.
func checkAttacked(t *testing.T, w *Server) {
	t.Helper()
	for _, target := range []string{"/api/v1/top?by=sender&n=1000&format=csv", "/api/v1/top?by=helo&n=1000&format=csv", "/api/v1/events?limit=1000&format=csv", "/api/v1/events?limit=100&format=csv&source=smtp"} {
		lines, err := csv.NewReader(get(w, target).Body).ReadAll()
		if err != nil || len(lines) < 5 {
			t.Fatalf("%s: %d lines, %v", target, len(lines), err)
		}
		for _, line := range lines {
			for _, cell := range line {
				if cell != "" && strings.ContainsRune("=+@-\t\r", rune(cell[0])) {
					t.Errorf("%s: cell %q", target, cell)
				}
			}
		}
	}
	for _, target := range []string{"/", "/events", "/events?source=smtp", "/top?by=helo&n=1000", "/top?by=sender&n=1000", "/top?by=domain&n=1000"} {
		answer := get(w, target)
		checkHTML(t, target, answer.Body.String())
	}
}
