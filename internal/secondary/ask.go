package secondary

import (
	"errors"
	"net/netip"

	"github.com/miekg/dns"

	"nullspf/internal/serial"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// errNotSecondary says that a zone is none of a secondary's.
var errNotSecondary = errors.New("this server is not a secondary of the zone")

// Notified handles a NOTIFY and returns the RCODE of the answer; key is the one
// that the message was signed with, nil for none. It is accepted when it is signed
// with the key of a primary of the zone, wherever it comes from, or comes from the
// address of a primary that has no key. From the address of a primary that has one,
// a message without it is a hint. It never waits for the network or the disk.
func (e *Engine) Notified(zone wire.Name, client netip.AddrPort, key *xfr.Key, newest uint32, hasSerial bool) (rcode int) {
	rcode, why := e.notified(zone, client, key, newest, hasSerial)
	if why != "" {
		e.NotifyRefused(zone, client, why)
	}
	return rcode
}

// NotifyRefused notes that a NOTIFY was refused, and why.
func (e *Engine) NotifyRefused(zone wire.Name, client netip.AddrPort, why string) {
	e.counts.notifyRefused.Add(1)
	e.refusals.refused(zone, client, why, e.clock.now())
}

// notified returns the RCODE, and why a message is refused, "" when it is not.
func (e *Engine) notified(zone wire.Name, client netip.AddrPort, key *xfr.Key, newest uint32, hasSerial bool) (rcode int, why string) {
	s := &e.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	if z == nil {
		return dns.RcodeNotAuth, "this server is not a secondary of the zone"
	}
	from, trust := z.group.primaries.find(client.Addr(), key)
	switch {
	case trust == stranger && key != nil:
		return dns.RcodeRefused, "no primary of the zone has this address or signs with the key " + key.Name.Text()
	case trust == stranger:
		return dns.RcodeRefused, "no primary of the zone has this address, and the message is not signed"
	}
	e.counts.notifyAccepted.Add(1)
	if hasSerial && z.have != nil && !z.expired && !z.running && !serial.Greater(newest, z.have.Serial()) {
		return dns.RcodeSuccess, ""
	}
	if trust == hinting {
		s.hint(z, e.clock.now())
	} else {
		// Who sends can be reached.
		z.group.primaries.heard(from)
		if !z.running {
			z.primary = uint8(from)
		}
		s.ask(z, urgencyAsked)
	}
	s.rouse()
	return dns.RcodeSuccess, ""
}

// Retransfer has a zone transferred whole, whatever its serial number. It does
// not wait for that. The error is [errNotSecondary].
func (e *Engine) Retransfer(zone wire.Name) error {
	s := &e.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	if z == nil {
		return errNotSecondary
	}
	z.whole = true
	// Primaries that could not be reached are tried too.
	z.group.primaries.forgive()
	s.ask(z, urgencyAsked)
	s.rouse()
	return nil
}
