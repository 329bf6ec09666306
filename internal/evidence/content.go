package evidence

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"nullspf/internal/files"
)

// maxZstdWindow bounds the memory that a compressed file asks for.
const maxZstdWindow = 64 << 20

// content is what is in a file, decompressed where it is compressed with gzip or zstd.
type content struct {
	io.Reader
	file    *os.File
	changed time.Time
	size    int64
	// done counts the bytes of the file that were read.
	done  atomic.Int64
	close func()
}

// openContent opens a regular file.
func openContent(path string) (*content, error) {
	f, info, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	c := &content{file: f, changed: info.ModTime(), size: info.Size(), close: func() {}}
	plain := bufio.NewReaderSize(&counted{f, &c.done}, 256<<10)
	begin, err := plain.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	c.Reader = plain
	switch {
	case len(begin) >= 2 && begin[0] == 0x1f && begin[1] == 0x8b:
		z, err := gzip.NewReader(plain)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		c.Reader = z
	case string(begin) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(plain, zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		c.Reader, c.close = z, z.Close
	}
	return c, nil
}

// Close closes the file.
func (c *content) Close() error {
	c.close()
	return c.file.Close()
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
