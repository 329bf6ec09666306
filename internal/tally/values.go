package tally

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// values are those of one type.
type values struct {
	n int
	// Between texts are gap bytes: text i is in texts from offsets[i] up to offsets[i+1] - gap.
	texts   []byte
	offsets []uint32
	gap     uint32
	int64s  []int64
	int32s  []int32
	// bits are truth values, eight a byte.
	bits []byte
}

// decode finds n values in the content of a page, whose memory it uses.
func (v *values) decode(kind parquet.Kind, data []byte, n int, encoding format.Encoding) (err error) {
	v.n = n
	if err := checkNumber(data, n, encoding); err != nil {
		return err
	}
	e := parquet.LookupEncoding(encoding)
	found := 0
	switch kind {
	case parquet.ByteArray:
		if encoding == format.Plain {
			v.texts, v.gap = data, 4
			return v.findTexts()
		}
		v.gap = 0
		v.texts, v.offsets, err = e.DecodeByteArray(data[:0], data, v.offsets)
		found = len(v.offsets) - 1
	case parquet.Int64:
		v.int64s, err = e.DecodeInt64(v.int64s, data)
		found = len(v.int64s)
	case parquet.Int32:
		v.int32s, err = e.DecodeInt32(v.int32s, data)
		found = len(v.int32s)
	case parquet.Boolean:
		v.bits, err = e.DecodeBoolean(v.bits, data)
		found = 8 * len(v.bits)
	}
	if err == nil && found < n {
		err = fmt.Errorf("a page has %d values, not %d", found, n)
	}
	return err
}

// findTexts finds texts, each behind its length.
func (v *values) findTexts() error {
	v.offsets = room(v.offsets, v.n+1)
	at := 0
	for i := range v.n {
		if len(v.texts)-at < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.LittleEndian.Uint32(v.texts[at:])
		at += 4
		if int64(n) > int64(len(v.texts)-at) {
			return io.ErrUnexpectedEOF
		}
		v.offsets[i] = uint32(at)
		at += int(n)
	}
	v.offsets[v.n] = uint32(at) + 4
	return nil
}

func (v *values) text(i int64) []byte { return v.texts[v.offsets[i] : v.offsets[i+1]-v.gap] }

func (v *values) truth(i int64) bool { return v.bits[i/8]>>(i%8)&1 != 0 }

// set puts a value into a row.
func (v *values) set(c *eventrow.Column, r *eventrow.Row, i int64) {
	switch c.Kind {
	case parquet.ByteArray:
		c.Set(r, parquet.ByteArrayValue(v.text(i)))
	case parquet.Int64:
		c.Set(r, parquet.Int64Value(v.int64s[i]))
	case parquet.Int32:
		c.Set(r, parquet.Int32Value(v.int32s[i]))
	case parquet.Boolean:
		c.Set(r, parquet.BooleanValue(v.truth(i)))
	}
}

// checkNumber refuses content that says of itself that it has more than n values: decoders take
// memory for as many.
func checkNumber(data []byte, n int, encoding format.Encoding) error {
	said := uint64(0)
	switch encoding {
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		// The size of a block, the number of its parts, the number of values.
		for range 3 {
			number, k := binary.Uvarint(data)
			if k <= 0 {
				return io.ErrUnexpectedEOF
			}
			said, data = number, data[k:]
		}
	case format.RLE:
		return checkRuns(data[min(4, len(data)):], 1, n)
	case format.RLEDictionary:
		if len(data) == 0 {
			return io.ErrUnexpectedEOF
		}
		return checkRuns(data[1:], uint64(data[0]), n)
	}
	if said > uint64(n) {
		return fmt.Errorf("a page has %d values, not %d", said, n)
	}
	return nil
}

// checkRuns does so with runs of values of some bits: equal ones, or eights of different ones, the
// last of which may be filled up.
func checkRuns(data []byte, width uint64, n int) error {
	most := uint64(n) + 7
	for values := uint64(0); len(data) > 0; {
		run, k := binary.Uvarint(data)
		if k <= 0 {
			return io.ErrUnexpectedEOF
		}
		data = data[k:]
		number, size := run>>1, (width+7)/8
		if number == 0 {
			continue // as decoders do
		}
		if run&1 != 0 {
			if number > most {
				return fmt.Errorf("a page has more than %d values", n)
			}
			number, size = 8*number, width*number
		}
		switch {
		case number > most-values:
			return fmt.Errorf("a page has more than %d values", n)
		case size > uint64(len(data)):
			return io.ErrUnexpectedEOF
		}
		values += number
		data = data[size:]
	}
	return nil
}
