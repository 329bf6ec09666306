package nameserver

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/control"
	"nullspf/internal/peers"
	"nullspf/internal/testsite"
	"nullspf/spftrack"
)

// heldReload is a reload that waits for the file of the parked zones.
type heldReload struct {
	path    string
	release func()
	done    chan error
	// text is what the file held before.
	text []byte
}

// holdReload begins a reload, which finds a text in the file of the parked zones, or
// with nil what is there.
func holdReload(t *testing.T, s *testServer, site *testsite.Site, c *Config, text []byte) *heldReload {
	t.Helper()
	h := &heldReload{path: filepath.Join(site.Output(), "parked"), done: make(chan error, 1)}
	var err error
	if h.text, err = os.ReadFile(h.path); err != nil {
		t.Fatal(err)
	}
	if text != nil {
		h.write(t, text)
	}
	held, release := peers.HoldOpen(t, h.path)
	h.release = release
	go func() { h.done <- s.reload(t, c) }()
	select {
	case <-held:
	case err := <-h.done:
		t.Fatalf("the reload did not read the file: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the reload does not read the file")
	}
	return h
}

func (h *heldReload) write(t *testing.T, text []byte) {
	t.Helper()
	if err := os.WriteFile(h.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// end lets the reload read, puts the file back, and returns the error of the
// reload.
func (h *heldReload) end(t *testing.T) error {
	t.Helper()
	h.release()
	err := <-h.done
	h.write(t, h.text)
	return err
}

// everythingElse changes all that a configuration of parkedSite can have
// otherwise.
func everythingElse(c *Config) {
	c.Blocks[0].Track.Layouts = []spftrack.Layout{spftrack.Beacon}
	c.Blocks = append(c.Blocks, trackBlock("other.example"))
	c.Blocks[2].Listen = listenAt("127.0.0.2")
	c.Metrics, c.Health, c.Log = netip.MustParseAddrPort("127.0.0.2:0"), netip.AddrPort{}, LogAll
}

// state is what a reload can change.
type state struct {
	Serving *serving
	Listen  []netip.AddrPort
	Pages   []string
	Zones   map[string]int
	Layouts map[string][]spftrack.Layout
	// Files is the number of open files.
	Files int
}

func stateOf(t *testing.T, s *testServer) state {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	st := state{
		Serving: s.serving.Load(), Listen: s.addresses(), Zones: s.zoneCounts(),
		Layouts: maps.Clone(s.recorder.layouts), Files: len(files),
	}
	for _, w := range s.web {
		st.Pages = append(st.Pages, w.at.String())
	}
	return st
}

// mustBe waits until connections are closed, and compares.
func (st state) mustBe(t *testing.T, s *testServer) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	await(t, "no more files are open than before", func() bool { return stateOf(t, s).Files <= st.Files })
	same := cmp.Comparer(func(a, b *serving) bool { return a == b })
	if diff := cmp.Diff(st, stateOf(t, s), same, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("not as it was:\n%s", diff)
	}
}

// everythingAnswers asks pages, the control socket and zones, which must not
// take long.
func everythingAnswers(t *testing.T, s *testServer, page string, c *control.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, path := range []string{"/metrics", "/health"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+page+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	if status, err := c.Status(ctx); err != nil || len(status.Zones) != 3 {
		t.Errorf("status: %+v, %v", status, err)
	}
	if err := c.Zones(ctx, control.Filter{}, func(*control.Zone) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := c.Zone(ctx, "brand.example"); err != nil {
		t.Error(err)
	}
	for _, network := range []string{"udp", "tcp"} {
		exchange(t, network, s.address(t, false), new(dns.Msg).SetQuestion("brand.example.", dns.TypeSOA))
	}
	c.Close()
}

// While a reload reads, everything answers; when it fails, early or late,
// everything is as it was.
func TestHeldReload(t *testing.T) {
	site, _, config := parkedSite(t)
	s, client := controlledServer(t, func(changes ...change) *Config {
		return config(append(changes, func(c *Config) { c.Metrics, c.Health = freePort, freePort })...)
	}, nil)
	before := stateOf(t, s)

	h := holdReload(t, s, site, config(everythingElse), []byte("rubbish"))
	everythingAnswers(t, s, before.Pages[0], client)
	if err := h.end(t); err == nil {
		t.Fatal("rubbish was taken")
	}
	before.mustBe(t, s)

	// The control socket is opened last.
	h = holdReload(t, s, site, config(everythingElse, func(c *Config) { c.Control = "/nonexistent/socket" }), nil)
	everythingAnswers(t, s, before.Pages[0], client)
	if err := h.end(t); err == nil {
		t.Fatal("a control socket was made in a directory that does not exist")
	}
	before.mustBe(t, s)

	h = holdReload(t, s, site, config(everythingElse), nil)
	if err := h.end(t); err != nil {
		t.Fatal(err)
	}
	after := stateOf(t, s)
	if after.Serving == before.Serving || after.Layouts["other.example"] == nil || after.Zones["tracking"] != 2 {
		t.Errorf("%+v", after)
	}
}

// A server that is to stop does not wait for a reload that reads.
func TestStopDuringReload(t *testing.T) {
	site, _, config := parkedSite(t)
	c := config()
	withoutIPv6(c)
	s, err := Start(c, Options{OpenJournal: func(*Journal, int, zerolog.Logger) (Recorder, error) { return new(memory), nil }})
	if err != nil {
		t.Fatal(err)
	}
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	h := holdReload(t, &testServer{Server: s}, site, config(func(c *Config) { c.Blocks[0].Listen = []netip.AddrPort{at} }), nil)
	stopped := make(chan error)
	go func() { stopped <- s.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Stop waits for the reload")
	}
	if err := h.end(t); !errors.Is(err, errStopped) {
		t.Errorf("reload: %v", err)
	}
	l, err := openListener(at, 1)
	if err != nil {
		t.Fatal("the sockets of the reload are open: ", err)
	}
	if err := l.closeUnused(); err != nil {
		t.Error(err)
	}
}
