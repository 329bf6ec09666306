package journal

import (
	"encoding/binary"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// codes are values as places in a dictionary.
type codes struct {
	baseWriter
	// page are the codes of the page that is not full, unless all are the same: then
	// only their number is kept, in same, since most columns have but one value. packed
	// are the full ones, encoded, one after the other. The dictionary, which comes before
	// them, is not complete until the end.
	page   []int32
	first  int32
	same   int
	packed []byte
	pages  []codePage
	rows   int
	// plain are the values of the dictionary as its page has them, count is how
	// many.
	plain []byte
	count int
}

// codePage is a page in packed: where it ends, and how many codes it has.
type codePage struct{ end, rows int }

// put adds a code n times.
func (w *codes) put(code int32, n int) {
	for n > 0 {
		if w.same == 0 && len(w.page) == 0 {
			w.first = code
		}
		k := min(n, pageRows-w.same-len(w.page))
		if len(w.page) == 0 && code == w.first {
			w.same += k
		} else {
			w.spell(code, k)
		}
		if n -= k; w.same+len(w.page) == pageRows {
			w.pack()
		}
	}
}

// spell adds a code n times to a page that has different ones.
func (w *codes) spell(code int32, n int) {
	for ; w.same > 0; w.same-- {
		w.page = append(w.page, w.first)
	}
	for range n {
		w.page = append(w.page, code)
	}
}

// pack encodes the page, unless it is empty.
func (w *codes) pack() {
	n := w.same + len(w.page)
	switch {
	case n == 0:
		return
	case w.same > 0: // a run: the width of a code, twice the number, the code
		width := bits.Len32(uint32(w.first))
		w.encoded = binary.AppendUvarint(append(w.encoded[:0], byte(width)), uint64(n)<<1)
		w.encoded = append(w.encoded, binary.LittleEndian.AppendUint32(nil, uint32(w.first))[:(width+7)/8]...)
	default:
		// The error is that of a length which no page has.
		w.encoded, _ = new(rle.DictionaryEncoding).EncodeInt32(w.encoded, w.page)
	}
	w.packed = append(w.packed, w.encoded...)
	w.pages = append(w.pages, codePage{len(w.packed), n})
	w.rows += n
	w.page, w.same = w.page[:0], 0
}

// finishCodes writes the dictionary and the pages of codes.
func (w *codes) finishCodes(least, greatest []byte) error {
	if err := w.out.dictionaryPage(w.plain, w.count); err != nil {
		return err
	}
	begin := 0
	for _, p := range w.pages {
		if err := w.out.dataPage(w.packed[begin:p.end], format.RLEDictionary, p.rows, least, greatest); err != nil {
			return err
		}
		begin = p.end
	}
	return nil
}

// begin begins the next chunk.
func (w *codes) begin() {
	w.packed, w.pages, w.rows = w.packed[:0], w.pages[:0], 0
	w.plain, w.count = w.plain[:0], 0
}

// codeWriter writes integers of 16 bits of which there are few different ones.
type codeWriter struct {
	codes
	// of is the code of each value plus one, up to the greatest.
	of              []int32
	least, greatest int32
}

func (w *codeWriter) add(rows []eventrow.Row) (int, error) {
	for i := range rows {
		v := int32(uint16(w.column.Int32(&rows[i])))
		if int(v) >= len(w.of) {
			w.of = append(w.of, make([]int32, int(v)+1-len(w.of))...)
		}
		code := &w.of[v]
		if *code == 0 {
			if w.count == 0 {
				w.least, w.greatest = v, v
			}
			w.least, w.greatest = min(w.least, v), max(w.greatest, v)
			w.plain = binary.LittleEndian.AppendUint32(w.plain, uint32(v))
			w.count++
			*code = int32(w.count)
		}
		w.put(*code-1, 1)
	}
	return 4 * len(rows), nil
}

func (w *codeWriter) finish() error {
	w.pack()
	least, greatest := int32Bytes(w.least), int32Bytes(w.greatest)
	if err := w.finishCodes(least, greatest); err != nil {
		return err
	}
	w.out.stats = format.Statistics{MinValue: least, MaxValue: greatest}
	for i := 0; i < len(w.plain); i += 4 {
		w.of[binary.LittleEndian.Uint16(w.plain[i:])] = 0
	}
	w.begin()
	return nil
}
