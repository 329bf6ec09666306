package xfr

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"nullspf/internal/serial"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// message is a message of an answer.
type message struct {
	msg []byte
	// flags are bytes 2 and 3 of the header.
	flags uint16
	// start is the offset of the first record.
	start int
	// answers is the number of records in the answer section.
	answers int
}

// parseMessage reads the header and the question of a message. With an RCODE
// other than NOERROR there is an error beside the message.
func parseMessage(msg []byte, id uint16, zone wire.Name, qtype uint16, first bool) (*message, error) {
	m := &message{msg: msg, flags: binary.BigEndian.Uint16(msg[2:]), start: headerSize, answers: int(binary.BigEndian.Uint16(msg[6:]))}
	questions := binary.BigEndian.Uint16(msg[4:])
	switch {
	case binary.BigEndian.Uint16(msg) != id:
		return nil, fault(ReasonQuestion, "the response has another ID")
	case m.flags&0x8000 == 0:
		return nil, fault(ReasonFormat, "the message is not a response")
	case m.flags>>11&0x0f != dns.OpcodeQuery:
		return nil, fault(ReasonFormat, "the response has the opcode %d", m.flags>>11&0x0f)
	}
	if rcode := int(m.flags & 0x0f); rcode != dns.RcodeSuccess {
		return m, fault(ReasonRefused, "the primary answers %s", dns.RcodeToString[rcode])
	}
	switch {
	case m.flags&0x0200 != 0:
		return nil, fault(ReasonFormat, "the response is truncated")
	case questions > 1 || first && questions == 0:
		return nil, fault(ReasonQuestion, "the response has %d questions", questions)
	case questions == 1:
		name, next, err := wire.ReadName(msg, headerSize)
		if err != nil || next+4 > len(msg) {
			return nil, fault(ReasonFormat, "the question section is malformed")
		}
		asked := binary.BigEndian.Uint16(msg[next:])
		if name != zone || asked != qtype || binary.BigEndian.Uint16(msg[next+2:]) != dns.ClassINET {
			return nil, fault(ReasonQuestion, "the response is to another query, %s %s", name.Text(), wire.TypeString(asked))
		}
		m.start = next + 4
	}
	return m, nil
}

// records yields the records of the answer section; after an error there are
// no more.
func (m *message) records(yield func(wire.Record, error) bool) {
	at := m.start
	for range m.answers {
		r, next, err := wire.ReadRecord(m.msg, at)
		if err != nil {
			yield(r, &TransferError{Reason: ReasonFormat, Err: err})
			return
		}
		if !yield(r, nil) {
			return
		}
		at = next
	}
}

// streamState says what the next record of a stream can be.
type streamState uint8

const (
	// streamBegin: the SOA record of the new version.
	streamBegin streamState = iota
	// streamKind: the second record, which tells differences from a whole zone
	// (RFC 1995 section 4).
	streamKind
	// streamWhole: records of the zone, up to the SOA record.
	streamWhole
	// streamRemove: what is removed, up to the SOA record of the next version.
	streamRemove
	// streamAdd: what is added, up to the SOA record of the same version.
	streamAdd
	// streamEnd: nothing.
	streamEnd
)

// stream makes a zone of the records of a transfer.
//
//	AXFR: SOA, records, SOA
//	IXFR: SOA, then for each version: old SOA, removed, next SOA, added; SOA
type stream struct {
	apex   wire.Name
	have   *zonestore.Zone // nil when the zone is asked for whole
	limits Limits

	state   streamState
	records int
	bytes   int64
	builder *zonestore.Builder
	// first is the SOA record of the new version, soa its data, last its serial
	// number.
	first wire.Record
	soa   wire.SOA
	last  uint32
	// current is the serial number of the version that differences have made.
	current uint32
	// same: the primary has the version that we have.
	same bool
	// outside counts records that are not in the zone, of which example is the
	// first.
	outside int
	example string
}

func newStream(zone wire.Name, have *zonestore.Zone, l Limits) *stream {
	return &stream{apex: zone, have: have, limits: l}
}

// message takes a message and reports whether the transfer is complete.
func (s *stream) message(m *message) (done bool, err error) {
	for r, err := range m.records {
		if err != nil {
			return false, err
		}
		if err := s.record(&r); err != nil {
			return false, err
		}
	}
	// A single SOA record: there is nothing newer. If it is newer itself, it is a
	// beginning, and the rest follows in other messages, as PowerDNS sends it.
	if s.have != nil && s.state == streamKind {
		switch {
		case s.last == s.have.Serial():
			s.same, s.state = true, streamEnd
		case !serial.Greater(s.last, s.have.Serial()):
			return false, fault(ReasonBackwards, "the primary has serial number %d, older than ours, %d", s.last, s.have.Serial())
		}
	}
	return s.state == streamEnd, nil
}

// single reports whether a newer SOA record in answer to IXFR is all that has
// come.
func (s *stream) single() bool { return s.have != nil && s.state == streamKind }

// record takes a record.
func (s *stream) record(r *wire.Record) error {
	if err := s.count(r); err != nil {
		return err
	}
	soa := r.Type == dns.TypeSOA
	if !soa && !r.Name.Within(s.apex) {
		if s.outside++; s.outside == 1 {
			s.example = r.Name.Text() + " " + wire.TypeString(r.Type)
		}
		return nil
	}
	var number uint32
	var parsed wire.SOA
	if soa {
		var err error
		parsed, err = wire.ParseSOA(r.Data)
		switch {
		case err != nil:
			return fault(ReasonFormat, "SOA record: %w", err)
		case r.Name != s.apex:
			return fault(ReasonScope, "a SOA record at %s", r.Name.Text())
		}
		number = parsed.Serial
	}
	switch s.state {
	case streamBegin:
		if !soa {
			return fault(ReasonFormat, "the response begins with %s %s, not with the SOA record", r.Name.Text(), wire.TypeString(r.Type))
		}
		s.first, s.soa, s.last = *r, parsed, number
		s.state = streamKind
		if s.have == nil {
			return s.whole()
		}
		return nil
	case streamKind:
		if !soa {
			if err := s.whole(); err != nil {
				return err
			}
			return s.add(r)
		}
		if s.have.Serial() != number {
			return fault(ReasonIXFR, "the differences begin at serial number %d, ours is %d", number, s.have.Serial())
		}
		s.builder, s.current = zonestore.Edit(s.have), number
		s.state = streamRemove
		return s.remove(r)
	case streamWhole:
		if !soa {
			return s.add(r)
		}
		return s.end(&parsed)
	case streamRemove:
		if !soa {
			return s.remove(r)
		}
		if !serial.Greater(number, s.current) {
			return fault(ReasonIXFR, "the differences lead from serial number %d to %d", s.current, number)
		}
		s.state, s.current = streamAdd, number
		return s.add(r)
	case streamAdd:
		switch {
		case !soa:
			return s.add(r)
		case s.current == s.last:
			return s.end(&parsed)
		case number != s.current:
			return fault(ReasonIXFR, "differences begin at serial number %d, those before led to %d", number, s.current)
		}
		s.state = streamRemove
		return s.remove(r)
	}
	return fault(ReasonFormat, "records follow the last SOA record")
}

// count counts a record against the limits.
func (s *stream) count(r *wire.Record) error {
	if s.records++; s.records > s.limits.Records {
		return fault(ReasonLimit, "more than %d records; a larger max_records allows more", s.limits.Records)
	}
	if s.bytes += int64(len(r.Name) + 10 + len(r.Data)); s.bytes > s.limits.Bytes {
		return fault(ReasonLimit, "more than %d bytes; a larger max_size allows more", s.limits.Bytes)
	}
	return nil
}

// recount counts the records of a zone that differences have made: many small
// ones must not make a zone that is too large.
func (s *stream) recount(z *zonestore.Zone) (err error) {
	s.records, s.bytes = 0, 0
	z.Records(func(r *wire.Record) bool {
		err = s.count(r)
		return err == nil
	})
	return err
}

// whole begins a whole zone.
func (s *stream) whole() error {
	s.state = streamWhole
	s.builder = zonestore.NewBuilder(s.apex)
	return s.add(&s.first)
}

// end takes the last record, which is the first one again: names are compared
// without regard to case (RFC 4343).
func (s *stream) end(soa *wire.SOA) error {
	if *soa != s.soa {
		return fault(ReasonIncomplete, "the last SOA record differs from the first")
	}
	s.state = streamEnd
	return nil
}

func (s *stream) add(r *wire.Record) error {
	if err := s.builder.Add(*r); err != nil {
		return &TransferError{Reason: ReasonFormat, Err: err}
	}
	return nil
}

func (s *stream) remove(r *wire.Record) error {
	if err := s.builder.Remove(*r); err != nil {
		return &TransferError{Reason: ReasonIXFR, Err: err}
	}
	return nil
}

// zone returns the zone once the transfer is complete.
func (s *stream) zone() (*zonestore.Zone, error) {
	if s.state != streamEnd {
		return nil, fault(ReasonIncomplete, "the last SOA record is missing")
	}
	if s.same {
		return s.have, nil
	}
	if s.have != nil && !serial.Greater(s.last, s.have.Serial()) {
		return nil, fault(ReasonBackwards, "the zone came with serial number %d, ours is %d", s.last, s.have.Serial())
	}
	z, err := s.builder.Build()
	if err != nil {
		return nil, &TransferError{Reason: ReasonZone, Err: err}
	}
	if z.Serial() != s.last {
		return nil, fault(ReasonIXFR, "the differences lead to serial number %d instead of %d", z.Serial(), s.last)
	}
	if s.have != nil {
		if err := s.recount(z); err != nil {
			return nil, err
		}
	}
	return z, nil
}
