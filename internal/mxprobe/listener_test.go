package mxprobe

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/nolisting"
)

// TestListener: the listener of nullspfd is what it promises to be, a tempfail host.
func TestListener(t *testing.T) {
	l := nolisting.NewListener(nolisting.ListenerOptions{Hostname: "mx4.example.net", Logger: zerolog.Nop(), Record: func(*nolisting.Session) {}})
	t.Cleanup(func() { l.Close(time.Second) })
	for _, at := range []nolisting.Stage{nolisting.AtRecipient, nolisting.AtData, nolisting.AtConnect} {
		l.Configure(nil)
		l.Configure(&nolisting.ListenerSettings{Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Mode: nolisting.Defer, At: at, Connections: 10})
		for end := time.Now().Add(5 * time.Second); len(l.Addresses()) == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		here := l.Addresses()[0]
		r := run(t, Settings{Port: here.Port(), Timeout: 5 * time.Second}, Target{Host: "mx4.example.net", Role: nolisting.TempFail, Address: here.Addr(), Domain: "brand.example"})[0]
		if got := findings(r, Error) + findings(r, Warning); got != "" {
			t.Errorf("at %s: %s", at, got)
		}
		if at == nolisting.AtRecipient && len(r.Session.Recipients) == 0 {
			t.Errorf("%+v", r.Session)
		}
	}
}
