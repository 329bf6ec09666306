package journal

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// errTorn is returned where the rest of a file holds no valid block: the file
// is being written, or was torn.
var errTorn = errors.New("torn")

// blockReader reads the blocks of a wal file in order. It passes over damaged
// ones. It can go on after io.EOF and errTorn when the file has grown.
type blockReader struct {
	r            io.ReaderAt
	size         int64
	key          uint64
	first, bound uint64
	// offset is where the next block begins.
	offset int64
	// damaged counts the octets that were passed over.
	damaged int64
	// end: the end block has been read.
	end bool

	// chunk holds the octets from chunkStart. It is never changed after it
	// was read, so that blocks may refer to it.
	chunk      []byte
	chunkStart int64
}

const chunkSize = 256 << 10

// peek returns n octets at an offset, fewer at the end of the file.
func (b *blockReader) peek(offset int64, n int) ([]byte, error) {
	n = int(min(int64(n), b.size-offset))
	if n <= 0 {
		return nil, nil
	}
	if i := offset - b.chunkStart; i >= 0 && i+int64(n) <= int64(len(b.chunk)) {
		return b.chunk[i : i+int64(n)], nil
	}
	want := int(min(int64(max(n, chunkSize)), b.size-offset))
	chunk := make([]byte, want)
	have := 0
	if i := offset - b.chunkStart; i >= 0 && i < int64(len(b.chunk)) {
		have = copy(chunk, b.chunk[i:])
	}
	m, err := b.r.ReadAt(chunk[have:], offset+int64(have))
	if err != nil && err != io.EOF {
		return nil, err
	}
	b.chunk, b.chunkStart = chunk[:have+m], offset
	return b.chunk[:min(n, len(b.chunk))], nil
}

// grow tells the reader the file's present size.
func (b *blockReader) grow(size int64) {
	if size != b.size {
		b.size = size
		// What was read at the old end may have been half written.
		b.chunk, b.chunkStart = nil, 0
	}
}

// next returns the next valid block; its records must not be changed. It
// returns io.EOF at the end of the file, and errTorn where something follows
// that is no block and no block comes after it.
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
	info.records = whole[blockHeader:]
	if sum(info.records) != info.sum || !validRecords(info.records, info.count) {
		return blk, 0, errTorn
	}
	return info.block, int64(len(whole)), nil
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

// walReader is an open wal file.
type walReader struct {
	blockReader
	f      *os.File
	path   string
	header *walHeader
	// damagedHeader: one of the copies is damaged.
	damagedHeader bool
}

// openWAL opens a wal file for reading. The error wraps errHeader when both
// copies of its header are damaged.
func openWAL(path string, name walName) (*walReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	w := &walReader{f: f, path: path}
	if err := w.init(f, name); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return w, nil
}

func (w *walReader) init(f *os.File, name walName) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header, blocks, damaged, err := readWALHeader(f, name.key)
	if err != nil {
		return err
	}
	if header.first != name.first {
		return errHeader
	}
	w.header, w.damagedHeader = header, damaged
	w.blockReader = blockReader{
		r: f, size: info.Size(), key: header.key, first: header.first, bound: header.bound, offset: blocks,
	}
	return nil
}

// refresh looks at the file's size again.
func (w *walReader) refresh() error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	w.grow(info.Size())
	return nil
}

func (w *walReader) Close() error { return w.f.Close() }

// trailer returns the sequence number that follows the file's last when it was
// closed in order.
func (w *walReader) trailer() (next uint64, ok bool) {
	var b [blockHeader]byte
	if w.size < w.offset+blockHeader {
		return 0, false
	}
	if err := readFull(w.f, b[:], w.size-blockHeader); err != nil {
		return 0, false
	}
	info, ok := decodeBlockHeader(b[:], w.key, w.first, w.bound)
	return info.first, ok && info.kind == blockEnd
}
