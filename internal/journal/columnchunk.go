package journal

import (
	"bytes"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunkWriter collects the pages of a column of a row group, encoded and
// compressed. Its memory is used again for the next row group.
type chunkWriter struct {
	name string
	kind format.Type
	// buf holds the pages; their places are given as if the chunk began at 0.
	buf          []byte
	rows         int64
	uncompressed int64
	dictionary   int64 // bytes of its page
	encodings    []format.Encoding
	pages        []format.PageLocation
	// least and greatest bound the values of each page, or are empty.
	least, greatest [][]byte
	stats           format.Statistics
	bloom           []byte

	head    bytes.Buffer
	scratch []byte
}

// encoders compress the pages. Each has memory for what it compresses, and no more: one for
// large dictionaries only is larger than a segment of few events.
var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	if err != nil {
		panic("journal: the options of zstd: " + err.Error())
	}
	return e
}}

func (c *chunkWriter) reset() {
	c.buf, c.pages, c.least, c.greatest, c.encodings = c.buf[:0], c.pages[:0], c.least[:0], c.greatest[:0], nil
	c.rows, c.uncompressed, c.dictionary, c.stats, c.bloom = 0, 0, 0, format.Statistics{}, nil
}

// dictionaryPage adds the page of a dictionary of n values, which comes first.
func (c *chunkWriter) dictionaryPage(plain []byte, n int) error {
	h := format.PageHeader{
		Type:                 format.DictionaryPage,
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain}),
	}
	size, err := c.page(&h, format.Plain, plain)
	c.dictionary = size
	return err
}

// dataPage adds a page of values, which all lie between two bounds; nil for
// unknown ones.
func (c *chunkWriter) dataPage(encoded []byte, encoding format.Encoding, values int, least, greatest []byte) error {
	h := format.PageHeader{
		Type: format.DataPageV2,
		DataPageHeaderV2: thrift.New(format.DataPageHeaderV2{
			NumValues: int32(values), NumRows: int32(values), Encoding: encoding, IsCompressed: thrift.New(true),
		}),
	}
	offset := int64(len(c.buf))
	size, err := c.page(&h, encoding, encoded)
	if err != nil {
		return err
	}
	c.pages = append(c.pages, format.PageLocation{Offset: offset, CompressedPageSize: int32(size), FirstRowIndex: c.rows})
	if least != nil {
		c.least, c.greatest = append(c.least, least), append(c.greatest, greatest)
	}
	c.rows += int64(values)
	return nil
}

func (c *chunkWriter) page(h *format.PageHeader, encoding format.Encoding, encoded []byte) (size int64, err error) {
	e := encoders.Get().(*zstd.Encoder)
	c.scratch = e.EncodeAll(encoded, c.scratch[:0])
	encoders.Put(e)
	h.UncompressedPageSize, h.CompressedPageSize = int32(len(encoded)), int32(len(c.scratch))
	h.CRC = int32(crc32.ChecksumIEEE(c.scratch))
	c.head.Reset()
	if err := writeThrift(&c.head, h); err != nil {
		return 0, err
	}
	if !slices.Contains(c.encodings, encoding) {
		c.encodings = append(c.encodings, encoding)
	}
	c.uncompressed += int64(c.head.Len() + len(encoded))
	c.buf = append(append(c.buf, c.head.Bytes()...), c.scratch...)
	return int64(c.head.Len() + len(c.scratch)), nil
}

// finish returns what the footer says of the chunk, which begins at offset.
func (c *chunkWriter) finish(offset int64) (chunk format.ColumnChunk, pages format.OffsetIndex, bounds format.ColumnIndex) {
	chunk.MetaData = format.ColumnMetaData{
		Type: c.kind, Encoding: c.encodings, PathInSchema: thrift.Slice[string]{c.name}, Codec: format.Zstd,
		NumValues: c.rows, TotalUncompressedSize: c.uncompressed, TotalCompressedSize: int64(len(c.buf)),
		DataPageOffset: offset + c.dictionary, Statistics: c.stats,
	}
	if c.dictionary > 0 {
		chunk.MetaData.DictionaryPageOffset = offset
	}
	pages.PageLocations = slices.Clone(c.pages)
	for i := range pages.PageLocations {
		pages.PageLocations[i].Offset += offset
	}
	bounds = format.ColumnIndex{
		NullPages: make([]bool, len(c.least)), NullCounts: make([]int64, len(c.least)),
		MinValues: slices.Clone(c.least), MaxValues: slices.Clone(c.greatest),
	}
	return chunk, pages, bounds
}

// writeThrift writes a structure of the metadata.
func writeThrift(b *bytes.Buffer, v any) error {
	var protocol thrift.CompactProtocol
	return thrift.NewEncoder(protocol.NewWriter(b)).Encode(v)
}
