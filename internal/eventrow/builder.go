package eventrow

import (
	"net/netip"
	"unsafe"

	"nullspf/spftrack"
)

// Builder makes rows of events. Their texts share pieces of memory.
type Builder struct {
	texts []byte
}

const (
	// chunk is the size of a piece.
	chunk = 512 << 10
	// maxAddr and maxName bound the text of an address and of a name without
	// escapes.
	maxAddr = 64
	maxName = 255
)

// Fill sets all columns of a row. Its texts refer to those of the event.
func (b *Builder) Fill(r *Row, e *spftrack.Event) {
	for _, c := range Columns {
		c.fill(b, r, e)
	}
}

// Reset uses the memory again: no row that was filled before is used any more.
func (b *Builder) Reset() { b.texts = b.texts[:0] }

// text returns the bytes from start on as a string. They are not changed before
// Reset.
func (b *Builder) text(start int) string {
	if start == len(b.texts) {
		return ""
	}
	return unsafe.String(&b.texts[start], len(b.texts)-start)
}

// room makes place for n bytes without moving those in use.
func (b *Builder) room(n int) {
	if cap(b.texts)-len(b.texts) < n {
		b.texts = make([]byte, 0, chunk)
	}
}

func (b *Builder) addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	b.room(maxAddr)
	start := len(b.texts)
	b.texts = a.AppendTo(b.texts)
	return b.text(start)
}

// name is spftrack.PrintableName with a short way for ordinary names.
func (b *Builder) name(wire []byte) string {
	if len(wire) == 0 {
		return ""
	}
	b.room(maxName)
	start := len(b.texts)
	for i := 0; i < len(wire); {
		n := int(wire[i])
		if n == 0 && i == len(wire)-1 && i > 0 {
			b.texts = b.texts[:len(b.texts)-1]
			return b.text(start)
		}
		if n == 0 || n > 63 || i+1+n > len(wire) {
			break
		}
		label := wire[i+1 : i+1+n]
		for _, c := range label {
			if c <= ' ' || c >= 0x7f || c == '\\' || c == '.' {
				b.texts = b.texts[:start]
				return spftrack.PrintableName(wire)
			}
		}
		b.texts = append(append(b.texts, label...), '.')
		i += 1 + n
	}
	b.texts = b.texts[:start]
	return spftrack.PrintableName(wire)
}
