package tally

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"unsafe"
)

// Table counts texts. It is a hash table with open addressing: a slot of 16 bytes
// for each text, whose bytes lie one after the other in pieces of memory:
//
//	slots  [tag, ref, count] [] [tag, ref, count] ...
//	pieces length, text, length, text, ...
//
// The hash has a random seed, so that nobody can choose texts that collide.
type Table struct {
	seed  maphash.Seed
	slots []slot
	shift int
	used  int
	// pieces hold the texts; ref is the number of a piece and a place in it. spare are those of a
	// table that was emptied.
	pieces, spare [][]byte
	// fetched is of no meaning: what was read for the processor to fetch it.
	fetched uint32
}

type slot struct {
	// tag is the upper half of the hash, ref where the text is, plus one.
	tag, ref uint32
	n        uint64
}

const (
	pieceBits = 20
	pieceSize = 1 << pieceBits
	minSlots  = 1 << 10
)

// NewTable returns an empty table.
func NewTable() *Table {
	t := &Table{seed: maphash.MakeSeed()}
	t.reset(minSlots)
	return t
}

func (t *Table) reset(n int) {
	t.slots, t.shift, t.used = make([]slot, n), 32-bits.TrailingZeros(uint(n)), 0
}

// Len is the number of different texts.
func (t *Table) Len() int { return t.used }

// Memory is what the table takes, in bytes.
func (t *Table) Memory() int { return 16*len(t.slots) + len(t.pieces)*pieceSize }

// growth is how much more the table takes when as many texts are added as wait, in bytes, beside
// the texts.
func (t *Table) growth() int {
	if t.used+waitingTexts <= len(t.slots)/4*3 {
		return 0
	}
	return 16 * len(t.slots)
}

// Add counts a text n times. It copies the text when it is new.
func (t *Table) Add(text string, n uint64) { t.add(t.tag(text), text, n) }

func (t *Table) tag(text string) uint32 { return uint32(maphash.String(t.seed, text) >> 32) }

func (t *Table) add(tag uint32, text string, n uint64) {
	mask := uint32(len(t.slots) - 1)
	for i := tag >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.ref == 0 {
			*s = slot{tag, t.store(text), n}
			if t.used++; t.used > len(t.slots)/4*3 {
				t.grow()
			}
			return
		}
		if s.tag == tag && t.text(s.ref) == text {
			s.n += n
			return
		}
	}
}

// waiting are texts that are counted together: a table of millions of texts is not near the processor,
// which fetches what it needs of it for several texts in the time that it takes for one.
type waiting struct {
	n      int
	ends   [waitingTexts]int
	counts [waitingTexts]uint64
	memory []byte
}

const waitingTexts = 64

// add keeps a copy of a text, and reports whether there is room for another.
func (w *waiting) add(text string, n uint64) bool {
	w.memory = append(w.memory, text...)
	w.ends[w.n], w.counts[w.n] = len(w.memory), n
	w.n++
	return w.n < waitingTexts
}

// addAll counts the texts that wait.
func (t *Table) addAll(w *waiting) {
	var tags [waitingTexts]uint32
	all, from := view(w.memory), 0
	for i, end := range w.ends[:w.n] {
		tags[i] = t.tag(all[from:end])
		from = end
	}
	for _, tag := range tags[:w.n] {
		t.fetched ^= t.slots[tag>>t.shift].tag
	}
	for _, tag := range tags[:w.n] {
		if s := &t.slots[tag>>t.shift]; s.tag == tag && s.ref > 0 {
			t.fetched ^= t.first(s.ref)
		}
	}
	from = 0
	for i, end := range w.ends[:w.n] {
		t.add(tags[i], all[from:end], w.counts[i])
		from = end
	}
	w.n, w.memory = 0, w.memory[:0]
}

// first is the first byte of what is stored about a text: who reads it has the processor fetch the text.
func (t *Table) first(ref uint32) uint32 {
	ref--
	return uint32(t.pieces[ref>>pieceBits][ref&(pieceSize-1)])
}

// store copies a text.
func (t *Table) store(text string) uint32 {
	var length [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(length[:], uint64(len(text)))
	if n := len(t.pieces); n == 0 || len(t.pieces[n-1])+k+len(text) > pieceSize {
		t.pieces = append(t.pieces, t.newPiece(k+len(text)))
	}
	last := &t.pieces[len(t.pieces)-1]
	ref := uint32(len(t.pieces)-1)<<pieceBits | uint32(len(*last))
	*last = append(append(*last, length[:k]...), text...)
	return ref + 1
}

// newPiece is an empty piece with room for a text.
func (t *Table) newPiece(size int) []byte {
	if n := len(t.spare); n > 0 && size <= pieceSize {
		piece := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return piece
	}
	return make([]byte, 0, max(pieceSize, size))
}

func (t *Table) text(ref uint32) string {
	ref--
	b := t.pieces[ref>>pieceBits][ref&(pieceSize-1):]
	n, k := uint64(b[0]), 1
	if n >= 0x80 {
		n, k = binary.Uvarint(b)
	}
	b = b[k : k+int(n)]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// grow doubles the slots, up to the 2^31 that tags tell apart.
func (t *Table) grow() {
	old := t.slots
	used := t.used
	t.reset(2 * len(old))
	t.used = used
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.ref == 0 {
			continue
		}
		i := s.tag >> t.shift
		for t.slots[i].ref != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// each calls yield with all texts and counts, in no order, and returns its error. A text is
// valid as long as the table.
func (t *Table) each(yield func(text string, n uint64) error) error {
	for i := range t.slots {
		if s := &t.slots[i]; s.ref != 0 {
			if err := yield(t.text(s.ref), s.n); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear empties the table, whose memory is used again if much of it was needed.
func (t *Table) clear() {
	if n := len(t.slots); n > minSlots && t.used < n/16 {
		t.reset(n / 4)
	} else {
		clear(t.slots)
		t.used = 0
	}
	for _, piece := range t.pieces {
		t.spare = append(t.spare, piece[:0])
	}
	t.pieces = t.pieces[:0]
}

// sortedTable is the content of a table in order of the texts.
type sortedTable struct {
	table *Table
	list  []entry
	at    int
	// fetched is that of a table.
	fetched uint32
}

// entry is a text by its first 16 bytes and its place, and its count. They tell most texts apart: the texts
// themselves are not near the processor.
type entry struct {
	prefix, next uint64
	ref          uint32
	n            uint64
}

// sorted returns the counts in order. The table must not change meanwhile. It ends with the error
// of wanted, unless that is nil.
func (t *Table) sorted(wanted func() error) (*sortedTable, error) {
	s := &sortedTable{table: t, list: make([]entry, 0, t.used), at: -1}
	asked := asker{wanted: wanted}
	for some := range slices.Chunk(t.slots, waitingTexts) {
		for i := range some {
			if some[i].ref > 0 {
				t.fetched ^= t.first(some[i].ref)
			}
		}
		for i := range some {
			k := &some[i]
			if k.ref == 0 {
				continue
			}
			if err := asked.ask(); err != nil {
				return nil, err
			}
			text := t.text(k.ref)
			e := entry{prefix: prefixOf(text), ref: k.ref, n: k.n}
			if len(text) > 8 {
				e.next = prefixOf(text[8:])
			}
			s.list = append(s.list, e)
		}
	}
	var gone error
	slices.SortFunc(s.list, func(a, b entry) int {
		if gone != nil {
			return 0 // what is left is soon in order then
		}
		gone = asked.ask()
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		if a.next != b.next {
			return cmp.Compare(a.next, b.next)
		}
		return strings.Compare(t.text(a.ref), t.text(b.ref))
	})
	return s, gone
}

// prefixOf has the order of texts, as far as their first eight bytes differ.
func prefixOf(text string) uint64 {
	if len(text) >= 8 {
		return binary.BigEndian.Uint64([]byte(text[:8]))
	}
	var b [8]byte
	copy(b[:], text)
	return binary.BigEndian.Uint64(b[:])
}

func (s *sortedTable) Next() (bool, error) {
	if s.at++; s.at%waitingTexts == 0 {
		for i := s.at; i < min(s.at+waitingTexts, len(s.list)); i++ {
			s.fetched ^= s.table.first(s.list[i].ref)
		}
	}
	return s.at < len(s.list), nil
}

// blockEntries is about how many texts a block of counts has.
const blockEntries = 2048

func (s *sortedTable) From(text string) Run {
	i := sort.Search(len(s.list), func(i int) bool { return s.table.text(s.list[i].ref) >= text })
	return &sortedTable{table: s.table, list: s.list[i:], at: -1}
}

func (s *sortedTable) blockCount() int { return (len(s.list) + blockEntries - 1) / blockEntries }

func (s *sortedTable) firsts(list []string) []string { return s.every(list, blockEntries) }

func (s *sortedTable) sample(n int) ([]string, error) {
	return s.every(nil, max(len(s.list)/max(n, 1), 1)), nil
}

func (s *sortedTable) every(list []string, step int) []string {
	for i := 0; i < len(s.list); i += step {
		list = append(list, s.table.text(s.list[i].ref))
	}
	return list
}

func (s *sortedTable) Text() string  { return s.table.text(s.list[s.at].ref) }
func (s *sortedTable) Count() uint64 { return s.list[s.at].n }
