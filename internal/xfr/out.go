package xfr

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/serial"
	"nullspf/internal/wire"
)

// maxOutgoing is the number of transfers at the same time, outgoingPatience how
// long a further one waits.
const (
	maxOutgoing      = 64
	outgoingPatience = 5 * time.Second
)

// Out answers requests for transfers.
type Out struct {
	source Source
	acl    ACL
	slots  chan struct{}
}

// NewOut returns what answers requests of those whom the rules allow, for the
// zones of a source.
func NewOut(source Source, acl ACL) *Out {
	return &Out{source: source, acl: acl, slots: make(chan struct{}, maxOutgoing)}
}

// Allows reports whether a client with a signature may transfer zones.
func (o *Out) Allows(client netip.Addr, signed *Signed) bool {
	return signed.Key != nil && o.acl.allows(client, signed)
}

// Request is a request for a transfer.
type Request struct {
	// Message is the request without its TSIG record; QNAME is not compressed.
	Message []byte
	Client  netip.Addr
	TCP     bool
	// Signed is what was found of its signature, nil for none.
	Signed *Signed
	// EDNS: there is an OPT record.
	EDNS bool
}

// Served says what became of a request.
type Served uint8

// What becomes of requests.
const (
	// ServedAXFR: the whole zone was sent.
	ServedAXFR Served = iota
	// ServedIXFR: differences were sent.
	ServedIXFR
	// ServedSOA: the SOA record was sent, because the client is up to date, or
	// must come back over TCP.
	ServedSOA
	// ServedRefused, ServedNotAuth, ServedFormErr and ServedBusy: nothing was
	// sent; the RCODE says why.
	ServedRefused
	ServedNotAuth
	ServedFormErr
	ServedBusy
	// ServedBroken: the client did not take all.
	ServedBroken

	NumServed
)

// String returns the label of metrics.
func (s Served) String() string {
	return [NumServed]string{"axfr", "ixfr", "soa", "refused", "notauth", "formerr", "busy", "broken"}[s]
}

// Rcode returns the RCODE of the answer that is to be sent when nothing was.
func (s Served) Rcode() (rcode uint8, ok bool) {
	switch s {
	case ServedRefused:
		return dns.RcodeRefused, true
	case ServedNotAuth:
		return dns.RcodeNotAuth, true
	case ServedFormErr:
		return dns.RcodeFormatError, true
	case ServedBusy:
		return dns.RcodeServerFailure, true
	}
	return 0, false
}

// Serve answers a request with messages, each of at most 65535 bytes and valid
// until write returns. An error of write ends the transfer.
func (o *Out) Serve(q *Request, write func(msg []byte) error) Served {
	if !o.acl.allows(q.Client, q.Signed) {
		return ServedRefused
	}
	zone, end, err := wire.ReadName(q.Message, headerSize)
	if err != nil || end+4 > len(q.Message) {
		return ServedFormErr
	}
	end += 4
	ixfr := binary.BigEndian.Uint16(q.Message[end-4:]) == dns.TypeIXFR
	if !ixfr && !q.TCP {
		return ServedRefused // RFC 5936 section 4.2
	}
	v := o.source.Version(zone)
	if v == nil {
		return ServedNotAuth
	}
	timer := time.NewTimer(outgoingPatience)
	defer timer.Stop()
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-timer.C:
		return ServedBusy
	}
	p := newPacker(q, end, write)
	defer p.release()
	served := ServedAXFR
	if ixfr {
		have, err := ixfrSerial(q.Message, end)
		if err != nil {
			return ServedFormErr
		}
		served = o.difference(p, q, zone, v, have)
	} else {
		p.whole(v)
	}
	if p.finish() != nil {
		return ServedBroken
	}
	return served
}

// errNoSerial: a request for IXFR has a SOA record (RFC 1995 section 3).
var errNoSerial = errors.New("no SOA record in the authority section")

// ixfrSerial returns the serial number that the client has.
func ixfrSerial(msg []byte, end int) (uint32, error) {
	if binary.BigEndian.Uint16(msg[8:]) == 0 {
		return 0, errNoSerial
	}
	r, _, err := wire.ReadRecord(msg, end)
	if err != nil || r.Type != dns.TypeSOA {
		return 0, errNoSerial
	}
	soa, err := wire.ParseSOA(r.Data)
	return soa.Serial, err
}

// difference answers a request for what has changed since serial number have.
func (o *Out) difference(p *packer, q *Request, zone wire.Name, v Version, have uint32) Served {
	if !q.TCP || !serial.Greater(v.Serial(), have) {
		p.soa(v)
		return ServedSOA
	}
	old := o.source.Earlier(zone, have)
	if old == nil {
		p.whole(v)
		return ServedAXFR
	}
	var removed, added func(yield func(*wire.Record) bool)
	if d, ok := v.(Difference); ok {
		removed, added = d.Since(old)
	} else if removed, added, ok = compare(old, v); !ok {
		p.whole(v)
		return ServedAXFR
	}
	// RFC 1995 section 4: the new SOA, then the old SOA and what is removed,
	// the new SOA and what is added, then the new SOA.
	p.soa(v)
	for _, list := range []func(func(*wire.Record) bool){removed, added} {
		for r := range list {
			if !p.put(r) {
				break
			}
		}
	}
	p.soa(v)
	return ServedIXFR
}

// compare returns the records that old has and v has not, and those that v has
// instead, the SOA first in both; ok is false when the difference is not
// smaller than v.
func compare(old, v Version) (removed, added func(func(*wire.Record) bool), ok bool) {
	type change struct{ was, is bool }
	changes := make(map[string]change)
	var scratch []byte
	for r := range old.Records {
		scratch = r.Append(scratch[:0])
		changes[string(scratch)] = change{was: true}
	}
	records, fresh := 0, 0
	var out, in []wire.Record
	keep := func(list []wire.Record, r *wire.Record) []wire.Record {
		c := *r
		c.Data = append([]byte(nil), r.Data...)
		return append(list, c)
	}
	for r := range v.Records {
		records++
		scratch = r.Append(scratch[:0])
		c := changes[string(scratch)]
		if !c.was {
			fresh++
			in = keep(in, r)
		}
		c.is = true
		changes[string(scratch)] = c
	}
	for r := range old.Records {
		scratch = r.Append(scratch[:0])
		if !changes[string(scratch)].is {
			out = keep(out, r)
		}
	}
	each := func(list []wire.Record) func(func(*wire.Record) bool) {
		return func(yield func(*wire.Record) bool) {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
	return each(out), each(in), len(out)+fresh < records
}
