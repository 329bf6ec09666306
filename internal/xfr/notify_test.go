package xfr

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/wire"
)

// fakeVersion is a zone with a SOA record and some others.
type fakeVersion struct {
	zone   wire.Name
	serial uint32
	texts  []string
}

func (v fakeVersion) Serial() uint32 { return v.serial }

func (v fakeVersion) Records(yield func(*wire.Record) bool) {
	lines := []string{fmt.Sprintf("%s 60 IN SOA ns. h. %d 1 2 3 4", v.zone, v.serial), fmt.Sprintf("%s 60 IN NS ns.", v.zone)}
	for _, t := range v.texts {
		lines = append(lines, fmt.Sprintf("%s 60 IN TXT %q", v.zone, t))
	}
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			panic(err)
		}
		r, err := wire.FromRR(rr)
		if err != nil {
			panic(err)
		}
		if !yield(&r) {
			return
		}
	}
}

// fakeSource has zones with their versions, the last one current.
type fakeSource map[wire.Name][]fakeVersion

func (s fakeSource) Version(zone wire.Name) Version {
	if v := s[zone]; len(v) > 0 {
		return v[len(v)-1]
	}
	return nil
}

func (s fakeSource) Earlier(zone wire.Name, serial uint32) Version {
	for _, v := range s[zone] {
		if v.serial == serial {
			return v
		}
	}
	return nil
}

func zoneName(t testing.TB, text string) wire.Name {
	t.Helper()
	n, err := wire.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// secondary is a server that receives NOTIFY messages.
type secondary struct {
	conn *net.UDPConn
	mu   sync.Mutex
	got  []string
}

// startSecondary answers with what answer returns, nil for nothing.
func startSecondary(t *testing.T, answer func(msg []byte, n int) []byte) *secondary {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	s := &secondary{conn: conn}
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 4096)
		for n := 0; ; n++ {
			size, from, err := conn.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			notify, ok := ReadNotify(b[:size])
			s.mu.Lock()
			s.got = append(s.got, fmt.Sprintf("%s %d %v %v", notify.Zone, notify.Serial, notify.HasSerial, ok))
			s.mu.Unlock()
			if out := answer(bytes.Clone(b[:size]), n); out != nil {
				_, _ = conn.WriteToUDPAddrPort(out, from)
			}
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reading.Wait()
	})
	return s
}

func (s *secondary) addr() netip.AddrPort { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (s *secondary) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// answerNotify answers a message with an RCODE.
func answerNotify(msg []byte, rcode byte) []byte {
	msg[2] |= 0x80
	msg[3] = rcode
	return msg
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// TestNotify tells a secondary that answers, one that answers the second
// message only, and one that refuses.
func TestNotify(t *testing.T) {
	a, b := zoneName(t, "a.example"), zoneName(t, "b.example")
	source := fakeSource{a: {{a, 7, nil}}, b: {{b, 9, nil}}}
	good := startSecondary(t, func(msg []byte, _ int) []byte { return answerNotify(msg, 0) })
	late := startSecondary(t, func(msg []byte, n int) []byte {
		if n == 0 {
			return nil
		}
		return answerNotify(msg, 0)
	})
	bad := startSecondary(t, func(msg []byte, _ int) []byte { return answerNotify(msg, dns.RcodeRefused) })
	var log bytes.Buffer
	n := NewNotifier(source, zerolog.New(zerolog.SyncWriter(&log)))
	n.SetTargets([]NotifyTarget{{Addr: good.addr(), Local: netip.MustParseAddr("127.0.0.1")}, {Addr: late.addr()}, {Addr: bad.addr()}})
	n.Notify([]wire.Name{a, b, zoneName(t, "gone.example")})
	waitFor(t, "answers", func() bool {
		c := n.Counts()
		return c.Answered == 4 && c.Refused == 2
	})
	n.Close()
	want := []string{"a.example. 7 true true", "b.example. 9 true true"}
	for _, s := range []*secondary{good, bad} {
		if got := s.received(); !slices.Equal(got, want) {
			t.Errorf("received %v, want %v", got, want)
		}
	}
	if got := late.received(); len(got) != 3 {
		t.Errorf("a message that is not answered is not repeated: %v", got)
	}
	if c := n.Counts(); c.Sent != 7 || c.Failed+c.Dropped != 0 {
		t.Errorf("counts %+v", c)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), `"rcode":"REFUSED"`) {
		t.Errorf("log:\n%s", log.String())
	}
}

// TestNotifySigned takes no answer that is not signed with the key.
func TestNotifySigned(t *testing.T) {
	zone := zoneName(t, "a.example")
	k := testKey(t, "hmac-sha256")
	signed := make(chan bool, 10)
	s := startSecondary(t, func(msg []byte, n int) []byte {
		plain, found, err := Keys{k.Name: k}.Verify(msg, time.Now())
		signed <- err == nil && found != nil && found.Key == k
		if n == 0 {
			return answerNotify(bytes.Clone(plain), 0) // a forged answer
		}
		return found.Sign(answerNotify(bytes.Clone(plain), 0), time.Now())
	})
	n := NewNotifier(fakeSource{zone: {{zone, 7, nil}}}, zerolog.Nop())
	defer n.Close()
	n.SetTargets([]NotifyTarget{{Addr: s.addr(), Key: k}})
	n.Notify([]wire.Name{zone})
	waitFor(t, "a signed answer", func() bool { return n.Counts().Answered == 1 })
	if c := n.Counts(); c.Sent != 2 {
		t.Errorf("counts %+v", c)
	}
	for range 2 {
		if !<-signed {
			t.Error("a message is not signed")
		}
	}
}

// TestNotifyMany tells of many zones, not all at once.
func TestNotifyMany(t *testing.T) {
	const zones = 500
	source := fakeSource{}
	var names []wire.Name
	for i := range zones {
		name := zoneName(t, fmt.Sprintf("zone-%d.example", i))
		source[name] = []fakeVersion{{name, uint32(i), nil}}
		names = append(names, name)
	}
	s := startSecondary(t, func(msg []byte, _ int) []byte { return answerNotify(msg, 0) })
	n := NewNotifier(source, zerolog.Nop())
	defer n.Close()
	n.SetTargets([]NotifyTarget{{Addr: s.addr()}})
	start := time.Now()
	n.Notify(names)
	waitFor(t, "all zones", func() bool { return n.Counts().Answered == zones })
	if took, least := time.Since(start), (zones/notifyBurst-1)*notifyTick; took < least {
		t.Errorf("%d zones within %v", zones, took)
	}
	if got := s.received(); len(got) < zones {
		t.Errorf("%d messages", len(got))
	}
}

// FuzzReadNotify reads any message.
func FuzzReadNotify(f *testing.F) {
	zone := zoneName(f, "a.example")
	f.Add(appendNotify(nil, 1, zone, fakeVersion{zone, 7, nil}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, msg []byte) {
		n, ok := ReadNotify(msg)
		if ok && n.Zone == "" || !ok && n.HasSerial {
			t.Fatalf("%+v, %v", n, ok)
		}
	})
}

// faultySource has a zone at which a fault of ours is found.
type faultySource struct{ Source }

func (f faultySource) Version(zone wire.Name) Version {
	if zone == "\x05fault\x00" {
		panic("known")
	}
	return f.Source.Version(zone)
}

// TestNotifyPanics: a fault at one zone neither ends the process nor keeps others
// from being told.
func TestNotifyPanics(t *testing.T) {
	s := startSecondary(t, func(msg []byte, _ int) []byte { return edited(msg, 2, msg[2]|0x80) })
	good := zoneName(t, "good.test")
	n := NewNotifier(faultySource{fakeSource{good: {{zone: good, serial: 1}}}}, zerolog.Nop())
	defer n.Close()
	n.SetTargets([]NotifyTarget{{Addr: s.conn.LocalAddr().(*net.UDPAddr).AddrPort()}})
	n.Notify([]wire.Name{"\x05fault\x00", good})
	deadline := time.Now().Add(10 * time.Second)
	for n.Counts().Answered == 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if c := n.Counts(); c.Answered != 1 || c.Panics == 0 {
		t.Errorf("%+v", c)
	}
}
