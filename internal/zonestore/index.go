package zonestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// nameIndex finds, for a name, the longest of a set of names that it is or is
// below, in a time that does not depend on how many there are. Names have the
// numbers 0, 1, 2 in the order in which they were added. It is built by one
// goroutine and then read by many.
//
//	names:  \x07example\x00 \x03www\x07example\x00 ...
//	starts: 0               9                      ...
//	slots:  a hash table of hash<<32 | number+1, 0 where empty
type nameIndex struct {
	names  []byte
	starts []uint32
	slots  []uint64
	mask   uint64
	// depths has a bit for each number of labels, modulo 128, that a name has.
	depths  [2]uint64
	deepest int
}

// errIndexFull: offsets have 32 bits.
var errIndexFull = errors.New("names of more than 4 GiB")

// newIndex returns an index with room for a number of names.
func newIndex(names int) *nameIndex {
	x := &nameIndex{starts: make([]uint32, 0, names), names: make([]byte, 0, 20*names)}
	x.grow(names)
	return x
}

// Name returns the name with a number.
func (x *nameIndex) Name(i int) wire.Name { return wire.Name(x.name(uint32(i))) }

func (x *nameIndex) name(i uint32) []byte {
	end := len(x.names)
	if int(i)+1 < len(x.starts) {
		end = int(x.starts[i+1])
	}
	return x.names[x.starts[i]:end]
}

// Add adds a name. It fails when the name is there already.
func (x *nameIndex) Add(name wire.Name) error {
	if len(x.names)+len(name) > 1<<32-1 {
		return errIndexFull
	}
	if 2*(len(x.starts)+1) > len(x.slots) {
		x.grow(2 * (len(x.starts) + 1))
	}
	h := hashName([]byte(name))
	if _, ok := x.lookup(h, name); ok {
		return fmt.Errorf("zone %s is there twice", name.Text())
	}
	depth := name.Labels()
	x.depths[depth>>6] |= 1 << (depth & 63)
	x.deepest = max(x.deepest, depth)
	x.starts = append(x.starts, uint32(len(x.names)))
	x.names = append(x.names, name...)
	x.put(h, uint32(len(x.starts)))
	return nil
}

// Number returns the number of a name.
func (x *nameIndex) Number(name wire.Name) (int, bool) {
	return x.lookup(hashName([]byte(name)), name)
}

func (x *nameIndex) lookup(h uint64, name wire.Name) (int, bool) {
	for at := h & x.mask; x.slots[at] != 0; at = (at + 1) & x.mask {
		if slot := x.slots[at]; slot>>32 == h>>32 {
			if i := uint32(slot) - 1; string(x.name(i)) == string(name) {
				return int(i), true
			}
		}
	}
	return 0, false
}

// Find returns the number of the longest name, of at most so many labels, that
// QNAME is or is below, and how many labels that has.
func (x *nameIndex) Find(r *Reply, most int) (number, labels int, ok bool) {
	h := hashSeed
	for n := 0; n <= min(r.QName.Count, x.deepest, most); n++ {
		if n > 0 {
			at := headerSize + int(r.QName.At[r.QName.Count-n])
			h = addLabel(h, r.Buf[at:at+1+int(r.Buf[at])])
		}
		if x.depths[n>>6]>>(n&63)&1 == 0 {
			continue
		}
		if i, found := x.probe(finish(h), r, n); found {
			number, labels, ok = i, n, true
		}
	}
	return number, labels, ok
}

// probe looks for the last labels of QNAME, whose hash is h.
func (x *nameIndex) probe(h uint64, r *Reply, labels int) (number int, ok bool) {
	for at := h & x.mask; x.slots[at] != 0; at = (at + 1) & x.mask {
		slot := x.slots[at]
		if slot>>32 != h>>32 {
			continue
		}
		suffix, _ := r.suffix(labels)
		if i := uint32(slot) - 1; ascii.EqualFold(suffix, x.name(i)) {
			return int(i), true
		}
	}
	return 0, false
}

// grow makes room for a number of names, at most half of the slots in use.
func (x *nameIndex) grow(names int) {
	size := 1 << bits.Len(uint(max(2*names, 8)-1))
	if size <= len(x.slots) {
		return
	}
	x.slots = make([]uint64, size)
	x.mask = uint64(size - 1)
	for i := range x.starts {
		x.put(hashName(x.name(uint32(i))), uint32(i)+1)
	}
}

func (x *nameIndex) put(h uint64, number uint32) {
	at := h & x.mask
	for x.slots[at] != 0 {
		at = (at + 1) & x.mask
	}
	x.slots[at] = h&^(1<<32-1) | uint64(number)
}

const (
	hashSeed  uint64 = 0x9e3779b97f4a7c15
	hashPrime uint64 = 0xff51afd7ed558ccd
)

// hashName hashes a name in wire format, without regard to case.
func hashName(name []byte) uint64 {
	var l wire.Labels
	l.Read(name)
	h := hashSeed
	for i := l.Count - 1; i >= 0; i-- {
		h = addLabel(h, name[l.At[i]:l.At[i+1]])
	}
	return finish(h)
}

// lowerMask sets the bit that makes letters lower case. Other bytes may
// collide, which the comparison sorts out.
const lowerMask = 0x2020202020202020

// addLabel adds a label with its length to the hash of what stands right of it.
func addLabel(h uint64, label []byte) uint64 {
	for len(label) >= 8 {
		h = mix(h ^ (binary.LittleEndian.Uint64(label) | lowerMask))
		label = label[8:]
	}
	if len(label) > 0 {
		var v uint64
		for i, c := range label {
			v |= uint64(c|0x20) << (8 * i)
		}
		h = mix(h ^ v ^ uint64(len(label))<<56)
	}
	return h
}

func mix(h uint64) uint64 {
	hi, lo := bits.Mul64(h, hashPrime)
	return hi ^ lo
}

func finish(h uint64) uint64 { return mix(h ^ hashSeed) }
