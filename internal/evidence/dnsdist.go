package evidence

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"

	"nullspf/spftrack"
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
	var kind, protocol, port, seconds, micros uint64
	var address, asked []byte
	ok := fields(b, func(f field) {
		switch f.number {
		case pbType:
			kind = f.value
		case pbServer:
			if d.named == "" {
				d.named = string(f.bytes[:min(len(f.bytes), 255)])
			}
		case pbProtocol:
			protocol = f.value
		case pbFrom:
			address = f.bytes
		case pbSeconds:
			seconds = f.value
		case pbMicroseconds:
			micros = f.value
		case pbQuestion:
			asked = f.bytes
		case pbFromPort:
			port = f.value
		}
	})
	switch {
	case !ok:
		return isBad
	case kind != pbQuery:
		return isOther
	}
	var name []byte
	var qtype uint64
	qclass := uint64(1)
	ok = fields(asked, func(f field) {
		switch f.number {
		case pbName:
			name = f.bytes
		case pbQType:
			qtype = f.value
		case pbClass:
			qclass = f.value
		}
	})
	addr, isAddr := netip.AddrFromSlice(address)
	if !ok || !isAddr || port > 65535 || max(qtype, qclass) > 65535 || seconds > maxTime || micros >= 1_000_000 {
		return isBad
	}
	if d.name, ok = appendText(d.name[:0], name); !ok {
		return isBad
	}
	q.client = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	q.name, q.qtype, q.qclass, q.subnet = d.name, uint16(qtype), uint16(qclass), netip.Prefix{}
	q.transport, q.verified = spftrack.TransportUDP, false
	if protocol >= protocolTCP {
		q.transport, q.verified = spftrack.TransportTCP, true
	}
	if seconds == 0 {
		return isTimeless
	}
	q.time = int64(seconds)*nanosecondsPerSecond + int64(micros)*1000
	return isQuestion
}
