package eventrow

import (
	"bytes"
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
	// maxAddr bounds the text of an address.
	maxAddr = 64
)

// Fill sets all columns of a row. Its texts refer to those of the event.
func (b *Builder) Fill(r *Row, e *spftrack.Event) {
	columns := Columns
	if e.Session == nil && e.Report == nil && e.Cause == "" && e.Software == "" {
		// A query, as nearly all are: the other columns are zero.
		*r = Row{}
		columns = ofQueries
	}
	for _, c := range columns {
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

// name is [spftrack.AppendName], shortened.
func (b *Builder) name(name []byte, r *Row) string {
	b.room(4 * len(name))
	start := len(b.texts)
	b.texts = spftrack.AppendName(b.texts, name)
	if bytes.IndexByte(b.texts[start:], '\\') >= 0 {
		return b.text(start)
	}
	return b.shorten(start, r)
}
