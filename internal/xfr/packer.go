package xfr

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

const (
	// usualMessage is the size of messages of many records: compression
	// pointers reach that far (RFC 1035 section 4.1.4). A record that is larger
	// has a message for itself.
	usualMessage = 16 << 10
	maxMessage   = 65535
	optSize      = 11
	// ednsSize is the size of messages over UDP that passes every path (RFC 9715).
	ednsSize = 1232
)

var errTooLarge = errors.New("a record exceeds the size of a message")

// packer packs records into the messages of a transfer.
type packer struct {
	*packerMemory
	request *Request
	// end is the offset behind the question of the request.
	end    int
	write  func([]byte) error
	signer *signer
	// room is kept free for OPT and TSIG.
	room  int
	count uint16
	// messages counts those that were sent.
	messages int
	err      error
}

// packerMemory is used again by later transfers.
type packerMemory struct {
	msg []byte
	// names are the offsets of names in the message.
	names map[wire.Name]uint16
}

var packerMemories = sync.Pool{New: func() any {
	return &packerMemory{msg: make([]byte, 0, maxMessage), names: make(map[wire.Name]uint16)}
}}

func newPacker(q *Request, end int, write func([]byte) error) *packer {
	p := &packer{packerMemory: packerMemories.Get().(*packerMemory), request: q, end: end, write: write}
	if q.EDNS {
		p.room += optSize
	}
	if q.Signed != nil {
		p.signer = q.Signed.stream()
		p.room += q.Signed.Room()
	}
	p.begin()
	return p
}

func (p *packer) release() { packerMemories.Put(p.packerMemory) }

// begin begins a message. The first one repeats the question (RFC 5936 section
// 2.2.1).
func (p *packer) begin() {
	clear(p.names)
	p.count = 0
	q := p.request.Message
	p.msg = append(p.msg[:0], q[:headerSize]...)
	p.msg[2] = 0x84 | q[2]&0x01 // QR, AA, RD
	p.msg[3] = 0
	clear(p.msg[4:headerSize])
	if p.messages == 0 {
		p.msg[5] = 1
		p.msg = append(p.msg, q[headerSize:p.end]...)
		zone := wire.Lower(q[headerSize : p.end-4])
		if string(zone) == string(q[headerSize:p.end-4]) {
			p.known(zone, headerSize)
		}
	}
}

// known notes where a name stands, and those that it is below.
func (p *packer) known(name wire.Name, at int) {
	for ; len(name) > 1 && at < 1<<14; name = name.Parent() {
		if _, ok := p.names[name]; ok {
			return
		}
		p.names[name] = uint16(at)
		at += 1 + int(name[0])
	}
}

// soa puts the SOA record of a version.
func (p *packer) soa(v Version) {
	for r := range v.Records {
		p.put(r)
		return
	}
}

// whole puts all records of a version, the SOA first and last.
func (p *packer) whole(v Version) {
	for r := range v.Records {
		if !p.put(r) {
			return
		}
	}
	p.soa(v)
}

// put puts a record; it returns false when the transfer has failed.
func (p *packer) put(r *wire.Record) bool {
	if p.err != nil {
		return false
	}
	size := len(r.Name) + 10 + len(r.Data)
	if p.count > 0 && (len(p.msg)+size+p.room > usualMessage || p.count == 0xffff) {
		if p.err = p.flush(); p.err != nil {
			return false
		}
		p.begin()
	}
	if len(p.msg)+size+p.room > maxMessage {
		p.err = errTooLarge
		return false
	}
	p.name([]byte(r.Name))
	p.msg = binary.BigEndian.AppendUint16(p.msg, r.Type)
	p.msg = binary.BigEndian.AppendUint16(p.msg, r.Class)
	p.msg = binary.BigEndian.AppendUint32(p.msg, r.TTL)
	start := len(p.msg)
	p.msg = append(p.msg, 0, 0)
	data := r.Data
	before, names := wire.CompressibleNames(r.Type)
	if names > 0 {
		p.msg = append(p.msg, data[:before]...)
		data = data[before:]
		for range names {
			n := wire.NameSize(data)
			p.name(data[:n])
			data = data[n:]
		}
	}
	p.msg = append(p.msg, data...)
	binary.BigEndian.PutUint16(p.msg[start:], uint16(len(p.msg)-start-2))
	p.count++
	return true
}

// name puts a name, compressed against names of the same case.
func (p *packer) name(name []byte) {
	at := len(p.msg)
	whole := name
	for len(name) > 1 {
		if to, ok := p.names[wire.Name(name)]; ok {
			p.msg = binary.BigEndian.AppendUint16(p.msg, 0xc000|to)
			break
		}
		n := 1 + int(name[0])
		p.msg = append(p.msg, name[:n]...)
		name = name[n:]
	}
	if len(name) == 1 {
		p.msg = append(p.msg, 0)
	}
	p.known(wire.Name(whole), at)
}

// flush sends the message.
func (p *packer) flush() error {
	binary.BigEndian.PutUint16(p.msg[6:], p.count)
	if p.request.EDNS && p.messages == 0 {
		p.msg = append(p.msg, 0)
		p.msg = binary.BigEndian.AppendUint16(p.msg, dns.TypeOPT)
		p.msg = binary.BigEndian.AppendUint16(p.msg, ednsSize)
		p.msg = append(p.msg, 0, 0, 0, 0, 0, 0)
		p.msg[11]++
	}
	if p.signer != nil {
		p.msg = p.signer.next(p.msg, time.Now())
	}
	p.messages++
	return p.write(p.msg)
}

// finish sends what is left.
func (p *packer) finish() error {
	if p.err != nil {
		return p.err
	}
	return p.flush()
}
