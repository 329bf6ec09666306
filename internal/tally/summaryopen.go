package tally

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"
)

// Open reads the contents of a summary. It fails when the file is damaged, or is
// the summary of another segment.
func Open(r io.ReaderAt, size int64, id Identity) (*Summary, error) {
	if size < int64(trailerSize) {
		return nil, errSummary
	}
	trailer := make([]byte, trailerSize)
	if n, err := r.ReadAt(trailer, size-int64(trailerSize)); n < trailerSize {
		return nil, noEOF(err)
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	end := size - int64(trailerSize) - length
	magic := string(trailer[12:])
	if magic != summaryMagic && magic != oldMagic || length > maxContents || end < 0 {
		return nil, errSummary
	}
	contents := make([]byte, length)
	if n, err := r.ReadAt(contents, end); n < len(contents) {
		return nil, noEOF(err)
	}
	if xxhash.Sum64(contents) != binary.LittleEndian.Uint64(trailer[4:]) {
		return nil, errSummary
	}
	s := &Summary{r: r, Old: magic == oldMagic}
	p := parser{b: contents}
	s.parse(&p, end)
	if p.bad || len(p.b) > 0 || s.Identity != id {
		return nil, errSummary
	}
	s.verified = make([]bool, len(s.sums))
	return s, nil
}

// parser reads contents.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) number() uint64 {
	n, k := binary.Uvarint(p.b)
	if k <= 0 {
		p.b, p.bad = nil, true
		return 0
	}
	p.b = p.b[k:]
	return n
}

// length is a number of things that take a byte each at least.
func (p *parser) length() int {
	n := p.number()
	if n > uint64(len(p.b)) {
		p.b, p.bad = nil, true
		return 0
	}
	return int(n)
}

func (p *parser) bytes(n int) []byte {
	if n > len(p.b) {
		p.b, p.bad = nil, true
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) sum() uint64 {
	if b := p.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (s *Summary) parse(p *parser, end int64) {
	s.SHA256 = string(p.bytes(p.length()))
	bytes := p.number()
	s.Rows = p.number()
	blocks := bytes/sumBlock + (bytes%sumBlock+sumBlock-1)/sumBlock
	if bytes > math.MaxInt64 || blocks > uint64(len(p.b)/8) {
		p.bad = true
		return
	}
	s.Bytes = int64(bytes)
	s.sums = make([]uint64, blocks)
	for i := range s.sums {
		s.sums[i] = p.sum()
	}
	s.Attempts = p.number()
	start, counted := int64(0), uint64(0)
	minutes := p.length()
	s.Minutes = make([]Minute, 0, min(minutes, 1<<16))
	for range minutes {
		distance, k := binary.Varint(p.b)
		if k <= 0 || len(s.Minutes) > 0 && distance <= 0 {
			p.bad = true
			return
		}
		p.b = p.b[k:]
		start += distance
		n := p.number()
		counted += n
		s.Minutes = append(s.Minutes, Minute{start, n})
	}
	p.bad = p.bad || counted != s.Attempts || s.Attempts > s.Rows
	for i, f := range s.sections() {
		largest := maxBlock
		switch f {
		case &s.places:
			largest = math.MaxInt32
		case &s.clients:
			largest = maxClientBlock
		case &s.further:
			largest = maxFurther
		}
		f.parse(p, end, uint64(largest))
		p.bad = p.bad || f.total > s.Rows || i < len(s.fields) && f.total > s.Attempts
	}
	p.bad = p.bad || s.fields[IPs].total+s.further.total+s.alone.total > s.Rows
}

// parse reads where the blocks of a section are, which lie before end.
func (f *section) parse(p *parser, end int64, largest uint64) {
	f.total = p.number()
	offset, length := p.number(), p.number()
	if offset > uint64(end) || length > uint64(end)-offset {
		p.bad = true
		return
	}
	f.offset, f.length = int64(offset), int64(length)
	at := f.offset
	blocks := p.length()
	f.blocks = make([]block, 0, min(blocks, 1<<12))
	for range blocks {
		size, raw := p.number(), p.number()
		if size > uint64(f.offset+f.length-at) || raw > largest {
			p.bad = true
			return
		}
		f.blocks = append(f.blocks, block{at, int(size), int(raw), p.sum(), view(p.bytes(p.length()))})
		at += int64(size)
	}
	p.bad = p.bad || at != f.offset+f.length
}
