package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

const (
	blockHeader = 40
	// maxBlock bounds the payload, and with it what a damaged block costs.
	maxBlock = 64 << 10

	// blockEvents has records, in files of version 1; blockPacked has them packed.
	blockEvents = 1
	blockPacked = 3
	// blockEnd is the last block of a file that was closed in order: no
	// payload, first is the sequence number that follows.
	blockEnd = 2
)

// errTorn is returned where the rest of a file holds no valid block: the file
// is being written, or was torn.
var errTorn = errors.New("torn")

// block is a block of a wal file.
type block struct {
	kind  uint8
	first uint64
	count int
	// payload is what the file has, records what it stands for; spare is room
	// behind the records, for the texts of their names.
	payload, records, spare []byte
}

// length is that of the block in a file.
func (b *block) length() int64 { return blockHeader + int64(len(b.payload)) }

// appendBlockHeader appends the header of a block.
func appendBlockHeader(b []byte, key uint64, blk *block) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = le.AppendUint64(b, key)
	b = le.AppendUint64(b, blk.first)
	b = le.AppendUint32(b, uint32(len(blk.payload)))
	b = le.AppendUint32(b, uint32(blk.count))
	b = le.AppendUint32(b, sum(blk.payload))
	b = append(b, blk.kind, 0, 0, 0, 0, 0, 0, 0)
	return le.AppendUint32(b, sum(b[start:]))
}

// blockInfo is a decoded block header.
type blockInfo struct {
	block
	length int
	sum    uint32
}

// decodeBlockHeader reads a block header, whose sequence numbers must lie
// within those of the file.
func decodeBlockHeader(b []byte, key, first, bound uint64) (info blockInfo, ok bool) {
	le := binary.LittleEndian
	if len(b) < blockHeader || le.Uint64(b) != key || sum(b[:blockHeader-4]) != le.Uint32(b[blockHeader-4:]) {
		return info, false
	}
	info.first = le.Uint64(b[8:])
	info.length = int(le.Uint32(b[16:]))
	info.count = int(le.Uint32(b[20:]))
	info.sum = le.Uint32(b[24:])
	info.kind = b[28]
	if info.first < first || info.first > bound {
		return info, false
	}
	switch info.kind {
	case blockEvents, blockPacked:
		ok = info.length <= maxBlock && info.count > 0 && info.count <= info.length/minPacked &&
			uint64(info.count) <= bound-info.first
	case blockEnd:
		ok = info.length == 0 && info.count == 0
	}
	return info, ok
}

// blockReader reads the blocks of a wal file in order. It skips damaged
// ones. It can go on after io.EOF and errTorn when the file has grown.
type blockReader struct {
	r            io.ReaderAt
	size         int64
	key          uint64
	first, bound uint64
	packer       *packer
	// memory, if set, is where records are put.
	memory *arena
	// offset is where the next block begins.
	offset int64
	// damaged counts the bytes that were skipped.
	damaged int64
	// end: the end block has been read.
	end bool

	// chunk holds the bytes from chunkStart.
	chunk      []byte
	chunkStart int64
}

const chunkSize = 256 << 10

// peek returns n bytes at an offset, fewer at the end of the file.
func (b *blockReader) peek(offset int64, n int) ([]byte, error) {
	n = int(min(int64(n), b.size-offset))
	if n <= 0 {
		return nil, nil
	}
	if i := offset - b.chunkStart; i >= 0 && i+int64(n) <= int64(len(b.chunk)) {
		return b.chunk[i : i+int64(n)], nil
	}
	want := int(min(int64(max(n, chunkSize)), b.size-offset))
	chunk := b.chunk
	if want > cap(chunk) {
		chunk = make([]byte, want)
	}
	have := 0
	if i := offset - b.chunkStart; i >= 0 && i < int64(len(b.chunk)) {
		have = copy(chunk[:want], b.chunk[i:])
	}
	chunk = chunk[:want]
	m, err := b.r.ReadAt(chunk[have:], offset+int64(have))
	if err != nil && err != io.EOF {
		return nil, err
	}
	b.chunk, b.chunkStart = chunk[:have+m], offset
	return b.chunk[:min(n, len(b.chunk))], nil
}

// lostEnd is how many bytes the damaged end of the file has, after errTorn: 0 when
// a block merely ends too early, because it is being written, or was when the
// process ended. events is how many were in it at most.
func (b *blockReader) lostEnd() (bytes int64, events uint64) {
	rest := b.size - b.offset
	if rest < blockHeader {
		return 0, 0
	}
	head, err := b.peek(b.offset, blockHeader)
	if err != nil {
		return rest, uint64(rest) / minPacked
	}
	info, ok := decodeBlockHeader(head, b.key, b.first, b.bound)
	switch {
	case ok && rest < int64(blockHeader+info.length):
		return 0, 0
	case ok && rest == int64(blockHeader+info.length):
		return rest, uint64(info.count)
	}
	return rest, uint64(rest-blockHeader) / minPacked
}

// grow tells the reader the file's present size.
func (b *blockReader) grow(size int64) {
	if size != b.size {
		b.size = size
		// What was read at the old end may have been half written.
		b.chunk, b.chunkStart = nil, 0
	}
}

// next returns the next valid block; its records must not be changed, its payload
// is valid until the next call. It returns io.EOF at the end of the file, and errTorn where something follows
// that is not a block and no block comes after it.
func (b *blockReader) next() (block, error) {
	if b.end || b.offset >= b.size {
		return block{}, io.EOF
	}
	blk, length, err := b.at(b.offset)
	if err == nil {
		b.offset += length
		b.end = blk.kind == blockEnd
		return blk, nil
	}
	if !errors.Is(err, errTorn) {
		return block{}, err
	}
	for offset := b.offset + 1; ; {
		offset, err = b.search(offset)
		if err != nil {
			return block{}, err
		}
		blk, length, err = b.at(offset)
		if err == nil {
			b.damaged += offset - b.offset
			b.offset = offset + length
			b.end = blk.kind == blockEnd
			return blk, nil
		}
		if !errors.Is(err, errTorn) {
			return block{}, err
		}
		offset++
	}
}

// at reads the block at an offset; errTorn when there is none.
func (b *blockReader) at(offset int64) (blk block, length int64, err error) {
	head, err := b.peek(offset, blockHeader)
	if err != nil {
		return blk, 0, err
	}
	info, ok := decodeBlockHeader(head, b.key, b.first, b.bound)
	if !ok {
		return blk, 0, errTorn
	}
	whole, err := b.peek(offset, blockHeader+info.length)
	if err != nil {
		return blk, 0, err
	}
	if len(whole) < blockHeader+info.length {
		return blk, 0, errTorn
	}
	info.payload = whole[blockHeader:]
	if sum(info.payload) != info.sum {
		return blk, 0, errTorn
	}
	switch info.kind {
	case blockEvents:
		info.records = bytes.Clone(info.payload)
		ok = validRecords(info.records, info.count)
	case blockPacked:
		ok = b.unpack(&info)
	}
	if !ok {
		return blk, 0, errTorn
	}
	return info.block, int64(len(whole)), nil
}

// unpack sets the records of a packed block.
func (b *blockReader) unpack(info *blockInfo) (ok bool) {
	if b.memory == nil {
		info.records, ok = b.packer.unpackAll(make([]byte, 0, 2*len(info.payload)+16*info.count), info.payload, info.count)
		return ok
	}
	// That much a record rarely takes, and the texts of its name take less.
	room := b.memory.reserve(4*len(info.payload) + 128*info.count)
	info.records, ok = b.packer.unpackAll(room[:0:len(room)/2], info.payload, info.count)
	if n := len(info.records); n <= len(room)/2 {
		info.spare = room[n : 2*n]
		b.memory.keep(2*n, info.first+uint64(info.count))
	}
	return ok
}

// search returns the first offset from which the key stands.
func (b *blockReader) search(offset int64) (int64, error) {
	for offset < b.size {
		chunk, err := b.peek(offset, chunkSize)
		if err != nil {
			return 0, err
		}
		if i := indexKey(chunk, b.key); i >= 0 {
			return offset + int64(i), nil
		}
		if len(chunk) < 8 || offset+int64(len(chunk)) >= b.size {
			break
		}
		offset += int64(len(chunk)) - 7
	}
	return 0, errTorn
}

// validRecords reports whether a payload holds count records and no more.
func validRecords(b []byte, count int) bool {
	for ; count > 0; count-- {
		if len(b) < recordFixed {
			return false
		}
		n := int(binary.LittleEndian.Uint16(b))
		if n < recordFixed || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}

// keyBytes is the form of a key in a file.
func keyBytes(key uint64) []byte { return binary.LittleEndian.AppendUint64(nil, key) }

// indexKey returns the first offset of a key in b, -1 for none.
func indexKey(b []byte, key uint64) int { return bytes.Index(b, keyBytes(key)) }
