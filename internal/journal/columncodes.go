package journal

import (
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// codes are values as places in a dictionary.
type codes struct {
	baseWriter
	// page are the codes of the page that is not full; packed are the full ones,
	// encoded, one after the other. The dictionary, which comes before them, is
	// not complete until the end.
	page   []int32
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

// put adds a code.
func (w *codes) put(code int32) {
	w.page = append(w.page, code)
	if len(w.page) == pageRows {
		w.pack()
	}
}

// pack encodes the page.
func (w *codes) pack() {
	// The error is that of a length which no page has.
	w.encoded, _ = new(rle.DictionaryEncoding).EncodeInt32(w.encoded, w.page)
	w.packed = append(w.packed, w.encoded...)
	w.pages = append(w.pages, codePage{len(w.packed), len(w.page)})
	w.rows += len(w.page)
	w.page = w.page[:0]
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
	// of is the code of each value plus one.
	of              [math.MaxUint16 + 1]int32
	least, greatest int32
}

func (w *codeWriter) add(rows []eventrow.Row) (int, error) {
	for i := range rows {
		v := int32(uint16(w.column.Int32(&rows[i])))
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
		w.put(*code - 1)
	}
	return 4 * len(rows), nil
}

func (w *codeWriter) finish() error {
	if len(w.page) > 0 {
		w.pack()
	}
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
