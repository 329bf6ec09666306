package nameserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

func TestFitConnections(t *testing.T) {
	for _, c := range []struct {
		limit uint64
		want  int
	}{{1 << 63, 1000}, {1500, 1000}, {1400, 900}, {510, leastConnections}, {64, leastConnections}} {
		if got := fitConnections(c.limit, 500, 1000); got != c.want {
			t.Errorf("limit %d: %d connections, want %d", c.limit, got, c.want)
		}
	}
	if got := fitConnections(64, 500, 8); got != 8 {
		t.Errorf("%d connections where 8 are wanted", got)
	}
}

// Many idle connections to the pages take no descriptors, and end.
func TestWebConnections(t *testing.T) {
	s := startServer(t, testConfig(func(c *Config) { c.Health = freePort }), Options{})
	var w *webServer
	for _, w = range s.web {
	}
	before := openFiles(t)
	const clients = webConnections * 3 / 2
	for range clients {
		conn, err := net.Dial("tcp", w.at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	time.Sleep(200 * time.Millisecond)
	// Ours, and those of the server.
	if n := openFiles(t) - before - clients; n > webConnections+8 {
		t.Errorf("%d connections are open", n)
	}
	// The first ones end after ReadTimeout.
	client := http.Client{Timeout: 20 * time.Second}
	r, err := client.Get(fmt.Sprintf("http://%s/health", w.at))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", r.StatusCode, err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
