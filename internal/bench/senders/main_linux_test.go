package main

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nullspf/internal/mtas"
	"nullspf/internal/peers"
)

// TestSenders has each sender send a message to the domains that cost no minutes: it
// arrives at the live host, or is deferred while that is down, and no sender goes to
// the last host before the live one.
func TestSenders(t *testing.T) {
	peers.RequireRoot(t, "start mail servers")
	peers.Require(t, "nft", "ip", "nsenter", "unbound", "unbound-control")
	for _, s := range senders {
		if _, err := mtas.Root(s.kind); err != nil {
			peers.Lack(t, "%v", err)
		}
	}
	fast := slices.DeleteFunc(slices.Clone(scenarios), func(sc scenario) bool { return sc.drops })
	results, err := measure(t.Context(), plan{senders: senders, scenarios: fast, messages: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"nolisting.example": "dead, live", "fake.example": "dead, live", "tar.example": "dead, live", "down.example": "dead, live, tempfail",
	}
	for _, r := range results {
		if len(r.version) == 0 {
			t.Errorf("%s has no version", r.sender.kind)
		}
		for i := range fast {
			sc, o := &fast[i], r.outcomes[i][0]
			end := ""
			if sc.down {
				end = deferred
			}
			if got := sc.labels(o.tried); got != want[sc.domain] || o.end != end {
				t.Errorf("%s, %s: tried %s, %s", r.sender.kind, sc.domain, got, o.end)
			}
		}
	}
}

// TestCell looks at what the table says of outcomes.
func TestCell(t *testing.T) {
	sc := &scenarios[2]
	var hosts []netip.Addr
	for _, h := range sc.hosts {
		hosts = append(hosts, netip.MustParseAddr(h.address))
	}
	for want, o := range map[string]outcome{
		"dead, live: within a second":                        {hosts[:2], time.Second / 2, ""},
		"live, still connected: within a second":             {nil, 0, ""},
		"dead, live, tempfail: deferred after 4 s":           {hosts, 4 * time.Second, deferred},
		"dead, tempfail still connected: deferred after 2 s": {hosts[:1], 2 * time.Second, deferred},
		"dead: not delivered after 240 s":                    {hosts[:1], patience, lost},
	} {
		if got := cell(sc, o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestOpened reads packets that open connections to port 25, and others.
func TestOpened(t *testing.T) {
	packet := func(change func(p []byte)) []byte {
		p := make([]byte, 40)
		p[0], p[9] = 0x45, 6
		copy(p[16:], []byte{192, 0, 2, 10})
		p[23], p[33] = 25, 2
		if change != nil {
			change(p)
		}
		return p
	}
	if host, ok := opened(packet(nil)); !ok || host.String() != "192.0.2.10" {
		t.Errorf("%v, %v", host, ok)
	}
	for name, p := range map[string][]byte{
		"empty": nil, "short": packet(nil)[:30], "another port": packet(func(p []byte) { p[23] = 53 }),
		"an answer": packet(func(p []byte) { p[33] = 0x12 }), "UDP": packet(func(p []byte) { p[9] = 17 }),
		"IPv6": packet(func(p []byte) { p[0] = 0x65 }), "long header": packet(func(p []byte) { p[0] = 0x4f }),
	} {
		if host, ok := opened(p); ok {
			t.Errorf("%s: %v", name, host)
		}
	}
}
