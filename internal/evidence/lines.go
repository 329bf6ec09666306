package evidence

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// maxLine is how long a line may be. A name has at most four bytes for each of its 255,
// and stands in a line twice.
const maxLine = 64 << 10

// errCut: the last line has no end. It may be written later.
var errCut = errors.New("the last line has no end")

// lines splits a content.
type lines struct {
	in  *bufio.Reader
	sum *digest
}

func newLines(r io.Reader) *lines {
	return &lines{in: bufio.NewReaderSize(r, maxLine), sum: newDigest()}
}

// skip passes over the first n bytes.
func (l *lines) skip(n int64) error {
	_, err := io.CopyN(l.sum, l.in, n)
	return err
}

// next returns a line without its end, nil for one that is too long. It is valid until the
// next call. The error is errCut, io.EOF, or why the content could not be read.
func (l *lines) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if err == nil {
		l.sum.Write(line)
		return bytes.TrimRight(line, "\r\n"), nil
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			l.sum.Write(line)
			line, err = l.in.ReadSlice('\n')
		}
		l.sum.Write(line)
		return nil, err
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, errCut
	}
	return nil, err
}

// digest is the identity of the begin of a content.
type digest struct {
	all, begin hash.Hash
	size       int64
}

func newDigest() *digest { return &digest{all: sha256.New(), begin: sha256.New()} }

// Write implements io.Writer.
func (d *digest) Write(b []byte) (int, error) {
	if left := headSize - d.size; left > 0 {
		d.begin.Write(b[:min(left, int64(len(b)))])
	}
	d.size += int64(len(b))
	return d.all.Write(b)
}

// head is the SHA-256 of the first headSize bytes, or of all.
func (d *digest) head() string { return hex.EncodeToString(d.begin.Sum(nil)) }

// sum is the SHA-256 of all bytes.
func (d *digest) sum() string { return hex.EncodeToString(d.all.Sum(nil)) }
