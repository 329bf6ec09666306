package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

// Record is a resource record.
type Record struct {
	// Name is the owner name.
	Name  Name
	Type  uint16
	Class uint16
	// TTL is in seconds.
	TTL uint32
	// Data is RDATA in wire format. Names in it are uncompressed, their case is
	// as it came.
	Data []byte
}

// errRecord says that bytes are not a resource record, or not a record of its
// type.
var errRecord = errors.New("malformed resource record")

// ReadRecord reads the record at an offset of a message and returns the offset
// behind it. Its data is checked as far as its type is known, and copied. TTLs
// with the highest bit set are 0 (RFC 2181 section 8).
func ReadRecord(msg []byte, at int) (r Record, next int, err error) {
	if r.Name, at, err = ReadName(msg, at); err != nil {
		return r, 0, err
	}
	if at+10 > len(msg) {
		return r, 0, errRecord
	}
	r.Type = binary.BigEndian.Uint16(msg[at:])
	r.Class = binary.BigEndian.Uint16(msg[at+2:])
	r.TTL = binary.BigEndian.Uint32(msg[at+4:])
	if r.TTL > 1<<31-1 && r.Type != dns.TypeOPT {
		r.TTL = 0
	}
	end := at + 10 + int(binary.BigEndian.Uint16(msg[at+8:]))
	if end > len(msg) {
		return r, 0, errRecord
	}
	if r.Data, err = readData(msg[:end], at+10, r.Type); err != nil {
		return r, 0, fmt.Errorf("%s %s: %w", r.Name, TypeString(r.Type), err)
	}
	return r, end, nil
}

// Append appends the record without compression.
func (r *Record) Append(dst []byte) []byte {
	dst = append(dst, r.Name...)
	dst = binary.BigEndian.AppendUint16(dst, r.Type)
	dst = binary.BigEndian.AppendUint16(dst, r.Class)
	dst = binary.BigEndian.AppendUint32(dst, r.TTL)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Data)))
	return append(dst, r.Data...)
}

// String returns the record as a line of a zone file. Data that is not what its
// type demands, or that would not be the same when it is read again, is written
// as that of an unknown type (RFC 3597 section 5).
func (r *Record) String() string {
	if rr, err := r.RR(); err == nil {
		if text := rr.String(); r.reads(text) {
			return text
		}
	}
	return fmt.Sprintf("%s\t%d\tIN\tTYPE%d\t\\# %d %x", r.Name, r.TTL, r.Type, len(r.Data), r.Data)
}

// reads reports whether a line of a zone file is the record. That of the dns
// package is not for all data: it writes NULL records as comments, whose bytes
// may end the line, and leaves out what is missing.
func (r *Record) reads(text string) bool {
	rr, err := dns.NewRR(text)
	if err != nil || rr == nil {
		return false
	}
	again, err := FromRR(rr)
	return err == nil && again.Name == r.Name && again.Type == r.Type && bytes.Equal(again.Data, r.Data)
}

// RR returns the record as the dns package has it.
func (r *Record) RR() (dns.RR, error) {
	rr, _, err := dns.UnpackRR(r.Append(nil), 0)
	return rr, err
}

// FromRR returns a record of the dns package.
func FromRR(rr dns.RR) (Record, error) {
	b := make([]byte, dns.Len(rr)+MaxName)
	n, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil {
		return Record{}, err
	}
	r, _, err := ReadRecord(b[:n], 0)
	return r, err
}

// TypeString returns the mnemonic of a type, or TYPE with its number (RFC 3597
// section 5).
func TypeString(rrtype uint16) string { return dns.Type(rrtype).String() }

// SOA is the data of a SOA record; times are in seconds.
type SOA struct {
	MName, RName                            Name
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// ParseSOA reads the data of a SOA record.
func ParseSOA(data []byte) (s SOA, err error) {
	at := 0
	if s.MName, at, err = ReadName(data, at); err != nil {
		return s, err
	}
	if s.RName, at, err = ReadName(data, at); err != nil {
		return s, err
	}
	if len(data) != at+20 {
		return s, errRecord
	}
	for i, v := range []*uint32{&s.Serial, &s.Refresh, &s.Retry, &s.Expire, &s.Minimum} {
		*v = binary.BigEndian.Uint32(data[at+4*i:])
	}
	return s, nil
}
