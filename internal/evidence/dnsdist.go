package evidence

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"

	"github.com/miekg/dns"
)

// dnsdist reads what RemoteLogAction of dnsdist, or protobufServer of PowerDNS Recursor,
// sends: a length of two bytes, big-endian, then a PBDNSMessage.
type dnsdist struct {
	in    *reader
	frame []byte
	name  []byte
	named string
}

func (d *dnsdist) identity() string { return d.named }
func (d *dnsdist) odd() int         { return 0 }

func (d *dnsdist) next(q *question) (outcome, error) {
	b, err := d.in.Peek(2)
	switch {
	case errors.Is(err, io.EOF) && len(b) == 0:
		return isOther, io.EOF
	case errors.Is(err, io.EOF):
		return isOther, errCut
	case err != nil:
		return isOther, err
	}
	if d.frame, err = frame(d.in, d.frame, 2+int(binary.BigEndian.Uint16(b))); err != nil {
		return isOther, err
	}
	d.in.Write(d.frame)
	return d.message(d.frame[2:], q), nil
}

// The fields of PBDNSMessage and of its question.
const (
	pbType         = 1
	pbServer       = 3
	pbProtocol     = 5
	pbFrom         = 6
	pbSeconds      = 9
	pbMicroseconds = 10
	pbQuestion     = 12
	pbFromPort     = 20

	pbQuery = 1

	pbName  = 1
	pbQType = 2
	pbClass = 3
)

func (d *dnsdist) message(b []byte, q *question) outcome {
	var m, asked fields
	if !m.read(b) || !asked.read(m[pbQuestion].bytes) {
		return isBad
	}
	if d.named == "" {
		d.named = identityOf(m[pbServer].bytes)
	}
	if m[pbType].value != pbQuery {
		return isOther
	}
	qtype, qclass := asked[pbQType].value, asked[pbClass].value
	if qclass == 0 {
		qclass = dns.ClassINET // the field may be left out
	}
	seconds, micros := m[pbSeconds].value, m[pbMicroseconds].value
	if !setClient(q, m[pbFrom].bytes, m[pbFromPort].value, m[pbProtocol].value) ||
		max(qtype, qclass) > 65535 || seconds > maxTime || micros >= 1_000_000 {
		return isBad
	}
	var ok bool
	if d.name, ok = appendText(d.name[:0], asked[pbName].bytes); !ok {
		return isBad
	}
	q.name, q.qtype, q.qclass, q.subnet = d.name, uint16(qtype), uint16(qclass), netip.Prefix{}
	return q.at(seconds, micros*1000)
}
