package xfr

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/contain"
	"nullspf/internal/wire"
)

// NotifyTarget is a server that is told of changes.
type NotifyTarget struct {
	Addr netip.AddrPort
	// Local is the address to send from; the zero Addr leaves it to the kernel.
	Local netip.Addr
	// Key signs the messages; nil is none.
	Key *Key
}

// Limits of the notifier, for each target.
const (
	// notifyFlight messages may wait for their answers.
	notifyFlight = 100
	// notifyTick is the time between two looks at the queue, in which at most
	// notifyBurst messages are sent: 1000 a second.
	notifyTick  = 20 * time.Millisecond
	notifyBurst = 20
	// A message is sent notifyTries times; the time until the next doubles.
	notifyTries = 5
	notifyFirst = 2 * time.Second
	// After notifyDead zones in a row without any answer, what waits is
	// dropped.
	notifyDead = 100
	// After a panic, messages wait for notifyPause.
	notifyPause = time.Second
	// notifyQueue zones may wait.
	notifyQueue = 4 << 20
)

// Notifier tells secondaries of changed zones (RFC 1996). A secondary that does
// not answer learns of them when the SOA's refresh time is over.
type Notifier struct {
	source Source
	log    zerolog.Logger

	mu      sync.Mutex
	targets map[notifyAddress]*notifying
	counts  notifyCounts
}

// notifyAddress is what makes a target the same after a reload.
type notifyAddress struct {
	to    netip.AddrPort
	local netip.Addr
}

type notifyCounts struct{ sent, answered, refused, failed, dropped, panics atomic.Uint64 }

// NotifyCounts count NOTIFY messages, those of one zone to one target once,
// but for Sent, which counts repetitions too; and Panics that were contained.
type NotifyCounts struct{ Sent, Answered, Refused, Failed, Dropped, Panics uint64 }

// NewNotifier returns a notifier of the zones of a source without targets.
func NewNotifier(source Source, log zerolog.Logger) *Notifier {
	return &Notifier{source: source, log: log, targets: make(map[notifyAddress]*notifying)}
}

// Counts returns what became of messages so far.
func (n *Notifier) Counts() NotifyCounts {
	c := &n.counts
	return NotifyCounts{c.sent.Load(), c.answered.Load(), c.refused.Load(), c.failed.Load(), c.dropped.Load(), c.panics.Load()}
}

// SetTargets replaces the targets. Those that stay keep what waits for them.
func (n *Notifier) SetTargets(targets []NotifyTarget) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wanted := make(map[notifyAddress]bool)
	for _, t := range targets {
		at := notifyAddress{t.Addr, t.Local}
		wanted[at] = true
		if running := n.targets[at]; running != nil {
			running.setKey(t.Key)
		} else {
			n.targets[at] = newNotifying(n, t)
		}
	}
	for at, running := range n.targets {
		if !wanted[at] {
			delete(n.targets, at)
			running.close()
		}
	}
}

// Notify tells all targets that zones have new versions. It does not wait.
func (n *Notifier) Notify(zones []wire.Name) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.targets {
		t.add(zones)
	}
}

// Close forgets what waits and ends.
func (n *Notifier) Close() { n.SetTargets(nil) }

// notifying tells one target.
type notifying struct {
	notifier *Notifier
	target   NotifyTarget
	log      zerolog.Logger
	stop     chan struct{}
	done     sync.WaitGroup
	// wake is filled when something is added to an empty queue.
	wake chan struct{}

	mu      sync.Mutex
	queue   []wire.Name
	flight  map[uint16]*notification
	failing int
	conn    *net.UDPConn
}

// notification is a message that waits for its answer.
type notification struct {
	zone wire.Name
	// key and mac are what it was signed with.
	key   *Key
	mac   []byte
	tries int
	next  time.Time
}

func newNotifying(n *Notifier, t NotifyTarget) *notifying {
	s := &notifying{
		notifier: n, target: t,
		log:    n.log.With().Stringer("secondary", t.Addr).Logger(),
		stop:   make(chan struct{}),
		wake:   make(chan struct{}, 1),
		flight: make(map[uint16]*notification),
	}
	s.done.Go(s.run)
	return s
}

func (s *notifying) close() {
	close(s.stop)
	s.mu.Lock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *notifying) setKey(k *Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target.Key = k
}

func (s *notifying) add(zones []wire.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := notifyQueue - len(s.queue)
	if len(zones) > room {
		s.notifier.counts.dropped.Add(uint64(len(zones) - room))
		zones = zones[:room]
	}
	s.queue = append(s.queue, zones...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends what waits, a little at a time.
func (s *notifying) run() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		}
		for {
			more, pause := false, notifyTick
			if s.contained(func() { more = s.work() }) {
				more, pause = true, notifyPause
			}
			if !more {
				break
			}
			select {
			case <-s.stop:
				return
			case <-time.After(pause):
			}
		}
	}
}

// contained does work and reports whether it has panicked.
func (s *notifying) contained(work func()) bool {
	err := contain.Run(func() error { work(); return nil })
	var p *contain.Panic
	if !errors.As(err, &p) {
		return false
	}
	s.notifier.counts.panics.Add(1)
	s.log.Error().Err(err).Bytes("stack", p.Stack).Msg("notifying the secondary failed; it is tried again")
	return true
}

// work sends some messages, first those that are due again, and reports whether
// any wait or are on their way.
func (s *notifying) work() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		if err := s.open(); err != nil {
			s.log.Warn().Err(err).Int("zones", len(s.queue)).Msg("the secondary cannot be notified; it learns of the changes at its next refresh")
			s.notifier.counts.failed.Add(uint64(len(s.queue)))
			s.queue = nil
			return false
		}
	}
	now := time.Now()
	budget := notifyBurst
	for id, f := range s.flight {
		if now.Before(f.next) {
			continue
		}
		if f.tries == notifyTries {
			delete(s.flight, id)
			s.fail()
			continue
		}
		if budget == 0 {
			break
		}
		budget--
		s.send(id, f, now)
	}
	for ; budget > 0 && len(s.queue) > 0 && len(s.flight) < notifyFlight; budget-- {
		zone := s.queue[0]
		s.queue = s.queue[1:]
		id := uint16(rand.Uint32())
		if s.flight[id] != nil {
			s.queue = append(s.queue, zone)
			continue
		}
		f := &notification{zone: zone}
		s.flight[id] = f
		s.send(id, f, now)
	}
	if len(s.queue) == 0 {
		s.queue = nil
	}
	if len(s.queue)+len(s.flight) > 0 {
		return true
	}
	_ = s.conn.Close()
	s.conn = nil
	return false
}

func (s *notifying) open() error {
	var local *net.UDPAddr
	if s.target.Local.IsValid() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.target.Local, 0))
	}
	conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(s.target.Addr))
	if err != nil {
		return err
	}
	s.conn = conn
	s.done.Go(func() { s.receive(conn) })
	return nil
}

// send sends a message for the first time or again.
func (s *notifying) send(id uint16, f *notification, now time.Time) {
	f.next = now.Add(notifyFirst << f.tries)
	f.tries++
	v := s.notifier.source.Version(f.zone)
	if v == nil {
		delete(s.flight, id) // it was removed
		return
	}
	msg := appendNotify(nil, id, f.zone, v)
	if f.key = s.target.Key; f.key != nil {
		msg, f.mac = f.key.signRequest(msg, now)
	}
	s.notifier.counts.sent.Add(1)
	// An error is that of an earlier message, or will show in a missing answer.
	_, _ = s.conn.Write(msg)
}

// fail notes that a zone's message was not answered.
func (s *notifying) fail() {
	s.notifier.counts.failed.Add(1)
	s.failing++
	if s.failing == 1 {
		s.log.Warn().Msg("the secondary does not answer NOTIFY; it learns of changes at its next refresh")
	}
	if s.failing == notifyDead && len(s.queue) > 0 {
		s.log.Warn().Int("zones", len(s.queue)).Msg("the secondary does not answer NOTIFY; the remaining notifications are dropped, and it learns of the changes at its next refresh")
		s.notifier.counts.failed.Add(uint64(len(s.queue)))
		s.queue = nil
	}
}

// receive reads answers until the connection is closed.
func (s *notifying) receive(conn *net.UDPConn) {
	b := make([]byte, ednsSize)
	for {
		n, err := conn.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			s.contained(func() { s.answer(b[:n], time.Now()) })
		}
	}
}

// answer takes an answer to a message that is on its way.
func (s *notifying) answer(msg []byte, now time.Time) {
	if len(msg) < headerSize || msg[2]&(0x80|opcodeBits) != 0x80|dns.OpcodeNotify<<3 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := binary.BigEndian.Uint16(msg)
	f := s.flight[id]
	if f == nil {
		return
	}
	rcode := msg[3] & 0x0f
	if f.key != nil && rcode != dns.RcodeNotAuth && rcode != dns.RcodeNotImplemented && rcode != dns.RcodeRefused {
		if _, err := newVerifier(f.key, f.mac).next(msg, now); err != nil {
			return
		}
	}
	delete(s.flight, id)
	if rcode == dns.RcodeSuccess {
		s.notifier.counts.answered.Add(1)
		s.failing = 0
		return
	}
	s.notifier.counts.refused.Add(1)
	if s.failing++; s.failing == 1 {
		s.log.Warn().Str("zone", f.zone.Text()).Str("rcode", dns.RcodeToString[int(rcode)]).Msg("the secondary refuses NOTIFY; allow it there from this address and with this key")
	}
}
