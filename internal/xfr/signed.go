package xfr

import (
	"crypto/hmac"
	"encoding/binary"
	"hash"
	"time"

	"github.com/miekg/dns"
)

// Signed is what the TSIG record of a request was found to be.
type Signed struct {
	// Key is the key of the request; nil when it is unknown or the signature
	// was not right.
	Key *Key
	// Error is 0, or one of BADSIG, BADKEY, BADTIME and BADTRUNC (RFC 8945
	// section 3): then the request is to be answered with NOTAUTH.
	Error uint16
	// record is that of the request, known the key that it names.
	record *tsig
	known  *Key
}

// Verify verifies a request, which it changes, and returns it without its TSIG
// record. signed is nil when it has none. The error is [errFormat]; a signature
// that is not right is none.
func (keys Keys) Verify(msg []byte, now time.Time) (plain []byte, signed *Signed, err error) {
	t, at, err := findTSIG(msg)
	if err != nil || t == nil {
		return msg, nil, err
	}
	s := &Signed{record: t}
	plain = strip(msg, at)
	k := keys[t.name]
	if k == nil || k.Algorithm != t.algorithm {
		s.Error = dns.RcodeBadKey
		return plain, s, nil
	}
	s.known = k
	h := k.mac()
	t.message(h, plain)
	t.variables(h, false)
	mac := h.Sum(nil)
	switch {
	case len(t.mac) < len(mac):
		// Whole MACs are asked for, which section 5.2.2.1 allows.
		s.Error = dns.RcodeBadTrunc
	case !hmac.Equal(mac, t.mac):
		s.Error = dns.RcodeBadSig
	case !t.timely(now):
		s.Error = dns.RcodeBadTime
	default:
		s.Key = k
	}
	return plain, s, nil
}

// Room returns how many bytes the TSIG record of an answer takes at most.
func (s *Signed) Room() int {
	n := len(s.record.name) + 10 + len(s.record.algorithm) + 16 + 6
	if s.known != nil {
		n += s.known.mac().Size()
	}
	return n
}

// Sign appends a TSIG record to the answer (section 5.3). Answers to requests
// whose key or signature was not right are not signed (section 5.3.2).
func (s *Signed) Sign(answer []byte, now time.Time) []byte {
	t := &tsig{
		name: s.record.name, algorithm: s.record.algorithm,
		time: uint64(now.Unix()), fudge: fudge,
		id: binary.BigEndian.Uint16(answer), error: s.Error,
	}
	switch s.Error {
	case dns.RcodeBadKey, dns.RcodeBadSig, dns.RcodeBadTrunc:
		t.time = s.record.time
		return t.append(answer)
	case dns.RcodeBadTime:
		// The client's time, and ours beside it.
		t.other = make([]byte, 6)
		binary.BigEndian.PutUint16(t.other, uint16(t.time>>32))
		binary.BigEndian.PutUint32(t.other[2:], uint32(t.time))
		t.time = s.record.time
	}
	h := s.known.mac()
	writeMAC(h, s.record.mac)
	h.Write(answer)
	t.variables(h, false)
	t.mac = h.Sum(nil)
	return t.append(answer)
}

// signer signs the messages of a stream.
type signer struct {
	signed *Signed
	hash   hash.Hash
	first  bool
}

// stream returns a signer of an answer of several messages.
func (s *Signed) stream() *signer {
	h := s.Key.mac()
	writeMAC(h, s.record.mac)
	return &signer{signed: s, hash: h, first: true}
}

// next signs a message (section 5.3.1).
func (s *signer) next(msg []byte, now time.Time) []byte {
	t := s.signed.Key.record(msg, now)
	s.hash.Write(msg)
	t.variables(s.hash, !s.first)
	t.mac = s.hash.Sum(nil)
	s.first = false
	s.hash = s.signed.Key.mac()
	writeMAC(s.hash, t.mac)
	return t.append(msg)
}
