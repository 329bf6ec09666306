package journal

import "os"

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
		packer: newPacker(header.zones),
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
