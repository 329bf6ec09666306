package journal

import "encoding/binary"

// compact reads the compact protocol of Thrift, in which Parquet writes its
// metadata, and trusts nothing: it allocates nothing, and no length reaches
// beyond the input. After something that cannot be, bad is set, and everything
// that is read is zero.
type compact struct {
	b   []byte
	bad bool
}

// The types of fields and elements.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12

	// thriftDepth bounds how deep values lie in others.
	thriftDepth = 16
)

func (c *compact) fail() { c.b, c.bad = nil, true }

func (c *compact) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	b := c.b[0]
	c.b = c.b[1:]
	return b
}

func (c *compact) uint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// int reads an integer of any width.
func (c *compact) int() int64 {
	v := c.uint()
	return int64(v>>1) ^ -int64(v&1)
}

// binary reads a string; it refers to the input.
func (c *compact) binary() []byte {
	n := c.uint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

// structure calls field with the number and type of each field. When field does
// not read the value, it returns false.
func (c *compact) structure(field func(id int, kind byte) bool) { c.structureAt(0, field) }

func (c *compact) structureAt(depth int, field func(id int, kind byte) bool) {
	id := 0
	for !c.bad {
		h := c.byte()
		if h == 0 {
			return
		}
		if delta := int(h >> 4); delta > 0 {
			id += delta
		} else {
			id = int(int16(c.int()))
		}
		if field == nil || !field(id, h&15) {
			c.skip(h&15, depth+1)
		}
	}
}

// list reads the beginning of a list, whose elements, at least a byte each,
// follow.
func (c *compact) list() (n int, kind byte) {
	h := c.byte()
	size := uint64(h >> 4)
	if size == 15 {
		size = c.uint()
	}
	if size > uint64(len(c.b)) {
		c.fail()
		return 0, 0
	}
	return int(size), h & 15
}

// structures calls element for each of a list of structures.
func (c *compact) structures(element func(i int)) {
	n, kind := c.list()
	if kind != thriftStruct && n > 0 {
		c.fail()
	}
	for i := 0; i < n && !c.bad; i++ {
		element(i)
	}
}

// skip skips the value of a field; a boolean is in its type.
func (c *compact) skip(kind byte, depth int) {
	switch {
	case depth > thriftDepth:
		c.fail()
	case kind == thriftTrue, kind == thriftFalse:
	case kind == thriftByte:
		c.byte()
	case kind == thriftI16, kind == thriftI32, kind == thriftI64:
		c.uint()
	case kind == thriftDouble:
		for range 8 {
			c.byte()
		}
	case kind == thriftBinary:
		c.binary()
	case kind == thriftList, kind == thriftSet:
		n, element := c.list()
		for range n {
			c.skipElement(element, depth+1)
		}
	case kind == thriftStruct:
		c.structureAt(depth, nil)
	default:
		// No structure of Parquet holds a map.
		c.fail()
	}
}

func (c *compact) skipElement(kind byte, depth int) {
	if kind == thriftTrue || kind == thriftFalse {
		c.byte()
		return
	}
	c.skip(kind, depth)
}
