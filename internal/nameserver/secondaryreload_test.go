package nameserver

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"
)

// 100 reloads of a secondary, which change what it has zones from and how it
// serves them, cost no question.
func TestSecondaryReloadUnderLoad(t *testing.T) {
	site, _, _ := parkedSite(t)
	primary := fmt.Sprintf(".:0 {\n    bind 127.0.0.1\n    parked %s\n    transfer {\n        to 127.0.0.1\n    }\n}\n", site.Output())
	at := startServer(t, primary, Options{}).address(t, false)
	store, other := t.TempDir(), t.TempDir()
	variant := func(i int) string {
		more := ""
		switch i % 4 {
		case 1:
			more = fmt.Sprintf("secondary {\n        zones unreachable.example\n        primaries 127.0.0.1:9\n        store %s\n    }\n", other)
		case 2:
			more = "errors\n"
		case 3:
			more = "rrl off\n"
		}
		return fmt.Sprintf(".:0 {\n    bind 127.0.0.1\n    secondary {\n        catalog catalog.invalid\n        primaries %s\n        store %s\n    }\n    %s}\n", at, store, more)
	}
	s := startServer(t, variant(0), Options{Workers: 2})
	own := s.address(t, false)
	await(t, "the zone is served", func() bool {
		return exchange(t, "udp", own, new(dns.Msg).SetQuestion("brand.example.", dns.TypeSOA)).Rcode == dns.RcodeSuccess
	})
	before := s.Counts()
	l := startLoad(t, own, 8, "www.brand.example.")
	for i := range 100 {
		if err := s.reload(t, variant(i)); err != nil {
			t.Fatal(err)
		}
	}
	asked := l.end()
	c := s.settled(t)
	got := c.UDP.Answered + c.TCP.Answered - before.UDP.Answered - before.TCP.Answered
	if got != asked || c.UDP.Dropped+c.TCP.Dropped != 0 || asked < 500 {
		t.Errorf("%d questions asked, %d answered: %+v", asked, got, c)
	}
}
