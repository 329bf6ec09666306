package tally

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// Counts on disk are blocks, each compressed by itself, of entries in order:
//
//	length of what is as in the text before, length of the rest, rest, count
//
// with lengths and counts as variable-length integers; the first text of a block is
// whole.
const (
	blockSize = 32 << 10
	// maxText bounds a text: local@domain, each of 255 bytes, escaped.
	maxText = 4096
	// maxBlock bounds a block without compression.
	maxBlock = blockSize + maxText + 3*binary.MaxVarintLen64
)

// block is where a block is in a file.
type block struct {
	offset int64
	// size is its length, raw that without compression, sum that of its bytes.
	size, raw int
	sum       uint64
	// first is its first text.
	first string
}

var errBlock = errors.New("a block of counts is damaged")

var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(64<<10), zstd.WithLowerEncoderMem(true))
})

var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(false), zstd.WithDecoderMaxMemory(maxBlock))
})

// blockWriter writes texts in order.
type blockWriter struct {
	w      io.Writer
	offset int64
	blocks []block
	raw    []byte
	last   []byte
	first  string
	packed []byte
}

func (w *blockWriter) add(text string, n uint64) error {
	if len(text) > maxText {
		return fmt.Errorf("a text has %d bytes", len(text))
	}
	shared := 0
	if len(w.raw) == 0 {
		w.first = string(append([]byte(nil), text...))
	} else {
		for shared < min(len(text), len(w.last)) && text[shared] == w.last[shared] {
			shared++
		}
	}
	w.raw = binary.AppendUvarint(w.raw, uint64(shared))
	w.raw = binary.AppendUvarint(w.raw, uint64(len(text)-shared))
	w.raw = append(w.raw, text[shared:]...)
	w.raw = binary.AppendUvarint(w.raw, n)
	w.last = append(w.last[:0], text...)
	if len(w.raw) < blockSize {
		return nil
	}
	return w.flush()
}

func (w *blockWriter) flush() error {
	if len(w.raw) == 0 {
		return nil
	}
	e, err := encoder()
	if err != nil {
		return err
	}
	w.packed = e.EncodeAll(w.raw, w.packed[:0])
	if _, err := w.w.Write(w.packed); err != nil {
		return err
	}
	w.blocks = append(w.blocks, block{w.offset, len(w.packed), len(w.raw), xxhash.Sum64(w.packed), w.first})
	w.offset += int64(len(w.packed))
	w.raw = w.raw[:0]
	return nil
}

// blockRun reads texts from blocks.
type blockRun struct {
	r io.ReaderAt
	// blocks are those that are left of all.
	all, blocks []block
	// further are blocks of what each count is more, as many as all, or none; more is what is left of
	// the present one.
	further []block
	more    []byte
	// from is the first text, until it was found.
	from   string
	packed []byte
	buf    []byte
	// raw is what is left of the block.
	raw  []byte
	text []byte
	n    uint64
}

func newBlockRun(r io.ReaderAt, blocks []block) *blockRun {
	return &blockRun{r: r, all: blocks, blocks: blocks}
}

func (r *blockRun) Next() (bool, error) {
	more, err := r.next()
	for r.from != "" {
		if !more || r.Text() >= r.from {
			r.from = ""
			break
		}
		more, err = r.next()
	}
	return more, err
}

func (r *blockRun) next() (bool, error) {
	whole := false
	if len(r.raw) == 0 {
		if len(r.blocks) == 0 {
			return false, nil
		}
		if err := r.load(&r.blocks[0]); err != nil {
			return false, err
		}
		r.blocks = r.blocks[1:]
		whole = true
	}
	shared, a := binary.Uvarint(r.raw)
	if a <= 0 {
		return false, errBlock
	}
	rest, b := binary.Uvarint(r.raw[a:])
	if b <= 0 || shared > uint64(len(r.text)) || whole && shared > 0 || rest > uint64(len(r.raw)-a-b) {
		return false, errBlock
	}
	r.text = append(r.text[:shared], r.raw[a+b:a+b+int(rest)]...)
	r.raw = r.raw[a+b+int(rest):]
	n, c := binary.Uvarint(r.raw)
	if c <= 0 || n == 0 {
		return false, errBlock
	}
	r.n, r.raw = n, r.raw[c:]
	if r.further != nil {
		n, c := binary.Uvarint(r.more)
		if c <= 0 {
			return false, errBlock
		}
		r.n, r.more = r.n+n, r.more[c:]
	}
	return true, nil
}

func (r *blockRun) load(b *block) error {
	d, err := decoder()
	if err != nil {
		return err
	}
	if r.buf, err = r.unpack(b, d, r.buf); err != nil {
		return err
	}
	r.raw = r.buf
	if r.further == nil {
		return nil
	}
	if d, err = largeDecoder(); err != nil {
		return err
	}
	r.more, err = r.unpack(&r.further[len(r.all)-len(r.blocks)], d, nil)
	return err
}

// unpack reads a block, into buf if it is large enough.
func (r *blockRun) unpack(b *block, d *zstd.Decoder, buf []byte) ([]byte, error) {
	if cap(r.packed) < b.size {
		r.packed = make([]byte, max(b.size, blockSize/2))
	}
	r.packed = r.packed[:b.size]
	if n, err := r.r.ReadAt(r.packed, b.offset); n < len(r.packed) {
		return nil, noEOF(err)
	}
	if xxhash.Sum64(r.packed) != b.sum {
		return nil, errBlock
	}
	raw, err := d.DecodeAll(r.packed, buf[:0])
	if err != nil || len(raw) != b.raw || b.raw == 0 {
		return nil, errBlock
	}
	return raw, nil
}

// From begins with the block before the first one that begins behind the text.
func (r *blockRun) From(text string) Run {
	return &blockRun{r: r.r, all: r.all, further: r.further, blocks: r.all[max(after(r.all, text)-1, 0):], from: text}
}

// after is the number of blocks that do not begin behind a text.
func after(blocks []block, text string) int {
	return sort.Search(len(blocks), func(i int) bool { return blocks[i].first > text })
}

func (r *blockRun) blockCount() int { return len(r.all) }

func (r *blockRun) firsts(list []string) []string {
	for i := range r.all {
		list = append(list, r.all[i].first)
	}
	return list
}

// sample reads the whole run.
func (r *blockRun) sample(n int) (list []string, err error) {
	bytes := 0
	for i := range r.all {
		bytes += r.all[i].raw
	}
	step := max(bytes/max(n, 1), 1)
	run := newBlockRun(r.r, r.all)
	for left := step; ; {
		before := len(run.raw)
		more, err := run.next()
		if err != nil || !more {
			return list, err
		}
		if before == 0 {
			before = len(run.buf)
		}
		if left -= before - len(run.raw); left <= 0 {
			list = append(list, string(run.text))
			left += step
		}
	}
}

func (r *blockRun) Text() string  { return view(r.text) }
func (r *blockRun) Count() uint64 { return r.n }
