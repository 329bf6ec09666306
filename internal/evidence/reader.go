package evidence

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// errCut: the last record has no end. It may be written later.
var errCut = errors.New("the last record has no end")

// reader reads a content and keeps the identity of what whole records it had.
type reader struct {
	*bufio.Reader
	digest
}

func newReader(r io.Reader) *reader {
	return &reader{bufio.NewReaderSize(r, maxLine), digest{all: sha256.New(), begin: sha256.New()}}
}

// skip passes over the first n bytes.
func (r *reader) skip(n int64) error {
	_, err := io.CopyN(&r.digest, r.Reader, n)
	return err
}

// digest is the identity of the begin of a content.
type digest struct {
	all, begin hash.Hash
	size       int64
}

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
