package tally

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// Reader reads the segment from r and fails where it is not what it was when the
// summary was made. The returned reader can be used by several goroutines.
func (s *Summary) Reader(r io.ReaderAt) io.ReaderAt { return &verifying{s, r} }

type verifying struct {
	s *Summary
	r io.ReaderAt
}

// scratches are buffers of blocks.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

func (v *verifying) ReadAt(p []byte, offset int64) (int, error) {
	s := v.s
	if err := s.loadSums(); err != nil {
		return 0, err
	}
	if offset < 0 || offset >= s.Bytes {
		return 0, io.EOF
	}
	var end error
	if rest := s.Bytes - offset; int64(len(p)) > rest {
		p, end = p[:rest], io.EOF
	}
	if len(p) == 0 {
		return 0, end
	}
	first, last := offset/sumBlock, (offset+int64(len(p))-1)/sumBlock
	if s.good(first, last) {
		if n, err := v.r.ReadAt(p, offset); n < len(p) {
			return n, noEOF(err)
		}
		return len(p), end
	}
	// What is verified is what is returned: whole blocks.
	from, n := first*sumBlock, int(min((last+1)*sumBlock, s.Bytes)-first*sumBlock)
	b := p
	if n > len(p) {
		scratch := scratches.Get().(*[]byte)
		defer scratches.Put(scratch)
		*scratch = slices.Grow((*scratch)[:0], n)[:n]
		b = *scratch
	}
	if n, err := v.r.ReadAt(b, from); n < len(b) {
		return 0, noEOF(err)
	}
	for i := first; i <= last; i++ {
		k := (i - first) * sumBlock
		if xxhash.Sum64(b[k:min(k+sumBlock, int64(len(b)))]) != s.sums[i] {
			return 0, fmt.Errorf("bytes %d to %d are not those that were sealed; restore the file from a copy of the directory, the disk may be failing", i*sumBlock, (i+1)*sumBlock-1)
		}
	}
	s.mu.Lock()
	for i := first; i <= last; i++ {
		s.verified[i] = true
	}
	s.mu.Unlock()
	if n > len(p) {
		copy(p, b[offset-from:])
	}
	return len(p), end
}

func (s *Summary) good(first, last int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.Contains(s.verified[first:last+1], false)
}
