package nameserver

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// notifyTaker takes NOTIFY messages. It does not wait.
type notifyTaker interface {
	// Notified returns the RCODE of the answer. key is nil for a message that
	// is not signed.
	Notified(zone wire.Name, client netip.AddrPort, key *xfr.Key, serial uint32, hasSerial bool) int
	// NotifyRefused is told of a message whose signature is not right.
	NotifyRefused(zone wire.Name, client netip.AddrPort, why string)
}

// servedTransfers count requests for transfers by what became of them.
type servedTransfers [xfr.NumServed]atomic.Uint64

// refuseSignature answers a message whose signature is not right. Of several
// questions it repeats none: the answer would claim more than it holds.
func (q *query) refuseSignature() outcome {
	q.end = headerSize
	one := binary.BigEndian.Uint16(q.buf[4:]) == 1
	if end, ok := q.parseQuestion(q.buf[:q.size]); ok && one {
		q.end = end
	}
	q.finish(q.end, 0, dns.RcodeNotAuth, 0, 0, 0)
	if q.end == headerSize {
		return q.fail(dns.RcodeNotAuth, notAuth)
	}
	return notAuth
}

// sign signs the answer.
func (q *query) sign(now time.Time) {
	signed := q.signed.Sign(q.buf[:q.size:q.size], now)
	if len(signed) > len(q.buf) {
		q.fail(dns.RcodeServerFailure, servFail)
		return
	}
	q.size = copy(q.buf, signed)
}

// transfer answers a request for a transfer.
func (t *table) transfer(q *query) outcome {
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
func (q *query) sendOne(message []byte) error {
	if len(message) > min(q.limit+q.optLength(), len(q.buf)) {
		q.truncate()
		return nil
	}
	q.size = copy(q.buf, message)
	return nil
}

// noteRefusedNotify notes a message whose signature is not right, if it is a
// NOTIFY.
func (t *table) noteRefusedNotify(q *query) {
	if n, ok := xfr.ReadNotify(q.buf[:q.size]); ok && t.notified != nil {
		t.notified.NotifyRefused(n.Zone, q.client, "its signature is wrong: "+dns.RcodeToString[int(q.signed.Error)])
	}
}

// takeNotify answers a NOTIFY message (RFC 1996 section 3.7).
func (t *table) takeNotify(q *query) outcome {
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
