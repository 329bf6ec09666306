package nameserver

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// Transfer says who may transfer zones, and who is told of changes.
type Transfer struct {
	To     []TransferRule
	Notify []NotifyRule
}

// TransferRule allows transfers to those with an address in one of the prefixes
// who also sign with a key.
type TransferRule struct {
	Prefixes []netip.Prefix
	// Key is the name of a key of [Config.Keys], "" for none.
	Key wire.Name
}

// NotifyRule names servers that are told of changes.
type NotifyRule struct {
	Addresses []netip.AddrPort
	Key       wire.Name
}

func (t *Transfer) acl() (acl xfr.ACL) {
	for _, r := range t.To {
		acl = append(acl, xfr.Rule{Prefixes: r.Prefixes, Key: r.Key})
	}
	return acl
}

// secondaries returns the networks from which transfers are allowed, without
// those that are too large to be some servers.
func (t *Transfer) secondaries() (out []netip.Prefix) {
	for _, r := range t.To {
		for _, p := range r.Prefixes {
			if p.Addr().Is4() && p.Bits() >= 24 || p.Addr().Is6() && p.Bits() >= 56 {
				out = append(out, p)
			}
		}
	}
	return out
}

// peers returns the networks of primaries and secondaries. A primary notifies of
// many zones at once, a secondary asks for the SOA of as many.
func (c *Config) peers() (out []netip.Prefix) {
	if c.Transfer != nil {
		out = c.Transfer.secondaries()
	}
	for _, g := range c.Secondary {
		for _, p := range g.Primaries {
			out = append(out, netip.PrefixFrom(p.Addr.Addr(), p.Addr.Addr().BitLen()))
		}
	}
	return out
}

// notifyTargets returns the servers that are told of changes.
func (c *Config) notifyTargets() (targets []xfr.NotifyTarget) {
	if c.Transfer == nil {
		return nil
	}
	for _, r := range c.Transfer.Notify {
		for _, a := range r.Addresses {
			targets = append(targets, xfr.NotifyTarget{Addr: a, Local: c.localFor(a.Addr()), Key: c.Keys[r.Key]})
		}
	}
	return targets
}

// localFor returns the address from which another server is asked: the first
// one that zones are served at, because it is the one that others know. The
// zero Addr leaves it to the kernel.
func (c *Config) localFor(to netip.Addr) netip.Addr {
	for _, b := range c.Blocks {
		for _, at := range b.Listen {
			if a := at.Addr(); len(b.Zones) == 0 && a.Is4() == to.Is4() && a.IsLoopback() == to.IsLoopback() && !a.IsUnspecified() {
				return a
			}
		}
	}
	return netip.Addr{}
}

// notifyTaker takes NOTIFY messages. It does not wait.
type notifyTaker interface {
	// Notified returns the RCODE of the answer. key is nil for a message that
	// is not signed.
	Notified(zone wire.Name, client netip.AddrPort, key *xfr.Key, serial uint32, hasSerial bool) int
}

// servedTransfers count requests for transfers by what became of them.
type servedTransfers [xfr.NumServed]atomic.Uint64

// refuseSignature answers a message whose signature is not right.
func (q *Query) refuseSignature() outcome {
	q.end = headerSize
	if end, ok := q.parseQuestion(q.buf[:q.size]); ok {
		q.end = end
	}
	q.finish(q.end, 0, dns.RcodeNotAuth, 0, 0, 0)
	if q.end == headerSize {
		return q.fail(dns.RcodeNotAuth, notAuth)
	}
	return notAuth
}

// sign signs the answer.
func (q *Query) sign(now time.Time) {
	signed := q.signed.Sign(q.buf[:q.size:q.size], now)
	if len(signed) > len(q.buf) {
		q.fail(dns.RcodeServerFailure, servFail)
		return
	}
	q.size = copy(q.buf, signed)
}

// transfer answers a request for a transfer.
func (t *table) transfer(q *Query) outcome {
	request := &xfr.Request{Message: q.buf[:q.size], Client: q.client.Addr(), TCP: q.tcp, Signed: q.signed, EDNS: q.edns.present}
	write := q.stream
	if !q.tcp {
		request.Message = append([]byte(nil), request.Message...)
		write = q.sendOne
	}
	served := t.out.Serve(request, write)
	t.served[served].Add(1)
	rcode, failed := served.Rcode()
	if !failed {
		return transferred
	}
	switch q.finish(q.end, 0, rcode, 0, 0, 0); served {
	case xfr.ServedNotAuth:
		return notAuth
	case xfr.ServedFormErr:
		return formErr
	case xfr.ServedBusy:
		return servFail
	}
	return refused
}

// sendOne makes a message the answer over UDP.
func (q *Query) sendOne(message []byte) error {
	if len(message) > min(q.limit+q.optLength(), len(q.buf)) {
		q.truncate()
		return nil
	}
	q.size = copy(q.buf, message)
	return nil
}

// takeNotify answers a NOTIFY message (RFC 1996 section 3.7).
func (t *table) takeNotify(q *Query) outcome {
	n, ok := xfr.ReadNotify(q.buf[:q.size])
	if !ok {
		return q.fail(dns.RcodeFormatError, formErr)
	}
	var key *xfr.Key
	if q.signed != nil {
		key = q.signed.Key
	}
	rcode := t.notified.Notified(n.Zone, q.client, key, n.Serial, n.HasSerial)
	end, _ := q.parseQuestion(q.buf[:q.size])
	q.end = end
	q.edns = edns{}
	q.finish(q.end, flagAA, uint8(rcode), 0, 0, 0)
	switch rcode {
	case dns.RcodeSuccess:
		return notified
	case dns.RcodeNotAuth:
		return notAuth
	}
	return refused
}

// transferSource are the zones of a server that can be transferred.
type transferSource Server

// Version implements [xfr.Source].
func (s *transferSource) Version(zone wire.Name) xfr.Version {
	if p := s.serving.Load().parked; p != nil {
		if v := p.Version(zone); v != nil {
			return v
		}
		if zone == p.CatalogName() {
			return catalogVersion{p.Catalog()}
		}
	}
	return s.secondary.Version(zone)
}

// Earlier implements [xfr.Source].
func (s *transferSource) Earlier(zone wire.Name, serial uint32) xfr.Version {
	p := s.serving.Load().parked
	if p == nil {
		return nil
	}
	if zone == p.CatalogName() {
		if v := p.EarlierCatalog(serial); v != nil {
			return catalogVersion{v}
		}
		return nil
	}
	if v := p.Earlier(zone, serial); v != nil {
		return v
	}
	return nil
}

// catalogVersion is a version of a catalog zone that knows its differences.
type catalogVersion struct{ *zonestore.CatalogVersion }

// Since implements [xfr.Difference].
func (v catalogVersion) Since(old xfr.Version) (removed, added func(yield func(*wire.Record) bool)) {
	return v.CatalogVersion.Since(old.(catalogVersion).CatalogVersion)
}
