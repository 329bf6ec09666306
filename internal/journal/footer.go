package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// A segment is untrusted input, and the Parquet reader believes what it reads:
// it asks for as much memory as a length says. So its metadata is looked at here
// first, and refused unless it is such as segmentWriter writes.

const (
	parquetMagic = "PAR1"
	// maxFooter bounds the footer, in bytes: some 70 row groups of 20 columns,
	// each with the bounds of its texts.
	maxFooter = 16 << 20
	// maxColumns bounds the columns: those of the schema, and of later ones.
	maxColumns = 64
	// maxValue bounds a value without compression: 255 bytes, each of which may
	// be escaped to four, and the length before it.
	maxValue = 1100
	// chunkOverhead is what a column chunk may have beside its values.
	chunkOverhead = 1 << 20
)

// errFormat is wrapped by the errors about metadata that nullspfd does not write.
var errFormat = errors.New("nullspfd does not write such a file")

func refuse(text string, args ...any) error {
	return fmt.Errorf("%w: %s", errFormat, fmt.Sprintf(text, args...))
}

var segmentEncodings = []format.Encoding{format.Plain, format.RLE, format.DeltaBinaryPacked, format.DeltaLengthByteArray, format.RLEDictionary}

// footer is what the footer of a segment says.
type footer struct {
	rows   int64
	leaves []leaf
	groups []rowGroup
	// end is where the footer begins: everything else lies before it.
	end int64
}

type leaf struct {
	name string
	kind int64
	unit timeUnit
}

// timeUnit says how the integers of a column are times.
type timeUnit uint8

const (
	// noTime: they are none. So said segments before version 2 of their times.
	noTime timeUnit = iota
	// localNanos: nanoseconds, not adjusted to UTC.
	localNanos
	otherTime
)

type rowGroup struct {
	rows   int64
	chunks []columnChunk
}

type columnChunk struct {
	kind, codec, values               int64
	uncompressed, compressed          int64
	data, dictionary                  int64
	encodings                         []format.Encoding
	offsetIndex, offsetIndexLength    int64
	columnIndex, columnIndexLength    int64
	bloom, bloomLength                int64
	elsewhere, encrypted, hasMetaData bool
}

// readFooter reads and checks the footer of a segment, and all that it refers to
// by place and length but the pages; see checkPages.
func readFooter(r io.ReaderAt, size int64) (*footer, error) {
	const trailer = 8
	if size < int64(len(parquetMagic))+trailer {
		return nil, refuse("it has %d bytes", size)
	}
	var head [4]byte
	var tail [trailer]byte
	if err := readExactly(r, head[:], 0); err != nil {
		return nil, err
	}
	if err := readExactly(r, tail[:], size-trailer); err != nil {
		return nil, err
	}
	if string(head[:]) != parquetMagic || string(tail[4:]) != parquetMagic {
		return nil, refuse("it does not begin and end with %s", parquetMagic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > min(size-int64(len(head))-trailer, maxFooter) {
		return nil, refuse("its footer has %d bytes", length)
	}
	b := make([]byte, length)
	f := &footer{end: size - trailer - length}
	if err := readExactly(r, b, f.end); err != nil {
		return nil, err
	}
	c := compact{b: b}
	f.parse(&c)
	if c.bad || len(c.b) > 0 {
		return nil, refuse("its footer is malformed")
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, f.checkIndexes(r)
}

// readExactly reads len(b) bytes; that the file ends before is said of its form.
func readExactly(r io.ReaderAt, b []byte, offset int64) error {
	if n, err := r.ReadAt(b, offset); n < len(b) {
		if err == io.EOF {
			return refuse("it is cut off")
		}
		return err
	}
	return nil
}

func (f *footer) parse(c *compact) {
	root := true
	c.structure(func(id int, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			c.structures(func(i int) {
				if i > maxColumns {
					c.fail()
				}
				f.parseElement(c, root)
				root = false
			})
		case id == 3 && kind == thriftI64:
			f.rows = c.int()
		case id == 4 && kind == thriftList:
			c.structures(func(int) { f.parseGroup(c) })
		case id == 8:
			// The algorithm of an encrypted file.
			c.fail()
		default:
			return false
		}
		return true
	})
}

// parseElement reads an element of the schema: the root, or a column.
func (f *footer) parseElement(c *compact, root bool) {
	l := leaf{kind: -1}
	children, repetition := int64(0), int64(0)
	c.structure(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			l.kind = c.int()
		case id == 3 && kind == thriftI32:
			repetition = c.int()
		case id == 4 && kind == thriftBinary:
			l.name = string(c.binary())
		case id == 5 && kind == thriftI32:
			children = c.int()
		case id == 6 && kind == thriftI32:
			if t := deprecated.ConvertedType(c.int()); t == deprecated.TimestampMillis || t == deprecated.TimestampMicros {
				l.unit = otherTime
			}
		case id == 10 && kind == thriftStruct:
			l.parseLogicalType(c)
		default:
			return false
		}
		return true
	})
	switch {
	case root:
	case children != 0 || repetition != 0:
		// Every column is required, and none holds others.
		c.fail()
	default:
		f.leaves = append(f.leaves, l)
	}
}

// parseLogicalType reads the union LogicalType, of which TIMESTAMP is looked at.
func (l *leaf) parseLogicalType(c *compact) {
	c.structure(func(id int, kind byte) bool {
		if id != 8 || kind != thriftStruct {
			return false
		}
		l.unit = otherTime
		local := false
		c.structure(func(id int, kind byte) bool {
			switch {
			case id == 1:
				local = kind == thriftFalse
				return false
			case id == 2 && kind == thriftStruct:
				c.structure(func(id int, kind byte) bool {
					if id == 3 && local {
						l.unit = localNanos
					}
					return false
				})
				return true
			}
			return false
		})
		return true
	})
}

func (f *footer) parseGroup(c *compact) {
	var g rowGroup
	c.structure(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftList:
			c.structures(func(i int) {
				if i >= maxColumns {
					c.fail()
					return
				}
				g.chunks = append(g.chunks, parseChunk(c))
			})
		case id == 3 && kind == thriftI64:
			g.rows = c.int()
		default:
			return false
		}
		return true
	})
	f.groups = append(f.groups, g)
}

func parseChunk(c *compact) (k columnChunk) {
	c.structure(func(id int, kind byte) bool {
		switch {
		case id == 1:
			k.elsewhere = true
			return false
		case id == 8, id == 9:
			k.encrypted = true
			return false
		case id == 3 && kind == thriftStruct:
			k.hasMetaData = true
			k.parseMetaData(c)
		case id == 4 && kind == thriftI64:
			k.offsetIndex = c.int()
		case id == 5 && kind == thriftI32:
			k.offsetIndexLength = c.int()
		case id == 6 && kind == thriftI64:
			k.columnIndex = c.int()
		case id == 7 && kind == thriftI32:
			k.columnIndexLength = c.int()
		default:
			return false
		}
		return true
	})
	return k
}

// field is the field of ColumnMetaData with a number, nil for one that is not looked at.
func (k *columnChunk) field(id int) *int64 {
	switch id {
	case 1:
		return &k.kind
	case 4:
		return &k.codec
	case 5:
		return &k.values
	case 6:
		return &k.uncompressed
	case 7:
		return &k.compressed
	case 9:
		return &k.data
	case 11:
		return &k.dictionary
	case 14:
		return &k.bloom
	case 15:
		return &k.bloomLength
	}
	return nil
}

func (k *columnChunk) parseMetaData(c *compact) {
	c.structure(func(id int, kind byte) bool {
		field := k.field(id)
		switch {
		case field != nil && (kind == thriftI32 || kind == thriftI64):
			*field = c.int()
		case id == 2 && kind == thriftList:
			n, _ := c.list()
			for range min(n, 16) {
				k.encodings = append(k.encodings, format.Encoding(c.int()))
			}
			if n > 16 {
				c.fail()
			}
		default:
			return false
		}
		return true
	})
}

// check compares the footer with the schema and itself.
func (f *footer) check() error {
	for _, column := range eventrow.Columns {
		i := slices.IndexFunc(f.leaves, func(l leaf) bool { return l.name == column.Name })
		switch {
		case i < 0 && column.Added:
		case i < 0:
			return refuse("it has no column %s", column.Name)
		case f.leaves[i].kind != int64(column.Kind):
			return refuse("its column %s is not of type %s", column.Name, column.Kind)
		case f.leaves[i].unit == otherTime, f.leaves[i].unit != noTime && column != eventrow.TS:
			return refuse("its column %s has times in another unit than nanoseconds, not adjusted to UTC", column.Name)
		}
	}
	rows := int64(0)
	for _, g := range f.groups {
		if g.rows < 1 || g.rows > rowGroupRows || len(g.chunks) != len(f.leaves) {
			return refuse("a row group has %d rows and %d columns", g.rows, len(g.chunks))
		}
		rows += g.rows
		for i := range g.chunks {
			if err := f.checkChunk(&g.chunks[i], g.rows, f.leaves[i]); err != nil {
				return err
			}
		}
	}
	if rows != f.rows {
		return refuse("its row groups have %d rows, not %d", rows, f.rows)
	}
	return nil
}

func (f *footer) checkChunk(k *columnChunk, rows int64, l leaf) error {
	for _, e := range k.encodings {
		if !slices.Contains(segmentEncodings, e) {
			return refuse("column %q has the encoding %s", l.name, e)
		}
	}
	first := k.first()
	switch {
	case !k.hasMetaData || k.elsewhere || k.encrypted || k.kind != l.kind || k.values != rows:
		return refuse("column %q contradicts its row group", l.name)
	case k.codec != int64(format.Zstd):
		return refuse("column %q has the codec %s", l.name, format.CompressionCodec(k.codec))
	case k.uncompressed < 0 || k.uncompressed > rows*maxValue+chunkOverhead:
		return refuse("column %q has %d bytes in %d rows", l.name, k.uncompressed, rows)
	case !f.holds(first, k.compressed) || k.data < first || k.data >= first+k.compressed,
		!f.holds(k.offsetIndex, k.offsetIndexLength), !f.holds(k.columnIndex, k.columnIndexLength), !f.holds(k.bloom, k.bloomLength):
		return refuse("column %q lies outside of the file", l.name)
	}
	return nil
}

// first is where the pages begin.
func (k *columnChunk) first() int64 {
	if k.dictionary > 0 {
		return min(k.dictionary, k.data)
	}
	return k.data
}

// holds reports whether a piece lies before the footer; an offset of 0 is that
// of none.
func (f *footer) holds(offset, length int64) bool {
	if offset == 0 {
		return length == 0
	}
	return offset >= int64(len(parquetMagic)) && offset <= f.end && length >= 0 && length <= f.end-offset
}

// checkIndexes reads the indexes of pages, which lie one behind the other.
func (f *footer) checkIndexes(r io.ReaderAt) error {
	first, end := f.end, int64(0)
	f.eachIndex(func(_ string, offset, length int64) error {
		first, end = min(first, offset), max(end, offset+length)
		return nil
	})
	if end == 0 {
		return nil
	}
	if end-first > maxFooter {
		return refuse("its indexes of pages lie in %d bytes", end-first)
	}
	b := make([]byte, end-first)
	if err := readExactly(r, b, first); err != nil {
		return err
	}
	return f.eachIndex(func(column string, offset, length int64) error {
		c := compact{b: b[offset-first:][:length]}
		c.structure(nil)
		if c.bad {
			return refuse("the index of column %q is malformed", column)
		}
		return nil
	})
}

// eachIndex calls yield with the places of all indexes of pages. It returns yield's
// error.
func (f *footer) eachIndex(yield func(column string, offset, length int64) error) error {
	for _, g := range f.groups {
		for i := range g.chunks {
			k := &g.chunks[i]
			for _, piece := range [][2]int64{{k.offsetIndex, k.offsetIndexLength}, {k.columnIndex, k.columnIndexLength}} {
				if piece[1] == 0 {
					continue
				}
				if err := yield(f.leaves[i].name, piece[0], piece[1]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
