package spftrack

import (
	"bytes"
	"unsafe"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// maxText is the longest name as text without final dot (RFC 1035 section
// 2.3.4, RFC 7208 section 7.3).
const maxText = wire.MaxName - 2

// Printable returns bytes that a stranger chose in a form that is safe to
// show: printable ASCII stands for itself, a backslash is doubled, and space,
// control characters and high bytes become \DDD in decimal (RFC 1035
// section 5.1). [wire.PackName] reads names in this form.
func Printable[T ~string | ~[]byte](raw T) string {
	return string(appendPrintable(nil, raw, false))
}

func appendPrintable[T ~string | ~[]byte](dst []byte, raw T, label bool) []byte {
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '\\', label && c == '.':
			dst = append(dst, '\\', c)
		case c <= ' ' || c >= 0x7f:
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendName appends a name in wire format as [Printable] text without final
// dot, dots inside of labels escaped; the root is ".". What is not a name is
// shown byte by byte. There are at most four bytes for one of the name.
func AppendName(dst, name []byte) []byte {
	start := len(dst)
	if len(name) > 1 {
		dst = append(dst, name[1:len(name)-1]...)
	}
	text := dst[start:]
	count, at := 0, 0
	for ; at < len(name) && name[at] != 0 && name[at] <= wire.MaxLabel; count++ {
		if at > 0 && at <= len(text) {
			text[at-1] = '.'
		}
		at += 1 + int(name[at])
	}
	isName := at == len(name)-1 && name[at] == 0 && len(name) <= wire.MaxName
	switch {
	case isName && count == 0:
		return append(dst, '.')
	case isName && ascii.IsPlain(text) && bytes.Count(text, []byte{'.'}) == count-1:
		return dst
	}
	dst = dst[:start]
	if !isName {
		return appendPrintable(dst, name, false)
	}
	for rest := name; rest[0] != 0; rest = rest[1+rest[0]:] {
		if len(rest) < len(name) {
			dst = append(dst, '.')
		}
		dst = appendPrintable(dst, rest[1:1+rest[0]], true)
	}
	return dst
}

// labels is a name split for parsing.
//
//	text   192.0.2.7.in-addr.cl.shop.example.fd.1._spf.example.net
//	At     0   4 6 8 10      18 21   26      34 37 39            end
//	Count  10, the labels left of the zone; At[10] is where the zone begins
type labels struct {
	// text is lower case: the case of a query is not trustworthy, because
	// resolvers change it at random (0x20) and SPF implementations lower it.
	text []byte
	// A label begins in text where its length stands in the name.
	wire.Labels
	// size is the length of text, zone included.
	size int
}

// load reads an uncompressed name, which must fill name. The text goes into memory.
func (l *labels) load(name []byte, memory *Memory) bool {
	if size := l.Read(name); size == 0 || size != len(name) {
		return false
	}
	l.size = max(len(name)-2, 0)
	l.text = ascii.AppendLower(memory.take(len(name)-1), name[1:])
	for _, start := range l.At[1:max(l.Count, 1)] {
		l.text[start-1] = '.'
	}
	return true
}

// Memory is where a parser puts texts. It is never used again for others: unless
// somebody changes memory that Use was given, texts are valid for good.
type Memory struct{ free []byte }

// Use has the next texts put into b, as long as they fit.
func (m *Memory) Use(b []byte) {
	if len(b) > 0 {
		m.free = b
	}
}

// memoryPiece is how many bytes are had at once.
const memoryPiece = 32 << 10

// take returns room for n bytes.
func (m *Memory) take(n int) []byte {
	if n > len(m.free) {
		m.free = make([]byte, memoryPiece)
	}
	room := m.free[:0:n]
	m.free = m.free[n:]
	return room
}

// trimZone takes the zone off the right; false when the name is not in it.
func (l *labels) trimZone(zone string, zoneLabels int) bool {
	first := l.Count - zoneLabels
	if first < 0 || int(l.At[first]) != l.size-len(zone) || string(l.text[l.At[first]:l.size]) != zone {
		return false
	}
	l.Count = first
	return true
}

// dropFirst takes the leftmost label away.
func (l *labels) dropFirst() {
	l.Count--
	copy(l.At[:l.Count+1], l.At[1:])
}

func (l *labels) at(i int) []byte { return l.text[l.At[i] : l.At[i+1]-1] }

func (l *labels) is(i int, word string) bool { return string(l.at(i)) == word }

// between returns the labels from i up to, not including, j with their dots.
func (l *labels) between(i, j int) []byte {
	if i >= j {
		return nil
	}
	return l.text[l.At[i] : l.At[j]-1]
}

// part is between as a string, in the same memory.
func (l *labels) part(i, j int) string {
	part := l.between(i, j)
	return unsafe.String(unsafe.SliceData(part), len(part))
}
