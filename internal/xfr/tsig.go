package xfr

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// Errors of signed messages (RFC 8945).
var (
	// errTSIG: the signature is missing, wrong or out of time.
	errTSIG = errors.New("TSIG")
	// errFormat: the message is malformed.
	errFormat = errors.New("malformed message")
)

// fudge is how far clocks may be apart, in seconds (RFC 8945 section 10).
const fudge = 300

const headerSize = 12

// tsig is a TSIG record.
type tsig struct {
	name, algorithm wire.Name
	// time is in seconds since 1970.
	time      uint64
	fudge     uint16
	mac       []byte
	id, error uint16
	other     []byte
}

// findTSIG finds the TSIG record of a message and where it begins; nil when
// there is none. A TSIG record that is not the last one is an error (section
// 5.1).
func findTSIG(msg []byte) (t *tsig, at int, err error) {
	if len(msg) < headerSize {
		return nil, 0, errFormat
	}
	at = headerSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		if at, err = wire.SkipName(msg, at); err != nil || at+4 > len(msg) {
			return nil, 0, errFormat
		}
		at += 4
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(msg[i:]))
	}
	additional := int(binary.BigEndian.Uint16(msg[10:]))
	for i := range records {
		start := at
		if at, err = wire.SkipName(msg, at); err != nil || at+10 > len(msg) {
			return nil, 0, errFormat
		}
		rrtype := binary.BigEndian.Uint16(msg[at:])
		at += 10 + int(binary.BigEndian.Uint16(msg[at+8:]))
		if at > len(msg) {
			return nil, 0, errFormat
		}
		if rrtype != dns.TypeTSIG {
			continue
		}
		if i != records-1 || additional == 0 || at != len(msg) {
			return nil, 0, errFormat
		}
		t, err := readTSIG(msg, start)
		return t, start, err
	}
	return nil, 0, nil
}

func readTSIG(msg []byte, at int) (*tsig, error) {
	r, _, err := wire.ReadRecord(msg, at)
	if err != nil || r.Class != dns.ClassANY || r.TTL != 0 {
		return nil, errFormat
	}
	t := &tsig{name: r.Name}
	b := r.Data
	var n int
	if t.algorithm, n, err = wire.ReadName(b, 0); err != nil {
		return nil, errFormat
	}
	b = b[n:]
	if len(b) < 10 {
		return nil, errFormat
	}
	t.time = uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	t.fudge = binary.BigEndian.Uint16(b[6:])
	size := int(binary.BigEndian.Uint16(b[8:]))
	b = b[10:]
	if len(b) < size+6 {
		return nil, errFormat
	}
	t.mac, b = b[:size], b[size:]
	t.id, t.error = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if t.other = b[6:]; int(binary.BigEndian.Uint16(b[4:])) != len(t.other) {
		return nil, errFormat
	}
	return t, nil
}

// strip takes the TSIG record that begins at an offset off a message, which it
// changes.
func strip(msg []byte, at int) []byte {
	msg = msg[:at]
	binary.BigEndian.PutUint16(msg[10:], binary.BigEndian.Uint16(msg[10:])-1)
	return msg
}

// message writes a message without its TSIG record, with the ID that was signed
// (section 5.1).
func (t *tsig) message(h hash.Hash, msg []byte) {
	var id [2]byte
	binary.BigEndian.PutUint16(id[:], t.id)
	h.Write(id[:])
	h.Write(msg[2:])
}

// append appends the record to a message, which it changes.
func (t *tsig) append(msg []byte) []byte {
	binary.BigEndian.PutUint16(msg[10:], binary.BigEndian.Uint16(msg[10:])+1)
	msg = append(msg, t.name...)
	msg = binary.BigEndian.AppendUint16(msg, dns.TypeTSIG)
	msg = binary.BigEndian.AppendUint16(msg, dns.ClassANY)
	msg = append(msg, 0, 0, 0, 0)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(t.algorithm)+16+len(t.mac)+len(t.other)))
	msg = append(msg, t.algorithm...)
	msg = t.appendTimers(msg)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(t.mac)))
	msg = append(msg, t.mac...)
	msg = binary.BigEndian.AppendUint16(msg, t.id)
	return t.appendError(msg)
}

func (t *tsig) appendTimers(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(t.time>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(t.time))
	return binary.BigEndian.AppendUint16(b, t.fudge)
}

func (t *tsig) appendError(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, t.error)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.other)))
	return append(b, t.other...)
}

// variables writes what is signed of the record (section 4.3.3), or only its
// timers in messages of a stream after the first (section 5.3.1).
func (t *tsig) variables(h hash.Hash, timersOnly bool) {
	var b []byte
	if timersOnly {
		h.Write(t.appendTimers(b))
		return
	}
	b = append(b, t.name...)
	b = binary.BigEndian.AppendUint16(b, dns.ClassANY)
	b = append(b, 0, 0, 0, 0)
	b = append(b, t.algorithm...)
	h.Write(t.appendError(t.appendTimers(b)))
}

// writeMAC writes an earlier MAC with its length.
func writeMAC(h hash.Hash, mac []byte) {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], uint16(len(mac)))
	h.Write(b[:])
	h.Write(mac)
}

// record returns a TSIG record of a key without MAC.
func (k *Key) record(msg []byte, now time.Time) *tsig {
	return &tsig{name: k.Name, algorithm: k.Algorithm, time: uint64(now.Unix()), fudge: fudge, id: binary.BigEndian.Uint16(msg)}
}

// signRequest signs a request and returns it with its MAC, which the answer is
// verified with.
func (k *Key) signRequest(msg []byte, now time.Time) (signed, mac []byte) {
	t := k.record(msg, now)
	h := k.mac()
	h.Write(msg)
	t.variables(h, false)
	t.mac = h.Sum(nil)
	return t.append(msg), t.mac
}

// maxUnsigned is the number of messages of a stream that may follow each other
// without a signature (section 5.3.1).
const maxUnsigned = 99

// verifier verifies the messages of an answer.
type verifier struct {
	key *Key
	// hash is that of the messages since the last signature.
	hash     hash.Hash
	first    bool
	unsigned int
}

// newVerifier returns a verifier of the answer to a request with a MAC.
func newVerifier(k *Key, requestMAC []byte) *verifier {
	v := &verifier{key: k, hash: k.mac(), first: true}
	writeMAC(v.hash, requestMAC)
	return v
}

// next verifies a message and returns it without its TSIG record. The error
// wraps [errTSIG] or [errFormat].
func (v *verifier) next(msg []byte, now time.Time) (plain []byte, err error) {
	t, at, err := findTSIG(msg)
	if err != nil {
		return nil, err
	}
	if t == nil {
		if v.unsigned++; v.first || v.unsigned > maxUnsigned {
			return nil, fmt.Errorf("%w: the message is not signed", errTSIG)
		}
		v.hash.Write(msg)
		return msg, nil
	}
	if t.name != v.key.Name || t.algorithm != v.key.Algorithm {
		return nil, fmt.Errorf("%w: the message is signed with another key, %s %s", errTSIG, t.name.Text(), t.algorithm.Text())
	}
	if t.error != 0 && len(t.mac) == 0 {
		return nil, fmt.Errorf("%w: the server says %s", errTSIG, dns.RcodeToString[int(t.error)])
	}
	plain = strip(msg, at)
	t.message(v.hash, plain)
	t.variables(v.hash, !v.first)
	mac := v.hash.Sum(nil)
	if !hmac.Equal(mac, t.mac) {
		return nil, fmt.Errorf("%w: the signature is wrong", errTSIG)
	}
	if t.error != 0 {
		return nil, fmt.Errorf("%w: the server says %s", errTSIG, dns.RcodeToString[int(t.error)])
	}
	if !t.timely(now) {
		return nil, fmt.Errorf("%w: signed at %s, more than five minutes from now by our clock", errTSIG, time.Unix(int64(t.time), 0).UTC().Format(time.RFC3339))
	}
	v.first, v.unsigned = false, 0
	v.hash = v.key.mac()
	writeMAC(v.hash, mac)
	return plain, nil
}

// end checks that the last message was signed.
func (v *verifier) end() error {
	if v.first || v.unsigned > 0 {
		return fmt.Errorf("%w: the last message is not signed", errTSIG)
	}
	return nil
}

func (t *tsig) timely(now time.Time) bool {
	d := now.Unix() - int64(t.time)
	return d <= int64(t.fudge) && -d <= int64(t.fudge)
}
