package journal

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"unsafe"

	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// textWriter writes texts by a dictionary, unless there are so many different ones that it
// would save less than half: who reads a few rows has to decode all of a dictionary, of texts
// only the pages with the rows. Clients are looked for in dictionaries, which must save something.
type textWriter struct {
	codes
	// offsets are where the values begin in plain, behind their length.
	offsets []uint32
	// table finds a text: a power of two of slots. A text is looked for from the slot
	// on that its hash tells, up to a free one.
	table []dictSlot
	seed  maphash.Seed
	// asked are the different texts of the rows that are added, as far as two in turn are
	// told apart from others, runs how they follow each other.
	asked []askedText
	runs  []textRun
	// touched keeps what ask reads from being compiled to nothing.
	touched dictSlot
	// bytes are those of all texts together.
	bytes int
	// texts are those of a chunk without dictionary. So the next chunks of the file
	// are, as many as direct, after a whole one whose dictionary was too large.
	texts  plainTexts
	direct int
}

// dictSlot holds the code of a text plus one, which is 0 in a free slot, and above it bits of
// the text's hash that do not tell the slot: all in four bytes, since what the processor's
// caches cannot hold is what a text costs.
type dictSlot uint32

// codeBits are those of a code plus one: a row group has fewer rows.
const codeBits = 17

func slotOf(hash uint64, code int32) dictSlot {
	return dictSlot(hash>>32)&^(1<<codeBits-1) | dictSlot(code+1)
}

// code is that of a slot, -1 for a free one.
func (s dictSlot) code() int32 { return int32(s&(1<<codeBits-1)) - 1 }

// mayBe reports whether a slot may hold a text with this hash.
func (s dictSlot) mayBe(hash uint64) bool { return (s^dictSlot(hash>>32))>>codeBits == 0 }

type askedText struct {
	text string
	hash uint64
	code int32
}

// textRun is a number of rows with the same text, a place in asked.
type textRun struct{ asked, rows int }

// directChunks is how many chunks are written without looking whether a dictionary
// would be smaller.
const directChunks = 7

func newTextWriter(base baseWriter) *textWriter {
	w := &textWriter{seed: maphash.MakeSeed(), table: make([]dictSlot, 1<<8)}
	w.baseWriter = base
	return w
}

// value is the text of a code.
func (w *textWriter) value(code int32) []byte {
	at := w.offsets[code]
	return w.plain[at : at+binary.LittleEndian.Uint32(w.plain[at-4:])]
}

func (w *textWriter) add(rows []eventrow.Row) (int, error) {
	if w.direct > 0 {
		return w.texts.addRows(&w.out, w.column, rows)
	}
	before := len(w.plain)
	w.ask(rows)
	for i := range w.asked {
		w.asked[i].code = w.code(&w.asked[i])
	}
	for _, r := range w.runs {
		w.put(w.asked[r.asked].code, r.rows)
	}
	return len(w.plain) - before + 4*len(rows), nil
}

// ask notes the texts of rows, in runs, and touches the slots where they are looked for, so
// that memory gives them all at once.
func (w *textWriter) ask(rows []eventrow.Row) {
	w.asked, w.runs = w.asked[:0], w.runs[:0]
	mask := uint64(len(w.table) - 1)
	// The places in asked of the last text and of the last that was not the same: the
	// queries of a check take turns.
	last, other := 0, 0
	for i := range rows {
		s := w.column.Text(&rows[i])
		w.bytes += len(s)
		switch {
		case i == 0 || s != w.asked[last].text && s != w.asked[other].text:
			h := maphash.String(w.seed, s)
			w.touched |= w.table[h&mask]
			last, other = len(w.asked), last
			w.asked = append(w.asked, askedText{text: s, hash: h})
		case s == w.asked[last].text:
			w.runs[len(w.runs)-1].rows++
			continue
		default:
			last, other = other, last
		}
		w.runs = append(w.runs, textRun{last, 1})
	}
}

// code returns the code of a text, which it adds to the dictionary when it is new.
func (w *textWriter) code(a *askedText) int32 {
	mask := uint64(len(w.table) - 1)
	i := a.hash & mask
	for ; w.table[i] != 0; i = (i + 1) & mask {
		if p := w.table[i]; p.mayBe(a.hash) && string(w.value(p.code())) == a.text {
			return p.code()
		}
	}
	code := int32(w.count)
	w.table[i] = slotOf(a.hash, code)
	w.plain = binary.LittleEndian.AppendUint32(w.plain, uint32(len(a.text)))
	w.offsets = append(w.offsets, uint32(len(w.plain)))
	w.plain = append(w.plain, a.text...)
	if w.count++; 4*w.count > 3*len(w.table) {
		w.grow()
	}
	return code
}

func (w *textWriter) grow() {
	w.table = make([]dictSlot, 2*len(w.table))
	mask := uint64(len(w.table) - 1)
	for code := range int32(w.count) {
		hash := maphash.Bytes(w.seed, w.value(code))
		i := hash & mask
		for w.table[i] != 0 {
			i = (i + 1) & mask
		}
		w.table[i] = slotOf(hash, code)
	}
}

func (w *textWriter) finish() error {
	if w.direct > 0 {
		w.direct--
		return w.texts.finish(&w.out)
	}
	w.pack()
	// About the sizes before compression; the length of a text takes a byte.
	byCodes, byTexts := len(w.plain)+w.rows*bits.Len(uint(w.count))/8, w.bytes+w.rows
	if w.column != eventrow.ClientIP {
		byCodes *= 2
	}
	finish := w.finishDictionary
	if len(w.plain) > maxDictionary || byCodes > byTexts {
		finish = w.finishPlain
	}
	if err := finish(); err != nil {
		return err
	}
	if w.column == eventrow.ClientIP {
		w.out.bloom = w.filter()
	}
	clear(w.table)
	w.begin()
	w.offsets, w.bytes = w.offsets[:0], 0
	return nil
}

// finishDictionary writes the texts with the dictionary.
func (w *textWriter) finishDictionary() error {
	var r textRange
	for code := range int32(w.count) {
		r.add(w.value(code))
	}
	w.out.stats = r.statistics()
	least, greatest := r.bounds()
	return w.finishCodes(least, greatest)
}

// finishPlain writes the texts without dictionary.
func (w *textWriter) finishPlain() error {
	begin := 0
	for _, p := range w.pages {
		codes, err := new(rle.DictionaryEncoding).DecodeInt32(w.page, w.packed[begin:p.end])
		if err != nil {
			return err
		}
		begin = p.end
		for _, code := range codes[:p.rows] {
			if err := w.texts.add(&w.out, w.value(code)); err != nil {
				return err
			}
		}
	}
	if w.rows == rowGroupRows && w.column != eventrow.ClientIP { // whose filter is made of the dictionary
		w.direct = directChunks
	}
	return w.texts.finish(&w.out)
}

// filter is the Bloom filter of the values.
func (w *textWriter) filter() []byte {
	filter := make(bloom.SplitBlockFilter, bloom.NumSplitBlocksOf(int64(w.count), bloomBits))
	for code := range int32(w.count) {
		filter.Insert(bloom.XXH64{}.Sum64(w.value(code)))
	}
	return filter.Bytes()
}

// lowerBound and upperBound are short bounds of texts.
func lowerBound(v []byte) []byte { return append([]byte{}, v[:min(len(v), maxIndexed)]...) }

func upperBound(v []byte) []byte {
	if len(v) <= maxIndexed {
		return append([]byte{}, v...)
	}
	b := append([]byte{}, v[:maxIndexed]...)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0x7e {
			b[i]++
			return b[:i+1]
		}
	}
	return append([]byte{}, v...)
}

// plainWriter writes texts of which hardly any is like another.
type plainWriter struct {
	baseWriter
	texts plainTexts
}

func (w *plainWriter) add(rows []eventrow.Row) (int, error) {
	return w.texts.addRows(&w.out, w.column, rows)
}

func (w *plainWriter) finish() error { return w.texts.finish(&w.out) }

// textRange is the least and the greatest of texts.
type textRange struct {
	least, greatest []byte
	// first and last are the beginnings of the two, as numbers of the same order.
	first, last uint64
	begun       bool
}

func (r *textRange) add(s []byte) {
	p := uint64(0)
	if len(s) >= 8 {
		p = binary.BigEndian.Uint64(s)
	} else {
		for i, c := range s {
			p |= uint64(c) << (56 - 8*i)
		}
	}
	if !r.begun || p <= r.first && bytes.Compare(s, r.least) < 0 {
		r.least, r.first = append(r.least[:0], s...), p
	}
	if !r.begun || p >= r.last && bytes.Compare(s, r.greatest) > 0 {
		r.greatest, r.last = append(r.greatest[:0], s...), p
	}
	r.begun = true
}

func (r *textRange) statistics() format.Statistics {
	return format.Statistics{MinValue: append([]byte{}, r.least...), MaxValue: append([]byte{}, r.greatest...)}
}

// bounds are short bounds of the texts.
func (r *textRange) bounds() (least, greatest []byte) {
	return lowerBound(r.least), upperBound(r.greatest)
}

// plainTexts are the texts of a chunk without dictionary. Its last page is kept until it is
// full: lengths, then bytes.
type plainTexts struct {
	lengths []int32
	texts   []byte
	encoded []byte
	all     textRange
}

// addRows adds the texts of a column and returns how much memory they take.
func (p *plainTexts) addRows(out *chunkWriter, c *eventrow.Column, rows []eventrow.Row) (bytes int, err error) {
	for i := range rows {
		s := c.Text(&rows[i])
		bytes += len(s)
		if err := p.add(out, unsafe.Slice(unsafe.StringData(s), len(s))); err != nil {
			return bytes, err
		}
	}
	return bytes, nil
}

func (p *plainTexts) add(out *chunkWriter, s []byte) error {
	p.all.add(s)
	p.lengths = append(p.lengths, int32(len(s)))
	p.texts = append(p.texts, s...)
	if len(p.texts) < pageBytes && len(p.lengths) < pageRows {
		return nil
	}
	return p.write(out)
}

// write adds the page to a chunk and begins the next one; an empty page is left
// out.
func (p *plainTexts) write(out *chunkWriter) (err error) {
	if len(p.lengths) == 0 {
		return nil
	}
	if p.encoded, err = new(delta.BinaryPackedEncoding).EncodeInt32(p.encoded, p.lengths); err != nil {
		return err
	}
	p.encoded = append(p.encoded, p.texts...)
	err = out.dataPage(p.encoded, format.DeltaLengthByteArray, len(p.lengths), nil, nil)
	p.lengths, p.texts = p.lengths[:0], p.texts[:0]
	return err
}

// finish writes the last page, and gives all pages the bounds of the chunk.
func (p *plainTexts) finish(out *chunkWriter) error {
	if err := p.write(out); err != nil {
		return err
	}
	out.stats = p.all.statistics()
	least, greatest := p.all.bounds()
	for range out.pages {
		out.least, out.greatest = append(out.least, least), append(out.greatest, greatest)
	}
	p.all.begun = false
	return nil
}
