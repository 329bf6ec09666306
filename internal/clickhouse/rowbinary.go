package clickhouse

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// bufferSize is that of rows on their way, in bytes.
const bufferSize = 256 << 10

// maxText bounds a text of an answer, in bytes.
const maxText = 1 << 20

// Writer writes the columns of rows in the format RowBinary. The first error stays
// and is returned at the end.
type Writer struct {
	out *bufio.Writer
	buf [binary.MaxVarintLen64]byte
}

func newWriter(w io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(w, bufferSize)} }

func (w *Writer) flush() error { return w.out.Flush() }

// Err is the first error.
func (w *Writer) Err() error {
	_, err := w.out.Write(nil)
	return err
}

// Text writes a String.
func (w *Writer) Text(s string) {
	_, _ = w.out.Write(w.buf[:binary.PutUvarint(w.buf[:], uint64(len(s)))])
	_, _ = w.out.WriteString(s)
}

// Int64 writes an Int64.
func (w *Writer) Int64(n int64) {
	binary.LittleEndian.PutUint64(w.buf[:], uint64(n))
	_, _ = w.out.Write(w.buf[:8])
}

// Int32 writes an Int32.
func (w *Writer) Int32(n int32) {
	binary.LittleEndian.PutUint32(w.buf[:], uint32(n))
	_, _ = w.out.Write(w.buf[:4])
}

// Uint16 writes a UInt16 or a Date, in days since 1970-01-01.
func (w *Writer) Uint16(n uint16) {
	binary.LittleEndian.PutUint16(w.buf[:], n)
	_, _ = w.out.Write(w.buf[:2])
}

// Bool writes a UInt8, 0 or 1.
func (w *Writer) Bool(is bool) {
	c := byte(0)
	if is {
		c = 1
	}
	_ = w.out.WriteByte(c)
}

// Reader reads the columns of rows. After an error all are zero, and it is returned at
// the end.
type Reader struct {
	in  *bufio.Reader
	buf [8]byte
	err error
}

func newReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, bufferSize)} }

// more reports whether there is another row.
func (r *Reader) more() bool {
	if r.err != nil {
		return false
	}
	_, err := r.in.Peek(1)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return err == nil
}

func (r *Reader) read(n int) []byte {
	b := r.buf[:n]
	if r.err == nil {
		_, r.err = io.ReadFull(r.in, b)
	}
	if r.err == io.EOF {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

// Text reads a String.
func (r *Reader) Text() string {
	if r.err != nil {
		return ""
	}
	n, err := binary.ReadUvarint(r.in)
	switch {
	case err != nil:
		r.err = io.ErrUnexpectedEOF
		return ""
	case n > maxText:
		r.err = fmt.Errorf("a text of %d bytes", n)
		return ""
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.in, b); err != nil {
		r.err = io.ErrUnexpectedEOF
		return ""
	}
	return string(b)
}

// Uint64 reads a UInt64.
func (r *Reader) Uint64() uint64 { return binary.LittleEndian.Uint64(r.read(8)) }

// Int64 reads an Int64.
func (r *Reader) Int64() int64 { return int64(r.Uint64()) }

// Int32 reads an Int32.
func (r *Reader) Int32() int32 { return int32(binary.LittleEndian.Uint32(r.read(4))) }

// Bool reads a UInt8.
func (r *Reader) Bool() bool { return r.read(1)[0] != 0 }
