package tally

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// pages reads the pages of a column chunk of required values, compressed with zstd or not at all. Those of the
// Parquet reader have new memory for each dictionary and copy each of its texts, which takes longer
// than all else when a few rows of each page are wanted.
type pages struct {
	chunk *parquet.FileColumnChunk
	meta  *format.ColumnMetaData
	// The pages are in the file before end; at is where the next one is, and row its first row.
	at, end int64
	row     int64
	// sought: the index of pages was asked.
	sought bool
	// window is a piece of file, from an offset on up to the end of a block that has a sum. The next
	// chunk begins there.
	file   *parquet.File
	window []byte
	from   int64
	page   page
	head   bytes.Reader
	parser *thrift.Decoder
	// unpacker decompresses no more than there is room for.
	unpacker *zstd.Decoder
}

// page is the header of a page, and its bytes, which are valid until the next page is read.
type page struct {
	format.PageHeader
	data []byte
}

const (
	// leastPageHeader and maxPageHeader bound the header of a page, in bytes.
	leastPageHeader = 16
	maxPageHeader   = 16 << 10
	// unpackedRoom is room behind what is decompressed, which makes it faster.
	unpackedRoom = 64
)

func (p *pages) open(chunk *parquet.FileColumnChunk) error {
	column := chunk.Column()
	p.meta = nil
	for i, g := range chunk.File().RowGroups() {
		if g.ColumnChunks()[column] == parquet.ColumnChunk(chunk) {
			p.meta = &chunk.File().Metadata().RowGroups[i].Columns[column].MetaData
		}
	}
	if p.meta == nil || p.meta.Codec != format.Zstd && p.meta.Codec != format.Uncompressed {
		return errors.New("a column is compressed, and not with zstd")
	}
	if p.file != chunk.File() {
		p.file, p.window = chunk.File(), p.window[:0]
	}
	p.chunk, p.at = chunk, p.meta.DataPageOffset
	if d := p.meta.DictionaryPageOffset; d > 0 {
		p.at = min(p.at, d)
	}
	p.end = p.at + p.meta.TotalCompressedSize
	p.row, p.sought = 0, false
	if p.parser == nil {
		p.parser = thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(&p.head))
	}
	if p.unpacker == nil {
		var err error
		p.unpacker, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(false), zstd.WithDecodeAllCapLimit(true))
		return err
	}
	return nil
}

// next reads the page with a row, which is not before p.row, or the dictionary, which comes before
// the first page.
func (p *pages) next(row int64) (*page, error) {
	k := &p.page
	for {
		if err := p.header(k); err != nil {
			return k, err
		}
		n := k.values()
		switch {
		case k.Type == format.DictionaryPage:
		case n <= 0 || n > p.meta.NumValues-p.row:
			return k, fmt.Errorf("a page has %d values", n)
		case row < p.row+n:
			p.row += n
		default:
			p.at += int64(k.CompressedPageSize)
			p.row += n
			p.seek(row)
			continue
		}
		var err error
		if k.data, err = p.bytes(int64(k.CompressedPageSize)); err != nil {
			return k, err
		}
		p.at += int64(k.CompressedPageSize)
		if k.CRC != 0 && crc32.ChecksumIEEE(k.data) != uint32(k.CRC) {
			return k, errors.New("the sum of a page is wrong")
		}
		return k, nil
	}
}

// values is how many values a page has, -1 when some are null.
func (k *page) values() int64 {
	switch {
	case k.DictionaryPageHeader.Valid:
		return int64(k.DictionaryPageHeader.V.NumValues)
	case k.DataPageHeader.Valid:
		return int64(k.DataPageHeader.V.NumValues)
	}
	h := &k.DataPageHeaderV2.V
	if !k.DataPageHeaderV2.Valid || h.NumNulls != 0 || h.RepetitionLevelsByteLength != 0 || h.DefinitionLevelsByteLength != 0 {
		return -1
	}
	return int64(h.NumValues)
}

func (k *page) encoding() format.Encoding {
	switch {
	case k.DictionaryPageHeader.Valid:
		return k.DictionaryPageHeader.V.Encoding
	case k.DataPageHeader.Valid:
		return k.DataPageHeader.V.Encoding
	}
	return k.DataPageHeaderV2.V.Encoding
}

// header reads the header of the next page.
func (p *pages) header(k *page) error {
	if _, err := p.bytes(min(leastPageHeader, p.end-p.at)); err != nil {
		return err
	}
	if !p.parse(k, p.window[p.at-p.from:]) {
		// It is cut off by the end of the window.
		b, err := p.bytes(min(maxPageHeader, p.end-p.at))
		if err != nil {
			return err
		}
		if !p.parse(k, b) {
			return errors.New("the header of a page is malformed")
		}
	}
	if k.CompressedPageSize < 0 || k.UncompressedPageSize < 0 || int64(k.UncompressedPageSize) > p.meta.TotalUncompressedSize {
		return fmt.Errorf("a page has %d bytes, %d when compressed", k.UncompressedPageSize, k.CompressedPageSize)
	}
	return nil
}

// parse reads the header of a page.
func (p *pages) parse(k *page, b []byte) bool {
	*k = page{}
	p.head.Reset(b)
	if p.parser.Decode(&k.PageHeader) != nil {
		return false
	}
	p.at += int64(len(b) - p.head.Len())
	return true
}

// seek goes on at the page with a row by the index of pages, unless that is not there or the pages
// between are few bytes.
func (p *pages) seek(row int64) {
	if p.sought || p.end-p.at <= sumBlock {
		return
	}
	p.sought = true
	index, err := p.chunk.OffsetIndex()
	if err != nil {
		return
	}
	for i := index.NumPages() - 1; i >= 0; i-- {
		if first, offset := index.FirstRowIndex(i), index.Offset(i); first <= row {
			if first > p.row && offset > p.at && offset < p.end {
				p.row, p.at, p.sought = first, offset, false
			}
			return
		}
	}
}

// bytes are the next n bytes.
func (p *pages) bytes(n int64) ([]byte, error) {
	if n <= 0 || n > p.end-p.at {
		return nil, io.ErrUnexpectedEOF
	}
	have := p.from + int64(len(p.window))
	if p.at < p.from || p.at > have {
		p.window, p.from = p.window[:0], p.at/sumBlock*sumBlock
		have = p.from
	}
	if p.at+n > have {
		if err := p.extend(p.at+n, have); err != nil {
			p.window = p.window[:0]
			return nil, err
		}
	}
	return p.window[p.at-p.from:][:n], nil
}

// extend reads the file up to an end, and on to the end of a block; what is before the next page
// leaves the window.
func (p *pages) extend(end, have int64) error {
	begin := min(p.at, have)
	end = min((end+sumBlock-1)/sumBlock*sumBlock, p.file.Size())
	left := p.window[begin-p.from:]
	window := room(p.window, int(end-begin))
	copy(window, left)
	p.window, p.from = window, begin
	if b := window[have-begin:]; len(b) > 0 {
		if n, err := p.file.ReadAt(b, have); n < len(b) {
			return noEOF(err)
		}
	}
	return nil
}

// room is n values in memory, if it is enough; they are not zero.
func room[T any](memory []T, n int) []T {
	if cap(memory) < n {
		memory = make([]T, n+n/4)
	}
	return memory[:n]
}

// unpack decompresses a page into memory, if it is enough.
func (p *pages) unpack(k *page, memory []byte) (_ []byte, err error) {
	size := int(k.UncompressedPageSize)
	memory = room(memory, size+unpackedRoom)[:0]
	if c := k.DataPageHeaderV2.V.IsCompressed; p.meta.Codec == format.Uncompressed || c.Valid && !c.V {
		return append(memory, k.data...), nil
	}
	memory, err = p.unpacker.DecodeAll(k.data, memory)
	if err == nil && len(memory) != size {
		err = fmt.Errorf("a page has %d bytes, not %d", len(memory), size)
	}
	return memory, err
}
