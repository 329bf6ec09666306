package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	c := serve(t, &fake{number: 5})
	s, err := c.Status(t.Context())
	if err != nil || s.Version != "1.2" || s.PID != 7 || len(s.Zones) != 1 || s.Zones[0].Serving != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestZonesStream(t *testing.T) {
	const number = 100_001
	c := serve(t, &fake{number: number})
	for _, test := range []struct {
		filter Filter
		want   int
	}{
		{Filter{}, number},
		{Filter{State: Expired}, number / 2},
		{Filter{Kind: Parked}, number/2 + 1},
		{Filter{Failing: true}, number / 2},
		{Filter{Kind: Catalog}, 0},
	} {
		seen := 0
		err := c.Zones(t.Context(), test.filter, func(z *Zone) error {
			seen++
			if !test.filter.match(z) {
				t.Errorf("%+v does not match %+v", z, test.filter)
			}
			return nil
		})
		if err != nil || seen != test.want {
			t.Errorf("%+v: %d zones, want %d, %v", test.filter, seen, test.want, err)
		}
	}
	stop := errors.New("enough")
	if err := c.Zones(t.Context(), Filter{}, func(*Zone) error { return stop }); err != stop {
		t.Errorf("%v instead of the caller's error", err)
	}
	if err := c.Zones(t.Context(), Filter{State: "lame"}, nil); err == nil || !strings.Contains(err.Error(), "serving, waiting, expired") {
		t.Errorf("unknown state: %v", err)
	}
}

func TestZonesFailHalfWay(t *testing.T) {
	c := serve(t, &fake{number: 3, zonesErr: errors.New("the store is gone")})
	seen := 0
	err := c.Zones(t.Context(), Filter{}, func(*Zone) error { seen++; return nil })
	if seen != 3 || err == nil || !strings.Contains(err.Error(), "not complete: the store is gone") {
		t.Errorf("%d zones, %v", seen, err)
	}
}

func TestZone(t *testing.T) {
	c := serve(t, &fake{number: 5, textLines: 3})
	z, err := c.Zone(t.Context(), "zone0.example")
	if err != nil || z.Records != 9 || z.Kind != Parked {
		t.Errorf("%+v, %v", z, err)
	}
	if _, err := c.Zone(t.Context(), "other.example"); !errors.Is(err, ErrUnknownZone) || !strings.Contains(err.Error(), "other.example") {
		t.Errorf("unknown zone: %v", err)
	}
	var text bytes.Buffer
	if err := c.ZoneText(t.Context(), "zone0.example", &text); err != nil || strings.Count(text.String(), "\n") != 3 {
		t.Errorf("%q, %v", text.String(), err)
	}
	if err := c.ZoneText(t.Context(), "other.example", io.Discard); !errors.Is(err, ErrUnknownZone) {
		t.Errorf("text of an unknown zone: %v", err)
	}
}

func TestZoneTextBreaksOff(t *testing.T) {
	c := serve(t, &fake{textLines: 10001})
	if err := c.ZoneText(t.Context(), "zone0.example", io.Discard); err == nil || !strings.Contains(err.Error(), "not complete") {
		t.Errorf("a text that was broken off: %v", err)
	}
}

func TestOrders(t *testing.T) {
	f := &fake{reload: errors.New("Corefile:3: bind: no address")}
	c := serve(t, f)
	if err := c.Reload(t.Context()); err == nil || err.Error() != "Corefile:3: bind: no address" {
		t.Errorf("reload: %v", err)
	}
	f.reload = nil
	if err := c.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	if err := c.Retransfer(t.Context(), "zone0.example"); !errors.Is(err, ErrNotApplicable) || !strings.Contains(err.Error(), "a parked zone") {
		t.Errorf("retransfer of a parked zone: %v", err)
	}
	if err := errors.Join(c.Retransfer(t.Context(), "a.example"), c.Notify(t.Context(), `b\047c.example`)); err != nil {
		t.Error(err)
	}
	if got := strings.Join(f.asked, " "); got != `a.example b\047c.example` {
		t.Errorf("asked: %s", got)
	}
}

// TestManyClients: what exceeds the bound is refused, and the others are
// answered.
func TestManyClients(t *testing.T) {
	f := &fake{block: make(chan struct{})}
	c := serve(t, f)
	results := make(chan error, maxRequests+8)
	var clients sync.WaitGroup
	for range cap(results) {
		clients.Go(func() {
			_, err := c.Status(context.Background())
			results <- err
		})
	}
	for range 8 {
		if err := <-results; err == nil || !strings.Contains(err.Error(), "too many requests") {
			t.Errorf("beyond the bound: %v", err)
		}
	}
	close(f.block)
	clients.Wait()
	for range maxRequests {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestHostileRequests(t *testing.T) {
	c := serve(t, &fake{})
	for name, request := range map[string]string{
		"body":       "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\nx",
		"chunks":     "POST /reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
		"header":     "GET /status HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"long name":  "GET /zone?name=" + strings.Repeat("x", 2000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"no name":    "GET /zone HTTP/1.1\r\nHost: x\r\n\r\n",
		"method":     "GET /reload HTTP/1.1\r\nHost: x\r\n\r\n",
		"path":       "GET /../../etc HTTP/1.1\r\nHost: x\r\n\r\n",
		"no request": "\x00\x01\x02\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", c.socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			// The server may have closed the connection before it is written.
			go func() { _, _ = io.WriteString(conn, request) }()
			answer := make([]byte, 32)
			n, err := conn.Read(answer)
			if err == nil && strings.Contains(string(answer[:n]), " 200 ") {
				t.Errorf("%q", answer[:n])
			}
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("no answer")
			}
		})
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestReloadOutlivesClient: a reload is not broken off by a client that goes
// away.
func TestReloadOutlivesClient(t *testing.T) {
	ended := make(chan error, 1)
	started := make(chan struct{})
	c := serve(t, &slowReload{started: started, ended: ended})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	if err := c.Reload(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v instead of the cancellation", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the reload was broken off: %v", err)
	}
}

type slowReload struct {
	fake
	started chan struct{}
	ended   chan error
}

func (d *slowReload) Reload(ctx context.Context) error {
	close(d.started)
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
	d.ended <- ctx.Err()
	return nil
}

func TestClientWithoutNullspfd(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/other")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			conn.Close()
		}
	}()
	_, err = NewClient(dir + "/other").Status(t.Context())
	var socket *SocketError
	if !errors.As(err, &socket) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("something else at the socket: %v", err)
	}
}
