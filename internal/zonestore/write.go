package zonestore

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// maxKnown is how many names of a message later ones are compressed against.
const maxKnown = 48

// writer puts records behind the question section of a reply.
type writer struct {
	*Reply
	// section counts the records of the section that is written.
	section *uint16
	// known are the offsets of names in the message, each after all longer
	// ones that it ends; names counts them.
	known [maxKnown]uint16
	names int
	// full: something did not fit.
	full bool
}

// mark is a place in a message to which a writer can go back.
type mark struct {
	at, names int
	count     uint16
}

func (w *writer) mark() mark { return mark{w.At, w.names, *w.section} }

func (w *writer) back(m mark) {
	w.At, w.names, *w.section, w.full = m.at, m.names, m.count, false
}

// begin makes QNAME known.
func (w *writer) begin() {
	for i := range w.QName.Count {
		w.know(headerSize + int(w.QName.At[i]))
	}
	w.section = &w.Answer
}

func (w *writer) know(at int) {
	// Compression pointers have 14 bits (RFC 1035 section 4.1.4).
	if w.names < maxKnown && at < 1<<14 {
		w.known[w.names] = uint16(at)
		w.names++
	}
}

// put writes bytes unless they do not fit.
func (w *writer) put(b []byte) {
	if w.full || w.At+len(b) > w.Limit {
		w.full = true
		return
	}
	w.At += copy(w.Buf[w.At:], b)
}

func (w *writer) put16(v uint16) {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	w.put(b[:])
}

// name writes a name and compresses it against known ones. Case is only
// compared when exact is set: the names in data come back as they are.
func (w *writer) name(name []byte, exact bool) {
	for len(name) > 1 {
		for _, at := range w.known[:w.names] {
			if w.sameName(int(at), name, exact) {
				w.put16(0xc000 | at)
				return
			}
		}
		if !w.full {
			w.know(w.At)
		}
		size := 1 + int(name[0])
		w.put(name[:size])
		name = name[size:]
	}
	w.put(name)
}

// sameName compares the name at an offset of the message with another.
func (w *writer) sameName(at int, name []byte, exact bool) bool {
	for {
		c := w.Buf[at]
		if c >= 0xc0 {
			at = int(binary.BigEndian.Uint16(w.Buf[at:]) & 0x3fff)
			continue
		}
		if c != name[0] {
			return false
		}
		if c == 0 {
			return true
		}
		size := 1 + int(c)
		label := w.Buf[at+1 : at+size]
		if exact {
			if string(label) != string(name[1:size]) {
				return false
			}
		} else if !ascii.EqualFold(label, name[1:size]) {
			return false
		}
		at += size
		name = name[size:]
	}
}

// record writes a record whose owner name stands at an offset, or is given.
func (w *writer) record(at int, owner []byte, rrtype uint16, ttl uint32, data []byte) {
	if owner != nil {
		w.name(owner, false)
	} else {
		w.put16(0xc000 | uint16(at))
	}
	var b [10]byte
	binary.BigEndian.PutUint16(b[:], rrtype)
	binary.BigEndian.PutUint16(b[2:], dns.ClassINET)
	binary.BigEndian.PutUint32(b[4:], ttl)
	w.put(b[:])
	start := w.At
	before, names := wire.CompressibleNames(rrtype)
	if names > 0 {
		w.put(data[:before])
		data = data[before:]
		for range names {
			size := wire.NameSize(data)
			w.name(data[:size], true)
			data = data[size:]
		}
	}
	w.put(data)
	if !w.full {
		binary.BigEndian.PutUint16(w.Buf[start-2:], uint16(w.At-start))
		*w.section++
	}
}

// rrset writes an RRset, and its signatures when they are asked for.
func (w *writer) rrset(at int, owner []byte, s *zoneRRset, ttl uint32) {
	b := s.data
	for i := range s.count + s.sigs {
		var data []byte
		data, b = nextData(b)
		switch {
		case i < s.count:
			w.record(at, owner, s.rrtype, ttl, data)
		case w.DO:
			w.record(at, owner, dns.TypeRRSIG, ttl, data)
		}
	}
}
