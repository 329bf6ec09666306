package tally

import (
	"encoding/binary"
	"io"
	"math"
	"slices"

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
	s := &Summary{r: r, Old: magic == oldMagic, contents: piece{end, length, binary.LittleEndian.Uint64(trailer[4:])}}
	err := s.withContents(func(contents []byte) {
		p := parser{b: contents}
		s.parse(&p, end)
		if ips := &s.fields[IPs]; !p.bad && len(p.b) == 0 {
			ips.blocks = ips.list(contents)
		}
	})
	if err != nil {
		return nil, err
	}
	if s.Identity != id || s.fields[IPs].blocks == nil {
		return nil, errSummary
	}
	return s, nil
}

// piece is a part of a file and the sum of its bytes.
type piece struct {
	offset, length int64
	sum            uint64
}

// withContents calls use with the contents, which are valid until it returns. A hundred days are
// asked for a client, each of which tells no more than a block: what is not asked for is not kept.
func (s *Summary) withContents(use func([]byte)) error {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	n := int(s.contents.length)
	*scratch = slices.Grow((*scratch)[:0], n)[:n]
	if n, err := s.r.ReadAt(*scratch, s.contents.offset); n < len(*scratch) {
		return noEOF(err)
	}
	if xxhash.Sum64(*scratch) != s.contents.sum {
		return errSummary
	}
	use(*scratch)
	return nil
}

// list returns the blocks of a section of contents that were parsed before.
func (f *section) list(contents []byte) []block {
	p := parser{b: contents[f.at:]}
	list := make([]block, 0, f.count)
	var texts []byte
	ends := make([]int, f.count)
	at := f.offset
	for i := range f.count {
		k := block{offset: at, size: int(p.number()), raw: int(p.number()), sum: p.sum()}
		texts = append(texts, p.bytes(p.length())...)
		ends[i] = len(texts)
		list = append(list, k)
		at += int64(k.size)
	}
	all, from := view(texts), 0
	for i, end := range ends {
		list[i].first = all[from:end]
		from = end
	}
	return list
}

// blocksOf are the blocks of a section.
func (s *Summary) blocksOf(f *section) (list []block, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.blocks == nil && f.count > 0 {
		err = s.withContents(func(contents []byte) { f.blocks = f.list(contents) })
	}
	return f.blocks, err
}

// Minutes are those that have attempts, in order. It fails when the file was changed since it was
// opened.
func (s *Summary) Minutes() (list []Minute, err error) {
	err = s.withContents(func(contents []byte) {
		list = make([]Minute, 0, s.minutesAt.count)
		p := parser{b: contents[s.minutesAt.at:]}
		p.minutes(s.minutesAt.count, func(m Minute) { list = append(list, m) })
	})
	return list, err
}

// loadSums reads the sums of the segment's blocks.
func (s *Summary) loadSums() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verified != nil {
		return nil
	}
	return s.withContents(func(contents []byte) {
		s.sums = make([]uint64, s.sumsAt.count)
		p := parser{b: contents[s.sumsAt.at:]}
		for i := range s.sums {
			s.sums[i] = p.sum()
		}
		s.verified = make([]bool, len(s.sums))
	})
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

// minutes calls yield with a number of minutes, which rise.
func (p *parser) minutes(n int, yield func(Minute)) {
	start := int64(0)
	for i := range n {
		distance, k := binary.Varint(p.b)
		if k <= 0 || i > 0 && distance <= 0 {
			p.bad = true
			return
		}
		p.b = p.b[k:]
		start += distance
		yield(Minute{start, p.number()})
	}
}

// parse reads contents and notes where what they list begins, which lies before end.
func (s *Summary) parse(p *parser, end int64) {
	whole := len(p.b)
	s.SHA256 = string(p.bytes(p.length()))
	bytes := p.number()
	s.Rows = p.number()
	blocks := bytes/sumBlock + (bytes%sumBlock+sumBlock-1)/sumBlock
	if bytes > math.MaxInt64 || blocks > uint64(len(p.b)/8) {
		p.bad = true
		return
	}
	s.Bytes = int64(bytes)
	s.sumsAt = listed{whole - len(p.b), int(blocks)}
	p.bytes(8 * int(blocks))
	s.Attempts = p.number()
	minutes := p.length()
	s.minutesAt = listed{whole - len(p.b), minutes}
	counted := uint64(0)
	p.minutes(minutes, func(m Minute) { counted += m.N })
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
		f.parse(p, whole, end, uint64(largest))
		p.bad = p.bad || f.total > s.Rows || i < len(s.fields) && f.total > s.Attempts
	}
	p.bad = p.bad || s.fields[IPs].total+s.further.total+s.alone.total > s.Rows
}

// parse reads where the blocks of a section are, which lie before end; whole is the length of the contents.
func (f *section) parse(p *parser, whole int, end int64, largest uint64) {
	f.total = p.number()
	offset, length := p.number(), p.number()
	if offset > uint64(end) || length > uint64(end)-offset {
		p.bad = true
		return
	}
	f.offset, f.length = int64(offset), int64(length)
	at := f.offset
	blocks := p.length()
	f.listed = listed{whole - len(p.b), blocks}
	for range blocks {
		size, raw := p.number(), p.number()
		if size > uint64(f.offset+f.length-at) || raw > largest || p.bad {
			p.bad = true
			return
		}
		p.sum()
		p.bytes(p.length())
		at += int64(size)
	}
	p.bad = p.bad || at != f.offset+f.length
}
