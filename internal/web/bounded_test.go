package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestBounded: an answer ends when nobody reads it, and does not while somebody reads slowly.
func TestBounded(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 2)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b := newBounded(rw)
		if newBounded(b) != b {
			t.Error("bounded twice")
		}
		b.patience = 300 * time.Millisecond
		defer b.end()
		var err error
		for n := 0; err == nil && (r.URL.Path == "/endless" || n < 12); n++ {
			if r.URL.Path != "/endless" {
				time.Sleep(50 * time.Millisecond)
			}
			if _, err = b.Write(make([]byte, 64<<10)); err == nil {
				err = b.FlushError()
			}
		}
		ended <- err
	}))
	defer server.Close()
	for path, whole := range map[string]bool{"/endless": false, "/slow": true} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		if whole {
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
		select {
		case err := <-ended:
			if (err == nil) != whole {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s goes on", path)
		}
	}
}
