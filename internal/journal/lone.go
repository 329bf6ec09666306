package journal

import (
	"fmt"
	"io"
	"os"

	"nullspf/internal/eventrow"
)

// ReadParquet calls yield with batches of the rows of a file that is a segment, or a copy of
// one, without the MANIFEST that lists it. Its metadata is held to the form of segments before
// anything is decoded. Rows are valid until yield returns, texts for good.
func ReadParquet(path string, yield func([]eventrow.Row) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	footer, err := readFooter(f, size)
	if err == nil {
		err = footer.checkPages(f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s := &SegmentFile{Segment: Segment{Bytes: size}, f: f, verified: true}
	if s.File, err = s.open(f); err != nil {
		return err
	}
	return s.rows(0, yield)
}
