package secondary

import (
	"errors"
	"net/netip"

	"github.com/miekg/dns"

	"nullspf/internal/serial"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// ErrNotSecondary says that a zone is none of a secondary's.
var ErrNotSecondary = errors.New("the zone has no primary here")

// Notified handles a NOTIFY and returns the RCODE of the answer. It is accepted
// from the address of a primary of the zone that also signs with the primary's
// key, if it has one; key is the one that the message was signed with. It never
// waits for the network or the disk.
func (e *Engine) Notified(zone wire.Name, client netip.AddrPort, key *xfr.Key, newest uint32, hasSerial bool) (rcode int) {
	s := &e.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	if z == nil {
		return dns.RcodeNotAuth
	}
	from := z.group.primaries.find(client.Addr(), key)
	if from < 0 {
		e.counts.notifyRefused.Add(1)
		return dns.RcodeRefused
	}
	e.counts.notifyAccepted.Add(1)
	// Who sends can be reached.
	z.group.primaries.heard(from)
	if hasSerial && z.have != nil && !z.expired && !z.running && !serial.Greater(newest, z.have.Serial()) {
		return dns.RcodeSuccess
	}
	if !z.running {
		z.primary = uint8(from)
	}
	s.ask(z, urgencyAsked)
	s.rouse()
	return dns.RcodeSuccess
}

// Retransfer has a zone transferred whole, whatever its serial number. It does
// not wait for that. The error is [ErrNotSecondary].
func (e *Engine) Retransfer(zone wire.Name) error {
	s := &e.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	if z == nil {
		return ErrNotSecondary
	}
	z.whole = true
	// Primaries that could not be reached are tried too.
	z.group.primaries.forgive()
	s.ask(z, urgencyAsked)
	s.rouse()
	return nil
}
