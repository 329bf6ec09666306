package journal

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// checkPages reads all pages and compares their sizes, numbers, sums and the index
// of them: for a file of which no sum is known.
func (f *footer) checkPages(r io.ReaderAt) error {
	for _, g := range f.groups {
		for i := range g.chunks {
			if err := g.chunks[i].checkPages(r); err != nil {
				return fmt.Errorf("%w, in column %q", err, f.leaves[i].name)
			}
		}
	}
	return nil
}

func (k *columnChunk) checkPages(r io.ReaderAt) error {
	b := make([]byte, k.compressed)
	if err := readExactly(r, b, k.first()); err != nil {
		return err
	}
	var pages []pageLocation
	values, uncompressed := int64(0), int64(0)
	for len(b) > 0 {
		c := compact{b: b}
		p := readPageHeader(&c)
		header := int64(len(b) - len(c.b))
		if c.bad || p.compressed < 0 || p.compressed > int64(len(c.b)) || p.uncompressed < 0 || p.values < 0 {
			return refuse("a page is malformed")
		}
		if crc32.ChecksumIEEE(c.b[:p.compressed]) != p.sum {
			return refuse("the sum of a page is wrong")
		}
		if p.kind != int64(format.DictionaryPage) {
			offset := k.first() + k.compressed - int64(len(b))
			pages = append(pages, pageLocation{offset, header + p.compressed, values})
			values += p.values
		} else if p.values > k.values {
			return refuse("a dictionary has %d values", p.values)
		}
		if !slices.Contains(k.encodings, format.Encoding(p.encoding)) {
			return refuse("a page has the encoding %s", format.Encoding(p.encoding))
		}
		uncompressed += header + p.uncompressed
		b = c.b[p.compressed:]
	}
	if values != k.values || uncompressed != k.uncompressed {
		return refuse("pages have %d values in %d bytes, not %d in %d", values, uncompressed, k.values, k.uncompressed)
	}
	index, err := k.readOffsetIndex(r)
	if err == nil && !slices.Equal(index, pages) {
		err = refuse("the index is not that of the pages")
	}
	return err
}

// pageLocation is where a data page is, and its first row.
type pageLocation struct{ offset, size, row int64 }

func (k *columnChunk) readOffsetIndex(r io.ReaderAt) (pages []pageLocation, err error) {
	b := make([]byte, k.offsetIndexLength)
	if err := readExactly(r, b, k.offsetIndex); err != nil {
		return nil, err
	}
	c := compact{b: b}
	c.structure(func(id int, kind byte) bool {
		if id != 1 || kind != thriftList {
			return false
		}
		c.structures(func(int) {
			var p pageLocation
			c.structure(func(id int, kind byte) bool {
				field := map[int]*int64{1: &p.offset, 2: &p.size, 3: &p.row}[id]
				if field == nil || kind != thriftI32 && kind != thriftI64 {
					return false
				}
				*field = c.int()
				return true
			})
			pages = append(pages, p)
		})
		return true
	})
	return pages, nil
}

type pageHeader struct {
	kind, uncompressed, compressed int64
	values, encoding               int64
	sum                            uint32
}

func readPageHeader(c *compact) (p pageHeader) {
	c.structure(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			p.kind = c.int()
		case id == 2 && kind == thriftI32:
			p.uncompressed = c.int()
		case id == 3 && kind == thriftI32:
			p.compressed = c.int()
		case id == 4 && kind == thriftI32:
			p.sum = uint32(c.int())
		case kind == thriftStruct && id >= 5 && id <= 8:
			// The number of values is the first field of each, the encoding the
			// second, or the fourth of version 2.
			encoding := 2
			if id == 8 {
				encoding = 4
			}
			c.structure(func(id int, kind byte) bool {
				switch {
				case id == 1 && kind == thriftI32:
					p.values = c.int()
				case id == encoding && kind == thriftI32:
					p.encoding = c.int()
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return p
}
